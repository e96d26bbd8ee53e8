package io.walroute.hook;

import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.WorkerExecutor;
import io.vertx.core.http.HttpClientOptions;
import io.walroute.change.Continuations;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.camel.Endpoint;
import org.apache.camel.support.CamelContextHelper;
import org.apache.camel.support.DefaultComponent;

/**
 * {@code hook:NAME}: posts changes, signed, to the receiver that {@code walroute.hook.NAME.url} gives. One client per
 * NAME, shared by all routes that name it, so that a receiver's limits hold whoever sends.
 */
public class HookComponent extends DefaultComponent {
    // Routes go on here after an answer: what they do next may block, and an event loop must not.
    private static final int CONTINUING_THREADS = 4;
    private static final int LOOKUP_THREADS = 8;
    private static final long CLOSE_SECONDS = 5;

    private final Map<String, HookSettings> receivers;
    private final Map<String, HookClient> clients = new ConcurrentHashMap<>();
    private final HostLookup.Resolver resolver;
    private final HttpClientOptions httpOptions;
    private Vertx ownVertx;
    private Vertx vertx;
    private WorkerExecutor lookups;
    private ExecutorService continuing;
    private Continuations continuations;
    private MeterRegistry registry;

    /** Without receivers: each route that names one fails at its start. */
    public HookComponent() {
        this(Map.of());
    }

    /** @param receivers by NAME */
    public HookComponent(Map<String, HookSettings> receivers) {
        this(receivers, InetAddress::getAllByName, new HttpClientOptions());
    }

    HookComponent(Map<String, HookSettings> receivers, HostLookup.Resolver resolver, HttpClientOptions httpOptions) {
        this.receivers = new TreeMap<>(receivers);
        this.resolver = resolver;
        this.httpOptions = httpOptions;
    }

    /** Each receiver in use, with its circuit's state. */
    public Map<String, CircuitBreaker.State> circuits() {
        var states = new TreeMap<String, CircuitBreaker.State>();
        clients.forEach((name, client) -> states.put(name, client.circuit()));
        return states;
    }

    /** Which receivers get nothing at present and why, in one line; empty if all do. */
    public Optional<String> degraded() {
        String reasons = new TreeMap<>(clients)
                .values().stream()
                        .map(HookClient::degraded)
                        .flatMap(Optional::stream)
                        .collect(Collectors.joining("; "));
        return reasons.isEmpty() ? Optional.empty() : Optional.of(reasons);
    }

    /** Why a receiver gets nothing at present, in one line; empty if it does, or if there is no such receiver. */
    public Optional<String> problem(String name) {
        return Optional.ofNullable(clients.get(name)).flatMap(HookClient::degraded);
    }

    /**
     * Lets a receiver be tried again that answered 410 Gone, asked for a long pause or keeps failing.
     *
     * @return why it got nothing; empty if nothing was in the way
     * @throws IllegalArgumentException if no route sends to it
     */
    public Optional<String> resume(String name) {
        HookClient client = clients.get(name);
        if (client == null) {
            throw new IllegalArgumentException("no route sends to hook:" + name + ". Receivers in use: "
                    + (clients.isEmpty() ? "none" : String.join(", ", new TreeSet<>(clients.keySet()))));
        }
        return client.resume();
    }

    @Override
    protected Endpoint createEndpoint(String uri, String name, Map<String, Object> parameters) throws Exception {
        if (!receivers.containsKey(name)) {
            throw new IllegalArgumentException(unknown(name));
        }
        var endpoint = new HookEndpoint(uri, this, name, receivers.get(name));
        setProperties(endpoint, parameters);
        return endpoint;
    }

    private String unknown(String name) {
        String fix = Nearest.of(name, receivers.keySet())
                .map(near -> "Did you mean hook:" + near + "?")
                .orElse("Set walroute.hook." + name + ".url and .secret, or correct the route.");
        String known = receivers.isEmpty() ? "none" : String.join(", ", new TreeSet<>(receivers.keySet()));
        return "routes name hook:" + name + ", but no walroute.hook." + name + ".url is set. Known: " + known + ". "
                + fix;
    }

    /** Only once the component has started: routes are made before that. */
    HookClient client(String name) {
        return clients.computeIfAbsent(
                name, first -> new HookClient(vertx, receivers.get(name), registry, resolver, lookups, httpOptions));
    }

    Continuations continuations() {
        return continuations;
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        registry = getCamelContext().getRegistry().findByType(MeterRegistry.class).stream()
                .findFirst()
                .orElseGet(SimpleMeterRegistry::new);
        vertx = CamelContextHelper.findSingleByType(getCamelContext(), Vertx.class);
        if (vertx == null) {
            ownVertx = Vertx.vertx(new VertxOptions().setEventLoopPoolSize(2).setUseDaemonThread(true));
            vertx = ownVertx;
        }
        lookups = vertx.createSharedWorkerExecutor("walroute-hook-lookup", LOOKUP_THREADS);
        continuing = getCamelContext().getExecutorServiceManager().newFixedThreadPool(this, "hook", CONTINUING_THREADS);
        continuations = new Continuations(continuing, CONTINUING_THREADS);
    }

    /** Before a stop: what isn't answered by now fails, and what is sent from now on isn't attempted. May be called always. */
    public void giveUp() {
        clients.values().forEach(HookClient::close);
    }

    @Override
    protected void doStop() throws Exception {
        List<Future<Void>> closing = new ArrayList<>();
        clients.values().forEach(client -> closing.add(client.close()));
        clients.clear();
        closing.add(lookups.close());
        await(Future.join(closing));
        if (ownVertx != null) {
            await(ownVertx.close());
            ownVertx = null;
        }
        getCamelContext().getExecutorServiceManager().shutdownGraceful(continuing);
        super.doStop();
    }

    private static void await(Future<?> closing) throws Exception {
        closing.toCompletionStage().toCompletableFuture().get(CLOSE_SECONDS, TimeUnit.SECONDS);
    }
}
