package io.walroute.service;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.admin.Api;
import io.walroute.replay.Replay;
import io.walroute.replay.Replays;
import io.walroute.source.WalStatus;
import java.lang.management.ManagementFactory;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import javax.management.InstanceAlreadyExistsException;
import javax.management.JMException;
import javax.management.MBeanServer;
import javax.management.ObjectName;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Registers itself while it is open. What goes wrong in an operation is told by its message alone: clients lack our classes. */
final class ServiceBean implements ServiceMXBean, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ServiceBean.class);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MOST_REPLAYS = 20;

    private final ServiceMeters meters;
    private final Operations operations;
    private final DeadLetterApi deadLetters;
    private final Supplier<List<String>> standing;
    private final Replays replays;
    private final Api api;
    private final ObjectName name;

    ServiceBean(
            String slot,
            ServiceMeters meters,
            Operations operations,
            DeadLetterApi deadLetters,
            Supplier<List<String>> standing,
            Replays replays,
            Api api)
            throws JMException {
        this.meters = meters;
        this.operations = operations;
        this.deadLetters = deadLetters;
        this.standing = standing;
        this.replays = replays;
        this.api = api;
        name = new ObjectName("io.walroute:type=Service,slot=" + slot); // a slot's name is of [a-z0-9_]
    }

    void open() throws JMException {
        try {
            server().registerMBean(this, name);
        } catch (InstanceAlreadyExistsException e) {
            LOG.info("{} is another service of this JVM, this one has no MBean", name);
        }
    }

    private static MBeanServer server() {
        return ManagementFactory.getPlatformMBeanServer();
    }

    @Override
    public String getState() {
        return meters.status().map(status -> status.state().name()).orElse("DOWN");
    }

    @Override
    public String getStateMessage() {
        return meters.status().map(WalStatus::message).orElse("no route reads from wal:");
    }

    @Override
    public long getLagBytes() {
        return meters.slot().map(look -> look.slot().lagBytes()).orElse(-1L);
    }

    @Override
    public double getLagSeconds() {
        return meters.lag().map(ServiceMeters::seconds).orElse(-1.0);
    }

    @Override
    public int getInFlight() {
        return meters.status().map(WalStatus::held).orElse(0);
    }

    @Override
    public long getStreamRestarts() {
        return meters.status().map(WalStatus::restarts).orElse(0L);
    }

    @Override
    public List<String> getDeadLetters() {
        return standing.get();
    }

    @Override
    public List<String> getReplays() throws Exception {
        return told(() -> replays.list(MOST_REPLAYS).stream()
                .map(Replay::toJson)
                .map(Object::toString)
                .toList());
    }

    @Override
    public List<String> getPausedRoutes() {
        return operations.routes().stream()
                .filter(route -> route.get("state").equals("Paused"))
                .map(route -> (String) route.get("route"))
                .toList();
    }

    @Override
    public String pauseSource() throws Exception {
        return told(() -> state(operations.pause(operations.sourceId())));
    }

    @Override
    public String resumeSource() throws Exception {
        return told(() -> state(operations.resume(operations.sourceId())));
    }

    @Override
    public String pauseRoute(String id) throws Exception {
        return told(() -> state(operations.pause(id)));
    }

    @Override
    public String resumeRoute(String id) throws Exception {
        return told(() -> state(operations.resume(id)));
    }

    @Override
    public String redrive(String sink) throws Exception {
        return told(() -> ofAll(deadLetters::redrive, Map.of("sink", sink), "due"));
    }

    @Override
    public String discard(String sink, String reason) throws Exception {
        return told(() -> ofAll(deadLetters::discard, Map.of("sink", sink, "reason", reason), "discarded"));
    }

    private interface Page {
        Map<String, Object> change(JsonNode request) throws Exception;
    }

    private static String ofAll(Page page, Map<String, Object> which, String result) throws Exception {
        Map<String, Object> request = new HashMap<>(which);
        int done = 0;
        JsonNode answer;
        do {
            answer = JSON.valueToTree(page.change(JSON.valueToTree(request)));
            for (JsonNode entry : answer.path("entries")) {
                done += entry.path("result").asText().equals(result) ? 1 : 0;
            }
            request.put("after", answer.path("next_after"));
            request.put("up_to", answer.path("up_to"));
        } while (answer.path("next_after").isNumber());
        return done + " " + result;
    }

    @Override
    public String replay(String request) throws Exception {
        return post("/replays", request);
    }

    @Override
    public String cancelReplay(long id) throws Exception {
        return post("/replays/" + id + "/cancel", "");
    }

    @Override
    public String backfill(String table, String where) throws Exception {
        Map<String, Object> request = new HashMap<>();
        if (!table.isBlank()) {
            request.put("tables", List.of(table));
        }
        if (!where.isBlank()) {
            request.put("where", where);
        }
        request.put("by", "JMX");
        return post("/backfill", JSON.writeValueAsString(request));
    }

    @Override
    public String cancelBackfill(long id) throws Exception {
        return post("/backfill/" + id + "/cancel", "");
    }

    @Override
    public String get(String path) throws Exception {
        return told(() -> api.call("GET", path, ""));
    }

    @Override
    public String post(String path, String body) throws Exception {
        return told(() -> api.call("POST", path, body));
    }

    private static String state(Map<String, Object> route) {
        return route.get("route") + " is " + route.get("state");
    }

    private interface Work<T> {
        T run() throws Exception;
    }

    private static <T> T told(Work<T> work) throws Exception {
        try {
            return work.run();
        } catch (Exception e) {
            throw new IllegalStateException(StartFailure.line(e));
        }
    }

    @Override
    public void close() {
        try {
            if (server().isRegistered(name)) {
                server().unregisterMBean(name);
            }
        } catch (JMException e) {
            LOG.debug("{} was gone", name, e);
        }
    }
}
