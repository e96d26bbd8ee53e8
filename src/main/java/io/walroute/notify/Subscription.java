package io.walroute.notify;

/**
 * What one client wants of one topic, and how much of it the client has got.
 *
 * <p>The client wants the frames after {@link #from()} and was sent those up to {@link #sentUpTo()}. Belongs to the hub's
 * thread.
 */
final class Subscription {
    private final Client client;
    private final String id;
    private final String topic;
    private final Filter filter;
    private final Selection selection;
    private long from;
    private long sentUpTo;
    private boolean acknowledged;

    Subscription(Client client, String id, String topic, Filter filter, Selection selection, long from) {
        this.client = client;
        this.id = id;
        this.topic = topic;
        this.filter = filter;
        this.selection = selection;
        startAt(from);
    }

    Client client() {
        return client;
    }

    String id() {
        return id;
    }

    /** A topic's name, or the beginning of several and a {@code *}. */
    String topic() {
        return topic;
    }

    Filter filter() {
        return filter;
    }

    Selection selection() {
        return selection;
    }

    long from() {
        return from;
    }

    long sentUpTo() {
        return sentUpTo;
    }

    void sentUpTo(long position) {
        sentUpTo = Math.max(sentUpTo, position);
    }

    /** Nothing up to that position will be sent: it was before the subscription, or is lost in a gap. */
    void startAt(long position) {
        from = position;
        sentUpTo = position;
    }

    /** Whether {@code subscribed} was sent. True from the second call on. */
    boolean acknowledge() {
        boolean before = acknowledged;
        acknowledged = true;
        return before;
    }

    boolean wants(Frame frame) {
        return frame.id() > from && Topics.matches(topic, frame.topic()) && filter.takes(frame);
    }
}
