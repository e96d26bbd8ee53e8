package io.walroute.admin;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.apache.camel.CamelContext;
import org.apache.camel.CamelContextAware;
import org.apache.camel.health.HealthCheck;
import org.apache.camel.health.HealthCheckRegistry;
import org.apache.camel.health.HealthCheckRepository;

/**
 * Whether a change that is committed now would really get through, and to where.
 *
 * <p>Parts are asked each time; nothing is remembered, so nothing can be stale. DOWN anywhere makes the whole DOWN; DEGRADED
 * means that changes are kept and acknowledged, but one sink parks its share.
 *
 * <p>Bound into Camel's registry, it is the repository that gives Camel these parts as health checks, so that JMX and Hawtio show
 * what the HTTP paths say; and the other way round, checks that users' routes bring are part of the report.
 */
public final class Health implements HealthCheckRepository, CamelContextAware {
    /** In order of gravity. */
    public enum Status {
        UP,
        DEGRADED,
        DOWN
    }

    /**
     * What one part says of itself.
     *
     * @param message one line: for anything but UP the cause and what mends it
     * @param command the command that helps, as {@code walroute doctor}; null where none is needed
     * @param details more facts by name; may be empty
     */
    public record Check(String name, Status status, String message, String command, Map<String, Object> details) {
        /** Of a part that is well. */
        public static Check up(String name, String message, Map<String, Object> details) {
            return new Check(name, Status.UP, message, null, details);
        }

        private Map<String, Object> toMap(boolean detailed) {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("name", name);
            map.put("status", status.name());
            if (detailed) {
                map.put("message", message);
                if (command != null) {
                    map.put("command", command);
                }
                if (!details.isEmpty()) {
                    map.put("details", details);
                }
            }
            return map;
        }
    }

    /** All parts and the worst of them. */
    public record Report(Status status, List<Check> checks) {
        static Report of(List<Check> checks) {
            Status worst = checks.stream()
                    .map(Check::status)
                    .max(Comparator.naturalOrder())
                    .orElse(Status.UP);
            return new Report(worst, checks);
        }

        public boolean isReady() {
            return status != Status.DOWN;
        }

        /** What the HTTP paths answer. */
        public Map<String, Object> toMap() {
            return toMap(true);
        }

        /** Without causes and figures. */
        public Map<String, Object> toPublicMap() {
            return toMap(false);
        }

        private Map<String, Object> toMap(boolean detailed) {
            Map<String, Object> map = new LinkedHashMap<>();
            map.put("status", status.name());
            map.put(
                    "checks",
                    checks.stream().map(check -> check.toMap(detailed)).toList());
            return map;
        }
    }

    private final List<PartCheck> parts = new CopyOnWriteArrayList<>();
    private volatile CamelContext camel;
    private volatile boolean started;
    private volatile boolean enabled = true;

    /** All routes are there. Says nothing of whether anything gets through them. */
    public void started() {
        started = true;
    }

    public boolean isStarted() {
        return started;
    }

    /** A part is asked on every report; it must answer at once, from any thread. */
    public void add(String name, Supplier<Check> part) {
        parts.add(new PartCheck(name, part));
    }

    /** May wait for users' own checks. */
    public Report report() {
        List<Check> checks = new ArrayList<>();
        parts.stream().filter(HealthCheck::isEnabled).map(PartCheck::ask).forEach(checks::add);
        others().filter(HealthCheck::isReadiness).map(ForeignCheck::ask).forEach(checks::add);
        return Report.of(checks);
    }

    /**
     * Whether only a restart mends it. None of the parts says so: neither a database nor a sink that is away is mended by that.
     * Users' own liveness checks may.
     */
    public Report live() {
        return Report.of(others().filter(HealthCheck::isLiveness)
                .filter(check -> !check.getId().equals("context")) // a start or a drain is no death
                .map(ForeignCheck::ask)
                .toList());
    }

    private Stream<HealthCheck> others() {
        return registry().stream()
                .flatMap(registry -> registry.stream().filter(check -> !registry.isExcluded(check)))
                .filter(check -> check.isEnabled() && !(check instanceof PartCheck))
                .sorted(Comparator.comparing(HealthCheck::getId));
    }

    private Optional<HealthCheckRegistry> registry() {
        return Optional.ofNullable(camel).map(HealthCheckRegistry::get);
    }

    // ---------------------------------------------------------------- what Camel asks

    @Override
    public String getId() {
        return "walroute";
    }

    @Override
    public Stream<HealthCheck> stream() {
        return enabled ? parts.stream().map(HealthCheck.class::cast) : Stream.empty();
    }

    @Override
    public boolean isEnabled() {
        return enabled;
    }

    @Override
    public void setEnabled(boolean enabled) {
        this.enabled = enabled;
    }

    @Override
    public void setCamelContext(CamelContext context) {
        camel = context;
        parts.forEach(part -> part.setCamelContext(context));
    }

    @Override
    public CamelContext getCamelContext() {
        return camel;
    }
}
