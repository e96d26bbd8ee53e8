package io.walroute.cache;

import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.resource.DefaultClientResources;
import io.netty.resolver.DefaultAddressResolverGroup;
import io.walroute.cache.RowCacheException.Concern;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One connection to Redis on which commands follow each other without waiting for answers.
 *
 * <p>Every command that was sent ends: with its answer, with Redis' error, or, when the connection is lost or silent for
 * the time-out, as unreachable. Commands aren't kept for a connection to come (but for the very first one): what to do
 * about an unreachable Redis is for the route's error handler to decide. A failed command may have been run.
 *
 * <p>{@link #send} may be called from any thread and never blocks. One thread owns the connection: it writes what has
 * gathered since its last flush in one go, watches the oldest unanswered command, and connects anew. Answers complete on
 * the given executor, never on Lettuce's event loop, so what follows may take its time.
 */
final class RedisPipeline implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RedisPipeline.class);
    /** How often silence and a lost connection are looked for when there is nothing to write. */
    private static final long TICK_MS = 50;

    private static final long SHORTEST_BACKOFF_MS = 100;
    private static final long LONGEST_BACKOFF_MS = 3_000;
    /** Redis before 7 puts the script's name before an error's text, later ones put it behind. */
    private static final Pattern SCRIPT_PLACE = Pattern.compile(
            "^ERR Error running script \\(call to \\w+\\): @user_script:\\s*\\d+: (?:@user_script: \\d+: )?-?"
                    + "|,? script: \\w+, on @user_script.*$");
    /** Error codes that tell something of one key, not of the server. */
    private static final Pattern KEY_REFUSAL = Pattern.compile("^(WRONGTYPE\\b|NOPERM .*\\bkeys?\\b).*");
    /** Error codes that tell something of the server, not of one key. */
    private static final Pattern SERVER_REFUSAL =
            Pattern.compile("^(OOM|READONLY|LOADING|MISCONF|NOAUTH|NOPERM|MASTERDOWN|NOREPLICAS|BUSY|UNKILLABLE"
                    + "|CLUSTERDOWN|MOVED|ASK|CROSSSLOT|TRYAGAIN|ERR unknown command)\\b.*");
    /** Those of a Redis Cluster; it would need a connection for each node, and keys of one change in one slot. */
    private static final Pattern CLUSTER = Pattern.compile("^(CLUSTERDOWN|MOVED|ASK|CROSSSLOT|TRYAGAIN)\\b.*");
    /** After a failover the name may lead to another server, and a new connection logs in again. */
    private static final Pattern MENDED_BY_RECONNECT = Pattern.compile("^(READONLY|MASTERDOWN|NOAUTH)\\b.*");

    /** Parts of one command: Redis does nothing else meanwhile. */
    private static final int MOST_JOINED = 64;
    /** Nothing is heard of a command until all of it has been sent and done; too long a silence counts as a lost connection. */
    private static final int MOST_BYTES_JOINED = 256 << 10;

    /** One that Redis works on, and one that waits in its socket, so that it has work as soon as it is done. */
    private static final int MOST_UNDER_WAY = 2;

    private static final long LEAST_CONNECTED_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final RedisURI uri;
    private final String server;
    private final Duration silenceAllowed;
    private final int batchSize;
    private final Executor answers;
    private final Function<RedisAsyncCommands<byte[], byte[]>, CompletionStage<?>> greeting;
    private final DefaultClientResources resources;
    private final RedisClient client;
    private final Thread thread;
    private final BlockingQueue<Waiting<?>> queue = new LinkedBlockingQueue<>();

    // The thread's own.
    private final ArrayDeque<Request<?>> unanswered = new ArrayDeque<>();
    private StatefulRedisConnection<byte[], byte[]> connection;
    private CompletableFuture<StatefulRedisConnection<byte[], byte[]>> connecting;
    private long nextAttemptNanos;
    private long connectedNanos;
    private long backoffMs = SHORTEST_BACKOFF_MS;

    /** Commands that were sent and have no answer yet. */
    private final AtomicInteger underWay = new AtomicInteger();

    private volatile boolean gathering;
    private volatile boolean closed;
    private volatile long lastAnswerNanos;
    /** Why there is no connection; null while there is one. */
    private volatile String unreachable = "not connected yet";
    /** What Redis answered instead of making a change; null once it made one again. */
    private volatile String refusal;

    private volatile boolean reconnectWanted;

    /**
     * @param greeting what is sent on each new connection before anything else; its failure counts as not connected
     * @param answers must not run tasks on the calling thread
     */
    RedisPipeline(
            CacheSettings settings,
            Executor answers,
            Function<RedisAsyncCommands<byte[], byte[]>, CompletionStage<?>> greeting) {
        uri = settings.uri();
        server = settings.server();
        silenceAllowed = settings.commandTimeout();
        batchSize = settings.pipelineSize();
        this.answers = answers;
        this.greeting = greeting;
        resources = DefaultClientResources.builder()
                .ioThreadPoolSize(2)
                .computationThreadPoolSize(2)
                // Names mean what they mean to the JVM's other connections; Netty's own resolver doesn't ask the
                // system.
                .addressResolverGroup(DefaultAddressResolverGroup.INSTANCE)
                .build();
        client = RedisClient.create(resources, uri);
        // Without Lettuce's own reconnect a lost connection fails its commands at once; with it they would wait and be
        // sent again.
        client.setOptions(ClientOptions.builder()
                .autoReconnect(false)
                .sslOptions(settings.ssl())
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(silenceAllowed)
                        .keepAlive(true)
                        .tcpNoDelay(true)
                        .build())
                // A timer per command is dear; the thread watches the oldest one instead.
                .timeoutOptions(TimeoutOptions.builder().timeoutCommands(false).build())
                .build());
        thread = new Thread(this::run, "row-cache-redis");
        thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    /** Why Redis can't be used now, in one line; empty if as far as known it can. */
    Optional<String> problem() {
        String why = unreachable;
        if (why != null) {
            return Optional.of(unreachableText(why));
        }
        String refused = refusal;
        return refused == null ? Optional.empty() : Optional.of("Redis at " + server + " refuses changes: " + refused);
    }

    /** Redis made a change. That it answers a question proves nothing: one that is read-only or full does too. */
    void changeMade() {
        if (refusal != null) {
            refusal = null;
        }
    }

    /** One command for several parts, with an answer to each, in their order. */
    interface Joint<P, T> {
        RedisFuture<List<T>> command(RedisAsyncCommands<byte[], byte[]> commands, List<P> parts);
    }

    /** The answer fails with {@link RowCacheException}, its cause being Redis' own error if it gave one. */
    <T> CompletableFuture<T> send(Function<RedisAsyncCommands<byte[], byte[]>, RedisFuture<T>> command) {
        return enqueue(new Single<T>(command));
    }

    /**
     * As {@link #send}, but what waits at the same time goes in one command: Redis and the client have their costs by command.
     * If that fails, all its parts fail, though it may have done some of them. What is sent without waiting for an answer in
     * between may overtake each other.
     *
     * @param bytes how much it sends, about: what is large goes alone
     * @param joint the same for all parts that may go together, and stateless
     */
    <P, T> CompletableFuture<T> sendJoined(P part, int bytes, Joint<P, T> joint) {
        return enqueue(new Part<>(part, bytes, joint));
    }

    private <T> CompletableFuture<T> enqueue(Waiting<T> request) {
        queue.add(request);
        // close() sets the flag first and empties the queue afterwards: one of the two sees this request.
        if (closed) {
            failQueued();
        }
        return request.answer;
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        try {
            thread.join(silenceAllowed.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        unreachable = "stopped";
        failQueued();
        client.shutdown(Duration.ZERO, Duration.ofSeconds(2));
        resources.shutdown(0, 2, TimeUnit.SECONDS);
    }

    private void run() {
        awaitFirstAttempt();
        var batch = new ArrayList<Waiting<?>>(batchSize);
        while (!closed) {
            try {
                Waiting<?> first = queue.poll(TICK_MS, TimeUnit.MILLISECONDS);
                keepConnected();
                if (first != null) {
                    batch.add(first);
                    gather();
                    queue.drainTo(batch, batchSize - 1);
                    write(batch);
                    batch.clear();
                }
            } catch (InterruptedException e) {
                // Only close() interrupts, and it has set the flag.
                break;
            }
        }
        if (connection != null) {
            connection.close();
        }
    }

    /**
     * While Redis has work, what comes meanwhile may as well go with the next command: that spares a thread switch and a system call
     * for each few rows. Where nothing is under way, nothing waits.
     */
    private void gather() {
        long end = 0;
        gathering = true;
        while (underWay.get() >= MOST_UNDER_WAY && queue.size() < MOST_JOINED - 1 && !closed) {
            long now = System.nanoTime();
            end = end == 0 ? now + TimeUnit.MILLISECONDS.toNanos(TICK_MS) : end;
            if (now - end >= 0) {
                break;
            }
            LockSupport.parkNanos(this, end - now);
        }
        gathering = false;
    }

    /** Routes start before the first connection is there; their first changes needn't fail for that. */
    private void awaitFirstAttempt() {
        connect();
        try {
            connecting.get(2 * silenceAllowed.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("The first connection failed; keepConnected() tells why", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void keepConnected() {
        while (!unanswered.isEmpty() && unanswered.peek().reply.isDone()) {
            unanswered.poll();
        }
        if (connection != null) {
            if (!connection.isOpen()) {
                disconnect("the connection was lost");
            } else if (silentFor() > silenceAllowed.toNanos()) {
                disconnect("no answer for " + silenceAllowed.toMillis() + " ms");
            } else if (reconnectWanted && System.nanoTime() - connectedNanos > LEAST_CONNECTED_NANOS) {
                disconnect("it refuses changes (" + refusal + "), is looked for again");
            }
        }
        if (connecting != null && connecting.isDone()) {
            finishConnecting();
        }
        if (connection == null && connecting == null && System.nanoTime() - nextAttemptNanos >= 0) {
            connect();
        }
    }

    /** How long the oldest unanswered command has been waiting without any answer coming. */
    private long silentFor() {
        if (unanswered.isEmpty()) {
            return 0;
        }
        long since = unanswered.peek().sentNanos;
        long answered = lastAnswerNanos;
        return System.nanoTime() - (answered - since > 0 ? answered : since);
    }

    private void disconnect(String why) {
        unreachable = why;
        LOG.warn("{}. {} commands unanswered; connecting again.", unreachableText(why), unanswered.size());
        connection.closeAsync();
        connection = null;
        unanswered.clear();
        nextAttemptNanos = System.nanoTime();
        backoffMs = SHORTEST_BACKOFF_MS;
    }

    private void connect() {
        var started = client.connectAsync(ByteArrayCodec.INSTANCE, uri).toCompletableFuture();
        connecting = started.thenCompose(made -> greeting.apply(made.async())
                .toCompletableFuture()
                .orTimeout(silenceAllowed.toMillis(), TimeUnit.MILLISECONDS)
                .handle((done, failure) -> {
                    if (failure == null) {
                        return CompletableFuture.completedFuture(made);
                    }
                    made.closeAsync();
                    return CompletableFuture.<StatefulRedisConnection<byte[], byte[]>>failedFuture(failure);
                })
                .thenCompose(Function.identity()));
    }

    private void finishConnecting() {
        try {
            connection = connecting.join();
            connection.setAutoFlushCommands(false);
            connectedNanos = System.nanoTime();
            lastAnswerNanos = connectedNanos;
            reconnectWanted = false;
            unreachable = null;
            backoffMs = SHORTEST_BACKOFF_MS;
            LOG.info("Connected to Redis at {}", server);
        } catch (RuntimeException e) {
            String why = reason(e);
            if (!why.equals(unreachable)) {
                LOG.warn("{}. Trying again.", unreachableText(why));
            }
            unreachable = why;
            nextAttemptNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(backoffMs);
            backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS);
        }
        connecting = null;
    }

    private void write(List<Waiting<?>> batch) {
        if (connection == null) {
            batch.forEach(request -> request.fail(notConnected()));
            return;
        }
        long now = System.nanoTime();
        List<Joined> open = new ArrayList<>();
        for (Waiting<?> request : batch) {
            Joined fitting = null;
            for (Joined joined : open) {
                if (joined.takes(request)) {
                    fitting = joined;
                    break;
                }
            }
            if (fitting == null) {
                fitting = new Joined();
                open.add(fitting);
            }
            fitting.add(request);
        }
        for (Joined joined : open) {
            joined.parts.get(0).request(joined.parts).write(connection.async(), now);
        }
        connection.flushCommands();
    }

    /** What goes in one command. */
    private static final class Joined {
        final List<Waiting<?>> parts = new ArrayList<>();
        private long bytes;

        boolean takes(Waiting<?> next) {
            return parts.size() < MOST_JOINED
                    && bytes + next.bytes() <= MOST_BYTES_JOINED
                    && parts.get(0).goesWith(next);
        }

        void add(Waiting<?> part) {
            parts.add(part);
            bytes += part.bytes();
        }
    }

    private void failQueued() {
        for (Waiting<?> request = queue.poll(); request != null; request = queue.poll()) {
            request.fail(notConnected());
        }
    }

    private RowCacheException notConnected() {
        String why = unreachable;
        return new RowCacheException(
                unreachableText(why == null ? "the connection was lost" : why), null, Concern.SERVER);
    }

    private String unreachableText(String why) {
        return "Redis at " + server + " can't be reached: " + why;
    }

    private static String reason(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null && !(root instanceof UnknownHostException)) {
            root = root.getCause();
        }
        if (root instanceof UnknownHostException) {
            return "unknown host";
        }
        if (root instanceof TimeoutException) {
            return "no answer in time";
        }
        String line = String.valueOf(root.getMessage()).lines().findFirst().orElse(root.toString());
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }

    private RowCacheException translated(Throwable failure) {
        if (failure instanceof RedisCommandExecutionException) {
            return refused(
                    SCRIPT_PLACE.matcher(String.valueOf(failure.getMessage())).replaceAll(""), failure);
        }
        String why = unreachable;
        return new RowCacheException(
                unreachableText(why != null ? why : "the connection was lost (" + reason(failure) + ")"),
                failure,
                Concern.SERVER);
    }

    private RowCacheException refused(String text, Throwable failure) {
        Concern concern = concern(text);
        String hint = CLUSTER.matcher(text).matches()
                ? ". Redis Cluster is not supported: let REDIS_URL name a server outside of one"
                : "";
        if (concern == Concern.SERVER) {
            refusal = text + hint;
            if (MENDED_BY_RECONNECT.matcher(text).matches()) {
                reconnectWanted = true;
            }
        }
        return new RowCacheException("Redis at " + server + " refused the change: " + text + hint, failure, concern);
    }

    private static Concern concern(String text) {
        if (KEY_REFUSAL.matcher(text).matches()) {
            return Concern.KEY;
        }
        return SERVER_REFUSAL.matcher(text).matches() ? Concern.SERVER : Concern.UNKNOWN;
    }

    /** What hasn't been sent yet. Its answer is completed exactly once, whatever comes later. */
    private abstract class Waiting<T> {
        final CompletableFuture<T> answer = new CompletableFuture<>();

        /** How much it sends, about. */
        abstract int bytes();

        /** Whether the two may be one command. */
        abstract boolean goesWith(Waiting<?> next);

        /** @param joined this one and those that go with it */
        abstract Request<?> request(List<Waiting<?>> joined);

        void fail(RowCacheException why) {
            finish(() -> answer.completeExceptionally(why));
        }
    }

    private final class Single<T> extends Waiting<T> {
        private final Function<RedisAsyncCommands<byte[], byte[]>, RedisFuture<T>> command;

        Single(Function<RedisAsyncCommands<byte[], byte[]>, RedisFuture<T>> command) {
            this.command = command;
        }

        @Override
        int bytes() {
            return 0;
        }

        @Override
        boolean goesWith(Waiting<?> next) {
            return false;
        }

        @Override
        Request<T> request(List<Waiting<?>> joined) {
            return new Request<>(command, answer::complete, answer::completeExceptionally);
        }
    }

    private final class Part<P, T> extends Waiting<T> {
        private final P part;
        private final int bytes;
        private final Joint<P, T> joint;

        Part(P part, int bytes, Joint<P, T> joint) {
            this.part = part;
            this.bytes = bytes;
            this.joint = joint;
        }

        @Override
        int bytes() {
            return bytes;
        }

        @Override
        boolean goesWith(Waiting<?> next) {
            return next instanceof Part<?, ?> other && other.joint == joint;
        }

        @Override
        @SuppressWarnings("unchecked") // goesWith() let in none of another joint
        Request<List<T>> request(List<Waiting<?>> joined) {
            List<Part<P, T>> parts = new ArrayList<>(joined.size());
            List<P> given = new ArrayList<>(joined.size());
            for (Waiting<?> one : joined) {
                parts.add((Part<P, T>) one);
                given.add(((Part<P, T>) one).part);
            }
            return new Request<>(
                    commands -> joint.command(commands, given),
                    answers -> {
                        if (answers.size() != parts.size()) {
                            var wrong = new RowCacheException(
                                    "Redis at " + server + " answered " + answers.size() + " of " + parts.size()
                                            + " rows",
                                    null);
                            parts.forEach(one -> one.answer.completeExceptionally(wrong));
                            return;
                        }
                        for (int i = 0; i < parts.size(); i++) {
                            parts.get(i).answer.complete(answers.get(i));
                        }
                    },
                    failure -> parts.forEach(one -> one.answer.completeExceptionally(failure)));
        }
    }

    /** One command on its way. Sent once; one of its two ends is called exactly once, whatever comes later. */
    private final class Request<T> {
        private final Function<RedisAsyncCommands<byte[], byte[]>, RedisFuture<T>> command;
        private final Consumer<T> done;
        private final Consumer<RowCacheException> failed;
        private long sentNanos;
        private RedisFuture<T> reply;

        Request(
                Function<RedisAsyncCommands<byte[], byte[]>, RedisFuture<T>> command,
                Consumer<T> done,
                Consumer<RowCacheException> failed) {
            this.command = command;
            this.done = done;
            this.failed = failed;
        }

        void write(RedisAsyncCommands<byte[], byte[]> commands, long now) {
            sentNanos = now;
            try {
                reply = command.apply(commands);
            } catch (RuntimeException e) {
                finish(() -> failed.accept(translated(e)));
                return;
            }
            unanswered.add(this);
            underWay.incrementAndGet();
            reply.whenComplete((value, failure) -> {
                lastAnswerNanos = System.nanoTime();
                if (underWay.decrementAndGet() < MOST_UNDER_WAY && gathering) {
                    LockSupport.unpark(thread);
                }
                finish(() -> {
                    if (failure != null) {
                        failed.accept(translated(failure));
                    } else {
                        done.accept(value);
                    }
                });
            });
        }
    }

    private void finish(Runnable end) {
        try {
            answers.execute(end);
        } catch (RejectedExecutionException e) {
            // The context is stopping and its pool is gone; whoever waits must still hear of it.
            end.run();
        }
    }
}
