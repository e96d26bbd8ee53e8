package io.walroute.notify;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * One frame of the log. Its text is made once for each selection of columns, its columns are read only if someone asks, and
 * who may see it is decided once for each group of clients. For one thread, the hub's.
 */
final class Frame {
    /** How many texts and decisions a frame keeps that may stay in memory for a while. */
    static final int KEPT = 8;

    /** In place of a topic: the frame says, in all of them, that something may be missing here, and its text why. */
    static final String EVERY_TOPIC = "";

    private final long id;
    private final String topic;
    private final Text text;
    private Columns columns;
    private Map<Selection, Text> selected;
    private Map<List<Object>, Boolean> decisions;

    /** @param logged the JSON object that was logged, whose last member becomes the position; of a gap its reason */
    Frame(long id, String topic, String logged) {
        this.id = id;
        this.topic = topic;
        text = new Text(isGap() ? logged : logged.substring(0, logged.length() - 1) + ",\"position\":\"" + id + "\"}");
    }

    boolean isGap() {
        return topic.equals(EVERY_TOPIC);
    }

    /** The frame's place in the log: its position. Rises without being dense. */
    long id() {
        return id;
    }

    String topic() {
        return topic;
    }

    String text() {
        return text.toString();
    }

    /** @param keep how many selections' texts to keep */
    Text sent(Selection selection, int keep) {
        if (selection.isAll()) {
            return text;
        }
        Text found = selected == null ? null : selected.get(selection);
        if (found != null) {
            return found;
        }
        Text made = new Text(make(selection));
        if (selected == null) {
            selected = new HashMap<>();
        }
        if (selected.size() < keep) {
            selected.put(selection, made);
        }
        return made;
    }

    private String make(Selection selection) {
        try {
            return selection.of(text.toString());
        } catch (IllegalArgumentException | ClassCastException notOurs) {
            // Someone wrote into the log by hand: that it isn't whole must not mean that all of it goes out.
            return ServerMessage.gap(topic, "the frame at position " + id + " can't be read");
        }
    }

    /** A topic has one rule: the group alone tells decisions apart. */
    boolean decide(List<Object> group, int keep, BooleanSupplier decision) {
        Boolean known = decisions == null ? null : decisions.get(group);
        if (known != null) {
            return known;
        }
        boolean decided = decision.getAsBoolean();
        if (decisions == null) {
            decisions = new HashMap<>();
        }
        if (decisions.size() < keep) {
            decisions.put(group, decided);
        }
        return decided;
    }

    Columns columns() {
        if (columns == null) {
            try {
                columns = Columns.ofFrame(text.toString());
            } catch (IllegalArgumentException notOurs) {
                // Someone wrote into the log by hand: no filter takes it, and what comes after it still goes out.
                columns = Columns.NONE;
            }
        }
        return columns;
    }
}
