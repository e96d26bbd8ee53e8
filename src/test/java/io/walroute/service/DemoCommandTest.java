package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.demo.DemoSettings;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class DemoCommandTest {
    @Test
    void the_demo_delivers_to_every_sink_with_good_signatures_and_leaves_nothing_behind() throws Exception {
        var text = new ByteArrayOutputStream();
        var demo = new DemoSettings(80, Duration.ofSeconds(12), 1, ServiceRig.freePort(), ServiceRig.freePort());
        assertThat(Commands.demo(Path.of(""), demo, new PrintStream(text, true, StandardCharsets.UTF_8)))
                .isZero();
        String out = text.toString(StandardCharsets.UTF_8);
        assertThat(out)
                .contains("first change in Redis after")
                .containsPattern("cache [1-9]\\d+, notify [1-9]\\d+, hook [1-9]\\d+, audit [1-9]\\d+; parked 0;")
                .containsPattern("webhooks [1-9]\\d+ ok, 0 bad; frames [1-9]")
                .contains("redis-cli -p")
                .endsWith("Stopped, nothing is left behind." + System.lineSeparator());
    }
}
