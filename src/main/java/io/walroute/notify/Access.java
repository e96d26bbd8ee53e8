package io.walroute.notify;

import java.util.List;
import java.util.Map;

/** Which frames a client may see. Belongs to the hub's thread. */
final class Access {
    private final Map<String, Rule> rules;
    private final boolean ruleRequired;

    /** @param ruleRequired whether nobody sees a topic of which no rule says who may */
    Access(Map<String, Rule> rules, boolean ruleRequired) {
        this.rules = rules;
        this.ruleRequired = ruleRequired;
    }

    /** Whether no client whatsoever gets frames of that topic. */
    boolean isClosed(String topic) {
        return ruleRequired && TopicPolicies.of(rules, topic) == null;
    }

    /** @param remember how many answers the frame may keep, for clients of whom the rule asks the same */
    boolean allows(Client client, Frame frame, int remember) {
        Rule rule = TopicPolicies.of(rules, frame.topic());
        if (rule == null) {
            return !ruleRequired;
        }
        List<Object> group = client.group(rule);
        return frame.decide(group, remember, () -> rule.allows(frame.columns(), group));
    }
}
