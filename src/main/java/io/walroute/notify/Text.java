package io.walroute.notify;

import java.nio.charset.StandardCharsets;

/** What is sent in one WebSocket frame, perhaps to many connections: encoded once, by the first that sends it. Any thread. */
final class Text {
    private final String text;
    // A race encodes twice.
    private volatile byte[] utf8;

    Text(String text) {
        this.text = text;
    }

    int length() {
        return text.length();
    }

    /** Callers must not change the array. */
    byte[] utf8() {
        byte[] bytes = utf8;
        if (bytes == null) {
            bytes = text.getBytes(StandardCharsets.UTF_8);
            utf8 = bytes;
        }
        return bytes;
    }

    @Override
    public String toString() {
        return text;
    }
}
