package io.walroute.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class BoardTest {
    private static final Map<String, String> LINKS = links();

    @Test
    void everything_stands_in_its_column() {
        assertThat(BoardText.lines(state(74, Duration.ofMillis(6_234), List.of()), 100))
                .containsExactly(
                        "walroute demo   up 1 min 14 s   first change in Redis after 6.2 s",
                        "",
                        "made  12,400 (40/s)   seen  12,345 (41/s)   lag  1.2 kB, 0.1 s",
                        "",
                        "sink          delivered   per second       parked",
                        "cache            12,345           41            0",
                        "notify            4,000           12            0",
                        "hook          1,234,567        1,250            7",
                        "audit            12,345           41            0",
                        "",
                        "webhook receiver   1,234,560 verified, 7 refused",
                        "WebSocket          connected, 1 gap",
                        "  listings.created                   120",
                        "  offers.received                     33");
    }

    @Test
    void no_line_is_wider_than_the_terminal_and_none_carries_control_characters() {
        var state = state(74, null, List.of("HookEndpoint: a\nb\u001b[2J " + "long ".repeat(40)));
        for (int width : new int[] {1, 20, 40, 79}) {
            assertThat(BoardText.lines(state, width))
                    .allSatisfy(line ->
                            assertThat(line).hasSizeLessThanOrEqualTo(width).doesNotContainPattern("\\p{Cntrl}"));
        }
        assertThat(BoardText.lines(state, 40))
                .contains(
                        "walroute demo   up 1 min 14 s   waiting…",
                        "1 warning, last:",
                        "  HookEndpoint: a b [2J long long long …");
    }

    @Test
    void off_a_terminal_it_is_a_line_every_few_seconds_without_escapes() {
        var bytes = new ByteArrayOutputStream();
        var board = new Board(new PrintStream(bytes, true, StandardCharsets.UTF_8), new Terminal(false, 80, 24), LINKS);
        board.show(state(0, null, List.of()));
        board.show(state(2, Duration.ofMillis(6_234), List.of()));
        board.show(state(5, Duration.ofMillis(6_234), List.of()));
        assertThat(bytes.toString(StandardCharsets.UTF_8).lines())
                .containsExactly(
                        "Health   http://127.0.0.1:9876/observe/health",
                        "Try      redis-cli -p 6379 get listings:1",
                        "",
                        line("0 s"),
                        "first change in Redis after 6.2 s",
                        line("5 s"));
    }

    @Test
    void on_a_terminal_it_redraws_in_place_and_leaves_a_row_free() {
        var bytes = new ByteArrayOutputStream();
        var board = new Board(new PrintStream(bytes, true, StandardCharsets.UTF_8), new Terminal(true, 80, 10), LINKS);
        bytes.reset();
        board.show(state(1, null, List.of()));
        String first = bytes.toString(StandardCharsets.UTF_8);
        assertThat(first).startsWith("\r\u001b[Jwalroute demo").endsWith("\n");
        assertThat(first.chars().filter(c -> c == '\n').count()).isEqualTo(9);
        board.show(state(2, null, List.of()));
        assertThat(bytes.toString(StandardCharsets.UTF_8).substring(first.length()))
                .startsWith("\u001b[9A\r\u001b[Jwalroute demo   up 2 s");
    }

    @Test
    void nothing_is_painted_over_what_follows_the_board() {
        var bytes = new ByteArrayOutputStream();
        var board = new Board(new PrintStream(bytes, true, StandardCharsets.UTF_8), new Terminal(true, 80, 40), LINKS);
        board.show(state(1, null, List.of()));
        board.close();
        board.show(state(2, null, List.of()));
        assertThat(bytes.toString(StandardCharsets.UTF_8)).endsWith("Stopping …" + System.lineSeparator());
    }

    @Test
    void amounts_are_readable() {
        assertThat(List.of(0L, 999L, 1000L, 1_249_999L, 999_950L, 53_000_000_000L))
                .extracting(BoardText::bytes)
                .containsExactly("0 B", "999 B", "1.0 kB", "1.2 MB", "1.0 MB", "53.0 GB");
        assertThat(BoardText.time(Duration.ofSeconds(3 * 3600 + 125))).isEqualTo("3 h 2 min");
    }

    @Test
    void a_lag_lasts_since_the_oldest_unconfirmed_position_was_seen() {
        var clock = new LagClock();
        assertThat(clock.behind(0, 100, 100)).isEqualTo(Duration.ZERO);
        assertThat(clock.behind(1_000_000_000L, 150, 100)).isEqualTo(Duration.ZERO);
        assertThat(clock.behind(3_000_000_000L, 180, 100)).isEqualTo(Duration.ofSeconds(2));
        assertThat(clock.behind(4_000_000_000L, 180, 160)).isEqualTo(Duration.ofSeconds(1));
        assertThat(clock.behind(5_000_000_000L, 180, 180)).isEqualTo(Duration.ZERO);
    }

    private static String line(String up) {
        return "up " + up + "; seen 12,345 (41/s); cache 12,345, notify 4,000, hook 1,234,567, audit 12,345; parked 7; "
                + "lag 1.2 kB, 0.1 s; webhooks 1,234,560 ok, 7 bad; frames 153; warnings 0";
    }

    private static BoardState state(int seconds, Duration firstChange, List<String> warnings) {
        Map<String, BoardState.Sink> sinks = new LinkedHashMap<>();
        sinks.put("cache", new BoardState.Sink(12_345, 41, 0));
        sinks.put("notify", new BoardState.Sink(4_000, 12, 0));
        sinks.put("hook", new BoardState.Sink(1_234_567, 1_250, 7));
        sinks.put("audit", new BoardState.Sink(12_345, 41, 0));
        return new BoardState(
                Duration.ofSeconds(seconds),
                firstChange,
                new BoardState.Flow(12_400, 40),
                new BoardState.Flow(12_345, 41),
                sinks,
                new BoardState.Lag(1_234, Duration.ofMillis(100), true),
                new BoardState.Webhooks(1_234_560, 7),
                new TreeMap<>(Map.of("listings.created", 120L, "offers.received", 33L)),
                1,
                true,
                warnings.size(),
                warnings);
    }

    private static Map<String, String> links() {
        Map<String, String> links = new LinkedHashMap<>();
        links.put("Health", "http://127.0.0.1:9876/observe/health");
        links.put("Try", "redis-cli -p 6379 get listings:1");
        return links;
    }
}
