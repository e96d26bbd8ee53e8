package io.walroute.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A finding's line ends with its fix, in words for a log; {@code doctor} shows the command alone behind "Fix:". */
@DisplayNameGeneration(ReplaceUnderscores.class)
class FixTest {
    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    The slot s does not exist. Run: walroute setup | walroute setup
                    The slot s is gone from PostgreSQL. Give them up: walroute reset --accept-gap | walroute reset --accept-gap
                    User u may not replicate. Run as a superuser: ALTER ROLE u REPLICATION | ALTER ROLE u REPLICATION
                    PostgreSQL 12 is too old. Upgrade to 14 or later | Upgrade to 14 or later
                    """)
    void a_fix_is_what_is_to_be_run(String line, String fix) {
        Result result = DatabaseChecks.split("slot", line, Result.Level.FAIL);

        assertThat(result.fix()).isEqualTo(fix);
        assertThat(line).startsWith(result.message() + ". ");
    }

    @Test
    void a_line_without_a_fix_gets_the_command_that_tells_more() {
        assertThat(DatabaseChecks.split("slot", "it is odd", Result.Level.WARN).fix())
                .isEqualTo("walroute status");
    }
}
