package io.walroute.audit;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Redactions;
import io.walroute.change.Settlement;
import org.apache.camel.Exchange;
import org.apache.camel.support.DefaultProducer;

/**
 * Queues each change for the audit log and lets it pass on at once. The change isn't settled before its row is on disk: a
 * crash in between makes PostgreSQL send it again. If the database refuses the row for ever, the change is failed, not lost.
 */
final class AuditProducer extends DefaultProducer {
    private final AuditComponent audit;
    private Redactions redactions;

    AuditProducer(AuditEndpoint endpoint, AuditComponent audit) {
        super(endpoint);
        this.audit = audit;
    }

    @Override
    protected void doStart() throws Exception {
        super.doStart();
        redactions = getEndpoint().getCamelContext().getRegistry().findSingleByType(Redactions.class);
    }

    @Override
    public void process(Exchange exchange) {
        if (!(exchange.getMessage().getBody() instanceof ChangeEvent event)) {
            Object body = exchange.getMessage().getBody();
            throw new IllegalArgumentException("audit:log takes a change event, the body is "
                    + (body == null ? "empty" : "a " + body.getClass().getName())
                    + ". Put the step before those that change the body");
        }
        if (!AuditLog.takes(event)) {
            return;
        }
        Settlement settlement = exchange.getProperty(Settlement.PROPERTY, Settlement.NONE, Settlement.class);
        Settlement.Hold hold = settlement.hold();
        audit.store()
                .submit(
                        audit.log().insertion(kept(event)),
                        () -> {
                            audit.countDelivered(settlement);
                            hold.release();
                        },
                        hold::fail);
    }

    /** What the log keeps of it; a replay sends that. */
    private ChangeEvent kept(ChangeEvent event) {
        return redactions == null
                ? event
                : redactions.redact(Redactions.AUDIT, event).copy();
    }
}
