package io.walroute.hook;

import java.time.Duration;
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
import org.apache.camel.spi.UriParam;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/** {@code hook:NAME}. What the receiver is and bears are its settings; what a step sends to it are the URI's options. */
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
    private static final int MOST_IN_A_BATCH = 1000;
    private static final long LONGEST_BATCH_DELAY_MS = 60_000;

    @UriPath(description = "The NAME of walroute.hook.NAME.url")
    private final String name;

    @UriParam(description = "Tables whose changes are sent, separated by commas; all if not set")
    private String tables;

    @UriParam(
            enums = "INSERT,UPDATE,DELETE,TRUNCATE,READ",
            description = "Operations that are sent, separated by commas; all if not set")
    private String operations;

    @UriParam(description = "Columns that are sent beside those of the key, separated by commas; all if not set")
    private String columns;

    @UriParam(
            defaultValue = "changes",
            enums = "changes,invalidations",
            description = "What a request tells: whole changes, or only which keys changed, each once")
    private String body = "changes";

    @UriParam(description = "Changes (or keys) in one request at most; default: walroute.hook.NAME.batch-size")
    private int batchSize;

    @UriParam(description = "How many ms a change waits for others; default: walroute.hook.NAME.batch-delay")
    private long batchDelay;

    private Selection selection = Selection.ALL;
    private BodyKind kind = BodyKind.CHANGES;

    HookEndpoint(String uri, HookComponent component, String name, HookSettings settings) {
        super(uri, component);
        this.name = name;
        batchSize = settings.batchSize();
        batchDelay = settings.batchDelay().toMillis();
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

    Selection selection() {
        return selection;
    }

    Shape shape() {
        return new Shape(kind, batchSize, Duration.ofMillis(batchDelay));
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

    public String getTables() {
        return tables;
    }

    public void setTables(String tables) {
        selection = select(tables, operations, columns);
        this.tables = tables;
    }

    public String getOperations() {
        return operations;
    }

    public void setOperations(String operations) {
        selection = select(tables, operations, columns);
        this.operations = operations;
    }

    public String getColumns() {
        return columns;
    }

    public void setColumns(String columns) {
        selection = select(tables, operations, columns);
        this.columns = columns;
    }

    private Selection select(String ofTables, String ofOperations, String ofColumns) {
        try {
            return Selection.of(ofTables, ofOperations, ofColumns);
        } catch (IllegalArgumentException e) {
            throw wrong(e.getMessage());
        }
    }

    public String getBody() {
        return body;
    }

    public void setBody(String body) {
        try {
            kind = BodyKind.of(body);
        } catch (IllegalArgumentException e) {
            throw wrong(e.getMessage());
        }
        this.body = body;
    }

    public int getBatchSize() {
        return batchSize;
    }

    public void setBatchSize(int batchSize) {
        if (batchSize < 1 || batchSize > MOST_IN_A_BATCH) {
            throw wrong("batchSize=" + batchSize + " is not a number from 1 to " + MOST_IN_A_BATCH);
        }
        this.batchSize = batchSize;
    }

    public long getBatchDelay() {
        return batchDelay;
    }

    public void setBatchDelay(long batchDelay) {
        if (batchDelay < 1 || batchDelay > LONGEST_BATCH_DELAY_MS) {
            throw wrong("batchDelay=" + batchDelay + " is not a number of ms from 1 to " + LONGEST_BATCH_DELAY_MS);
        }
        this.batchDelay = batchDelay;
    }

    private IllegalArgumentException wrong(String what) {
        return new IllegalArgumentException("to: hook:" + name + ": " + what);
    }
}
