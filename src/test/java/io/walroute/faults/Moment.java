package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** When it breaks. {@link #arrange} returns at that moment, {@link #release} lets go of what was held for it. */
enum Moment {
    RANDOM_LOAD("under random load") {
        @Override
        void arrange(World world) throws Exception {
            world.workload.start(150);
            until("changes flow", () -> world.auditCount("audit_log") > 100);
        }

        @Override
        void release(World world) {
            // Goes on for a while after the fault is over.
            await().pollDelay(1, TimeUnit.SECONDS).until(() -> true);
            world.workload.stop();
        }
    },
    BEFORE_DISPATCH("before dispatch") {
        @Override
        void arrange(World world) throws Exception {
            world.toPostgres.holdToClient();
            world.workload.mixed(30);
        }

        @Override
        void release(World world) {
            world.toPostgres.heal();
        }
    },
    WEBHOOK_NOT_DELIVERED("frame delivered, webhook not") {
        @Override
        void arrange(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.HOLD);
            long frames = world.frames().get(0).size();
            world.workload.mixed(30);
            until("frames are out", () -> world.frames().get(0).size() > frames + 20);
            until("the receiver holds some", () -> world.ledger.seen() > 0);
            longEnoughForAWrongAcknowledgement();
        }

        @Override
        void release(World world) {
            world.ledger.mode(Ledger.Mode.OK);
        }
    },
    CACHE_NOT_DELIVERED("webhook delivered, cache not") {
        @Override
        void arrange(World world) throws Exception {
            world.toRedis.blackHole();
            int before = world.ledger.count();
            world.workload.mixed(30);
            until("webhooks are out", () -> world.ledger.count() > before + 20);
            longEnoughForAWrongAcknowledgement();
        }

        @Override
        void release(World world) {
            world.toRedis.heal();
        }
    },
    ALL_DELIVERED("all delivered, not acknowledged") {
        @Override
        void arrange(World world) throws Exception {
            long before = changes(world);
            until("what came before is out", () -> world.ledger.count() >= before);
            world.toPostgres.holdToServerOf("replication\0"); // not what the service asks by its other connections
            world.workload.mixed(10);
            long all = changes(world);
            until("all webhooks are out", () -> world.ledger.count() >= all);
        }

        @Override
        void release(World world) {
            world.toPostgres.reset(); // or the acknowledgement that was held would arrive after all
            world.toPostgres.heal();
        }
    },
    MID_COPY("in the middle of a COPY") {
        @Override
        void arrange(World world) throws Exception {
            world.workload.copy(10_000, 500);
            until("the COPY into a table with webhooks is under way", () -> world.auditCount("audit_log") > 10_200);
        }
    },
    MID_TRANSACTION("in the middle of a 200,000-row transaction") {
        @Override
        void arrange(World world) throws Exception {
            world.workload.big(200_000);
            until("the transaction is under way", () -> world.auditCount("audit_log") > 20_000);
        }
    },
    INTERLEAVED("between interleaved transactions") {
        @Override
        void arrange(World world) throws Exception {
            world.workload.beginInterleaved(1_500);
            until("the first is under way", () -> world.auditCount("audit_log") > 300);
        }

        @Override
        void release(World world) throws Exception {
            world.workload.endInterleaved();
        }
    },
    DURING_DRAIN("during drain") {
        @Override
        void arrange(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.SLOW);
            world.workload.mixed(40);
            until("webhooks are under way", () -> world.ledger.seen() > 0);
            world.service.terminate();
            await().pollDelay(300, TimeUnit.MILLISECONDS).until(() -> true);
        }

        @Override
        void release(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.OK);
            if (world.service.isAlive()) {
                world.service.awaitEnd(15);
            }
        }
    },
    DURING_REDRIVE("during redrive") {
        @Override
        void arrange(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.ERROR_500);
            world.workload.mixed(60);
            until("webhooks are parked", () -> world.auditCount("dead_letters WHERE sink = 'hook'") > 30);
            world.ledger.mode(Ledger.Mode.OK);
            int before = world.ledger.count();
            until("the redrive is under way", () -> world.ledger.count() > before);
        }
    },
    BACKFILL_BEGINS("a backfill begins", true) {
        @Override
        void arrange(World world) throws Exception {
            beginBackfill(world);
        }
    },
    BACKFILL_IN_LANE("its rows are in the cache's lane", true) {
        @Override
        void arrange(World world) throws Exception {
            beginBackfill(world);
            until("some rows are recorded", () -> rowsRecorded(world) > 0);
            world.toRedis.blackHole();
            until("others are in the lane", () -> world.held("cache") > 50);
        }
    },
    BACKFILL_NOT_RECORDED("its rows are delivered, its position isn't recorded", true) {
        @Override
        void arrange(World world) throws Exception {
            world.inAudit(REFUSE + "BEFORE UPDATE OF last_key ON backfills" + REFUSED);
            beginBackfill(world);
            until("a position is refused", () -> world.service.log().contains("is tried again"));
        }
    },
    BACKFILL_BETWEEN_CHUNKS("between two chunks", true) {
        @Override
        void arrange(World world) throws Exception {
            beginBackfill(world);
            until("some rows are recorded", () -> rowsRecorded(world) > 0);
            long before = rowsRecorded(world);
            until("some more are recorded", () -> rowsRecorded(world) > before);
        }
    },
    BACKFILL_NOT_ENDED("all is delivered, its end isn't recorded", true) {
        @Override
        void arrange(World world) throws Exception {
            world.inAudit(REFUSE + "BEFORE UPDATE OF state ON backfills WHEN NEW.state = 'DONE'" + REFUSED);
            beginBackfill(world);
            until("an end is refused", () -> world.service.log().contains("is tried again"));
        }
    };

    private static final String REFUSE = "CREATE TRIGGER refuse ";
    private static final String REFUSED = " BEGIN SELECT RAISE(ABORT, 'refused'); END";
    private static final int BACKFILL_RATE = 200;

    final String title;
    /** Whether a backfill is under way then: it fills the cache with rows that only it knows, beside the random load. */
    final boolean ofBackfill;

    Moment(String title) {
        this(title, false);
    }

    Moment(String title, boolean ofBackfill) {
        this.title = title;
        this.ofBackfill = ofBackfill;
    }

    /** How many rows each table has that no change tells of. */
    int oldRows() {
        return ofBackfill ? 3 * BACKFILL_RATE : 0;
    }

    /** The moments of the stream, or those of a backfill. */
    static List<Moment> all(boolean ofBackfill) {
        return Stream.of(values())
                .filter(moment -> moment.ofBackfill == ofBackfill)
                .toList();
    }

    abstract void arrange(World world) throws Exception;

    void release(World world) throws Exception {
        if (ofBackfill) {
            world.inAudit("DROP TRIGGER IF EXISTS refuse");
            world.heal();
            if (!world.service.isAlive()) {
                world.startService();
            }
            awaitBackfill(world);
            world.workload.stop();
        }
    }

    private static void beginBackfill(World world) throws Exception {
        world.workload.start(100);
        until("changes flow", () -> world.auditCount("audit_log") > 100);
        world.backfill(BACKFILL_RATE);
    }

    private static long rowsRecorded(World world) {
        return world.auditNumber("SELECT sum(rows_done) FROM backfills");
    }

    /** It goes on by itself. */
    private static void awaitBackfill(World world) {
        await("the backfill ends")
                .atMost(Duration.ofSeconds(120))
                .until(() -> world.auditCount("backfills WHERE state IN ('QUEUED', 'RUNNING')") == 0);
        assertThat(world.auditCount("backfills WHERE state = 'DONE'")).isEqualTo(Workload.TABLES.size());
    }

    private static long changes(World world) throws SQLException {
        return Long.parseLong(world.query("SELECT count(*) FROM f_log"));
    }

    /** A heartbeat goes by, and with it the chance to move the slot. */
    private static void longEnoughForAWrongAcknowledgement() {
        await().pollDelay(1_500, TimeUnit.MILLISECONDS).until(() -> true);
    }

    private static void until(String what, Callable<Boolean> condition) {
        await(what)
                .pollInterval(Duration.ofMillis(5))
                .atMost(Duration.ofSeconds(60))
                .ignoreException(SQLException.class)
                .until(condition);
    }
}
