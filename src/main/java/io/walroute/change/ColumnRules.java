package io.walroute.change;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * How one column leaves: {@code hash, hook:drop, cache:keep}.
 *
 * @param rule for every sink that isn't named; the audit log, which stays in the house, is meant only by its name
 * @param bySink exceptions
 */
public record ColumnRules(RedactionRule rule, Map<String, RedactionRule> bySink) {
    public ColumnRules {
        bySink = Collections.unmodifiableMap(new LinkedHashMap<>(bySink));
    }

    /** @throws IllegalArgumentException as {@link RedactionRule#parse} */
    public static ColumnRules parse(String text) {
        RedactionRule rule = null;
        Map<String, RedactionRule> bySink = new LinkedHashMap<>();
        for (String part : text.split(",", -1)) {
            String[] named = part.split(":", 2);
            RedactionRule parsed = RedactionRule.parse(named[named.length - 1]);
            if (named.length == 1 && rule != null) {
                throw new IllegalArgumentException(
                        "has two rules for all sinks. Write one, and others as SINK:RULE: hash, hook:drop");
            } else if (named.length == 1) {
                rule = parsed;
            } else {
                bySink.put(named[0].strip(), parsed);
            }
        }
        if (rule == null) {
            throw new IllegalArgumentException(
                    "has no rule for the sinks that it doesn't name. Write one first: keep, hook:drop");
        }
        return new ColumnRules(rule, bySink);
    }

    /** Whether it needs a salt. */
    public boolean hashes() {
        return rule.kind() == RedactionRule.Kind.HASH
                || bySink.values().stream().anyMatch(one -> one.kind() == RedactionRule.Kind.HASH);
    }
}
