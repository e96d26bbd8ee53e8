package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.testing.Postgres;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A captured database in which nothing happens, beside one in the same server that writes all the time. */
@DisplayNameGeneration(ReplaceUnderscores.class)
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class IdleDatabaseTest {
    private static final long MEGABYTE = 1L << 20;

    private final Postgres.Database busy = Postgres.newDatabase();
    private final WalRig beating = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").option("walHeartbeat", 500);
    /** Sends its first heartbeat, by which it knows that it streams, and then none while this test lasts. */
    private final WalRig silent = new WalRig("CREATE TABLE t(id int PRIMARY KEY)").option("walHeartbeat", 3_600_000);

    @AfterEach
    void stop() {
        beating.close();
        silent.close();
        silent.db.execute("SELECT pg_drop_replication_slot('" + silent.slot + "')");
    }

    @Test
    void heartbeats_let_the_server_drop_the_wal_of_its_busy_database() throws Exception {
        busy.execute("CREATE TABLE b(v text)", "ALTER TABLE b ALTER v SET STORAGE EXTERNAL");
        beating.start();
        silent.start();
        beating.awaitStreaming();
        silent.awaitStreaming();

        for (int i = 1; i <= 3; i++) {
            write(16);
            String written = busy.query("SELECT pg_current_wal_lsn()");
            await().atMost(Duration.ofSeconds(30)).until(() -> {
                // The server itself writes this every 15 s and at checkpoints; only from such a place can a slot
                // restart.
                busy.query("SELECT pg_log_standby_snapshot()");
                return isPast(beating, "confirmed_flush_lsn", written) && isPast(beating, "restart_lsn", written);
            });
            System.out.printf(
                    "after %d MB elsewhere: WAL kept with heartbeats %,d bytes, without %,d bytes%n",
                    16 * i, kept(beating), kept(silent));
        }

        assertThat(kept(beating)).isLessThan(2 * MEGABYTE);
        assertThat(kept(silent)).isGreaterThan(45 * MEGABYTE);
        assertThat(beating.changes).isEmpty();
        assertThat(beating.consumer().status().restarts()).isZero();
    }

    /** As many rows of a megabyte, which don't fit into pages and aren't compressed. */
    private void write(int megabytes) {
        busy.execute("INSERT INTO b SELECT repeat('x', 1048576) FROM generate_series(1, " + megabytes + ")");
    }

    private static boolean isPast(WalRig rig, String column, String lsn) {
        return "t".equals(slot(rig, column + " >= '" + lsn + "'::pg_lsn"));
    }

    private static long kept(WalRig rig) {
        return Long.parseLong(slot(rig, "pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint"));
    }

    private static String slot(WalRig rig, String expression) {
        return rig.db.query("SELECT " + expression + " FROM pg_replication_slots WHERE slot_name = '" + rig.slot + "'");
    }
}
