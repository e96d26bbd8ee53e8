package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.ChangeEvent;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class StopMarkTest {
    private static ChangeEvent change(String id, long xid, String lsn) {
        return ChangeEvent.fromJson(
                ("{\"id\":\"" + id + "\",\"operation\":\"INSERT\",\"schema\":\"public\",\"table\":\"t\","
                                + "\"timestamp\":\"2026-01-31T12:00:00.123456Z\",\"key\":{\"id\":1},\"old\":null,\"new\":{\"id\":1},"
                                + "\"changed_columns\":null,\"lsn\":\"" + lsn + "\",\"xid\":" + xid
                                + ",\"snapshot\":false,\"replayed\":false,\"unavailable_columns\":[]}")
                        .getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    private final ChangeEvent first = change("1-a-t-0", 7, "0/A");
    private final ChangeEvent copied = change("1-b-t-0", 7, "0/B");
    private final ChangeEvent copiedToo = change("1-b-t-1", 7, "0/B");

    @Test
    void it_covers_what_came_before_and_of_those_with_its_own_lsn_only_what_was_handed_over() {
        StopMark mark = StopMark.parse(
                StopMark.after(StopMark.after(null, first), copied).toText());
        assertThat(mark.covers(first)).isTrue();
        assertThat(mark.covers(copied)).isTrue();
        assertThat(mark.covers(copiedToo)).isFalse();
        assertThat(StopMark.after(mark, copiedToo).covers(copiedToo)).isTrue();
        assertThat(mark.covers(change("1-c-t-0", 7, "0/C"))).isFalse();
    }

    @Test
    void another_transaction_or_another_epoch_is_not_covered() {
        StopMark mark = StopMark.after(null, copied);
        assertThat(mark.covers(change("1-a-t-0", 8, "0/A"))).isFalse();
        assertThat(mark.covers(change("2-a-t-0", 7, "0/A"))).isFalse();
    }

    @Test
    void of_two_marks_of_a_transaction_the_one_that_came_further_counts() {
        StopMark early = StopMark.after(null, first);
        StopMark late = StopMark.after(null, copied);
        assertThat(StopMark.further(late, early)).isEqualTo(late);
        assertThat(StopMark.further(early, late)).isEqualTo(late);
        assertThat(StopMark.further(null, early)).isEqualTo(early);
        assertThat(StopMark.further(late, StopMark.after(null, copiedToo)).ids())
                .hasSize(2);
        StopMark other = StopMark.after(null, change("2-a-t-0", 7, "0/A"));
        assertThat(StopMark.further(late, other)).isEqualTo(other);
    }
}
