package io.walroute.notify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.walroute.tls.TlsFiles;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class NotifySettingsTest {
    @Test
    void the_defaults() {
        assertThat(NotifySettings.defaults())
                .isEqualTo(new NotifySettings(
                        "127.0.0.1",
                        3003,
                        Duration.ofHours(1),
                        1_000_000,
                        1000,
                        4 << 20,
                        100_000,
                        10_000,
                        List.of(),
                        Duration.ofSeconds(20),
                        Duration.ofSeconds(60),
                        AuthSettings.NONE,
                        NotifyLimits.DEFAULTS,
                        TopicPolicies.NONE,
                        true,
                        Optional.empty()));
    }

    @Test
    void every_setting_can_be_set() {
        var auth = new AuthSettings(Optional.empty(), Optional.of(Path.of("tokens.json")), true);
        var limits = new NotifyLimits(10, 11, 12, 2000, 13, Duration.ofSeconds(14));
        var topics = new TopicPolicies(Map.of("listings.*", "true"), Map.of("*", true));
        var tls = Optional.of(new TlsFiles("walroute.notify.tls", Path.of("a.p12"), null, "password"));
        var set = NotifySettings.builder()
                .host("localhost")
                .port(1)
                .keep(Duration.ofMinutes(2))
                .maxFrames(3)
                .queueFrames(4)
                .queueBytes(5)
                .maxBehind(6)
                .maxConnections(7)
                .allowOrigins(List.of("https://example.com"))
                .pingEvery(Duration.ofSeconds(8))
                .closeIdleAfter(Duration.ofSeconds(9))
                .auth(auth)
                .limits(limits)
                .topics(topics)
                .requireAuthorization(false)
                .tls(tls)
                .build();

        assertThat(set)
                .isEqualTo(new NotifySettings(
                        "localhost",
                        1,
                        Duration.ofMinutes(2),
                        3,
                        4,
                        5,
                        6,
                        7,
                        List.of("https://example.com"),
                        Duration.ofSeconds(8),
                        Duration.ofSeconds(9),
                        auth,
                        limits,
                        topics,
                        false,
                        tls));
    }

    @Test
    void values_that_cannot_work_are_named_with_what_was_found() {
        assertRefused(b -> b.port(70_000), "WEBSOCKET_PORT=70000");
        assertRefused(b -> b.keep(Duration.ZERO), "walroute.notify.keep=PT0S");
        assertRefused(b -> b.maxFrames(0), "walroute.notify.max-frames=0");
        assertRefused(b -> b.queueFrames(1), "walroute.notify.queue-frames=1");
        assertRefused(b -> b.closeIdleAfter(Duration.ofSeconds(20)), "must be longer than ping-every");
        assertRefused(b -> b.host("10.1.2.3"), "walroute.notify.host=10.1.2.3 is no loopback address");
    }

    private static void assertRefused(UnaryOperator<NotifySettings.Builder> wrong, String message) {
        assertThatThrownBy(() -> wrong.apply(NotifySettings.builder()).build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(message);
    }
}
