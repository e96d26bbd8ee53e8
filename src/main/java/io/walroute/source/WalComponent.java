package io.walroute.source;

import io.walroute.change.Epochs;
import java.util.HashMap;
import java.util.Map;
import java.util.TimeZone;
import java.util.function.Consumer;
import org.apache.camel.Endpoint;
import org.apache.camel.component.debezium.DebeziumComponent;
import org.apache.camel.component.debezium.DebeziumEndpoint;
import org.apache.camel.component.debezium.postgres.configuration.PostgresConnectorEmbeddedDebeziumConfiguration;
import org.apache.camel.util.PropertiesHelper;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code from: wal:NAME}: every committed row change of a publication, in commit order, acknowledged by delivery.
 *
 * <p>camel-debezium's component with another consumer: the stock one acknowledges failed exchanges, doesn't notice when its
 * engine ends, and interrupts routing at stop.
 */
public class WalComponent extends DebeziumComponent<PostgresConnectorEmbeddedDebeziumConfiguration> {
    private static final Logger LOG = LoggerFactory.getLogger(WalComponent.class);
    private static final TimeZone UTC = TimeZone.getTimeZone("UTC");

    private PostgresConnectorEmbeddedDebeziumConfiguration configuration = new WalConfiguration();
    private volatile Epochs epochs = Epochs.all(1);
    private SlotCheck slotCheck;
    private StopMark.Keeper stopMarks;
    private Skips skips;
    private Consumer<WalEndpoint> endpointDefaults = endpoint -> {};

    @Override
    protected void doInit() throws Exception {
        super.doInit();
        // The driver imposes the JVM's zone on the session, and ranges of timestamps come as the session prints them.
        if (!TimeZone.getDefault().hasSameRules(UTC)) {
            LOG.info(
                    "The JVM's time zone was {} and is now UTC, as values are",
                    TimeZone.getDefault().getID());
            TimeZone.setDefault(UTC);
        }
        ChangeConversions.register(getCamelContext());
    }

    @Override
    protected DebeziumEndpoint<PostgresConnectorEmbeddedDebeziumConfiguration> initializeDebeziumEndpoint(
            String uri, PostgresConnectorEmbeddedDebeziumConfiguration copy) {
        copy.setAdditionalProperties(new HashMap<>(copy.getAdditionalProperties()));
        var endpoint = new WalEndpoint(uri, this, copy);
        endpointDefaults.accept(endpoint);
        return endpoint;
    }

    /** Applied to each endpoint before its URI's options: what the service's settings say of it. */
    public void setEndpointDefaults(Consumer<WalEndpoint> endpointDefaults) {
        this.endpointDefaults = endpointDefaults;
    }

    /** Options of the URI go to the engine's configuration where it knows them, else to the endpoint. */
    @Override
    protected void setProperties(Endpoint endpoint, Map<String, Object> parameters) throws Exception {
        Map<String, Object> more = PropertiesHelper.extractProperties(parameters, "additionalProperties.");
        var wal = (WalEndpoint) endpoint;
        setProperties(getCamelContext(), wal.getConfiguration(), parameters);
        super.setProperties(endpoint, parameters);
        wal.getConfiguration().getAdditionalProperties().putAll(more);
    }

    @Override
    public PostgresConnectorEmbeddedDebeziumConfiguration getConfiguration() {
        return configuration;
    }

    @Override
    public void setConfiguration(PostgresConnectorEmbeddedDebeziumConfiguration configuration) {
        this.configuration = configuration;
    }

    Epochs getEpochs() {
        return epochs;
    }

    /**
     * The number that event ids and versions begin with, by LSN; rises when the server's LSNs may be used again. Default 1.
     * Streams that start from now on see it.
     */
    public void setEpochs(Epochs epochs) {
        this.epochs = epochs;
    }

    StopMark.Keeper getStopMarks() {
        return stopMarks;
    }

    /** Where it is kept how far a stop came inside a transaction; null (the default): nowhere, and such a one is repeated whole. */
    public void setStopMarks(StopMark.Keeper stopMarks) {
        this.stopMarks = stopMarks;
    }

    Skips getSkips() {
        return skips;
    }

    /** Which transactions are passed over; null (the default): none. */
    public void setSkips(Skips skips) {
        this.skips = skips;
    }

    SlotCheck getSlotCheck() {
        return slotCheck;
    }

    /** Asked before every start of an engine; null (the default) asks nothing but whether the slot exists. */
    public void setSlotCheck(SlotCheck slotCheck) {
        this.slotCheck = slotCheck;
    }
}
