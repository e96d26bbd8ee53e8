package io.walroute.doctor;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Runs checks, each within its own time: whatever hangs, the others are told and the end is reached.
 *
 * <p>Groups run side by side, the checks of one group in turn. Results come in the order of the checks.
 */
public final class Doctor {
    /**
     * @param probe may give several results, or none; what it throws is a failed check
     * @param needed if it fails, the rest of its group isn't tried
     */
    public record Check(String name, boolean needed, Callable<List<Result>> probe) {
        public static Check of(String name, Callable<Result> probe) {
            return new Check(name, false, () -> List.of(probe.call()));
        }
    }

    /** Checks that share something: a connection, a server. */
    public record Group(List<Check> checks) {}

    private final Duration timeout;

    /** @param timeout of each check */
    public Doctor(Duration timeout) {
        this.timeout = timeout;
    }

    public List<Result> run(List<Group> groups) {
        ExecutorService threads = Executors.newCachedThreadPool(task -> {
            Thread thread = new Thread(task, "doctor");
            thread.setDaemon(true); // one that hangs in a system call must not keep the process
            return thread;
        });
        try {
            List<Future<List<Result>>> running = new ArrayList<>();
            groups.forEach(group -> running.add(threads.submit(() -> run(group, threads))));
            List<Result> results = new ArrayList<>();
            for (Future<List<Result>> each : running) {
                results.addAll(each.get());
            }
            return results;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        } finally {
            threads.shutdownNow();
        }
    }

    private List<Result> run(Group group, ExecutorService threads) throws InterruptedException {
        List<Result> results = new ArrayList<>();
        for (Check check : group.checks()) {
            Future<List<Result>> future = threads.submit(check.probe());
            try {
                List<Result> found = future.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
                results.addAll(found);
                if (check.needed() && found.stream().anyMatch(each -> each.level() == Result.Level.FAIL)) {
                    break;
                }
            } catch (TimeoutException e) {
                future.cancel(true);
                results.add(Result.fail(
                        check.name(),
                        "no answer within " + timeout.toSeconds() + " s; what follows it was not looked at",
                        "find out what holds it up, then: walroute doctor"));
                break;
            } catch (ExecutionException e) {
                results.add(Result.fail(check.name(), line(e.getCause()), "mend that, then: walroute doctor"));
                if (check.needed()) {
                    break;
                }
            }
        }
        return results;
    }

    /** The root cause in one line. */
    static String line(Throwable failure) {
        Throwable root = failure;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        String text = root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
        return text.strip().replaceAll("[\\s\\p{Cntrl}]+", " ");
    }
}
