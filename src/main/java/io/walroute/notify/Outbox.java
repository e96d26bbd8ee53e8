package io.walroute.notify;

import java.util.ArrayDeque;
import java.util.Queue;

/**
 * What waits in memory for one connection: bounded, so that a client that doesn't read costs no more than this.
 *
 * <p>The hub's thread puts in, the connection's event loop takes out. Both never wait.
 */
final class Outbox {
    private final int maxFrames;
    private final long maxBytes;
    private final Runnable onWork;
    private final Queue<Text> waiting = new ArrayDeque<>();
    private long waitingBytes;
    private Runnable onRoom;

    /** @param onWork runs after each text put in, on the thread that put it */
    Outbox(int maxFrames, long maxBytes, Runnable onWork) {
        this.maxFrames = maxFrames;
        this.maxBytes = maxBytes;
        this.onWork = onWork;
    }

    /** @return false, without having taken it, if that would be too much; an empty outbox takes a frame of any size */
    boolean offer(Text frame) {
        synchronized (this) {
            boolean fits = waiting.size() < maxFrames && waitingBytes + frame.length() <= maxBytes;
            if (!fits && !waiting.isEmpty()) {
                return false;
            }
            add(frame);
        }
        onWork.run();
        return true;
    }

    /** Takes an answer in any case: who asks is only heard while {@link #hasRoom()}. */
    void put(String answer) {
        synchronized (this) {
            add(new Text(answer));
        }
        onWork.run();
    }

    private void add(Text text) {
        waiting.add(text);
        waitingBytes += text.length();
    }

    /** @return null if nothing waits */
    Text poll() {
        Runnable nowRoom = null;
        Text text;
        synchronized (this) {
            text = waiting.poll();
            if (text != null) {
                waitingBytes -= text.length();
            }
            if (onRoom != null && hasRoom()) {
                nowRoom = onRoom;
                onRoom = null;
            }
        }
        if (nowRoom != null) {
            nowRoom.run();
        }
        return text;
    }

    /** Whether it is at most half full. */
    synchronized boolean hasRoom() {
        return waiting.size() <= maxFrames / 2 && waitingBytes <= maxBytes / 2;
    }

    /** @return true if there is room; otherwise {@code then} runs once, when there is, on the event loop */
    synchronized boolean hasRoomOr(Runnable then) {
        if (hasRoom()) {
            return true;
        }
        onRoom = then;
        return false;
    }

    synchronized boolean isEmpty() {
        return waiting.isEmpty();
    }

    synchronized long bytes() {
        return waitingBytes;
    }
}
