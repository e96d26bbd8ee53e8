package io.walroute.notify;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Which live subscriptions want a frame, at a cost that depends on how many different sets of columns are filtered on for equality,
 * not on how many clients filter; further conditions are asked once for those of equal ones. Belongs to the hub's thread.
 */
final class Topics {
    /** Per topic as subscribed, per columns that must have a value, per values wanted, per further conditions. */
    private final Map<String, Map<List<String>, Map<List<String>, Map<List<Condition>, List<Subscription>>>>> exact =
            new HashMap<>();

    private final Map<String, Map<List<String>, Map<List<String>, Map<List<Condition>, List<Subscription>>>>> patterns =
            new HashMap<>();

    static boolean isPattern(String topic) {
        return topic.endsWith("*");
    }

    static boolean matches(String subscribed, String topic) {
        return isPattern(subscribed)
                ? topic.startsWith(subscribed.substring(0, subscribed.length() - 1))
                : topic.equals(subscribed);
    }

    void add(Subscription s) {
        side(s).computeIfAbsent(s.topic(), t -> new HashMap<>())
                .computeIfAbsent(s.filter().names(), n -> new HashMap<>())
                .computeIfAbsent(s.filter().values(), v -> new HashMap<>(2))
                .computeIfAbsent(s.filter().rest(), c -> new ArrayList<>(1))
                .add(s);
    }

    void remove(Subscription s) {
        var byNames = side(s).get(s.topic());
        var byValues = byNames == null ? null : byNames.get(s.filter().names());
        var byRest = byValues == null ? null : byValues.get(s.filter().values());
        var same = byRest == null ? null : byRest.get(s.filter().rest());
        if (same == null || !same.remove(s)) {
            return;
        }
        // Nothing empty stays behind: clients may filter on ever new values.
        if (same.isEmpty()) {
            byRest.remove(s.filter().rest());
        }
        if (byRest.isEmpty()) {
            byValues.remove(s.filter().values());
        }
        if (byValues.isEmpty()) {
            byNames.remove(s.filter().names());
        }
        if (byNames.isEmpty()) {
            side(s).remove(s.topic());
        }
    }

    private Map<String, Map<List<String>, Map<List<String>, Map<List<Condition>, List<Subscription>>>>> side(
            Subscription s) {
        return isPattern(s.topic()) ? patterns : exact;
    }

    boolean isEmpty() {
        return exact.isEmpty() && patterns.isEmpty();
    }

    /** Those that want the frame, into {@code found}. */
    void find(Frame frame, List<Subscription> found) {
        find(frame, exact.get(frame.topic()), found);
        for (var pattern : patterns.entrySet()) {
            if (matches(pattern.getKey(), frame.topic())) {
                find(frame, pattern.getValue(), found);
            }
        }
    }

    private static void find(
            Frame frame,
            Map<List<String>, Map<List<String>, Map<List<Condition>, List<Subscription>>>> byNames,
            List<Subscription> found) {
        if (byNames == null) {
            return;
        }
        for (var columns : byNames.entrySet()) {
            List<String> names = columns.getKey();
            List<String> values = names.isEmpty() ? List.of() : frame.columns().texts(names);
            columns.getValue().getOrDefault(values, Map.of()).forEach((rest, same) -> {
                if (Filter.takes(rest, frame)) {
                    found.addAll(same);
                }
            });
        }
    }
}
