package io.walroute.audit;

import org.apache.camel.Category;
import org.apache.camel.Consumer;
import org.apache.camel.Processor;
import org.apache.camel.Producer;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/** Write each committed change to the audit log, durably and in commit order. */
@UriEndpoint(
        firstVersion = "0.1.0",
        scheme = "audit",
        title = "Audit log",
        syntax = "audit:name",
        producerOnly = true,
        category = {Category.DATABASE})
public final class AuditEndpoint extends DefaultEndpoint {
    @UriPath(description = "Always log", enums = "log")
    private String name = "log";

    private final AuditComponent audit;

    AuditEndpoint(String uri, AuditComponent component) {
        super(uri, component);
        audit = component;
    }

    public String getName() {
        return name;
    }

    public void setName(String name) {
        this.name = name;
    }

    @Override
    public Producer createProducer() {
        return new AuditProducer(this, audit);
    }

    @Override
    public Consumer createConsumer(Processor processor) {
        throw new UnsupportedOperationException("audit:log can't begin a route: it only takes changes");
    }
}
