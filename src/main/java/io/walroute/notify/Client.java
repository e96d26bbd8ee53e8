package io.walroute.notify;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One connection as the hub sees it. A client is live, and then gets frames as they are committed, or behind, and then gets
 * them from the log, from {@link #cursor} on, as fast as it reads. Belongs to the hub's thread, except for the outbox and the
 * claims, which can be read on any.
 */
final class Client {
    private final Outbox outbox;
    private final Map<String, Subscription> subscriptions = new LinkedHashMap<>();
    private final List<Consumer<Claims>> renewalListeners = new ArrayList<>();
    private final Map<Rule, List<Object>> groups = new HashMap<>();
    private Runnable onTooSlow = () -> {};
    private volatile Claims claims;

    /** Behind: the position up to which the client was sent what it wants. */
    long cursor;

    boolean live = true;
    /** Behind because its outbox ran over, not because it asked for former frames. */
    boolean slow;

    boolean closed;
    /** The frame it was sent last, live: more than one of its subscriptions may want it. */
    long sentLast;
    /** What of that frame. */
    Selection wanted = Selection.ALL;

    Client(Outbox outbox, Claims claims) {
        this.outbox = outbox;
        this.claims = claims;
    }

    Outbox outbox() {
        return outbox;
    }

    Map<String, Subscription> subscriptions() {
        return subscriptions;
    }

    /** What is vouched for about this client now: a token that replaces the former one replaces them. */
    Claims claims() {
        return claims;
    }

    /** The same for the whole life of the connection; empty if the token names none, or there is no token. */
    Optional<String> subject() {
        return claims.subject();
    }

    /** @param listener gets the former claims, on the hub's thread, when {@link #claims} are the new ones already */
    void whenRenewed(Consumer<Claims> listener) {
        renewalListeners.add(listener);
    }

    void renew(Claims renewed) {
        Claims former = claims;
        claims = renewed;
        groups.clear();
        if (!renewed.equals(former)) {
            renewalListeners.forEach(each -> each.accept(former));
        }
    }

    /** Those for whom the rule decides the same as for this client. */
    List<Object> group(Rule rule) {
        return groups.computeIfAbsent(rule, each -> each.group(claims));
    }

    /** @param closer closes the connection, from any thread */
    void whenTooSlow(Runnable closer) {
        onTooSlow = closer;
    }

    void tooSlow() {
        onTooSlow.run();
    }

    /**
     * What of a frame from the log has to be sent to a client that is behind: a subscription wants it, and none that wants it
     * had it before the client went back for another's sake. Null: nothing.
     */
    Selection due(Frame frame) {
        Selection due = null;
        for (Subscription each : subscriptions.values()) {
            if (each.wants(frame)) {
                if (frame.id() <= each.sentUpTo()) {
                    return null;
                }
                due = due == null ? each.selection() : due.with(each.selection());
            }
        }
        return due;
    }

    /** Says, once per topic, that something may be missing at that place of the log, to those that didn't begin behind it. */
    void tellGap(long position, String reason) {
        subscriptions.values().stream()
                .filter(each -> each.from() < position && each.sentUpTo() < position)
                .map(Subscription::topic)
                .distinct()
                .forEach(topic -> outbox.put(ServerMessage.gap(topic, reason)));
    }

    /** Says that frames up to the position may be missing, once per topic of those that weren't sent them. */
    void skipTo(long position, String reason) {
        subscriptions.values().stream()
                .filter(each -> each.sentUpTo() < position)
                .peek(each -> each.startAt(position))
                .map(Subscription::topic)
                .distinct()
                .forEach(topic -> outbox.put(ServerMessage.gap(topic, reason)));
        cursor = position;
    }

    /** As {@link #skipTo}, for a log whose positions begin again. */
    void startAnew(String reason) {
        subscriptions.values().forEach(each -> each.startAt(0));
        subscriptions.values().stream()
                .map(Subscription::topic)
                .distinct()
                .forEach(topic -> outbox.put(ServerMessage.gap(topic, reason)));
        cursor = 0;
        sentLast = 0;
    }
}
