package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.Lsn;
import io.walroute.slot.ReplicationTarget;
import io.walroute.store.Store;
import io.walroute.testing.Postgres;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What may slip in between asking for the slot and streaming from it. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class SlotGuardTest {
    @TempDir
    Path folder;

    private final Postgres.Database db = Postgres.newDatabase();
    private final String slot = "guard_" + db.name();
    private Store store;
    private SlotGuard guard;

    @BeforeEach
    void open() throws Exception {
        db.execute("CREATE TABLE t (id int PRIMARY KEY)", "CREATE PUBLICATION pub FOR TABLE t");
        createSlot();
        store = Store.open(new Store.Settings("jdbc:sqlite:" + folder.resolve("s.db")));
        guard = new SlotGuard(target(), store, Optional::empty, epochs -> {}, new SimpleMeterRegistry());
        assertThat(guard.check())
                .as("the first start: the audit log begins at the slot")
                .isEmpty();
    }

    @AfterEach
    void close() {
        guard.close();
        store.close();
        dropSlot();
    }

    private ReplicationTarget target() {
        String url = db.jdbcUrl().replaceAll("\\?.*", "");
        return new ReplicationTarget(url, Map.of("user", "postgres", "password", "postgres"), slot, "pub");
    }

    private void createSlot() {
        db.execute("SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
    }

    private void dropSlot() {
        db.execute("SELECT pg_drop_replication_slot('" + slot + "')");
    }

    @Test
    void a_slot_made_anew_between_check_and_stream_is_found_before_anything_is_confirmed() {
        dropSlot();
        db.execute("INSERT INTO t VALUES (1)");
        createSlot(); // as the engine does it, in silence
        var confirmed = new AtomicBoolean();
        guard.beforeConfirm(Lsn.parse(db.query("SELECT pg_current_wal_lsn()")), () -> confirmed.set(true));
        guard.start();
        await().atMost(Duration.ofSeconds(20))
                .until(() -> guard.whileStreaming().isPresent());
        assertThat(guard.whileStreaming().get().message()).contains("past the audit log's end");
        assertThat(confirmed).isFalse();
        assertThat(guard.check()).as("nor at the next start").isPresent();
    }

    @Test
    void nothing_is_confirmed_before_the_slot_was_looked_at_under_the_stream() {
        var confirmed = new AtomicBoolean();
        guard.beforeConfirm(Lsn.parse(db.query("SELECT pg_current_wal_lsn()")), () -> confirmed.set(true));
        guard.start(); // nobody reads the slot yet: it may still be made anew
        await().during(Duration.ofSeconds(1)).atMost(Duration.ofSeconds(5)).untilFalse(confirmed);
    }

    @Test
    void a_slot_that_somebody_moved_is_a_gap_at_the_next_start() {
        db.execute("INSERT INTO t VALUES (1)");
        db.query("SELECT pg_replication_slot_advance('" + slot + "', pg_current_wal_flush_lsn())");
        assertThat(guard.check().orElseThrow().message())
                .startsWith("Gap: the replication slot " + slot + " stands at ");
    }
}
