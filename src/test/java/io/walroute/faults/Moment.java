package io.walroute.faults;

import static org.awaitility.Awaitility.await;

import java.sql.SQLException;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

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
    };

    final String title;

    Moment(String title) {
        this.title = title;
    }

    abstract void arrange(World world) throws Exception;

    void release(World world) throws Exception {}

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
