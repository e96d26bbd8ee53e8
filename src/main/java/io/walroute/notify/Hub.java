package io.walroute.notify;

import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Follows the frame log and gives each client what it asked for, in the log's order.
 *
 * <p>One thread reads the log and owns all clients and subscriptions; that is why a subscription begins exactly between two
 * frames. It never waits for a client: what a client can't take yet stays in the log. What the log has, whoever wrote it, is
 * sent; what it refused as known is not.
 */
final class Hub {
    /** A client's request, on the hub's thread. Must read the log before it changes anything: it is repeated if that fails. */
    @FunctionalInterface
    private interface Command {
        void run() throws SQLException;
    }

    private static final Logger LOG = LoggerFactory.getLogger(Hub.class);
    private static final String SLOW = "slow client";
    private static final long SHARED_LOG_POLL_NANOS = Duration.ofSeconds(1).toNanos();
    private static final long RETRY_NANOS = Duration.ofSeconds(1).toNanos();

    private final FrameLog log;
    private final long maxBehind;
    private final int maxSubscriptions;
    private final Access access;
    private final Map<String, Boolean> closeSlow;
    private final KnownColumns known;
    private final NotifyMeters meters;
    private final Thread thread;

    private final Queue<Command> commands = new ConcurrentLinkedQueue<>();
    private final AtomicBoolean appended = new AtomicBoolean();
    private volatile boolean stopping;
    private volatile boolean ended;
    private volatile String problem;

    private final Topics topics = new Topics();
    /** Clients that are behind and may have room for more. */
    private final Queue<Client> behind = new ArrayDeque<>();

    /** All that ever subscribed and are not closed. */
    private final Set<Client> clients = new HashSet<>();

    private final List<Subscription> found = new ArrayList<>();
    private final List<Client> due = new ArrayList<>();
    /** The position up to which live clients were sent what they want. */
    private long last;

    Hub(FrameLog log, NotifySettings settings, KnownColumns known, NotifyMeters meters) {
        this.log = log;
        this.known = known;
        maxBehind = settings.maxBehind();
        maxSubscriptions = settings.limits().subscriptions();
        access = new Access(settings.topics().parsedRules(), settings.isRuleRequired());
        closeSlow = settings.topics().closeSlow();
        this.meters = meters;
        thread = new Thread(this::run, "notify-hub");
        thread.setDaemon(true);
    }

    void start() throws SQLException {
        last = log.bounds().newest();
        thread.start();
    }

    /** Sends what is on disk, for at most that long, and ends. */
    void stop(Duration patience) throws InterruptedException {
        stopping = true;
        LockSupport.unpark(thread);
        thread.join(patience.toMillis());
        ended = true;
    }

    /** Something is in the log that may not be sent yet. From any thread, cheap. */
    void wake() {
        if (!appended.getAndSet(true)) {
            LockSupport.unpark(thread);
        }
    }

    /** From any thread; {@code then} runs on the hub's. */
    void receive(Client client, ClientMessage message, Runnable then) {
        execute(() -> {
            if (!client.closed) {
                message.applyTo(this, client);
            }
            then.run();
        });
    }

    void closed(Client client) {
        execute(() -> {
            client.closed = true;
            clients.remove(client);
            if (client.live) {
                client.subscriptions().values().forEach(topics::remove);
            }
            meters.subscriptions(-client.subscriptions().size());
            client.subscriptions().clear();
        });
    }

    Optional<String> problem() {
        return Optional.ofNullable(problem);
    }

    private void execute(Command command) {
        commands.add(command);
        LockSupport.unpark(thread);
    }

    private void run() {
        while (!ended) {
            try {
                boolean working = runCommands() | sendAppended() | catchUpOne();
                problem = null;
                if (!working) {
                    if (stopping) {
                        return;
                    }
                    rest();
                }
            } catch (SQLException | RuntimeException | Error e) {
                // Errors too (no memory, most likely): a dead hub would never send again.
                if (stopping) {
                    return;
                }
                retryLater(e);
            }
        }
    }

    private void rest() {
        if (!log.isShared()) {
            LockSupport.park(this);
        } else {
            // Another instance may have written; its frames are these clients' too.
            LockSupport.parkNanos(this, SHARED_LOG_POLL_NANOS);
            appended.set(true);
        }
    }

