package io.walroute.service;

import io.walroute.slot.SlotTransaction;
import io.walroute.source.SkipRule;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The record of one transaction that is passed over: what, who, when and why.
 *
 * @param transaction as it was shown before
 * @param by the operating system's user of the command, or what a caller of the API calls itself
 * @param passed how many changes were passed over when it came last; null if it hasn't come since
 * @param passedAt when it came first; null with {@code passed}
 * @param doneAt when the slot was seen behind it; null while it is pending
 */
record Skip(
        long id,
        SlotTransaction transaction,
        String reason,
        String by,
        Instant at,
        Long passed,
        Instant passedAt,
        Instant doneAt) {
    boolean isPending() {
        return doneAt == null;
    }

    SkipRule rule() {
        return new SkipRule(
                id, transaction.xid(), transaction.first(), transaction.commit(), transaction.committedAt());
    }

    Map<String, Object> toJson() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", id);
        json.put("state", isPending() ? "pending" : "done");
        json.putAll(transaction.toJson());
        json.put("reason", reason);
        json.put("by", by);
        json.put("at", at.toString());
        json.put("passed", passed);
        json.put("passed_at", passedAt == null ? null : passedAt.toString());
        json.put("done_at", doneAt == null ? null : doneAt.toString());
        return json;
    }
}
