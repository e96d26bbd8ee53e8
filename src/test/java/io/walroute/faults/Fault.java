package io.walroute.faults;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.TimeUnit;

/** What breaks. {@link World#heal()} and a start of the service mend what {@link #strike} leaves broken. */
enum Fault {
    KILL_9("kill -9", true) {
        @Override
        void strike(World world) {
            world.service.kill();
        }
    },
    SIGTERM("SIGTERM", false) {
        @Override
        void strike(World world) throws Exception {
            world.service.terminate();
            assertThat(world.service.awaitEnd(10))
                    .as("exit code, %s", world.service.tail())
                    .isZero();
            assertThat(world.query("SELECT active FROM pg_replication_slots WHERE slot_name = '" + world.slot() + "'"))
                    .as("the slot after a clean stop")
                    .isEqualTo("f");
        }
    },
    WALSENDER_TERMINATED("walsender terminated", true) {
        @Override
        void strike(World world) throws Exception {
            world.terminateWalSender();
        }
    },
    POSTGRES_CRASH("PostgreSQL immediate stop, start", true) {
        @Override
        void strike(World world) throws Exception {
            world.postgres().stop("immediate");
            world.postgres().start();
        }
    },
    NETWORK_CUT("network cut (PostgreSQL)", true) {
        @Override
        void strike(World world) throws Exception {
            world.toPostgres.cut();
            hold(1_000);
        }
    },
    NETWORK_BLACK_HOLE("network black-holed (PostgreSQL)", true) {
        @Override
        void strike(World world) throws Exception {
            world.toPostgres.blackHole();
            hold(6_000); // twice wal_sender_timeout: the server has given up
        }
    },
    REDIS_KILLED("Redis killed", false) {
        @Override
        void strike(World world) throws Exception {
            world.killRedis();
            hold(1_000);
        }
    },
    REDIS_PAUSED("Redis paused", false) {
        @Override
        void strike(World world) throws Exception {
            long pid = world.redisProcess().pid();
            World.signal("STOP", pid);
            hold(4_000);
            World.signal("CONT", pid);
        }
    },
    REDIS_BLACK_HOLE("network black-holed (Redis)", false) {
        @Override
        void strike(World world) throws Exception {
            world.toRedis.blackHole();
            hold(4_000);
        }
    },
    REDIS_READ_ONLY("Redis read-only", false) {
        @Override
        void strike(World world) throws Exception {
            world.redis().replicaof("127.0.0.1", 1);
            hold(2_000);
            world.redis().replicaofNoOne();
        }
    },
    REDIS_OUT_OF_MEMORY("Redis out of memory", false) {
        @Override
        void strike(World world) throws Exception {
            world.redis().configSet("maxmemory", "1");
            hold(2_000);
            world.redis().configSet("maxmemory", "0");
        }
    },
    RECEIVER_DOWN("receiver down", true) { // an answer on its way is lost with the connection
        @Override
        void strike(World world) throws Exception {
            world.toReceiver.cut();
            hold(2_000);
        }
    },
    RECEIVER_500("receiver answers 500", false) {
        @Override
        void strike(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.ERROR_500);
            hold(2_000);
        }
    },
    RECEIVER_429("receiver answers 429", false) {
        @Override
        void strike(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.TOO_MANY_429);
            hold(2_000);
        }
    },
    RECEIVER_SLOW("receiver slow", false) {
        @Override
        void strike(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.SLOW);
            hold(3_000);
        }
    },
    RECEIVER_CUTS("receiver cuts connections", false) {
        @Override
        void strike(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.CUT);
            hold(2_000);
        }
    },
    DISK_FULL("disk full (audit file)", true) {
        @Override
        void strike(World world) throws Exception {
            assumeThat(Path.of("/usr/bin/prlimit"))
                    .as("limits a running process's files")
                    .isExecutable();
            // No file of the process may grow: what a full disk says, without filling one.
            World.run("prlimit", "--pid", Long.toString(world.service.pid()), "--fsize=4096:unlimited");
            await("the fault bites").atMost(Duration.ofSeconds(60)).until(() -> !world.service.isReady());
            hold(2_000);
            assertThat(world.service.isAlive()).as(world.service.tail()).isTrue();
            World.run("prlimit", "--pid", Long.toString(world.service.pid()), "--fsize=unlimited:unlimited");
        }
    },
    PARKING_REFUSED("dead letters refused by their store", true) {
        @Override
        void strike(World world) throws Exception {
            world.ledger.mode(Ledger.Mode.ERROR_500);
            // A change that can be neither delivered nor parked fails: then nothing else than the slot still has it.
            world.inAudit(
                    "CREATE TRIGGER refuse BEFORE INSERT ON dead_letters BEGIN SELECT RAISE(ABORT, 'refused'); END");
            try {
                await("the fault bites")
                        .atMost(Duration.ofSeconds(30))
                        .until(() -> world.service.log().contains("neither delivered nor parked"));
                hold(2_000);
            } finally {
                world.inAudit("DROP TRIGGER refuse");
            }
        }
    },
    CLOCK_FORWARD("clock jumps a day ahead", false) {
        @Override
        void strike(World world) throws Exception {
            Files.writeString(
                    world.clockFile(), Long.toString(Duration.ofDays(1).toSeconds()));
            awaitWebhookFrom(world, Duration.ofHours(20), Duration.ofHours(28));
        }
    },
    CLOCK_BACK("clock jumps a day back", false) {
        @Override
        void strike(World world) throws Exception {
            Files.writeString(
                    world.clockFile(), Long.toString(-Duration.ofDays(1).toSeconds()));
            awaitWebhookFrom(world, Duration.ofHours(-28), Duration.ofHours(-20));
        }
    };

    final String title;
    /** Whether the stream ends, so that unacknowledged transactions come again. */
    final boolean mayRepeat;

    Fault(String title, boolean mayRepeat) {
        this.title = title;
        this.mayRepeat = mayRepeat;
    }

    abstract void strike(World world) throws Exception;

    boolean movesTheClock() {
        return this == CLOCK_FORWARD || this == CLOCK_BACK;
    }

    /** The jump has reached the service: it signs webhooks with a time that far from now. */
    private static void awaitWebhookFrom(World world, Duration least, Duration most) {
        await("the fault bites").atMost(Duration.ofSeconds(60)).until(() -> {
            long ahead = world.ledger.lastTimestamp() - Instant.now().getEpochSecond();
            return ahead > least.toSeconds() && ahead < most.toSeconds();
        });
    }

    /** How long the fault lasts. */
    private static void hold(long millis) {
        await().pollDelay(millis, TimeUnit.MILLISECONDS)
                .atMost(millis + 5_000, TimeUnit.MILLISECONDS)
                .until(() -> true);
    }
}
