package io.walroute.hook;

import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.camel.Category;
import org.apache.camel.Consumer;
import org.apache.camel.Processor;
import org.apache.camel.Producer;
import org.apache.camel.api.management.ManagedAttribute;
import org.apache.camel.api.management.ManagedResource;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/** {@code hook:NAME}. Options are the receiver's settings, not the URI's. */
@ManagedResource(description = "Webhook receiver")
@UriEndpoint(
        firstVersion = "0.1.0",
        scheme = "hook",
        title = "Webhook",
        syntax = "hook:name",
        producerOnly = true,
        category = {Category.HTTP})
public class HookEndpoint extends DefaultEndpoint {
    // A name server that doesn't answer must not hold up the start; each attempt looks again.
    private static final long LOOKUP_SECONDS = 2;

    @UriPath(description = "The NAME of walroute.hook.NAME.url")
    private final String name;

    HookEndpoint(String uri, HookComponent component, String name) {
        super(uri, component);
        this.name = name;
    }

    @ManagedAttribute(description = "The receiver's NAME")
    public String getName() {
        return name;
    }

    @ManagedAttribute(description = "State of the receiver's circuit")
    public String getCircuit() {
        return client().circuit().name();
    }

    HookClient client() {
        return getComponent().client(name);
    }

    /** A receiver that would be refused at each attempt stops the start; one that can't be resolved yet doesn't. */
    @Override
    protected void doStart() throws Exception {
        super.doStart();
        Optional<String> problem;
        try {
            problem = client().addressProblem()
                    .toCompletionStage()
                    .toCompletableFuture()
                    .get(LOOKUP_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException slowDns) {
            return;
        }
        if (problem.isPresent()) {
            throw new IllegalArgumentException(problem.get());
        }
    }

    @Override
    public HookComponent getComponent() {
        return (HookComponent) super.getComponent();
    }

    @Override
    public Producer createProducer() {
        return new HookProducer(this);
    }

    @Override
    public Consumer createConsumer(Processor processor) {
        throw new UnsupportedOperationException("hook:" + name + " can't begin a route. Use it as to: hook:" + name);
    }
}