    private void retryLater(Throwable e) {
        String cause = e.getMessage() == null ? e.toString() : e.getMessage();
        if (problem == null) {
            LOG.warn("The frame log can't be read, WebSocket clients wait: {}", cause);
        }
        problem = "The frame log can't be read: " + cause;
        appended.set(true);
        long until = System.nanoTime() + RETRY_NANOS;
        while (!stopping && System.nanoTime() < until) {
            LockSupport.parkNanos(this, until - System.nanoTime());
        }
    }

    private boolean runCommands() throws SQLException {
        Command command = commands.peek();
        if (command == null) {
            return false;
        }
        // Removed only when it is done: its client waits for the answer.
        for (; command != null; command = commands.peek()) {
            try {
                command.run();
            } catch (RuntimeException e) {
                LOG.warn("A WebSocket client's request failed", e);
            }
            commands.remove();
        }
        return true;
    }

    // ---- live clients

    private boolean sendAppended() throws SQLException {
        if (topics.isEmpty() || !appended.getAndSet(false)) {
            return false;
        }
        FrameLog.Chunk chunk = log.tail(last);
        if (chunk.frames().isEmpty()) {
            return startAnewIfReplaced(log.bounds().newest());
        }
        for (Frame frame : chunk.frames()) {
            send(frame);
            last = frame.id();
        }
        if (chunk.full()) {
            appended.set(true);
        }
        return true;
    }

    private void send(Frame frame) {
        if (frame.isGap()) {
            clients.stream().filter(client -> client.live).forEach(client -> client.tellGap(frame.id(), frame.text()));
            return;
        }
        found.clear();
        due.clear();
        topics.find(frame, found);
        for (Subscription each : found) {
            Client client = each.client();
            if (frame.id() > each.from()) {
                boolean again = client.sentLast == frame.id();
                client.wanted = again ? client.wanted.with(each.selection()) : each.selection();
                client.sentLast = frame.id();
                if (!again) {
                    due.add(client);
                }
            }
        }
        for (Client client : due) {
            if (access.allows(client, frame, Integer.MAX_VALUE)) {
                send(frame, client);
            }
        }
    }

    private void send(Frame frame, Client client) {
        if (client.outbox().offer(frame.sent(client.wanted, Integer.MAX_VALUE))) {
            meters.sent();
        } else if (Boolean.TRUE.equals(TopicPolicies.of(closeSlow, frame.topic()))) {
            meters.closedSlow();
            // Nothing more is put into its outbox: it is behind, and gone before it has room.
            fallBehind(client, frame.id() - 1);
            client.tooSlow();
        } else {
            client.slow = true;
            fallBehind(client, frame.id() - 1);
        }
    }

    /**
     * Before a request is answered: what was on disk when it came is sent first. While nobody is live the log isn't read, only
     * its end looked up.
     */
    private void findEnd() throws SQLException {
        sendAppended();
        if (topics.isEmpty()) {
            long newest = log.bounds().newest();
            startAnewIfReplaced(newest);
            last = newest;
        }
    }

    /** A database that was restored, or whose file vanished, has a log of its own: positions begin again. */
    private boolean startAnewIfReplaced(long newest) {
        if (newest >= last) {
            return false;
        }
        LOG.warn(
                "The frame log ends at {}, before position {}: it was replaced. Clients are told of a gap",
                newest,
                last);
        log.forget();
        last = 0;
        clients.forEach(client -> client.startAnew("the frame log was replaced; positions begin again"));
        appended.set(true);
        return true;
    }

    // ---- clients that are behind

    private void fallBehind(Client client, long position) {
        client.subscriptions().values().forEach(topics::remove);
        client.live = false;
        client.cursor = position;
        behind.add(client);
    }

    private boolean catchUpOne() throws SQLException {
        Client client = behind.peek();
        if (client == null) {
            return false;
        }
        boolean moves = !client.closed && client.outbox().hasRoomOr(() -> execute(() -> behind.add(client)));
        if (moves) {
            catchUp(client);
        }
        behind.remove();
        if (moves && !client.live) {
            behind.add(client);
        }
        return true;
    }

    private void catchUp(Client client) throws SQLException {
        findEnd();
        if (client.slow && last - client.cursor > maxBehind) {
            meters.dropped(last - client.cursor);
            client.skipTo(last, SLOW);
        }
        if (client.cursor < last) {
            FrameLog.Chunk chunk = log.chunk(client.cursor, last);
            if (chunk.misses(client.cursor)) {
                client.skipTo(chunk.oldest() - 1, "frames after position " + client.cursor + " are no longer kept");
            } else {
                client.cursor = sendDue(client, chunk);
            }
        }
        if (client.cursor >= last) {
            goLive(client);
        }
    }

