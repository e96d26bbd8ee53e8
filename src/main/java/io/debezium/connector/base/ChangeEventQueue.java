package io.debezium.connector.base;

import io.debezium.pipeline.Sizeable;
import io.debezium.util.LoggingContext;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * In place of Debezium's class of this name, whose {@link #poll} gathers for a whole poll interval whatever there is: that is the
 * latency of every change. This one hands over what has come, half a millisecond after the first of it, so that a transaction may
 * come whole; only while records pour in does it gather for longer, since then each hand-over costs more than it wins.
 *
 * <p>Bounded by records and, if asked, by bytes: the record that passes the limit is still taken. One thread polls.
 * What connectors for other databases need beside (a buffer of one record, queues of others' making) is left out.
 */
public class ChangeEventQueue<T extends Sizeable> implements ChangeEventQueueMetrics {
    /** Whatever the poll interval: who polls has other things to do, too. */
    private static final long MOST_PATIENCE_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

    private static final long GATHERING_NANOS = 500_000;
    private static final long GATHERING_IN_A_FLOOD_NANOS = 5_000_000;
    /** So many records in a millisecond, from one poll to the next, are a flood: ten times what latency is promised for. */
    private static final int FLOOD_PER_MILLI = 10;

    private final long patienceNanos;
    private final int maxBatchSize;
    private final int maxQueueSize;
    private final long maxBytes;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition filled = lock.newCondition();
    private final Condition drained = lock.newCondition();
    private final ArrayDeque<T> records;
    /** Of each record, in their order; empty without a limit. */
    private final ArrayDeque<Long> sizes;

    private long bytes;
    /** As many records as the polling thread waits for; 0 while it doesn't. */
    private int wanted;

    private long polledNanos = System.nanoTime();
    private boolean flood;
    private volatile RuntimeException producerException;

    private ChangeEventQueue(Builder<T> builder) {
        patienceNanos = Math.min(builder.pollInterval.toNanos(), MOST_PATIENCE_NANOS);
        maxBatchSize = builder.maxBatchSize;
        maxQueueSize = builder.maxQueueSize;
        maxBytes = builder.maxQueueSizeInBytes;
        records = new ArrayDeque<>(maxQueueSize + 1);
        sizes = new ArrayDeque<>(maxBytes > 0 ? maxQueueSize + 1 : 1);
    }

    /** Waits while the queue is full. */
    public void enqueue(T item) throws InterruptedException {
        if (item == null) {
            return;
        }
        long size = maxBytes > 0 ? item.objectSize() : 0;
        lock.lockInterruptibly();
        try {
            while (isFull()) {
                drained.await();
            }
            records.add(item);
            if (maxBytes > 0) {
                sizes.add(size);
                bytes += size;
            }
            if (wanted > 0 && (records.size() >= wanted || isFull())) {
                filled.signal();
            }
        } finally {
            lock.unlock();
        }
    }

    private boolean isFull() {
        return records.size() >= maxQueueSize || maxBytes > 0 && bytes >= maxBytes;
    }

    /**
     * What has come, in its order.
     *
     * @return empty if nothing came within the poll interval
     * @throws RuntimeException what was given to {@link #producerException}, as soon as it is
     */
    public List<T> poll() throws InterruptedException {
        lock.lockInterruptibly();
        try {
            await(1, patienceNanos);
            if (!records.isEmpty()) {
                await(maxBatchSize, flood ? GATHERING_IN_A_FLOOD_NANOS : GATHERING_NANOS);
            }
            throwProducerException();
            return drain();
        } finally {
            lock.unlock();
        }
    }

    private void await(int least, long nanos) throws InterruptedException {
        wanted = least;
        try {
            long left = nanos;
            while (records.size() < least && !isFull() && left > 0) {
                throwProducerException();
                left = filled.awaitNanos(left);
            }
        } finally {
            wanted = 0;
        }
    }

    private List<T> drain() {
        int count = Math.min(records.size(), maxBatchSize);
        List<T> batch = new ArrayList<>(count);
        boolean wasFull = isFull();
        for (int i = 0; i < count; i++) {
            batch.add(records.poll());
            if (maxBytes > 0) {
                bytes -= sizes.poll();
            }
        }
        if (wasFull) {
            drained.signalAll();
        }
        long now = System.nanoTime();
        flood = count * TimeUnit.MILLISECONDS.toNanos(1) >= FLOOD_PER_MILLI * (now - polledNanos);
        polledNanos = now;
        return batch;
    }

    /** Ends the next poll, or the one that waits, with this. */
    public void producerException(RuntimeException exception) {
        producerException = exception;
        lock.lock();
        try {
            filled.signal();
        } finally {
            lock.unlock();
        }
    }

    private void throwProducerException() {
        if (producerException != null) {
            throw producerException;
        }
    }

    public void flushBuffer(Function<T, T> change) {
        // there is none
    }

    public boolean isBuffered() {
        return false;
    }

    public void close() {
        // there is nothing to close
    }

    @Override
    public int totalCapacity() {
        return maxQueueSize;
    }

    @Override
    public int remainingCapacity() {
        lock.lock();
        try {
            return maxQueueSize - records.size();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public long maxQueueSizeInBytes() {
        return maxBytes;
    }

    @Override
    public long currentQueueSizeInBytes() {
        lock.lock();
        try {
            return bytes;
        } finally {
            lock.unlock();
        }
    }

    /** As the connector calls it; what it sets beside has no effect here. */
    public static class Builder<T extends Sizeable> {
        private Duration pollInterval;
        private int maxQueueSize;
        private int maxBatchSize;
        private long maxQueueSizeInBytes;

        public Builder<T> pollInterval(Duration interval) {
            pollInterval = interval;
            return this;
        }

        public Builder<T> maxQueueSize(int size) {
            maxQueueSize = size;
            return this;
        }

        public Builder<T> maxBatchSize(int size) {
            maxBatchSize = size;
            return this;
        }

        public Builder<T> maxQueueSizeInBytes(long size) {
            maxQueueSizeInBytes = size;
            return this;
        }

        public Builder<T> loggingContextSupplier(Supplier<LoggingContext.PreviousContext> supplier) {
            return this;
        }

        public Builder<T> queueProvider(QueueProvider<T> provider) {
            return this;
        }

        public ChangeEventQueue<T> build() {
            return new ChangeEventQueue<>(this);
        }
    }
}
