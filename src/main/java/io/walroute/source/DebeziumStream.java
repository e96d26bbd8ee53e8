package io.walroute.source;

import io.debezium.connector.base.ChangeEventQueue;
import io.debezium.connector.common.DebeziumTaskState;
import io.debezium.connector.postgresql.PostgresChangeRecordEmitter;
import io.debezium.connector.postgresql.PostgresConnector;
import io.debezium.connector.postgresql.PostgresConnectorTask;
import io.debezium.connector.postgresql.connection.ReplicationMessageColumnValueResolver;
import io.debezium.connector.postgresql.pipeline.txmetadata.PostgresTransactionMonitor;
import io.debezium.pipeline.metrics.DefaultChangeEventSourceMetricsFactory;
import io.debezium.util.ApproximateStructSizeCalculator;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.kafka.common.metrics.PluginMetrics;
import org.apache.kafka.connect.data.ConnectSchema;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTaskContext;
import org.apache.kafka.connect.storage.OffsetStorageReader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A {@link ChangeStream} by Debezium's connector for PostgreSQL, driven as Kafka Connect drives a source task: start, poll, commit,
 * stop, all on one thread. Its only position is the slot.
 *
 * <p>Debezium's own embedded engine does the same and hands each record to an executor in between, whose future, wrapper and offset
 * store are of no use here.
 */
final class DebeziumStream implements ChangeStream {
    private static final Logger LOG = LoggerFactory.getLogger(DebeziumStream.class);

    /** Classes of Debezium's and Kafka Connect's that have one of ours in their place. */
    private static final List<Class<?>> REPLACED = List.of(
            ReplicationMessageColumnValueResolver.class,
            ChangeEventQueue.class,
            DefaultChangeEventSourceMetricsFactory.class,
            PostgresTransactionMonitor.class,
            PostgresChangeRecordEmitter.class,
            ApproximateStructSizeCalculator.class,
            ConnectSchema.class);

    /** What Debezium's engine or Kafka Connect would do with records: left out in silence, it might let values out. */
    private static final Pattern WITHOUT_EFFECT = Pattern.compile("(transforms|predicates|queue\\.provider)(\\..*)?");

    private final Map<String, String> settings;
    private final DebeziumReader reader;
    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile Thread thread;
    private volatile boolean closing;
    private static final long INTERRUPT_AGAIN_MS = 500;

    /** Guards the interrupt: one that comes while the task starts or stops would leave connections open. */
    private final Object interruptible = new Object();

    private boolean polling;

    DebeziumStream(Properties settings, DebeziumReader reader) {
        this.settings = settings.stringPropertyNames().stream()
                .collect(Collectors.toMap(name -> name, settings::getProperty, (a, b) -> b, HashMap::new));
        this.reader = reader;
    }

    @Override
    public void start(Handler handler) {
        checkClassPath();
        thread = new Thread(() -> run(handler), "wal-" + settings.get("name"));
        thread.setDaemon(true);
        thread.start();
    }

    /** With Debezium's own class in its place, values would be altered in silence. */
    private static void checkClassPath() {
        Object ours = DebeziumStream.class.getProtectionDomain().getCodeSource();
        for (Class<?> type : REPLACED) {
            Object loaded = type.getProtectionDomain().getCodeSource();
            if (!Objects.equals(ours, loaded)) {
                throw new IllegalStateException(
                        type.getName() + ", in whose place walroute has a class of its own, comes from " + loaded
                                + ". Put walroute.jar first on the class path");
            }
        }
    }

    private void run(Handler handler) {
        Throwable failure = null;
        try {
            stream(handler);
        } catch (Throwable e) {
            failure = e;
        }
        if (closing && failure != null) {
            LOG.debug("The stream was closed, which ended it by", failure);
        }
        handler.ended(closing ? Optional.empty() : Optional.ofNullable(failure));
        ended.countDown();
    }

