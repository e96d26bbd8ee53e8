package io.walroute.demo;

import java.io.IOException;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** A server that starts in a thread of its own, so that another can start beside it, and that may be stopped meanwhile. */
final class Start<T extends AutoCloseable> implements AutoCloseable {
    private final FutureTask<T> task;
    private final Thread thread;

    Start(String name, Callable<T> start) {
        task = new FutureTask<>(start);
        thread = new Thread(task, name);
        thread.start();
    }

    /** Waits for the server. */
    T get() throws IOException {
        try {
            return task.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException failure) {
                throw failure;
            }
            throw new IOException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while starting", e);
        }
    }

    /** Interrupts the start, if it is under way; a server that came up all the same is closed. */
    @Override
    public void close() throws IOException {
        thread.interrupt();
        T server;
        try {
            server = get();
        } catch (IOException neverStarted) {
            return;
        }
        try {
            server.close();
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Exception e) {
            throw new IOException(e);
        }
    }
}
