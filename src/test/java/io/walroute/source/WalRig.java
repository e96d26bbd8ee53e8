package io.walroute.source;

import static org.awaitility.Awaitility.await;

import io.walroute.change.ChangeEvent;
import io.walroute.testing.Postgres;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.camel.CamelContext;
import org.apache.camel.Exchange;
import org.apache.camel.Processor;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;

/** A {@code wal:} route on a database of its own, published whole, that collects what arrives. */
final class WalRig implements AutoCloseable {
    final Postgres.Database db;
    final String slot;
    final List<ChangeEvent> changes = new CopyOnWriteArrayList<>();
    final List<Map<String, Object>> headers = new CopyOnWriteArrayList<>();
    private CamelContext camel;
    private int port;
    private final Map<String, Object> options = new LinkedHashMap<>(Map.of("walHeartbeat", 2_000, "maxBackoff", 1_000));

    /** @param ddl run before the slot is made, so that nothing of it arrives */
    WalRig(String... ddl) {
        this(Postgres.newDatabase(), ddl);
    }

    /** On any server's database, which has no publication yet. */
    WalRig(Postgres.Database db, String... ddl) {
        this.db = db;
        slot = "slot_" + db.name();
        port = db.port();
        db.execute(ddl);
        db.execute(
                "CREATE PUBLICATION pub FOR ALL TABLES WITH (publish_via_partition_root = true)",
                "SELECT pg_create_logical_replication_slot('" + slot + "', 'pgoutput')");
    }

    private WalRig(String slot, Postgres.Database db) {
        this.db = db;
        this.slot = slot;
        port = db.port();
    }

    /** The source, and only that, comes to the server by this port of 127.0.0.1: a proxy's. */
    WalRig through(int port) {
        this.port = port;
        return this;
    }

    /** One of the endpoint's; takes effect with the next start. */
    WalRig option(String name, Object value) {
        options.put(name, value);
        return this;
    }

    /** Several, as in a URI. */
    WalRig options(String more) {
        for (String option : more.split("&")) {
            String[] pair = option.split("=", 2);
            option(pair[0], pair[1]);
        }
        return this;
    }

    static WalRig on(Postgres.Database db, String slot) {
        return new WalRig(slot, db);
    }

    /** Another one on the same database and slot. */
    static WalRig standbyOf(WalRig first) {
        return new WalRig(first.slot, first.db);
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
        c.setDatabaseHostname(db.host());
        c.setDatabasePort(port);
        c.setDatabaseSslmode("disable"); // so that a proxy can read along
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
                from("wal:test?" + uriOptions()).routeId("source").process(processor);
            }
        });
        camel.start();
        return this;
    }

    private String uriOptions() {
        return options.entrySet().stream()
                .map(each -> each.getKey() + "=" + each.getValue())
                .collect(Collectors.joining("&"));
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

    /** Ends the walsender as an administrator does; says whether there was one. */
    boolean terminateWalsender() {
        return db.query("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name='" + slot
                        + "' AND active_pid IS NOT NULL")
                != null;
    }

    void awaitStreaming() {
        await().atMost(Duration.ofSeconds(60)).until(() -> consumer().status().state() == WalStatus.State.STREAMING);
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
    }
}
