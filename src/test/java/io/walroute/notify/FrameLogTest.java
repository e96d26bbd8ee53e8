package io.walroute.notify;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.store.Store;
import io.walroute.testing.Postgres;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class FrameLogTest {
    private static final Duration HOUR = Duration.ofHours(1);

    @TempDir
    Path folder;

    private Store store;
    private FrameLog log;

    private void open(String kind) throws SQLException {
        store = Store.open(new Store.Settings(
                kind.equals("sqlite")
                        ? "jdbc:sqlite:" + folder.resolve("walroute.db")
                        : Postgres.newDatabase().jdbcUrl()));
        log = new FrameLog(store);
        log.define();
    }

    @AfterEach
    void close() {
        store.close();
    }

    private void append(String topic, long from, long to, String text) throws Exception {
        var written = new CompletableFuture<Void>();
        for (long i = from; i <= to; i++) {
            Runnable then = i == to ? () -> written.complete(null) : () -> {};
            log.append(topic, "e" + i, "{\"n\":" + i + text + "}", then, written::completeExceptionally);
        }
        written.get(30, TimeUnit.SECONDS);
    }

    private static List<Long> ids(FrameLog.Chunk chunk) {
        return chunk.frames().stream().map(Frame::id).toList();
    }

    private List<Long> allByChunks(long after, long newest) throws SQLException {
        var ids = new ArrayList<Long>();
        for (long cursor = after; cursor < newest; ) {
            FrameLog.Chunk chunk = log.chunk(cursor, newest);
            assertThat(chunk.upTo()).isGreaterThan(cursor);
            ids.addAll(ids(chunk));
            cursor = chunk.upTo();
        }
        return ids;
    }

    private static List<Long> range(long from, long to) {
        return LongStream.rangeClosed(from, to).boxed().toList();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void each_event_is_logged_once_per_topic_and_read_in_order(String kind) throws Exception {
        open(kind);
        append("a", 1, 3, "");
        append("a", 2, 3, "");
        append("b", 3, 3, "");

        FrameLog.Chunk chunk = log.tail(0);

        assertThat(chunk.frames().stream()
                        .map(frame -> frame.topic() + frame.text())
                        .toList())
                .satisfies(texts -> {
                    assertThat(texts.get(0)).isEqualTo("a{\"n\":1,\"position\":\"1\"}");
                    assertThat(texts).hasSize(4);
                    assertThat(texts.get(3)).startsWith("b{\"n\":3,");
                });
        assertThat(ids(chunk)).isSorted().doesNotHaveDuplicates();
        assertThat(chunk.full()).isFalse();
        assertThat(log.tail(chunk.upTo()).frames()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void chunks_give_everything_once_wherever_they_begin(String kind) throws Exception {
        open(kind);
        append("a", 1, 1000, "");
        for (int round = 0; round < 2; round++) {
            for (long after : List.of(0L, 1L, 255L, 256L, 257L, 511L, 999L)) {
                assertThat(allByChunks(after, 1000)).as("after %s", after).isEqualTo(range(after + 1, 1000));
            }
        }
        assertThat(allByChunks(100, 600)).isEqualTo(range(101, 600));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void large_frames_come_in_small_chunks(String kind) throws Exception {
        open(kind);
        append("a", 1, 10, ",\"t\":\"" + "x".repeat(900_000) + "\"");

        FrameLog.Chunk tail = log.tail(0);
        assertThat(tail.frames()).hasSize(3);
        assertThat(tail.full()).isTrue();
        assertThat(ids(log.chunk(0, 10))).hasSize(3);
        assertThat(allByChunks(0, 10)).isEqualTo(range(1, 10));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void the_oldest_go_when_there_are_too_many_or_they_are_too_old_but_the_newest_stays(String kind) throws Exception {
        open(kind);
        assertThat(log.prune(Instant.now(), HOUR, 10)).isZero();
        append("a", 1, 2500, "");

        assertThat(log.prune(Instant.now(), HOUR, 2500)).isZero();
        assertThat(log.prune(Instant.now(), HOUR, 200)).isEqualTo(2300);
        assertThat(log.bounds()).isEqualTo(new FrameLog.Bounds(2301, 2500));
        assertThat(log.chunk(2250, 2500).misses(2250)).isTrue();
        assertThat(log.chunk(2300, 2500).misses(2300)).isFalse();

        assertThat(log.prune(Instant.now().plus(HOUR).plusSeconds(1), HOUR, 200))
                .isEqualTo(199);
        assertThat(log.bounds()).isEqualTo(new FrameLog.Bounds(2500, 2500));
        append("a", 2501, 2501, "");
        assertThat(log.bounds().newest()).isGreaterThan(2500);
    }
}
