package io.walroute.admin;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Supplier;

/**
 * Whether a change that is committed now would really get through, and to where.
 *
 * <p>Parts are asked each time; nothing is remembered, so nothing can be stale. DOWN anywhere makes the whole DOWN; DEGRADED
 * means that changes are kept and acknowledged, but one sink parks its share.
 */
public final class Health {
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
     * @param details more facts by name; may be empty
     */
    public record Check(String name, Status status, String message, Map<String, Object> details) {}

    /** All parts and the worst of them. */
    public record Report(Status status, List<Check> checks) {
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
            List<Map<String, Object>> list = new ArrayList<>();
            for (Check check : checks) {
                Map<String, Object> each = new LinkedHashMap<>();
                each.put("name", check.name());
                each.put("status", check.status().name());
                if (detailed) {
                    each.put("message", check.message());
                }
                if (detailed && !check.details().isEmpty()) {
                    each.put("details", check.details());
                }
                list.add(each);
            }
            map.put("checks", list);
            return map;
        }
    }

    private final List<Supplier<Check>> parts = new CopyOnWriteArrayList<>();
    private volatile boolean started;

    /** All routes are there. Says nothing of whether anything gets through them. */
    public void started() {
        started = true;
    }

    public boolean isStarted() {
        return started;
    }

    /** A part is asked on every report; it must answer at once, from any thread. */
    public void add(Supplier<Check> part) {
        parts.add(part);
    }

    public Report report() {
        List<Check> checks = new ArrayList<>();
        Status worst = Status.UP;
        for (Supplier<Check> part : parts) {
            Check check = part.get();
            checks.add(check);
            if (check.status().compareTo(worst) > 0) {
                worst = check.status();
            }
        }
        return new Report(worst, checks);
    }
}
