package io.walroute.source;

import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.testing.FaultProxy;
import io.walroute.testing.Postgres;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;

/** A {@code wal:} route on a database of its own, published whole, that collects what arrives. */
final class WalRig implements AutoCloseable {
    final Postgres.Database db;
    final String slot;
    /** Between the source and PostgreSQL if set before the start. */
    FaultProxy proxy;

    long walSenderTimeoutMillis = 60_000;
    final List<ChangeEvent> changes = new CopyOnWriteArrayList<>();
    final List<Map<String, Object>> headers = new CopyOnWriteArrayList<>();
    private CamelContext camel;

    /** @param ddl run before the slot is made, so that nothing of it arrives */
    WalRig(String... ddl) {
        db = Postgres.newDatabase();
        slot = "slot_" + db.name();
        db.execute(ddl);
        db.execute(
                "CREATE PUBLICATION pub FOR ALL TABLES WITH (publish_via_partition_root = true)",
                "SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
    }

    private WalRig(Postgres.Database db, String slot) {
        this.db = db;
        this.slot = slot;
    }

    static WalRig on(Postgres.Database db, String slot) {
        return new WalRig(db, slot);
    }

    /** Another one on the same database and slot. */
    static WalRig standbyOf(WalRig first) {
        return new WalRig(first.db, first.slot);
    }

    WalRig start() throws Exception {
        return start("postgres", "postgres", this::collect);
    }

    WalRig start(Processor processor) throws Exception {
        return start("postgres", "postgres", processor);
    }

    WalRig start(String user, String password, Processor processor) throws Exception {
        camel = new DefaultCamelContext();
        WalComponent wal = new WalComponent();
        var c = wal.getConfiguration();
        c.setDatabaseHostname(proxy == null ? db.host() : "127.0.0.1");
        c.setDatabasePort(proxy == null ? db.port() : proxy.port());
        c.setDatabaseSslmode("disable");
        c.setDatabaseDbname(db.name());
        c.setDatabaseUser(user);
        c.setDatabasePassword(password);
        c.setSlotName(slot);
        c.setPublicationName("pub");
        camel.addComponent("wal", wal);
        camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                errorHandler(noErrorHandler());
                from("wal:test?walHeartbeat=2000&maxBackoff=1000&walSenderTimeout=" + walSenderTimeoutMillis)
                        .routeId("source")
                        .process(processor);
            }
        });
        camel.start();
        return this;
    }

    void collect(Exchange exchange) {
        headers.add(exchange.getMessage().getHeaders());
        changes.add(exchange.getMessage().getBody(ChangeEvent.class));
    }

    /** Runs statements and waits for as many changes as they are said to make. */
    List<ChangeEvent> make(int expected, String... statements) {
        int before = changes.size();
        db.execute(statements);
        await().atMost(Duration.ofSeconds(60)).until(() -> changes.size() >= before + expected);
        return List.copyOf(changes.subList(before, changes.size()));
    }

    WalConsumer consumer() {
        return (WalConsumer) camel.getRoute("source").getConsumer();
    }

    CamelContext camel() {
        return camel;
    }

    /** Whether the slot has confirmed everything that is in the WAL now. */
    boolean hasConfirmedAll() {
        return "t"
                .equals(db.query(
                        "SELECT confirmed_flush_lsn >= pg_current_wal_lsn() FROM pg_replication_slots WHERE slot_name='"
                                + slot + "'"));
    }

    @Override
    public void close() {
        if (camel != null) {
            camel.stop();
        }
        if (proxy != null) {
            proxy.close();
        }
    }
}
