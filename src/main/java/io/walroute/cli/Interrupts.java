package io.walroute.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import sun.misc.Signal;
import sun.misc.SignalHandler;

/**
 * Ctrl-C and SIGTERM while a command works: the first asks it to come to its end, the second interrupts it. By signal handlers and
 * not by a shutdown hook: what ended as asked ends with the command's own exit code, and closes what it opened.
 */
final class Interrupts implements AutoCloseable {
    private final Map<Signal, SignalHandler> before = new LinkedHashMap<>();

    /** @param stop is called on a thread of the JVM's */
    Interrupts(Runnable stop) {
        Thread worker = Thread.currentThread();
        var asked = new AtomicBoolean();
        SignalHandler handler = signal -> {
            if (asked.getAndSet(true)) {
                worker.interrupt();
            } else {
                stop.run();
            }
        };
        for (String name : new String[] {"INT", "TERM"}) {
            var signal = new Signal(name);
            before.put(signal, Signal.handle(signal, handler));
        }
    }

    @Override
    public void close() {
        before.forEach(Signal::handle);
        Thread.interrupted(); // a second Ctrl-C that came too late
    }
}
