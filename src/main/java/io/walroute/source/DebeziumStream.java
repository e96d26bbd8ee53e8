package io.walroute.source;

import io.debezium.connector.postgresql.connection.ReplicationMessageColumnValueResolver;
import io.debezium.embedded.Connect;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import io.debezium.engine.DebeziumEngine.RecordCommitter;
import io.debezium.engine.spi.OffsetCommitPolicy;
import java.io.IOException;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.source.SourceRecord;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A {@link ChangeStream} by Debezium's embedded engine, with an empty offset store: its only position is the slot. */
final class DebeziumStream implements ChangeStream {
    private static final Logger LOG = LoggerFactory.getLogger(DebeziumStream.class);

    /** Classes of Debezium's that have one of ours in their place. */
    private static final List<String> REPLACED = List.of(
            ReplicationMessageColumnValueResolver.class.getName(), "io.debezium.pipeline.source.spi.EventFormatter");

    private final Properties settings;
    private final DebeziumReader reader;
    private final CountDownLatch ended = new CountDownLatch(1);
    private DebeziumEngine<ChangeEvent<SourceRecord, SourceRecord>> engine;
    private volatile boolean closing;

    DebeziumStream(Properties settings, DebeziumReader reader) {
        this.settings = settings;
        this.reader = reader;
    }

    @Override
    public void start(Handler handler) {
        checkClassPath();
        engine = DebeziumEngine.create(Connect.class)
                .using(settings)
                // In code: as a property this policy fails to build. It costs nothing, since the store is in memory.
                .using(OffsetCommitPolicy.always())
                .using((success, message, error) -> ended(handler, message, error))
                .notifying(new Batches(handler))
                .build();
        Thread thread = new Thread(engine, "wal-" + settings.getProperty("name"));
        thread.setDaemon(true);
        thread.start();
    }

    /** With Debezium's own class in its place, values would be altered in silence. */
    private static void checkClassPath() {
        Object ours = DebeziumStream.class.getProtectionDomain().getCodeSource();
        try {
            for (String name : REPLACED) {
                Object loaded = Class.forName(name).getProtectionDomain().getCodeSource();
                if (!Objects.equals(ours, loaded)) {
                    throw new IllegalStateException(
                            name + ", in whose place walroute has a class of its own, comes from " + loaded
                                    + ". Put walroute.jar first on the class path");
                }
            }
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException("walroute.jar isn't whole: " + e.getMessage(), e);
        }
    }

    private void ended(Handler handler, String message, Throwable error) {
        // An ordinary close while traffic flows may end in a RejectedExecutionException: that is no failure.
        handler.ended(
                closing
                        ? Optional.empty()
                        : Optional.of(error != null ? error : new IllegalStateException(String.valueOf(message))));
        ended.countDown();
    }

    @Override
    public void close() {
        closing = true;
        try {
            while (ended.getCount() > 0) {
                closeOnce();
                // The engine refuses to be closed while it starts: ask again.
                ended.await(100, TimeUnit.MILLISECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void closeOnce() {
        try {
            engine.close();
        } catch (IllegalStateException startingOrStopping) {
            LOG.debug("The engine can't be closed yet: {}", startingOrStopping.getMessage());
        } catch (IOException e) {
            LOG.debug("Closing the engine failed", e);
        }
    }

    /** The engine's batches as items. */
    private final class Batches implements DebeziumEngine.ChangeConsumer<ChangeEvent<SourceRecord, SourceRecord>> {
        private final Handler handler;

        Batches(Handler handler) {
            this.handler = handler;
        }

        @Override
        public void handleBatch(
                List<ChangeEvent<SourceRecord, SourceRecord>> records,
                RecordCommitter<ChangeEvent<SourceRecord, SourceRecord>> committer)
                throws InterruptedException {
            try {
                List<Item> items = new ArrayList<>(records.size());
                for (var record : records) {
                    reader.read(record.value(), record).ifPresent(items::add);
                }
                handler.handle(items, item -> confirm(item, committer));
            } catch (RetriableException e) {
                // The engine takes this class as leave to go on with the next batch; this one would be lost.
                throw new IllegalStateException(e.getMessage(), e);
            } catch (SQLException e) {
                throw new IllegalStateException("the catalog can't be read: " + e.getMessage(), e);
            }
        }

        @SuppressWarnings("unchecked")
        private void confirm(Item item, RecordCommitter<ChangeEvent<SourceRecord, SourceRecord>> committer)
                throws InterruptedException {
            committer.markProcessed((ChangeEvent<SourceRecord, SourceRecord>) item.mark());
            committer.markBatchFinished();
        }
    }
}
