package io.walroute.deadletter;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.walroute.change.AttemptDetails;
import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeProperties;
import io.walroute.change.Lsn;
import io.walroute.change.NotAttempted;
import io.walroute.change.Operation;
import io.walroute.change.ParkedKeys;
import io.walroute.change.Settlement;
import io.walroute.change.Version;
import io.walroute.lanes.LanesComponent;
import io.walroute.store.Store;
import io.walroute.testing.Postgres;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import org.apache.camel.Exchange;
import org.apache.camel.ProducerTemplate;
import org.apache.camel.builder.RouteBuilder;
import org.apache.camel.impl.DefaultCamelContext;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The dead letters between real lanes and a sink that fails on demand. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class DeadLetterTest {
    private static final Instant NOON = Instant.parse("2026-01-31T12:00:00Z");
    private static final String AUDIT = """
            CREATE TABLE IF NOT EXISTS audit_log (seq integer PRIMARY KEY, event_id text UNIQUE)""";

    static final class Unavailable extends IllegalStateException implements NotAttempted {
        private static final long serialVersionUID = 1;

        Unavailable() {
            super("the circuit is open");
        }
    }

    private static final class Answered extends IllegalStateException implements AttemptDetails {
        private static final long serialVersionUID = 1;

        private final int number;

        Answered(int number) {
            super("answered " + number);
            this.number = number;
        }

        @Override
        public Instant getAt() {
            return NOON.plusSeconds(number);
        }

        @Override
        public int getStatus() {
            return number;
        }

        @Override
        public String getAnswer() {
            return "no " + number + "x".repeat(200);
        }
    }

    @TempDir
    Path folder;

    private String url;
    private String laneOptions = "";
    private Store store;
    private DefaultCamelContext camel;
    private DeadLetters letters;
    private ProducerTemplate template;
    private final SimpleMeterRegistry meters = new SimpleMeterRegistry();
    private final List<String> delivered = Collections.synchronizedList(new ArrayList<>());
    private volatile Consumer<Exchange> sink = exchange -> {};
    private volatile boolean mayTell = true;
    private final List<String> told = Collections.synchronizedList(new ArrayList<>());

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
        open(kind, "schedule=100ms,...", 2);
    }

    private void open(String kind, String options, int redeliveries) throws Exception {
        if (url == null) {
            url = kind.equals("sqlite")
                    ? "jdbc:sqlite:" + folder.resolve("walroute.db")
                    : Postgres.newDatabase().jdbcUrl();
        }
        store = Store.open(new Store.Settings(url));
        store.define(AUDIT);
        camel = new DefaultCamelContext();
        camel.getShutdownStrategy().setTimeout(5);
        camel.getRegistry().bind("store", store);
        camel.getRegistry().bind("meters", meters);
        camel.addRoutes(new RouteBuilder() {
            @Override
            public void configure() {
                from("direct:in").to("lanes:cache");
                from("lanes:cache?parkUri=dead-letter:cache" + laneOptions)
                        .routeId("cache")
                        .errorHandler(deadLetterChannel("dead-letter:lane?original=true")
                                .deadLetterHandleNewException(false)
                                .maximumRedeliveries(redeliveries)
                                .redeliveryDelay(1)
                                .asyncDelayedRedelivery()
                                .logExhausted(false))
                        .onException(Unavailable.class)
                        .maximumRedeliveries(0)
                        .handled(true)
                        .to("dead-letter:lane?original=true")
                        .end()
                        .to("direct:sink?failIfNoConsumers=true&block=true");
                from("direct:sink")
                        .routeId("sink")
                        .errorHandler(noErrorHandler())
                        .process(exchange -> {
                            sink.accept(exchange);
                            var event = exchange.getMessage().getBody(ChangeEvent.class);
                            delivered.add(event.keyText() + "@" + event.lsn().value());
                        });
                from("direct:told").errorHandler(noErrorHandler()).process(exchange -> {
                    if (!mayTell) {
                        throw new IllegalStateException("the sink can't be told at present");
                    }
                    told.add(exchange.getMessage().getBody(ChangeEvent.class).id());
                });
                from("dead-letter:cache?" + (options.contains("delay=") ? "" : "delay=100&") + options)
                        .routeId("redrive")
                        .to("lanes:cache");
            }
        });
        camel.start();
        template = camel.createProducerTemplate();
        letters = camel.getComponent("dead-letter", DeadLetterComponent.class).letters();
    }

    private void restart() throws Exception {
        camel.stop();
        store.close();
        open(null);
    }

    private static ChangeEvent update(long id, long lsn) {
        return ChangeEvent.builder(Operation.UPDATE, "public", "listings", NOON, new Version(1, new Lsn(lsn), 0))
                .key("id", id)
                .newRow(new LinkedHashMap<>(Map.of("id", id)))
                .xid(lsn)
                .build();
    }

    private static ChangeEvent tooLarge(long id, long lsn) {
        return update(id, lsn).toBuilder()
                .newRow(new LinkedHashMap<>(Map.of("id", id, "text", "x".repeat(3_000))))
                .build();
    }

    private void allowBytes(long bytes) {
        camel.getComponent("lanes", LanesComponent.class).setMaxEventBytes(bytes);
    }

    /** Sends changes, each with its row in the audit log, and waits until none holds the slot any more. */
    private void send(ChangeEvent... events) throws Exception {
        sendWith(Map.of(), events);
    }

    private void sendWith(Map<String, Object> headers, ChangeEvent... events) throws Exception {
        var open = new AtomicInteger();
        for (ChangeEvent event : events) {
            submit(headers, event, open);
        }
        await().atMost(Duration.ofSeconds(20)).until(() -> open.get() == 0);
    }

    private void submit(Map<String, Object> headers, ChangeEvent event, AtomicInteger open) {
        audit(event);
        Settlement settlement = () -> {
            open.incrementAndGet();
            return new Settlement.Hold() {
                @Override
                public void release() {
                    open.decrementAndGet();
                }

                @Override
                public void fail(Throwable cause) {
                    cause.printStackTrace();
                }
            };
        };
        template.send("direct:in", exchange -> {
            exchange.setProperty(Settlement.PROPERTY, settlement);
            exchange.getMessage().setHeaders(new LinkedHashMap<>(headers));
            exchange.getMessage().setBody(event);
        });
    }

    private void audit(ChangeEvent event) {
        store.submit(
                session -> {
                    var insert =
                            session.batch("INSERT INTO audit_log (seq, event_id) VALUES (?, ?) ON CONFLICT DO NOTHING");
                    insert.setLong(1, event.lsn().value());
                    insert.setString(2, event.id());
                    insert.addBatch();
                },
                () -> {});
    }

    private Set<String> parkedKeys(String sink) {
        Set<String> keys = new HashSet<>();
        assertThat(letters.forEachParkedKey(sink, 1000, keys::add)).isTrue();
        return keys;
    }

    private void failFor(Predicate<ChangeEvent> which) {
        sink = exchange -> {
            if (which.test(exchange.getMessage().getBody(ChangeEvent.class))) {
                exchange.getMessage().setBody("what is put down is the change, not this");
                throw new IllegalStateException("redis://user:geheim@host:6379 is away\nsecond line");
            }
        };
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_delivery_that_fails_is_parked_with_what_is_needed_to_mend_it(String kind) throws Exception {
        open(kind, "schedule=1h", 2);
        failFor(event -> true);
        sendWith(Map.of("topic", "listings.created", "context", Map.of("seller_address", "0x1")), update(42, 7));

        DeadLetter letter = letters.list(DeadLetterFilter.ALL, 10).get(0);
        assertThat(letter.sink()).isEqualTo("cache");
        assertThat(letter.eventId()).isEqualTo(update(42, 7).id());
        assertThat(letter.seq()).isEqualTo(7);
        assertThat(letter.lsn()).isEqualTo("0/7");
        assertThat(letter.key()).isEqualTo("{\"id\":42}");
        assertThat(letter.attempts()).isEqualTo(3);
        assertThat(letter.route()).isEqualTo("cache");
        assertThat(letter.cause()).isEqualTo("redis://***@host:6379 is away second line");
        assertThat(letter.state()).isEqualTo(DeadLetter.State.PARKED);
        assertThat(letter.event()).isEqualTo(update(42, 7).toString());
        assertThat(letter.headers()).contains("\"topic\":\"listings.created\"", "{\"seller_address\":\"0x1\"}");
        assertThat(letter.nextAttempt())
                .isBetween(Instant.now().plusSeconds(40 * 60), Instant.now().plusSeconds(80 * 60));
        assertThat(parkedKeys("cache")).containsExactly(ParkedKeys.key("public", "listings", "42"));
        assertThat(parkedKeys("hook")).isEmpty();
        assertThat(camel.getRegistry().findByType(ParkedKeys.class)).containsExactly(letters);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_sink_that_is_back_gets_each_keys_changes_in_their_order(String kind) throws Exception {
        open(kind);
        failFor(event -> true);
        var events = new ArrayList<ChangeEvent>();
        for (int i = 1; i <= 300; i++) {
            events.add(update(i % 40, i));
        }
        send(events.toArray(ChangeEvent[]::new));
        assertThat(letters.count(DeadLetterFilter.ALL)).isEqualTo(300);
        assertThat(parkedKeys("cache")).hasSize(40);

        sink = exchange -> {};
        await().atMost(Duration.ofSeconds(30)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
        assertThat(delivered).hasSize(300);
        assertInOrderPerKey();

        // The lane has forgotten that the keys were parked: this one is delivered at once.
        send(update(5, 1000));
        assertThat(delivered).last().isEqualTo("5@1000");
    }

    private void assertInOrderPerKey() {
        for (int key = 0; key < 40; key++) {
            String prefix = key + "@";
            assertThat(delivered.stream()
                            .filter(each -> each.startsWith(prefix))
                            .map(each -> Long.valueOf(each.substring(prefix.length()))))
                    .as("key %d", key)
                    .isSorted();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void what_is_parked_outlives_a_restart_and_later_changes_stay_behind_it(String kind) throws Exception {
        open(kind);
        failFor(event -> true);
        send(update(1, 1), update(1, 2), update(2, 3));
        restart();
        send(update(1, 4));
        assertThat(letters.count(DeadLetterFilter.ALL)).isEqualTo(4);
        sink = exchange -> {};
        await().atMost(Duration.ofSeconds(20)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
        assertThat(delivered).containsOnlyOnce("1@1", "1@2", "1@4", "2@3").hasSize(4);
        assertInOrderPerKey();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_redelivered_change_that_is_parked_already_keeps_its_place_and_its_first_failure(String kind)
            throws Exception {
        open(kind, "schedule=1h", 0);
        failFor(event -> true);
        send(update(1, 1));
        DeadLetter first = letters.list(DeadLetterFilter.ALL, 1).get(0);
        restartWith("schedule=1h");
        send(update(1, 1));
        assertThat(letters.list(DeadLetterFilter.ALL, 10)).singleElement().satisfies(again -> {
            assertThat(again.id()).isEqualTo(first.id());
            assertThat(again.firstFailure()).isEqualTo(first.firstFailure());
            assertThat(again.cause()).isEqualTo(first.cause());
            assertThat(again.attempts()).isEqualTo(1);
        });
    }

    private void restartWith(String options) throws Exception {
        camel.stop();
        store.close();
        open(null, options, 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void after_its_last_attempt_a_delivery_is_dead_and_its_followers_go_on(String kind) throws Exception {
        open(kind, "schedule=50ms,50ms", 0);
        failFor(event -> event.lsn().value() == 1);
        send(update(1, 1), update(1, 2));
        await().atMost(Duration.ofSeconds(20)).until(() -> delivered.contains("1@2"));
        await().until(() -> letters.count(DeadLetterFilter.ALL) == 1);
        DeadLetter dead = letters.list(DeadLetterFilter.ALL, 1).get(0);
        assertThat(dead.state()).isEqualTo(DeadLetter.State.DEAD);
        assertThat(dead.attempts()).isEqualTo(3);
        assertThat(dead.nextAttempt()).isNull();
        assertThat(parkedKeys("cache")).isEmpty();

        sink = exchange -> {};
        assertThat(letters.markDue(dead.id())).isTrue();
        await().atMost(Duration.ofSeconds(20)).until(() -> delivered.contains("1@1"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void with_no_schedule_a_delivery_is_dead_at_once_until_it_is_redriven_by_hand(String kind) throws Exception {
        open(kind, "schedule=none", 0);
        failFor(event -> event.lsn().value() == 1);
        send(update(1, 1), update(1, 2));
        assertThat(delivered).containsExactly("1@2");
        DeadLetter dead = letters.list(DeadLetterFilter.ALL, 10).get(0);
        assertThat(dead.state()).isEqualTo(DeadLetter.State.DEAD);
        assertThat(dead.nextAttempt()).isNull();
        assertThat(letters.markDue(dead.id())).isTrue();
        await().atMost(Duration.ofSeconds(20))
                .until(() -> letters.get(dead.id()).orElseThrow().attempts() == 2
                        && letters.get(dead.id()).orElseThrow().state() == DeadLetter.State.DEAD);
        sink = exchange -> {};
        assertThat(letters.markDue(dead.id())).isTrue();
        await().atMost(Duration.ofSeconds(20)).until(() -> delivered.contains("1@1"));
        await().atMost(Duration.ofSeconds(20)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void the_followers_of_a_refused_change_wait_until_their_sink_was_told_of_it(String kind) throws Exception {
        open(kind, "schedule=1h&deadUri=direct:told", 0);
        allowBytes(2_000);
        mayTell = false;
        send(tooLarge(1, 1), update(1, 2), update(2, 3));
        assertThat(delivered).containsExactly("2@3");
        assertThat(parkedKeys("cache")).containsExactly(ParkedKeys.key("public", "listings", "1"));
        mayTell = true;
        await().atMost(Duration.ofSeconds(20)).until(() -> delivered.contains("1@2"));
        assertThat(told).containsExactly(update(1, 1).id());
        await().until(() -> letters.count(DeadLetterFilter.ALL) == 1);
        assertThat(letters.list(DeadLetterFilter.ALL, 10).get(0).state()).isEqualTo(DeadLetter.State.DEAD);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_change_that_is_refused_again_when_it_is_redriven_is_dead_again(String kind) throws Exception {
        open(kind, "schedule=1h&deadUri=direct:told", 0);
        allowBytes(2_000);
        send(tooLarge(1, 1));
        long id = letters.list(DeadLetterFilter.ALL, 10).get(0).id();
        await().until(() -> told.size() == 1);
        assertThat(letters.markDue(id)).isTrue();
        await().atMost(Duration.ofSeconds(10))
                .until(() -> letters.get(id).orElseThrow().state() == DeadLetter.State.DEAD);
        DeadLetter dead = letters.get(id).orElseThrow();
        assertThat(dead.nextAttempt()).isNull();
        assertThat(dead.cause()).contains("walroute.max-event-bytes allows 2,000");
        await("the sink is told again").until(() -> told.size() == 2);
        await().until(() -> parkedKeys("cache").isEmpty());
        assertThat(meters.get("walroute.redriven")
                        .tag("sink", "cache")
                        .tag("outcome", "dead")
                        .counter()
                        .count())
                .isEqualTo(2);
        allowBytes(10_000);
        assertThat(letters.markDue(id)).isTrue();
        await().atMost(Duration.ofSeconds(20)).until(() -> delivered.contains("1@1"));
        await().atMost(Duration.ofSeconds(20)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_key_whose_parked_deliveries_another_process_discards_runs_again(String kind) throws Exception {
        open(kind, "schedule=1h", 0);
        failFor(event -> event.lsn().value() <= 2);
        send(update(1, 1), update(2, 2), update(1, 3), update(2, 4));
        assertThat(letters.count(DeadLetterFilter.ALL)).isEqualTo(4);
        try (var other = Store.open(new Store.Settings(url))) {
            assertThat(new DeadLetters(other)
                            .discard(new DeadLetterFilter(null, null, "listings", "1", null, null, null)))
                    .isEqualTo(2);
        }
        var lsn = new AtomicInteger(10);
        await().atMost(Duration.ofSeconds(20)).until(() -> {
            send(update(1, lsn.incrementAndGet()));
            return delivered.contains("1@" + lsn);
        });
        send(update(2, 5000));
        assertThat(delivered).noneMatch(each -> each.startsWith("2@"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void how_each_attempt_ended_is_kept_across_redrives_and_bounded(String kind) throws Exception {
        open(kind, "schedule=50ms,...", 2);
        var attempts = new AtomicInteger();
        sink = exchange -> {
            throw new Answered(attempts.incrementAndGet());
        };
        send(update(1, 1));
        await().atMost(Duration.ofSeconds(60)).until(() -> attempts.get() >= 60);
        long id = letters.list(DeadLetterFilter.ALL, 1).get(0).id();
        sink = exchange -> {
            throw new Unavailable();
        };
        await().atMost(Duration.ofSeconds(20)).until(() -> {
            var kept = letters.get(id).orElseThrow().attemptLog();
            return kept.get(kept.size() - 1).get("status").asInt() == attempts.get();
        });

        var kept = letters.get(id).orElseThrow().attemptLog();
        assertThat(kept).hasSizeBetween(10, 59);
        for (int i = 0; i < kept.size(); i++) {
            int number = attempts.get() - kept.size() + 1 + i;
            assertThat(kept.get(i).get("status").asInt()).isEqualTo(number);
            assertThat(kept.get(i).get("answer").asText()).startsWith("no " + number);
            assertThat(kept.get(i).get("at").asText())
                    .isEqualTo(NOON.plusSeconds(number).toString());
        }
        assertThat(letters.summaries(DeadLetterFilter.ALL, 1).get(0).attemptLog())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_table_of_an_earlier_release_gets_what_it_lacks(String kind) throws Exception {
        open(kind, "schedule=1h", 0);
        failFor(event -> true);
        send(update(1, 1));
        camel.stop();
        store.close();
        try (var c = DriverManager.getConnection(url);
                var s = c.createStatement()) {
            s.execute("ALTER TABLE dead_letters DROP COLUMN attempt_log");
        }
        for (int start = 0; start < 2; start++) {
            open(kind, "schedule=1h", 0);
            assertThat(letters.list(DeadLetterFilter.ALL, 10))
                    .filteredOn(letter -> letter.lsn().equals("0/1"))
                    .allSatisfy(letter -> assertThat(letter.attemptLog()).isEmpty());
            send(update(2 + start, 2 + start));
            assertThat(letters.list(DeadLetterFilter.ALL, 1).get(0).attemptLog())
                    .isNotEmpty();
            camel.stop();
            store.close();
        }
    }

    @Test
    void after_the_last_attempt_a_later_change_of_the_key_does_not_wait() throws Exception {
        open("sqlite", "schedule=50ms", 0);
        failFor(event -> event.lsn().value() == 1);
        send(update(1, 1));
        await().atMost(Duration.ofSeconds(20))
                .until(() -> letters.list(DeadLetterFilter.ALL, 1).get(0).state() == DeadLetter.State.DEAD);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> meters.get("walroute.lane.parked.keys").gauge().value() == 0);
        send(update(1, 2));
        assertThat(delivered).containsExactly("1@2");
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void what_is_due_is_found_behind_any_number_that_are_not(String kind) throws Exception {
        open(kind, "schedule=1h", 0);
        int many = RedriveQueue.MOST_SEEN * 2 + 10;
        var open = new AtomicInteger(1);
        for (int i = 1; i <= many; i++) {
            ChangeEvent event = update(i, i);
            Instant due = Instant.now().plusSeconds(i == many ? -1 : 3600);
            store.submit(
                    letters.parking("cache", event, "{}", new Failure(1, "away", "cache", null), due, false),
                    event.lsn().value() == many ? open::decrementAndGet : () -> {});
        }
        await().atMost(Duration.ofSeconds(60)).until(() -> open.get() == 0);
        await().atMost(Duration.ofSeconds(30)).until(() -> delivered.contains(many + "@" + many));
        assertThat(delivered).hasSize(1);
    }

    @Test
    void while_the_sink_takes_nothing_no_attempt_is_counted_and_few_are_sent() throws Exception {
        open("sqlite", "schedule=100ms,100ms", 0);
        var asked = new AtomicInteger();
        sink = exchange -> {
            asked.incrementAndGet();
            throw new Unavailable();
        };
        send(IntStream.range(0, 200).mapToObj(i -> update(i, i + 1)).toArray(ChangeEvent[]::new));
        assertThat(letters.count(DeadLetterFilter.ALL)).isEqualTo(200);
        int before = asked.get();
        await().until(() -> asked.get() > before + 5);
        assertThat(letters.list(DeadLetterFilter.ALL, 500)).allSatisfy(letter -> {
            assertThat(letter.attempts()).isZero();
            assertThat(letter.state()).isEqualTo(DeadLetter.State.PARKED);
        });
        sink = exchange -> {};
        await().atMost(Duration.ofSeconds(20)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
        assertThat(delivered).hasSize(200);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void one_change_for_two_topics_of_a_sink_is_parked_twice_and_comes_back_with_its_headers(String kind)
            throws Exception {
        open(kind);
        var topics = Collections.synchronizedList(new ArrayList<String>());
        failFor(event -> true);
        sendWith(Map.of("topic", "a"), update(1, 1));
        sendWith(Map.of("topic", "b"), update(1, 1));
        assertThat(letters.count(DeadLetterFilter.ALL)).isEqualTo(2);
        sink = exchange -> {
            topics.add(exchange.getMessage().getHeader("topic") + " "
                    + exchange.getMessage().getHeader("eventId"));
            assertThat(exchange.getProperty(ChangeProperties.REDRIVE)).isEqualTo(true);
        };
        await().atMost(Duration.ofSeconds(20)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
        assertThat(topics)
                .containsExactly("a " + update(1, 1).id(), "b " + update(1, 1).id());
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void a_small_lane_that_spills_before_a_flaky_sink_delivers_each_change_in_its_keys_order(String kind)
            throws Exception {
        long seed = System.nanoTime();
        System.out.println("seed " + seed);
        var random = new Random(seed);
        laneOptions = "&whenFull=park&size=20";
        open(kind, "delay=50&schedule=20ms,...", 1);
        sink = exchange -> {
            synchronized (random) {
                if (random.nextInt(4) == 0) {
                    throw new IllegalStateException("flaky");
                }
                if (random.nextInt(20) == 0) {
                    throw new Unavailable();
                }
            }
        };
        var open = new AtomicInteger();
        long parked = 0;
        for (int i = 1; i <= 1500; i++) {
            submit(Map.of(), update(i % 40, i), open);
            if (i % 50 == 0) {
                parked += letters.count(DeadLetterFilter.ALL);
                await().until(() -> open.get() < 20);
            }
        }
        await().atMost(Duration.ofSeconds(60)).until(() -> open.get() == 0);
        assertThat(parked).as("seen parked").isPositive();
        sink = exchange -> {};
        await().atMost(Duration.ofSeconds(60)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
        assertThat(delivered).as("seed %d", seed).doesNotHaveDuplicates().hasSize(1500);
        assertInOrderPerKey();
    }

    @Test
    void while_the_store_can_not_be_written_nothing_that_failed_is_settled() throws Exception {
        open("sqlite", "schedule=1h", 0);
        failFor(event -> true);
        var open = new AtomicInteger();
        try (var other = DriverManager.getConnection(url);
                var lock = other.createStatement()) {
            lock.execute("BEGIN EXCLUSIVE");
            submit(Map.of(), update(1, 1), open);
            await().atMost(Duration.ofSeconds(20)).until(() -> store.problem().isPresent());
            assertThat(open).hasValue(1);
            lock.execute("ROLLBACK");
        }
        await().atMost(Duration.ofSeconds(20)).until(() -> open.get() == 0);
        assertThat(letters.count(DeadLetterFilter.ALL)).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void they_can_be_listed_counted_and_discarded(String kind) throws Exception {
        open(kind, "schedule=1h", 0);
        failFor(event -> true);
        send(update(1, 1), update(2, 2), update(3, 3));
        assertThat(letters.list(new DeadLetterFilter(null, null, "listings", "2", null, null, null), 10))
                .singleElement()
                .extracting(DeadLetter::lsn)
                .isEqualTo("0/2");
        assertThat(letters.list(
                        new DeadLetterFilter("cache", "cache", "public.listings", null, null, "AWAY", null), 10))
                .hasSize(3);
        assertThat(letters.count(new DeadLetterFilter(null, null, null, null, null, "%", null)))
                .isZero();
        assertThat(letters.count(new DeadLetterFilter(
                        null, null, null, null, Instant.now().plusSeconds(5), null, null)))
                .isZero();
        assertThat(letters.counts()).containsExactly(new DeadLetters.Count("cache", DeadLetter.State.PARKED, 3));
        assertThat(letters.discard(letters.list(DeadLetterFilter.ALL, 1).get(0).id()))
                .isTrue();
        assertThat(letters.discard(4711)).isFalse();
        assertThat(letters.discard(DeadLetterFilter.ofSink("cache"))).isEqualTo(2);
        assertThat(letters.counts()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"sqlite", "postgresql"})
    void one_that_is_redriven_takes_those_before_it_of_its_key_along_and_no_others(String kind) throws Exception {
        open(kind, "schedule=1h,1h", 0);
        failFor(event -> true);
        send(update(1, 1), update(2, 2), update(1, 3), update(1, 4));
        await().until(() -> letters.count(DeadLetterFilter.ALL) == 4);
        sink = exchange -> {};
        long third = letters.list(new DeadLetterFilter(null, null, null, "1", null, null, null), 10).stream()
                .filter(letter -> letter.lsn().equals(new Lsn(3).toString()))
                .findFirst()
                .orElseThrow()
                .id();

        var component = camel.getComponent("dead-letter", DeadLetterComponent.class);
        assertThat(component.redrive(List.of(third, 4711L))).containsExactly(third);

        // 1@4 never had an attempt: it is due as soon as nothing is before it.
        await().until(() -> delivered.size() == 3);
        assertThat(delivered).containsExactly("1@1", "1@3", "1@4");
        assertThat(letters.list(DeadLetterFilter.ALL, 10))
                .extracting(DeadLetter::key)
                .containsExactly("{\"id\":2}");
    }

    @Test
    void what_is_being_sent_is_not_discarded() throws Exception {
        open("sqlite", "schedule=1h,1h", 0);
        failFor(event -> true);
        send(update(1, 1), update(2, 2));
        await().until(() -> letters.count(DeadLetterFilter.ALL) == 2);
        var under = new java.util.concurrent.CountDownLatch(1);
        var go = new java.util.concurrent.CountDownLatch(1);
        sink = exchange -> {
            under.countDown();
            try {
                go.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        };
        var component = camel.getComponent("dead-letter", DeadLetterComponent.class);
        long a = idOf("1");
        long b = idOf("2");
        component.redrive(List.of(a));
        under.await();

        assertThat(component.isInFlight(a)).isTrue();
        assertThat(component.discard(List.of(a, b, 4711L))).isEqualTo(Map.of(b, "cache"));
        assertThat(letters.get(a)).isPresent();
        go.countDown();
        await().until(() -> letters.count(DeadLetterFilter.ALL) == 0);
        assertThat(delivered).containsExactly("1@1");
        assertThat(meters.get("walroute.discarded").counter().count()).isEqualTo(1);
    }

    private long idOf(String key) throws Exception {
        return letters.list(new DeadLetterFilter(null, null, null, key, null, null, null), 10)
                .get(0)
                .id();
    }

    @Test
    void a_sink_that_is_back_is_not_kept_waiting_by_the_schedule_unless_that_has_an_end() throws Exception {
        var away = new java.util.concurrent.atomic.AtomicBoolean(true);
        open("sqlite", "schedule=1h,...", 0);
        var component = camel.getComponent("dead-letter", DeadLetterComponent.class);
        component.setSinkProblem(name -> away.get() ? java.util.Optional.of("away") : java.util.Optional.empty());
        failFor(event -> true);
        send(update(1, 1), update(1, 2), update(2, 3));
        await().until(() -> letters.count(DeadLetterFilter.ALL) == 3);
        await().during(Duration.ofMillis(600)).until(delivered::isEmpty);
        sink = exchange -> {};
        away.set(false);
        await().atMost(Duration.ofSeconds(5)).until(() -> letters.count(DeadLetterFilter.ALL) == 0);
        assertInOrderPerKey();

        restartWith("schedule=1h,1h");
        camel.getComponent("dead-letter", DeadLetterComponent.class)
                .setSinkProblem(name -> away.get() ? java.util.Optional.of("away") : java.util.Optional.empty());
        away.set(true);
        failFor(event -> true);
        send(update(3, 4));
        await().until(() -> letters.count(DeadLetterFilter.ALL) == 1);
        sink = exchange -> {};
        await().during(Duration.ofMillis(600)).until(() -> letters.count(DeadLetterFilter.ALL) == 1);
        away.set(false);
        await().during(Duration.ofMillis(1000)).until(() -> letters.count(DeadLetterFilter.ALL) == 1);
    }

    @Test
    void the_gauge_counts_by_sink_and_state() throws Exception {
        open("sqlite", "schedule=1h", 0);
        failFor(event -> true);
        send(update(1, 1), update(2, 2));
        await().atMost(Duration.ofSeconds(30))
                .until(() -> meters.find("walroute.dead.letters")
                                        .tags("sink", "cache", "state", "parked")
                                        .gauge()
                                != null
                        && meters.get("walroute.dead.letters").gauge().value() == 2);
    }

    @Test
    void a_body_that_is_no_change_fails_with_a_line_that_says_so() throws Exception {
        open("sqlite");
        try (var template = camel.createProducerTemplate()) {
            assertThatThrownBy(() -> template.sendBody("dead-letter:cache", "text"))
                    .hasRootCauseMessage("dead-letter://cache takes a change event, the body is a java.lang.String."
                            + " A step that changes the body belongs into a route of its own, called by enrich");
            assertThatThrownBy(() -> template.sendBody("dead-letter:lane", update(1, 1)))
                    .rootCause()
                    .hasMessageContaining("came through no lane");
        }
    }

    @Test
    void a_schedule_is_read_and_a_wrong_one_shown() {
        var schedule = Schedule.parse("5s,5m,...");
        assertThat(schedule.after(0, new java.util.Random(1)).orElseThrow())
                .isBetween(Duration.ofSeconds(4), Duration.ofSeconds(6));
        assertThat(schedule.after(99, new java.util.Random(1)).orElseThrow())
                .isBetween(Duration.ofMinutes(4), Duration.ofMinutes(6));
        assertThat(Schedule.parse("5s").after(1, new java.util.Random(1))).isEmpty();
        assertThat(schedule.withMost(2).after(2, new java.util.Random(1))).isEmpty();
        for (String wrong : List.of("", "...", "5", "5s,,5m", "...,5s", "5s, ..., 5m", "5 s")) {
            assertThatThrownBy(() -> Schedule.parse(wrong)).hasMessageContaining("Write it as 5s,5m,2h");
        }
    }
}
