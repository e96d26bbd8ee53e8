package io.walroute.bench;

import io.debezium.embedded.Connect;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.DebeziumEngine.RecordCommitter;
import io.debezium.engine.spi.OffsetCommitPolicy;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.connect.source.SourceRecord;

/** The Debezium engine alone, of the version that walroute itself uses: a batch handler that counts and acknowledges each batch. */
public final class EngineReader implements Reader {
    @Override
    public String name() {
        return "debezium-engine";
    }

    @Override
    public String description() {
        return "the Debezium engine alone (" + DebeziumEngine.class.getPackage().getImplementationVersion()
                + "), a batch handler that counts, its default queue and batches, -Xmx512m";
    }

    @Override
    public Drain drain(Ground ground, int round) throws Exception {
        var command = Child.javaWithoutWalroute(
                "-Xmx512m",
                EngineReader.class,
                ground.servers.databaseUrl(),
                Long.toString(ground.tally().changes()),
                Long.toString(ground.warmUp()));
        return OneShot.drain(name(), round, command, null, ground);
    }

    // ---------------------------------------------------------------- the process

    public static void main(String[] args) {
        var counter = new Counter(Long.parseLong(args[1]), Long.parseLong(args[2]));
        DebeziumEngine.create(Connect.class)
                .using(settings(URI.create(args[0])))
                .using(OffsetCommitPolicy.always())
                .using((success, message, error) -> {
                    System.err.println(message + ", " + error);
                    System.exit(1);
                })
                .notifying(counter)
                .build()
                .run();
    }

    /** What any user has to set, as {@code property=value}. */
    static Properties settings(URI database) {
        String[] user = database.getUserInfo().split(":");
        var properties = new Properties();
        properties.setProperty("connector.class", "io.debezium.connector.postgresql.PostgresConnector");
        properties.setProperty("offset.storage", "org.apache.kafka.connect.storage.MemoryOffsetBackingStore");
        properties.setProperty("offset.flush.interval.ms", "0");
        properties.setProperty("name", "bench");
        properties.setProperty("topic.prefix", "bench");
        properties.setProperty("database.hostname", database.getHost());
        properties.setProperty("database.port", Integer.toString(database.getPort()));
        properties.setProperty("database.user", user[0]);
        properties.setProperty("database.password", user[1]);
        properties.setProperty("database.dbname", database.getPath().substring(1));
        properties.setProperty("plugin.name", "pgoutput");
        properties.setProperty("slot.name", Ground.SLOT);
        properties.setProperty("publication.name", Ground.PUBLICATION);
        properties.setProperty("publication.autocreate.mode", "disabled");
        properties.setProperty("snapshot.mode", "no_data");
        properties.setProperty("tombstones.on.delete", "false");
        properties.setProperty("message.prefix.exclude.list", ".*");
        properties.setProperty("poll.interval.ms", "10");
        return properties;
    }

    private static final class Counter
            implements DebeziumEngine.ChangeConsumer<ChangeEvent<SourceRecord, SourceRecord>> {
        private final long expected;
        private final long warmUp;
        private long changes;
        private long before;
        private long begin;
        private long cpu;

        Counter(long expected, long warmUp) {
            this.expected = expected;
            this.warmUp = warmUp;
        }

        @Override
        public void handleBatch(
                List<ChangeEvent<SourceRecord, SourceRecord>> records,
                RecordCommitter<ChangeEvent<SourceRecord, SourceRecord>> committer)
                throws InterruptedException {
            if (begin == 0 && changes >= warmUp) {
                before = changes;
                begin = System.nanoTime();
                cpu = cpuNanos();
            }
            changes += records.size();
            committer.markProcessed(records.get(records.size() - 1));
            committer.markBatchFinished();
            if (changes >= expected) {
                System.out.println("DONE " + changes + " " + before + " " + (System.nanoTime() - begin) / 1e9 + " "
                        + (cpuNanos() - cpu) / 1e9);
                Runtime.getRuntime().halt(0);
            }
        }

        private static long cpuNanos() {
            return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                    .getProcessCpuTime();
        }
    }
}
