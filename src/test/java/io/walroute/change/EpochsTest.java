package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class EpochsTest {
    private static Lsn lsn(String text) {
        return Lsn.parse(text);
    }

    @Test
    void what_lies_before_a_switch_keeps_its_epoch() {
        Epochs epochs = Epochs.all(3).then(4, lsn("0/500")).then(5, lsn("1/0"));
        assertThat(epochs.at(lsn("0/4FF"))).isEqualTo(3);
        assertThat(epochs.at(lsn("0/500"))).isEqualTo(4);
        assertThat(epochs.at(lsn("0/FFFFFFFF"))).isEqualTo(4);
        assertThat(epochs.at(lsn("1/0"))).isEqualTo(5);
        assertThat(epochs.last()).isEqualTo(5);
        assertThat(Epochs.parse(epochs.toString())).isEqualTo(epochs);
    }

    @Test
    void an_earlier_switch_replaces_later_ones() {
        assertThat(Epochs.all(1).then(2, lsn("0/500")).then(3, lsn("0/400")))
                .isEqualTo(Epochs.all(1).then(3, lsn("0/400")));
        assertThat(Epochs.all(1).then(2, Lsn.ZERO)).isEqualTo(Epochs.all(2));
    }
}
