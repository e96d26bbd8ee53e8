package io.walroute.doctor;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** No test fills a disk. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class DiskTest {
    private static final long MB = 1L << 20;

    @ParameterizedTest
    @CsvSource({"0, FAIL", "99, FAIL", "100, WARN", "1023, WARN", "1024, OK"})
    void little_room_for_the_audit_log_is_told_before_there_is_none(long free, Result.Level level) {
        Result result = LocalChecks.disk(Path.of("/var/lib/walroute"), free * MB);

        assertThat(result.level()).isEqualTo(level);
        assertThat(result.message()).endsWith("free for the audit log in /var/lib/walroute");
        assertThat(result.fix())
                .isEqualTo(
                        level == Result.Level.OK
                                ? null
                                : "make room, set walroute.audit.keep shorter, or move it by walroute.audit.url");
    }
}
