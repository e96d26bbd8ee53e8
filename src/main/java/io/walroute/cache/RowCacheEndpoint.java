package io.walroute.cache;

import java.time.Duration;
import org.apache.camel.Category;
import org.apache.camel.Consumer;
import org.apache.camel.Processor;
import org.apache.camel.Producer;
import org.apache.camel.spi.Metadata;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriParam;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/** Puts changed rows into Redis, versioned so that the cache never goes backwards. */
@UriEndpoint(
        scheme = "row-cache",
        title = "Row Cache",
        syntax = "row-cache:name",
        producerOnly = true,
        category = {Category.CACHE})
public class RowCacheEndpoint extends DefaultEndpoint {
    @UriPath(description = "Tells endpoints apart; any name")
    @Metadata(required = true)
    private final String name;

    @UriParam(description = "Stands before every key, in place of the prefix from the settings")
    private String prefix;

    @UriParam(description = "How long entries stay, in place of the time from the settings; as 10m or PT10M")
    private Duration ttl;

    @UriParam(
            defaultValue = "false",
            description =
                    "The change will not come, or not in its turn: what the cache has of its row before is given up")
    private boolean forget;

    public RowCacheEndpoint(String uri, String name, RowCacheComponent component) {
        super(uri, component);
        this.name = name;
    }

    @Override
    public Producer createProducer() {
        return new RowCacheProducer(this);
    }

    @Override
    public Consumer createConsumer(Processor processor) {
        throw new UnsupportedOperationException("row-cache: can't be read from; use it as to: " + getEndpointUri());
    }

    @Override
    public RowCacheComponent getComponent() {
        return (RowCacheComponent) super.getComponent();
    }

    public String getName() {
        return name;
    }

    public String getPrefix() {
        return prefix;
    }

    public void setPrefix(String prefix) {
        this.prefix = prefix;
    }

    public Duration getTtl() {
        return ttl;
    }

    public void setTtl(Duration ttl) {
        if (ttl.toMillis() < 1) {
            throw new IllegalArgumentException("ttl=" + ttl + " keeps nothing. Write 1ms or more, or leave it out.");
        }
        this.ttl = ttl;
    }

    public boolean isForget() {
        return forget;
    }

    public void setForget(boolean forget) {
        this.forget = forget;
    }
}
