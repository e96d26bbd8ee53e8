package io.walroute.notify;

import java.util.HashMap;
import java.util.Map;

/**
 * What is said of topics, by topic or by pattern ({@code listings.*}). The topic's own entry counts, else that of the longest
 * pattern: one of them, never both.
 *
 * @param rules who may see a topic's frames
 * @param closeSlow whether a client that doesn't keep up is closed, in place of being told of a gap in the end
 */
public record TopicPolicies(Map<String, String> rules, Map<String, Boolean> closeSlow) {
    public static final TopicPolicies NONE = new TopicPolicies(Map.of(), Map.of());

    public TopicPolicies {
        rules = Map.copyOf(rules);
        closeSlow = Map.copyOf(closeSlow);
        rules.forEach(TopicPolicies::parse);
    }

    private static Rule parse(String topic, String rule) {
        try {
            return Rule.parse(rule);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "walroute.notify.topics." + topic + ".authorize=" + rule + " " + e.getMessage(), e);
        }
    }

    Map<String, Rule> parsedRules() {
        var parsed = new HashMap<String, Rule>();
        rules.forEach((topic, rule) -> parsed.put(topic, parse(topic, rule)));
        return parsed;
    }

    /** Null if nothing is said of the topic. */
    static <T> T of(Map<String, T> byTopic, String topic) {
        T own = byTopic.get(topic);
        if (own != null || byTopic.isEmpty()) {
            return own;
        }
        String longest = null;
        for (String pattern : byTopic.keySet()) {
            boolean longer = longest == null || pattern.length() > longest.length();
            if (longer && Topics.isPattern(pattern) && Topics.matches(pattern, topic)) {
                longest = pattern;
            }
        }
        return longest == null ? null : byTopic.get(longest);
    }
}
