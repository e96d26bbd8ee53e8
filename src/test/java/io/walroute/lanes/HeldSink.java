package io.walroute.lanes;

import io.walroute.change.ChangeEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.apache.camel.AsyncCallback;
import org.apache.camel.Exchange;
import org.apache.camel.support.AsyncProcessorSupport;
import org.awaitility.Awaitility;

/** A sink that keeps what it gets until the test ends it, in whatever order. */
final class HeldSink extends AsyncProcessorSupport {
    private record Held(Exchange exchange, AsyncCallback callback) {
        String label() {
            return LaneContext.label(exchange);
        }
    }

    private final List<Held> held = new ArrayList<>();
    private final List<String> begun = new ArrayList<>();
    private boolean passing;

    @Override
    public boolean process(Exchange exchange, AsyncCallback callback) {
        synchronized (this) {
            begun.add(LaneContext.label(exchange));
            if (!passing) {
                held.add(new Held(exchange, callback));
                return false;
            }
        }
        callback.done(true);
        return true;
    }

    /** Labels of the changes in the order in which they came. */
    synchronized List<String> begun() {
        return List.copyOf(begun);
    }

    /** Labels of those that aren't ended. */
    synchronized List<String> open() {
        return held.stream().map(Held::label).toList();
    }

    HeldSink awaitOpen(String... labels) {
        Awaitility.await()
                .atMost(10, TimeUnit.SECONDS)
                .pollInterval(2, TimeUnit.MILLISECONDS)
                .until(() -> open().containsAll(List.of(labels)));
        return this;
    }

    void end(String label) {
        end(label, exchange -> {});
    }

    void fail(String label, Exception cause) {
        end(label, exchange -> exchange.setException(cause));
    }

    void end(String label, Consumer<Exchange> before) {
        awaitOpen(label);
        Held one;
        synchronized (this) {
            one = held.stream().filter(h -> h.label().equals(label)).findFirst().orElseThrow();
            held.remove(one);
        }
        before.accept(one.exchange());
        one.callback().done(false);
    }

    /** Ends what is open, and from now on everything at once. */
    void pass() {
        synchronized (this) {
            passing = true;
        }
        open().forEach(this::end);
    }

    static ChangeEvent event(Exchange exchange) {
        return exchange.getMessage().getBody(ChangeEvent.class);
    }
}
