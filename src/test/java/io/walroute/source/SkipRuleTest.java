package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.Lsn;
import java.time.Instant;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SkipRuleTest {
    private static final Instant AT = Instant.parse("2026-01-31T12:00:00.123456Z");
    private static final SkipRule RULE = new SkipRule(1, 812, Lsn.parse("0/100"), Lsn.parse("0/200"), AT);

    @Test
    void it_covers_the_changes_of_its_transaction() {
        assertThat(RULE.covers(812, Lsn.parse("0/100"), AT)).isTrue();
        assertThat(RULE.covers(812, Lsn.parse("0/1F8"), AT)).isTrue();
        assertThat(RULE.covers(813, Lsn.parse("0/180"), AT)).isFalse();
    }

    @Test
    void it_never_hits_a_later_transaction_with_the_same_number() {
        assertThat(RULE.covers(812, Lsn.parse("5/0"), AT.plusSeconds(86_400))).isFalse();
        assertThat(RULE.covers(812, Lsn.parse("0/80"), AT)).isFalse();
    }

    @Test
    void it_never_hits_another_one_where_the_wal_was_written_a_second_time() {
        assertThat(RULE.covers(812, Lsn.parse("0/180"), AT.plusNanos(1_000))).isFalse();
    }
}
