package io.walroute.deadletter;

import io.walroute.deadletter.DeadLetters.Notice;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.apache.camel.AsyncProducer;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.support.service.ServiceHelper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells a sink of the changes that it never gets, or not in their turn, by its route's {@code deadUri}: each until it succeeds,
 * for until then the change's followers wait.
 *
 * <p>Called by its consumer's one thread; ends on any.
 */
final class Telling {
    private static final Logger LOG = LoggerFactory.getLogger(Telling.class);
    private static final int AT_A_TIME = 64;

    /** What becomes of a round. */
    enum Round {
        /** There is nothing to tell. */
        NONE,
        /** All was told; there may be more. */
        TOLD,
        /** Some was not: later again. */
        FAILED
    }

    private final DeadLetterComponent component;
    private final String sink;
    private final String uri;
    private final AsyncProducer producer;
    private final AtomicBoolean isWarned = new AtomicBoolean();

    Telling(CamelContext camel, DeadLetterComponent component, String sink, String uri) throws Exception {
        this.component = component;
        this.sink = sink;
        this.uri = uri;
        producer = camel.getEndpoint(uri).createAsyncProducer();
    }

    void start() {
        ServiceHelper.startService(producer);
    }

    void stop() {
        ServiceHelper.stopService(producer);
    }

    /** @param ended on any thread */
    void tell(Consumer<Round> ended) {
        List<Notice> notices;
        try {
            notices = component.letters().notices(sink, AT_A_TIME);
        } catch (SQLException | RuntimeException e) {
            LOG.warn("{} can't be told of dead changes, they can't be read: {}", uri, e.getMessage());
            ended.accept(Round.FAILED);
            return;
        }
        if (notices.isEmpty()) {
            ended.accept(Round.NONE);
            return;
        }
        var left = new AtomicInteger(notices.size());
        var failed = new AtomicInteger();
        for (Notice notice : notices) {
            tell(notice, told -> {
                if (!told) {
                    failed.incrementAndGet();
                }
                if (left.decrementAndGet() == 0) {
                    ended.accept(failed.get() == 0 ? Round.TOLD : Round.FAILED);
                }
            });
        }
    }

    private void warnOnce(Exception failure) {
        if (isWarned.compareAndSet(false, true)) {
            LOG.warn(
                    "{} can't be told of dead or discarded changes, those behind them wait: {}",
                    uri,
                    String.valueOf(failure.getMessage()).lines().findFirst().orElse(""));
        }
    }

    private void tell(Notice notice, Consumer<Boolean> ended) {
        Exchange exchange = producer.getEndpoint().createExchange();
        exchange.getIn().setBody(notice.event());
        KeptHeaders.fromJson(notice.headers()).forEach(exchange.getIn()::setHeader);
        producer.process(exchange, doneSync -> {
            Exception failure = exchange.getException();
            if (failure != null) {
                LOG.debug(
                        "{} could not be told of the dead change {}",
                        uri,
                        notice.event().id(),
                        failure);
                ended.accept(false);
                return;
            }
            component
                    .store()
                    .submit(
                            session -> component.letters().told(session, notice.id()),
                            () -> ended.accept(true),
                            refused -> ended.accept(false));
        });
    }
}
