package io.walroute.notify;

import io.walroute.change.ChangeEvent;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The columns that changes of a topic have had, so that a subscriber learns of a misspelt one. Only for topics that are called
 * after their table ({@code listings.created}): another may carry a second table tomorrow. From any thread.
 */
final class KnownColumns {
    private static final int MAX_TOPICS = 1000;
    private static final String CONTEXT = "context.";

    private final Map<String, Set<String>> byTopic = new ConcurrentHashMap<>();

    void learn(String topic, ChangeEvent event, Map<?, ?> context) {
        Set<String> known = byTopic.get(topic);
        if (known == null) {
            boolean whole = event.newRow() != null && !event.newRow().isEmpty();
            if (!whole || !topic.startsWith(event.table() + ".") || byTopic.size() >= MAX_TOPICS) {
                return;
            }
            known = ConcurrentHashMap.newKeySet();
        }
        add(known, event.newRow());
        add(known, event.oldRow());
        add(known, event.key());
        known.addAll(event.unavailableColumns());
        known.addAll(event.redactedColumns());
        if (context != null) {
            for (Object name : context.keySet()) {
                known.add(String.valueOf(name));
            }
        }
        byTopic.putIfAbsent(topic, known);
    }

    private static void add(Set<String> known, Map<String, Object> row) {
        if (row != null && !known.containsAll(row.keySet())) {
            known.addAll(row.keySet());
        }
    }

    /** Empty also while nothing is known of the topic. */
    Optional<String> firstUnknown(String topic, Collection<String> columns) {
        Set<String> known = byTopic.get(topic);
        if (known == null) {
            return Optional.empty();
        }
        return columns.stream()
                .filter(each -> !known.contains(each)
                        && !(each.startsWith(CONTEXT) && known.contains(each.substring(CONTEXT.length()))))
                .findFirst();
    }
}
