package io.walroute.notify;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.store.Store;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import org.apache.camel.Endpoint;
import org.apache.camel.spi.annotations.Component;
import org.apache.camel.support.DefaultComponent;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code to: notify:TOPIC} logs a change as a frame of the topic and sends it to the WebSocket clients that subscribed to it.
 * A topic that the route computes: {@code toD: notify:${header.topic}}.
 *
 * <p>One component is one hub, which listens from the component's start to its stop, also while no route uses it. It needs a
 * {@link Store} in Camel's registry. The exchange goes on when the frame is on disk; no client is waited for.
 */
@Component("notify")
public class NotifyComponent extends DefaultComponent {
    private static final Logger LOG = LoggerFactory.getLogger(NotifyComponent.class);
    private static final Duration DRAIN = Duration.ofSeconds(5);
    // Routes go on here once their frame is on disk: what they do next may block, and the store's thread tells all
    // others
    // that their writes are on disk.
    private static final int CONTINUING_THREADS = 4;

    private NotifySettings settings = NotifySettings.defaults();
    private volatile Authenticator authenticator;
    private volatile FrameLog log;
    private volatile Hub hub;
    private volatile WebSocketServer server;
    private final KnownColumns known = new KnownColumns();
    private NotifyMeters meters;
    private FramePruner pruner;
    private volatile ExecutorService continuing;

    public NotifyComponent() {}

    public NotifyComponent(NotifySettings settings) {
        this.settings = settings;
    }

    public NotifySettings getSettings() {
        return settings;
    }

    public void setSettings(NotifySettings settings) {
        this.settings = settings;
    }

    /** The port that clients connect to, also where the settings leave it to the system; 0 while stopped. */
    public int port() {
        WebSocketServer running = server;
        return running == null ? 0 : running.port();
    }

    /** Why clients get nothing at present, in one line; empty while they do. */
    public Optional<String> problem() {
        Hub running = hub;
        if (running == null) {
            return Optional.of("The WebSocket hub isn't started");
        }
        return running.problem().or(authenticator::problem);
    }

    @Override
    protected Endpoint createEndpoint(String uri, String remaining, Map<String, Object> parameters) throws Exception {
        var endpoint = new NotifyEndpoint(uri, this, remaining);
        setProperties(endpoint, parameters);
        return endpoint;
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        var registry = getCamelContext().getRegistry();
        Store store = registry.findSingleByType(Store.class);
        if (store == null) {
            throw new IllegalStateException("notify: keeps its frames in a Store, and none is in Camel's registry");
        }
        MeterRegistry found = registry.findSingleByType(MeterRegistry.class);
        meters = new NotifyMeters(found == null ? new SimpleMeterRegistry() : found);
        log = new FrameLog(store);
        log.define();
        continuing =
                getCamelContext().getExecutorServiceManager().newFixedThreadPool(this, "notify", CONTINUING_THREADS);
        authenticator = new Authenticator(settings.auth());
        hub = new Hub(log, settings, known, meters);
        server = new WebSocketServer(settings, hub, authenticator, meters);
        pruner = new FramePruner();
        if (settings.isRuleRequired() && settings.topics().rules().isEmpty()) {
            LOG.warn("No topic has a rule, so subscribers get nothing. Set walroute.notify.topics.TOPIC.authorize, or"
                    + " walroute.notify.require-authorization=off");
        }
        hub.start();
        try {
            server.start();
        } catch (Exception e) {
            hub.stop(DRAIN);
            authenticator.close();
            meters.close();
            server = null;
            hub = null;
            throw e;
        }
        pruner.start(log, settings.keep(), settings.maxFrames());
    }

    @Override
    protected void doStop() throws Exception {
        if (server != null) {
            pruner.stop();
            hub.stop(DRAIN);
            server.stop();
            authenticator.close();
            meters.close();
            server = null;
            hub = null;
        }
        if (continuing != null) {
            getCamelContext().getExecutorServiceManager().shutdownGraceful(continuing);
        }
        super.doStop();
    }

    /** Looks into the frame log, which another process may have written into. From any thread. */
    public void lookIntoLog() {
        Hub running = hub;
        if (running != null) {
            running.wake();
        }
    }

    /** From any thread. */
    void learn(String topic, ChangeEvent event, Map<?, ?> context) {
        known.learn(topic, event, context);
    }

    /** From any thread. Either callback runs, later and on a thread that it may block. */
    void announce(String topic, String eventId, String frame, Runnable onDisk, Consumer<Exception> onRefused) {
        Hub running = hub;
        if (running == null) {
            throw new IllegalStateException("The WebSocket hub isn't started");
        }
        log.append(
                topic,
                eventId,
                frame,
                () -> {
                    running.wake();
                    goOn(onDisk);
                },
                reason -> goOn(() -> onRefused.accept(reason)));
    }

    private void goOn(Runnable rest) {
        try {
            continuing.execute(rest);
        } catch (RejectedExecutionException stopping) {
            rest.run();
        }
    }
}
