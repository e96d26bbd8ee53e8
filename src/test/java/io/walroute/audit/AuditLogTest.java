package io.walroute.audit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Settlement;
import io.walroute.change.Version;
import io.walroute.store.Store;
import io.walroute.testing.Postgres;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.camel.CamelExecutionException;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class AuditLogTest {
    private static final Instant NOON = Instant.parse("2026-01-31T12:00:00.123456Z");

    @TempDir
    Path folder;

    private Store store;
    private AuditLog log;
    private DefaultCamelContext camel;
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();

    @AfterEach
    void close() {
        if (camel != null) {
            camel.stop();
        }
        if (store != null) {
            store.close();
        }
    }

    private void open(String kind) throws Exception {
        store = Store.open(new Store.Settings(
                kind.equals("sqlite")
                        ? "jdbc:sqlite:" + folder.resolve("walroute.db")
                        : Postgres.newDatabase().jdbcUrl()));
        camel = new DefaultCamelContext();
        camel.getRegistry().bind("store", store);
        camel.getRegistry().bind("meters", meters);
        camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                from("direct:changes").to("audit:log");
            }
        });
        camel.start();
        log = camel.getComponent("audit", AuditComponent.class).log();
    }

    private static ChangeEvent change(Operation operation, long id, long lsn, Instant at) {
        return ChangeEvent.builder(operation, "public", "listings", at, new Version(1, new Lsn(lsn), 0))
                .key(operation == Operation.TRUNCATE ? null : Map.of("id", id))
                .newRow(operation == Operation.TRUNCATE ? null : Map.of("id", id))
                .xid(lsn)
                .build();
    }

    private static ChangeEvent update(long id, long lsn) {
        return change(Operation.UPDATE, id, lsn, NOON);
    }

    private void send(ChangeEvent... events) {
        var open = new AtomicInteger(events.length);
        Settlement settlement = () -> new Settlement.Hold() {
            @Override
            public void release() {
                open.decrementAndGet();
            }

            @Override
            public void fail(Throwable cause) {
                throw new IllegalStateException(cause);
            }
        };
        try (var template = camel.createProducerTemplate()) {
            for (ChangeEvent event : events) {
                template.send("direct:changes", exchange -> {
                    exchange.setProperty(Settlement.PROPERTY, settlement);
                    exchange.getMessage().setBody(event);
                });
            }
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
        await().until(() -> open.get() == 0);
    }

    private List<Long> lsns(long fromSeq, AuditLog.Filter filter) throws SQLException {
        var found = new ArrayList<Long>();
        log.forEach(fromSeq, filter, change -> found.add(change.event().lsn().value()));
        return found;
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_row_of_the_log_holds_what_the_contract_says(String kind) throws Exception {
        open(kind);
        send(update(42, 0x17D5A48));
        String event = store.read(c -> {
            try (var rows = c.createStatement().executeQuery("SELECT * FROM audit_log")) {
                assertThat(rows.next()).isTrue();
                assertThat(rows.getLong("seq")).isEqualTo(1);
                assertThat(rows.getLong("xid")).isEqualTo(0x17D5A48);
                assertThat(rows.getString("lsn")).isEqualTo("0/17D5A48");
                assertThat(rows.getString("committed_at").replace(' ', 'T')).startsWith("2026-01-31T12:00:00.123456");
                assertThat(rows.getString("schema_name")).isEqualTo("public");
                assertThat(rows.getString("table_name")).isEqualTo("listings");
                assertThat(rows.getString("operation")).isEqualTo("UPDATE");
                assertThat(rows.getString("key")).isEqualTo("{\"id\":42}");
                assertThat(rows.getMetaData().getColumnCount()).isEqualTo(10);
                return rows.getString("event");
            }
        });
        assertThat(event).isEqualTo(update(42, 0x17D5A48).toString());
        assertThat(meters.counter("walroute.delivered", "sink", "audit").count())
                .isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_redelivered_change_is_settled_but_not_logged_again(String kind) throws Exception {
        open(kind);
        send(update(1, 10), update(2, 11), update(1, 10), update(3, 12));
        assertThat(lsns(0, AuditLog.Filter.ALL)).containsExactly(10L, 11L, 12L);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_replay_from_an_lsn_begins_at_the_first_in_commit_order_that_is_not_before_it(String kind) throws Exception {
        open(kind);
        // 0/F is before 0/10 though its text is not.
        send(update(1, 0xE), update(2, 0x12), update(3, 0xF), update(4, 0x100000005L), update(5, 0x13));
        assertThat(log.firstSeqFrom(new Lsn(0xF)))
                .hasValue(log.seqOf(update(2, 0x12).id()).getAsLong());
        assertThat(lsns(log.firstSeqFrom(new Lsn(0x13)).getAsLong(), AuditLog.Filter.ALL))
                .containsExactly(0x100000005L, 0x13L);
        assertThat(log.firstSeqFrom(new Lsn(0x200000000L))).isEmpty();
        assertThat(log.last().orElseThrow().event().lsn()).isEqualTo(new Lsn(0x13));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void filters_choose_by_table_key_and_time(String kind) throws Exception {
        open(kind);
        send(
                update(1, 10),
                change(Operation.UPDATE, 2, 11, NOON.plusSeconds(60)),
                change(Operation.UPDATE, 1, 12, NOON.plusSeconds(61)));
        assertThat(lsns(0, new AuditLog.Filter("public", "listings", "1", null)))
                .containsExactly(10L, 12L);
        assertThat(lsns(0, new AuditLog.Filter(null, null, "{\"id\":2}", null))).containsExactly(11L);
        assertThat(lsns(0, new AuditLog.Filter(null, null, null, NOON.plusSeconds(60))))
                .containsExactly(11L, 12L);
        assertThat(lsns(0, new AuditLog.Filter(null, "offers", null, null))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_change_is_overtaken_by_a_later_one_of_its_row_and_by_a_truncation(String kind) throws Exception {
        open(kind);
        send(update(1, 10), update(2, 11), update(1, 12));
        assertThat(log.hasLater(update(1, 10), 1)).isTrue();
        assertThat(log.hasLater(update(2, 11), 2)).isFalse();
        assertThat(log.hasLater(update(1, 12), 3)).isFalse();
        send(change(Operation.TRUNCATE, 0, 13, NOON));
        assertThat(log.hasLater(update(2, 11), 2)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_change_is_overtaken_by_a_later_one_that_gave_its_row_another_key(String kind) throws Exception {
        open(kind);
        var moved = ChangeEvent.builder(Operation.UPDATE, "public", "listings", NOON, new Version(1, new Lsn(12), 0))
                .key("id", 3L)
                .oldRow(Map.of("id", 1L))
                .newRow(Map.of("id", 3L))
                .xid(12)
                .build();
        send(update(1, 10), update(2, 11), moved);
        send(moved); // comes twice after a crash
        assertThat(log.hasLater(update(1, 10), 1)).isTrue();
        assertThat(log.hasLater(update(2, 11), 2)).isFalse();
        assertThat(log.hasLater(moved, 3)).isFalse();
        assertThat(log.prune(NOON.plusSeconds(60), null)).isEqualTo(3);
        assertThat(log.hasLater(update(1, 10), 1)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_change_is_overtaken_by_a_later_one_however_far_apart_they_stand(String kind) throws Exception {
        open(kind);
        send(update(1, 10), update(2, 11));
        goOnAt(1_000_000);
        send(update(1, 12));
        assertThat(log.hasLater(update(1, 10), 1)).isTrue();
        assertThat(log.hasLater(update(2, 11), 2)).isFalse();
        assertThat(log.hasLater(update(1, 12), 1_000_000)).isFalse();
        send(change(Operation.TRUNCATE, 0, 13, NOON));
        assertThat(log.hasLater(update(2, 11), 2)).isTrue();
        assertThat(log.hasLater(update(1, 12), 1_000_000)).isTrue();
    }

    private void goOnAt(long seq) throws SQLException {
        store.write(
                session -> session.statement(
                                store.isSqlite()
                                        ? "UPDATE sqlite_sequence SET seq = " + (seq - 1) + " WHERE name = 'audit_log'"
                                        : "ALTER TABLE audit_log ALTER COLUMN seq RESTART WITH " + seq)
                        .executeUpdate(),
                Duration.ofSeconds(10));
    }

    @Test
    void somebody_who_looks_for_a_key_in_the_file_finds_it_by_an_index() throws Exception {
        open("sqlite");
        send(update(1, 10));
        try (var connection = DriverManager.getConnection("jdbc:sqlite:" + folder.resolve("walroute.db"));
                var statement = connection.createStatement();
                var plan = statement.executeQuery(
                        "EXPLAIN QUERY PLAN SELECT event FROM audit_log WHERE key = '{\"id\":1}' ORDER BY seq DESC LIMIT 5")) {
            assertThat(plan.next()).isTrue();
            assertThat(plan.getString("detail"))
                    .contains("SEARCH audit_log USING INDEX audit_log_by_part_and_key (ANY(<expr>) AND key=?)");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void pruning_deletes_the_old_but_nothing_unsettled_or_dead_lettered(String kind) throws Exception {
        open(kind);
        store.define("CREATE TABLE IF NOT EXISTS dead_letters (event_id text)");
        var old = new ArrayList<ChangeEvent>();
        for (int i = 1; i <= 2500; i++) {
            old.add(update(i, i));
        }
        send(old.toArray(ChangeEvent[]::new));
        send(change(Operation.UPDATE, 1, 3000, NOON.plusSeconds(3600)));
        store.write(
                session -> {
                    var insert = session.statement("INSERT INTO dead_letters VALUES (?)");
                    insert.setString(1, update(7, 7).id());
                    insert.executeUpdate();
                },
                Duration.ofSeconds(10));
        assertThat(log.prune(NOON.plusSeconds(1), new Lsn(2000))).isEqualTo(1998);
        assertThat(lsns(0, AuditLog.Filter.ALL)).hasSize(503).startsWith(7L, 2000L, 2001L);
        assertThat(log.prune(NOON.plusSeconds(1), null)).isEqualTo(501);
        assertThat(lsns(0, AuditLog.Filter.ALL)).containsExactly(7L, 3000L);
    }

    @Test
    void rows_of_a_backfill_and_replayed_changes_are_not_logged() throws Exception {
        open("sqlite");
        try (var template = camel.createProducerTemplate()) {
            template.sendBody("direct:changes", update(1, 10).asReplayed());
            template.sendBody("direct:changes", change(Operation.READ, 1, 10, NOON));
        }
        send(update(2, 11));
        assertThat(lsns(0, AuditLog.Filter.ALL)).containsExactly(11L);
    }

    @Test
    void a_body_that_is_no_change_fails_with_a_line_that_says_so() throws Exception {
        open("sqlite");
        try (var template = camel.createProducerTemplate()) {
            assertThatThrownBy(() -> template.sendBody("direct:changes", "text"))
                    .isInstanceOf(CamelExecutionException.class)
                    .hasRootCauseMessage("audit:log takes a change event, the body is a java.lang.String."
                            + " Put the step before those that change the body");
        }
    }
}