    /** @return the position up to which the client was sent what it wants */
    private long sendDue(Client client, FrameLog.Chunk chunk) {
        for (Frame frame : chunk.frames()) {
            if (frame.isGap()) {
                client.tellGap(frame.id(), frame.text());
                continue;
            }
            Selection wanted = client.due(frame);
            if (wanted != null && access.allows(client, frame, Frame.KEPT)) {
                if (!client.outbox().offer(frame.sent(wanted, Frame.KEPT))) {
                    return frame.id() - 1;
                }
                meters.sent();
            }
        }
        return chunk.upTo();
    }

    private void goLive(Client client) {
        client.live = true;
        client.slow = false;
        for (Subscription each : client.subscriptions().values()) {
            topics.add(each);
            if (!each.acknowledge()) {
                confirm(each);
            }
        }
    }

    // ---- requests

    private long position(Client client) {
        return client.live ? last : client.cursor;
    }

    private void confirm(Subscription s) {
        s.client().outbox().put(ServerMessage.subscribed(s.id(), Math.max(last, s.from())));
    }

    void ping(Client client) throws SQLException {
        findEnd();
        client.outbox().put(ServerMessage.pong(position(client)));
    }

    void unsubscribe(Client client, String id) {
        Subscription former = client.subscriptions().get(id);
        if (former == null) {
            client.outbox().put(ServerMessage.error("there is no subscription of this id", id));
            return;
        }
        remove(former);
        client.outbox().put(ServerMessage.unsubscribed(id));
    }

    private void remove(Subscription s) {
        s.client().subscriptions().remove(s.id());
        topics.remove(s);
        meters.subscriptions(-1);
    }

    /** An id that is in use changes hands: a client that was told of a gap asks again with {@code since}. */
    void subscribe(Client client, ClientMessage.Subscribe wish) throws SQLException {
        findEnd();
        Start start = start(wish.since());
        Optional<String> refusal = refusal(wish);
        if (refusal.isPresent()) {
            client.outbox().put(ServerMessage.error(refusal.get(), wish.id()));
            return;
        }
        Subscription former = client.subscriptions().get(wish.id());
        if (former != null) {
            remove(former);
        } else if (client.subscriptions().size() >= maxSubscriptions) {
            client.outbox()
                    .put(ServerMessage.error(
                            "a connection may hold " + maxSubscriptions + " subscriptions. Open another", wish.id()));
            return;
        }
        if (start.gap() != null) {
            client.outbox().put(ServerMessage.gap(wish.topic(), start.gap()));
        }
        begin(new Subscription(client, wish.id(), wish.topic(), wish.filter(), wish.selection(), start.from()));
    }

    private Optional<String> refusal(ClientMessage.Subscribe wish) {
        if (!Topics.isPattern(wish.topic()) && access.isClosed(wish.topic())) {
            return Optional.of("nobody may see " + wish.topic() + ": no rule of the service says who");
        }
        return known.firstUnknown(wish.topic(), wish.columns())
                .map(column -> "no change of " + wish.topic() + " has a column \"" + column + "\"");
    }

    private void begin(Subscription s) {
        Client client = s.client();
        clients.add(client);
        long position = position(client);
        if (s.from() < position) {
            client.subscriptions().values().forEach(each -> each.sentUpTo(position));
            if (client.live) {
                fallBehind(client, s.from());
            }
            client.cursor = s.from();
            client.slow = false;
        }
        client.subscriptions().put(s.id(), s);
        meters.subscriptions(1);
        if (client.live) {
            topics.add(s);
            s.acknowledge();
            confirm(s);
        }
    }

    /** @param gap why frames may be missing before it; null if none are */
    private record Start(long from, String gap) {}

    private Start start(String since) throws SQLException {
        if (since == null) {
            return new Start(last, null);
        }
        long position = parse(since);
        FrameLog.Bounds bounds = log.bounds();
        if (position < 0 || position > bounds.newest()) {
            return new Start(last, "position " + since + " is unknown; the newest is " + bounds.newest());
        }
        if (position < bounds.oldest() - 1) {
            return new Start(last, "frames after position " + since + " are no longer kept");
        }
        return new Start(position, null);
    }

    private static long parse(String position) {
        try {
            return Long.parseLong(position);
        } catch (NumberFormatException e) {
            return -1;
        }
    }
}
