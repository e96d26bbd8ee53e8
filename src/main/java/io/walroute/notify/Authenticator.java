package io.walroute.notify;

import io.vertx.core.Future;
import io.vertx.core.Promise;
import java.util.Optional;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Decides what a token proves. On threads of its own, since keys may have to be fetched; how many tokens wait is bounded.
 *
 * <p>Whatever is wrong with a token, it is in no message, log line or exception from here.
 */
final class Authenticator implements AutoCloseable {
    static final int MAX_TOKEN_LENGTH = 8192;
    private static final int THREADS = 2;
    private static final int MAX_WAITING = 5000;

    private final Optional<StaticTokens> tokens;
    private final Optional<JwtCheck> jwt;
    private final ThreadPoolExecutor threads = new ThreadPoolExecutor(
            THREADS, THREADS, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(MAX_WAITING), task -> {
                var thread = new Thread(task, "notify-auth");
                thread.setDaemon(true);
                return thread;
            });

    /** @throws IllegalArgumentException if a file of the settings can't be used; the message is one line */
    Authenticator(AuthSettings settings) {
        tokens = settings.tokens().map(StaticTokens::new);
        jwt = settings.jwt().map(JwtCheck::new);
        threads.allowCoreThreadTimeOut(true);
    }

    /** Whether clients are asked at all. */
    boolean isOn() {
        return tokens.isPresent() || jwt.isPresent();
    }

    /** Fails with {@link Refused}, and with nothing else. Completes on any thread. */
    Future<Identity> authenticate(String token) {
        if (!isOn()) {
            return Future.succeededFuture(Identity.UNASKED);
        }
        Promise<Identity> result = Promise.promise();
        try {
            threads.execute(() -> {
                try {
                    result.complete(check(token));
                } catch (Refused refused) {
                    result.fail(refused);
                } catch (RuntimeException | StackOverflowError e) {
                    result.fail(Refused.unproven("the token can't be read"));
                }
            });
        } catch (RejectedExecutionException full) {
            result.fail(Refused.later("too many tokens wait to be checked. Try again in a moment"));
        }
        return result.future();
    }

    Identity check(String token) throws Refused {
        if (token.length() > MAX_TOKEN_LENGTH) {
            throw Refused.unproven("the token is longer than " + MAX_TOKEN_LENGTH + " characters");
        }
        Optional<Identity> known = tokens.isPresent() ? tokens.get().find(token) : Optional.empty();
        if (known.isPresent()) {
            return known.get();
        }
        if (jwt.isEmpty()) {
            throw Refused.unproven("the token is not known");
        }
        return jwt.get().check(token);
    }

    /** Why proofs may be refused that should not be, in one line. */
    Optional<String> problem() {
        return Stream.concat(tokens.flatMap(StaticTokens::problem).stream(), jwt.flatMap(JwtCheck::problem).stream())
                .findFirst();
    }

    @Override
    public void close() {
        threads.shutdownNow();
        tokens.ifPresent(StaticTokens::close);
        jwt.ifPresent(JwtCheck::close);
    }
}
