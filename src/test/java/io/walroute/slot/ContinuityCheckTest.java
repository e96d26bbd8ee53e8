package io.walroute.slot;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import io.walroute.slot.ContinuityCheck.Promoted;
import io.walroute.slot.ContinuityCheck.Sound;
import io.walroute.slot.ContinuityCheck.Verdict;
import io.walroute.slot.Gap.Reason;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ContinuityCheckTest {
    private static final ReplicationTarget TARGET =
            new ReplicationTarget("jdbc:postgresql://db:5432/grails", Map.of("user", "u"), "s", "pub");
    private static final Lsn POSITION = Lsn.parse("0/500");

    private final Continuity known =
            new Continuity("7", 2, "grails", "s", POSITION, Lsn.parse("0/300"), Instant.EPOCH, Epochs.all(1));

    private String system = "7";
    private int timeline = 2;
    private String database = "grails";
    private String wal = "0/900";
    private String history = "";
    private SlotInfo slot = slot("0/400", "0/500", null);

    private static SlotInfo slot(String restart, String confirmed, String invalidated) {
        return new SlotInfo(
                "s",
                "pgoutput",
                "grails",
                false,
                false,
                null,
                null,
                restart == null ? null : Lsn.parse(restart),
                Lsn.parse(confirmed),
                invalidated == null ? "reserved" : "lost",
                null,
                null,
                null,
                true,
                false,
                invalidated,
                null);
    }

    private Verdict judge(String audited) {
        var server = new ServerInfo(180_000, system, timeline, false, "logical", true, 10, 1, 10, 0, Lsn.parse(wal));
        return ContinuityCheck.judge(
                known,
                Lsn.parse(audited),
                new SlotState(server, database, slot, TimelineHistory.parse(history)),
                TARGET);
    }

    private Gap gap(String audited) {
        return (Gap) judge(audited);
    }

    @Test
    void a_slot_at_or_behind_what_was_noted_goes_on() {
        assertThat(judge("0/4F0")).isInstanceOf(Sound.class);
        slot = slot("0/300", "0/480", null);
        assertThat(judge("0/600")).as("audited, not confirmed: it comes again").isInstanceOf(Sound.class);
    }

    @Test
    void a_slot_ahead_a_missing_one_and_a_lost_one_are_gaps_from_what_was_noted() {
        slot = slot("0/400", "0/501", null);
        assertThat(gap("0/0"))
                .extracting(Gap::reason, Gap::from, Gap::to)
                .containsExactly(Reason.SLOT_AHEAD, POSITION, Lsn.parse("0/501"));
        slot = null;
        assertThat(gap("0/0").line())
                .isEqualTo("Gap: the replication slot s is gone from db:5432. Changes after 0/500 are missing (noted"
                        + " 1970-01-01T00:00:00Z). Nothing is streamed until that is accepted (walroute reset"
                        + " --accept-gap)");
        slot = slot(null, "0/500", "idle_timeout");
        assertThat(gap("0/0").line()).contains("invalidated (idle_timeout)");
    }

    @Test
    void another_server_database_or_older_timeline_is_a_gap_whatever_its_slot_says() {
        system = "8";
        assertThat(gap("0/0").reason()).isEqualTo(Reason.OTHER_SERVER);
        system = "7";
        database = "other";
        assertThat(gap("0/0").reason()).isEqualTo(Reason.OTHER_DATABASE);
        database = "grails";
        timeline = 1;
        assertThat(gap("0/0").reason()).isEqualTo(Reason.OTHER_TIMELINE);
    }

    @Test
    void a_wal_that_ends_before_what_was_read_was_restored() {
        wal = "0/4FF";
        assertThat(gap("0/0").reason()).isEqualTo(Reason.RESTORED);
        wal = "0/600";
        assertThat(gap("0/600").reason())
                .as("a change begins at its LSN: a WAL that ends there doesn't hold it")
                .isEqualTo(Reason.RESTORED);
        wal = "0/601";
        assertThat(judge("0/600")).isInstanceOf(Sound.class);
    }

    @Test
    void a_slot_that_keeps_wal_from_an_earlier_place_than_before_was_restored() {
        slot = slot("0/2FF", "0/480", null);
        assertThat(gap("0/0").reason()).isEqualTo(Reason.RESTORED);
    }

    @Test
    void a_promotion_goes_on_if_the_former_timeline_ended_behind_all_that_was_read() {
        timeline = 4;
        history = "1\t0/100\tbefore\n2\t0/510\tno recovery target specified\n3\t0/800\tagain\n";
        assertThat(judge("0/50F")).isEqualTo(new Promoted(Lsn.parse("0/510")));
        assertThat(gap("0/510"))
                .extracting(Gap::reason, Gap::from, Gap::newFrom)
                .containsExactly(Reason.DIVERGED, Lsn.parse("0/510"), Lsn.parse("0/510"));
        slot = slot("0/400", "0/508", null);
        assertThat(gap("0/50F").reason()).as("the copy of the slot is ahead").isEqualTo(Reason.SLOT_AHEAD);
        history = "1\t0/100\tbefore\n3\t0/800\tagain\n";
        assertThat(gap("0/0").reason()).as("no descendant").isEqualTo(Reason.OTHER_TIMELINE);
    }
}
