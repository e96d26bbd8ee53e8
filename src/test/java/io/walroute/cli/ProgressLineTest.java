package io.walroute.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ProgressLineTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final AtomicLong clock = new AtomicLong();
    private final ProgressLine line =
            new ProgressLine(new PrintStream(out, true, StandardCharsets.UTF_8), false, clock::get);

    private void after(int seconds) {
        clock.addAndGet(TimeUnit.SECONDS.toNanos(seconds));
    }

    @Test
    void what_came_before_the_first_look_is_not_counted_into_the_time_left() {
        after(40);
        line.show(0.25, "1");
        after(10);
        line.show(0.5, "2");
        assertThat(out.toString(StandardCharsets.UTF_8).lines()).containsExactly("25 %  1", "50 %  2, 0:20 left");
    }
}