    private void stream(Handler handler) throws InterruptedException, SQLException {
        checkSettings();
        var task = new PostgresConnectorTask();
        var position = new Position();
        task.initialize(position);
        try {
            task.start(settings);
            if (task.getTaskState() != DebeziumTaskState.RUNNING) {
                // It would try again by itself, some polls later. Starting again is the supervisor's business.
                throw new IllegalStateException("the connector could not begin; its log says why");
            }
            mayBeInterrupted(true);
            while (!closing) {
                List<SourceRecord> records = task.poll();
                // Also if nothing came: what was settled meanwhile is to be confirmed.
                handler.handle(records == null ? List.of() : items(records), item -> confirm(item, position, task));
            }
        } finally {
            mayBeInterrupted(false);
            stop(task);
        }
    }

    /** What made the stream end is what counts, not that its end failed too. */
    private static void stop(PostgresConnectorTask task) {
        try {
            task.stop();
        } catch (RuntimeException e) {
            LOG.debug("The connector's task can't be stopped properly", e);
        }
    }

    private void mayBeInterrupted(boolean may) {
        synchronized (interruptible) {
            polling = may;
            if (!may) {
                Thread.interrupted(); // what comes next closes connections, and must not be broken off
            }
        }
    }

    private void checkSettings() {
        String errors = new PostgresConnector()
                .validate(settings).configValues().stream()
                        .flatMap(value -> value.errorMessages().stream())
                        .collect(Collectors.joining("; "));
        if (!errors.isEmpty()) {
            throw new IllegalStateException("the connector refuses its settings: " + errors);
        }
        for (String name : settings.keySet()) {
            if (WITHOUT_EFFECT.matcher(name).matches()) {
                throw new IllegalStateException("the connector's setting " + name
                        + " has no effect here: change what a route or sink gets in routes/, or by walroute.redact");
            }
        }
    }

    private List<Item> items(List<SourceRecord> records) throws SQLException {
        List<Item> items = new ArrayList<>(records.size());
        for (SourceRecord record : records) {
            reader.read(record).ifPresent(items::add);
        }
        return items;
    }

    private static void confirm(Item item, Position position, PostgresConnectorTask task) throws InterruptedException {
        if (item.mark() instanceof DebeziumReader.Mark mark) {
            position.reached(mark);
            task.commit();
        }
    }

    @Override
    public void close() {
        closing = true;
        if (thread == null || Thread.currentThread() == thread) {
            return; // it never began, or ends when the handler returns
        }
        try {
            do {
                interrupt();
            } while (!ended.await(INTERRUPT_AGAIN_MS, TimeUnit.MILLISECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void interrupt() {
        synchronized (interruptible) {
            if (polling) {
                thread.interrupt();
            }
        }
    }

    /** Where the task reads what may be confirmed: nothing at its start, then what was confirmed last. */
    private static final class Position implements SourceTaskContext, OffsetStorageReader {
        private volatile DebeziumReader.Mark newest;

        void reached(DebeziumReader.Mark mark) {
            newest = mark;
        }

        @Override
        public Map<String, String> configs() {
            return Map.of();
        }

        @Override
        public PluginMetrics pluginMetrics() {
            throw new UnsupportedOperationException("there is no Kafka Connect worker to keep metrics");
        }

        @Override
        public OffsetStorageReader offsetStorageReader() {
            return this;
        }

        @Override
        @SuppressWarnings("unchecked")
        public <T> Map<String, Object> offset(Map<String, T> partition) {
            DebeziumReader.Mark mark = newest;
            return mark == null || !mark.partition().equals(partition) ? null : (Map<String, Object>) mark.offset();
        }

        @Override
        public <T> Map<Map<String, T>, Map<String, Object>> offsets(Collection<Map<String, T>> partitions) {
            Map<Map<String, T>, Map<String, Object>> offsets = new HashMap<>();
            partitions.forEach(partition -> offsets.put(partition, offset(partition)));
            return offsets;
        }
    }
}
