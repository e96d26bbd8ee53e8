package io.walroute.logging;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.LoggingEvent;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class LayoutTest {
    private static final IllegalStateException FAILURE =
            new IllegalStateException("wrapped", new java.io.IOException("connection\n  reset"));

    @Test
    void a_terminal_line_is_short_and_names_the_change_and_the_deepest_cause() {
        String line = new TerminalLayout(false, false).doLayout(event(FAILURE));

        assertThat(line)
                .isEqualToIgnoringNewLines(
                        "12:00:00.123 WARN  HookProducer: attempt 3 failed [lsn=0/17D5A48 table=listings] (IOException:"
                                + " connection; reset)")
                .hasLineCount(1);
    }

    @Test
    void verbose_shows_the_stack_trace() {
        assertThat(new TerminalLayout(false, true).doLayout(event(FAILURE)))
                .startsWith("12:00:00.123 WARN  HookProducer: attempt 3 failed [lsn=0/17D5A48 table=listings]\n")
                .contains("java.lang.IllegalStateException: wrapped", "Caused by: java.io.IOException");
    }

    @Test
    void colours_only_where_they_are_asked_for() {
        assertThat(new TerminalLayout(false, false).doLayout(event(null))).doesNotContain("\u001b");
        assertThat(new TerminalLayout(true, false).doLayout(event(null))).contains("\u001b[33mWARN \u001b[0m");
    }

    @Test
    void a_json_line_is_one_object_with_the_changes_context() throws Exception {
        String line = new JsonLayout().doLayout(event(FAILURE));

        assertThat(line).endsWith("}\n").hasLineCount(1);
        JsonNode json = new ObjectMapper().readTree(line);
        assertThat(json.get("timestamp").asText()).isEqualTo("2026-01-31T12:00:00.123Z");
        assertThat(json.get("level").asText()).isEqualTo("WARN");
        assertThat(json.get("logger").asText()).isEqualTo("io.walroute.hook.HookProducer");
        assertThat(json.get("message").asText()).isEqualTo("attempt 3 failed");
        assertThat(json.get("table").asText()).isEqualTo("listings");
        assertThat(json.get("lsn").asText()).isEqualTo("0/17D5A48");
        assertThat(json.get("error").asText()).isEqualTo("java.lang.IllegalStateException: wrapped");
        assertThat(json.get("stack").asText()).contains("Caused by: java.io.IOException");
    }

    private static LoggingEvent event(Throwable thrown) {
        var context = new LoggerContext();
        var event = new LoggingEvent(
                "fqcn",
                context.getLogger("io.walroute.hook.HookProducer"),
                Level.WARN,
                "attempt {} failed",
                thrown,
                new Object[] {3});
        event.setInstant(Instant.parse("2026-01-31T12:00:00.123Z"));
        event.setMDCPropertyMap(Map.of("table", "listings", "lsn", "0/17D5A48"));
        return event;
    }
}
