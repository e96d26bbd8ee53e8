package io.walroute.notify;

/** One frame of the log, as every client that asked for it gets it. Its columns are read only if a filter asks. */
final class Frame {
    private final long id;
    private final String topic;
    private final String text;
    private Columns columns;

    /** @param logged the JSON object that was logged; the position becomes its last member */
    Frame(long id, String topic, String logged) {
        this.id = id;
        this.topic = topic;
        text = logged.substring(0, logged.length() - 1) + ",\"position\":\"" + id + "\"}";
    }

    /** The frame's place in the log: its position. Rises without being dense. */
    long id() {
        return id;
    }

    String topic() {
        return topic;
    }

    String text() {
        return text;
    }

    /** For one thread, the hub's. */
    Columns columns() {
        if (columns == null) {
            try {
                columns = Columns.ofFrame(text);
            } catch (IllegalArgumentException notOurs) {
                // Someone wrote into the log by hand: no filter takes it, and what comes after it still goes out.
                columns = Columns.NONE;
            }
        }
        return columns;
    }
}
