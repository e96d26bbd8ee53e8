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
            long frames = world.heard(Wish.ALL);
            world.workload.mixed(30);
            until("frames are out", () -> world.heard(Wish.ALL) > frames + 20);
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
    BACKFILL_BEGINS("a backfill begins", Part.BACKFILL) {
        @Override
        void arrange(World world) throws Exception {
            beginBackfill(world);
        }
    },
    BACKFILL_IN_LANE("its rows are in the cache's lane", Part.BACKFILL) {
        @Override
        void arrange(World world) throws Exception {
            beginBackfill(world);
            until("some rows are recorded", () -> rowsRecorded(world) > 0);
            world.toRedis.blackHole();
            until("others are in the lane", () -> world.held("cache") > 50);
        }
    },
    BACKFILL_NOT_RECORDED("its rows are delivered, its position isn't recorded", Part.BACKFILL) {
        @Override
        void arrange(World world) throws Exception {
            world.inAudit(REFUSE + "BEFORE UPDATE OF last_key ON backfills" + REFUSED);
            beginBackfill(world);
            until("a position is refused", () -> world.service.log().contains("is tried again"));
        }
    },
    BACKFILL_BETWEEN_CHUNKS("between two chunks", Part.BACKFILL) {
        @Override
        void arrange(World world) throws Exception {
            beginBackfill(world);
            until("some rows are recorded", () -> rowsRecorded(world) > 0);
            long before = rowsRecorded(world);
            until("some more are recorded", () -> rowsRecorded(world) > before);
        }
    },
    BACKFILL_NOT_ENDED("all is delivered, its end isn't recorded", Part.BACKFILL) {
        @Override
        void arrange(World world) throws Exception {
            world.inAudit(REFUSE + "BEFORE UPDATE OF state ON backfills WHEN NEW.state = 'DONE'" + REFUSED);
            beginBackfill(world);
            until("an end is refused", () -> world.service.log().contains("is tried again"));
        }
    },
    RESUMED_UNDER_LOAD("clients resume under random load", Part.RESUMPTION) {
        @Override
        void arrange(World world) throws Exception {
            RANDOM_LOAD.arrange(world);
            until("a slow client is behind", () -> world.heard(Wish.ALL) > world.heard(SLOW) + 100);
        }
    },
    RESUMED_MID_TRANSACTION("clients resume in the middle of a 200,000-row transaction", Part.RESUMPTION) {
        @Override
        void arrange(World world) throws Exception {
            world.workload.big(200_000);
            until("its frames are under way", () -> world.heard(LARGE) > 20_000);
            assertThat(world.heard(LARGE)).as("in the middle").isLessThan(200_000);
        }
    },
    RESUMED_WHILE_CATCHING_UP("clients resume while they catch up", Part.RESUMPTION) {
        @Override
        void arrange(World world) throws Exception {
            world.clientsLeave();
            world.workload.big(50_000);
            until("all frames are there", () -> world.auditCount("frames WHERE topic = 'f_big'") >= 50_000);
            world.clientsReturn();
            until("a client catches up", () -> world.heard(LARGE) > 1_000);
            assertThat(world.heard(LARGE)).as("behind").isLessThan(50_000);
        }
    },
    RESUMED_DURING_DRAIN("clients resume during drain", Part.RESUMPTION) {
        @Override
        void arrange(World world) throws Exception {
            DURING_DRAIN.arrange(world);
        }

        @Override
        void release(World world) throws Exception {
            DURING_DRAIN.release(world);
            super.release(world);
        }
    };

    /** What a moment is one of. */
    enum Part {
        STREAM,
        /** A backfill is under way then: it fills the cache with rows that only it knows, beside the random load. */
        BACKFILL,
        /** There are many WebSocket clients then, and every change is for some of them. */
        RESUMPTION
    }

    private static final Wish SLOW = Wish.named("slow");
    private static final Wish LARGE = Wish.named("large");

    private static final String REFUSE = "CREATE TRIGGER refuse ";
    private static final String REFUSED = " BEGIN SELECT RAISE(ABORT, 'refused'); END";
    private static final int BACKFILL_RATE = 200;

    final String title;
    final Part part;

    Moment(String title) {
        this(title, Part.STREAM);
    }

    Moment(String title, Part part) {
        this.title = title;
        this.part = part;
    }

    /** How many rows each table has that no change tells of. */
    int oldRows() {
        return part == Part.BACKFILL ? 3 * BACKFILL_RATE : 0;
    }

    /** The WebSocket clients that are there. */
    List<Wish> wishes() {
        return part == Part.RESUMPTION ? Wish.MANY : List.of(Wish.ALL);
    }

    static List<Moment> all(Part part) {
        return Stream.of(values()).filter(moment -> moment.part == part).toList();
    }

    abstract void arrange(World world) throws Exception;

    void release(World world) throws Exception {
        switch (part) {
            case STREAM -> {}
            case BACKFILL -> {
                world.inAudit("DROP TRIGGER IF EXISTS refuse");
                comeBack(world);
                awaitBackfill(world);
                world.workload.stop();
            }
            case RESUMPTION -> {
                comeBack(world);
                // Clients resume while more comes.
                world.workload.stop();
                world.workload.start(150);
                await().pollDelay(2, TimeUnit.SECONDS).until(() -> true);
                world.workload.stop();
            }
        }
    }

    private static void comeBack(World world) throws Exception {
        world.heal();
        if (!world.service.isAlive()) {
            world.startService();
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
