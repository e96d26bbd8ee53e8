package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.change.ChangeEvent;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** The contract's table of the sample marketplace, by the files in routes/. Each test has rows of its own. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class MarketplaceTest {
    private static ServiceRig rig;

    @BeforeAll
    static void start() throws Exception {
        rig = new ServiceRig("CREATE TABLE plain(id int PRIMARY KEY, v text)", "CREATE TABLE keyless(v text)");
        rig.startReady();
    }

    @AfterAll
    static void stop() throws Exception {
        rig.close();
    }

    private static String get(String key) {
        try (var redis = rig.redis()) {
            return redis.sync().get(key);
        }
    }

    private static void awaitCached(String key, String member, String value) {
        await(key).atMost(Duration.ofSeconds(10)).until(() -> {
            String json = get(key);
            return json != null
                    && ServiceRig.JSON.readTree(json).path(member).asText().equals(value);
        });
    }

    private static void awaitGone(String key) {
        await(key).atMost(Duration.ofSeconds(10)).until(() -> get(key) == null);
    }

    private static List<JsonNode> hooks(String type, long id) {
        return rig.receiver.requests().stream()
                .map(r -> {
                    try {
                        return ServiceRig.JSON.readTree(r.body());
                    } catch (java.io.IOException e) {
                        throw new IllegalStateException(e);
                    }
                })
                .filter(b -> b.path("type").asText().equals(type)
                        && b.at("/data/key/id").asLong() == id)
                .toList();
    }

    @Test
    void a_listing_is_cached_announced_and_hooked_when_created_and_repriced_and_leaves_the_cache_when_deleted()
            throws Exception {
        var created = rig.subscribe("listings.created", "{\"seller_address\":\"0xaa\"}");
        var repriced = rig.subscribe("listings.price_changed", "{\"id\":1001}");
        var removed = rig.subscribe("listings.removed", "{}");
        rig.db.execute(
                "INSERT INTO listings(id, seller_address, price_wei, status) VALUES (1001, '0xaa', 5, 'active')");
        awaitCached("listings:1001", "price_wei", "5");
        rig.db.execute("UPDATE listings SET status = 'paused' WHERE id = 1001");
        rig.db.execute("UPDATE listings SET price_wei = 123456789012345678901234567890 WHERE id = 1001");
        awaitCached("listings:1001", "price_wei", "123456789012345678901234567890");
        rig.db.execute("DELETE FROM listings WHERE id = 1001");
        awaitGone("listings:1001");
        await().until(() -> removed.ofType("event").stream()
                .anyMatch(f -> f.at("/event/key/id").asLong() == 1001));
        assertThat(created.ofType("event")).hasSize(1);
        assertThat(repriced.ofType("event")).as("a new status is no new price").hasSize(1);
        assertThat(repriced.ofType("event").get(0).at("/event/changed_columns").toString())
                .isEqualTo("[\"price_wei\"]");
        await().until(() -> hooks("listings.update", 1001).size() == 2);
        assertThat(hooks("listings.insert", 1001)).hasSize(1);
        assertThat(hooks("listings.delete", 1001)).isEmpty();
    }

    @Test
    void an_offer_is_announced_to_the_listings_seller_and_its_entry_expires_with_it() throws Exception {
        rig.db.execute("INSERT INTO listings(id, seller_address) VALUES (1002, '0xseller')");
        var mine = rig.subscribe("offers.received", "{\"context.seller_address\":\"0xseller\"}");
        var others = rig.subscribe("offers.received", "{\"context.seller_address\":\"0xother\"}");
        rig.db.execute("INSERT INTO offers(id, listing_id, status) VALUES (2001, 1002, 'open')");
        await().until(() -> mine.ofType("event").size() == 1);
        assertThat(mine.ofType("event").get(0).at("/context/seller_address").asText())
                .isEqualTo("0xseller");
        rig.db.execute("UPDATE offers SET status = 'accepted', expires_at = now() + interval '1 hour' WHERE id = 2001");
        awaitCached("offers:2001", "status", "accepted");
        try (var redis = rig.redis()) {
            assertThat(redis.sync().ttl("offers:2001")).isBetween(3_500L, 3_600L);
        }
        rig.db.execute("DELETE FROM offers WHERE id = 2001");
        awaitGone("offers:2001");
        assertThat(others.ofType("event")).isEmpty();
    }

    @Test
    void a_transferred_name_ends_the_old_owners_active_listings_of_it_and_no_others() throws Exception {
        rig.db.execute(
                "INSERT INTO ens_names(token_id, name, owner_address) VALUES ('t3', 'x.eth', '0xa')",
                "INSERT INTO listings(id, token_id, seller_address, status) VALUES (1031, 't3', '0xa', 'active'),"
                        + " (1032, 't3', '0xa', 'sold'), (1033, 't3', '0xz', 'active'), (1034, 't9', '0xa', 'active')");
        var watchers = rig.subscribe("names.transferred", "{\"token_id\":\"t3\"}");
        rig.db.execute("UPDATE ens_names SET owner_address = '0xb' WHERE token_id = 't3'");
        await().atMost(Duration.ofSeconds(10)).until(() -> status(1031).equals("ended"));
        awaitCached("listings:1031", "status", "ended");
        awaitCached("ens_names:t3", "owner_address", "0xb");
        assertThat(List.of(status(1032), status(1033), status(1034))).containsExactly("sold", "active", "active");
        await().until(() -> watchers.ofType("event").size() == 1);
    }

    @Test
    void redelivered_and_replayed_after_the_owner_changed_back_a_transfer_does_no_harm() {
        rig.db.execute(
                "INSERT INTO ens_names(token_id, name, owner_address) VALUES ('t4', 'y.eth', '0xa')",
                "UPDATE ens_names SET owner_address = '0xb' WHERE token_id = 't4'");
        await().until(() -> rig.audit().stream().anyMatch(e -> isTransfer(e, "t4")));
        rig.db.execute(
                "UPDATE ens_names SET owner_address = '0xa' WHERE token_id = 't4'",
                "INSERT INTO listings(id, token_id, seller_address, status) VALUES (1041, 't4', '0xa', 'active')");
        ChangeEvent transfer = rig.audit().stream()
                .filter(e -> isTransfer(e, "t4"))
                .map(e -> ChangeEvent.fromJson(e.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8)))
                .findFirst()
                .orElseThrow();
        var template = rig.service().camelContext().createProducerTemplate();
        send(template, transfer);
        send(template, transfer.asReplayed());
        template.sendBodyAndHeaders(
                "direct:_router",
                transfer.asReplayed(),
                java.util.Map.of("table", "ens_names", "operation", "UPDATE", "replayRoute", "write-backs"));
        // A control that the lane has worked off what was sent: a later change of the same name behind it.
        rig.db.execute(
                "INSERT INTO listings(id, token_id, seller_address, status) VALUES (1042, 't4', '0xa', 'active')");
        awaitCached("listings:1042", "status", "active");
        await().during(Duration.ofSeconds(1))
                .atMost(Duration.ofSeconds(5))
                .until(() -> status(1041).equals("active"));
        assertThat(rig.deadLetters("write-backs")).isEmpty();
    }

    @Test
    void a_replayed_transfer_writes_nothing_back_unless_it_names_the_route() {
        rig.db.execute(
                "INSERT INTO ens_names(token_id, name, owner_address) VALUES ('t5', 'z.eth', '0xa')",
                "UPDATE ens_names SET owner_address = '0xb' WHERE token_id = 't5'");
        await().until(() -> rig.audit().stream().anyMatch(e -> isTransfer(e, "t5")));
        ChangeEvent transfer = rig.audit().stream()
                .filter(e -> isTransfer(e, "t5"))
                .map(e -> ChangeEvent.fromJson(e.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8)))
                .findFirst()
                .orElseThrow();
        // Made before the transfer's commit, as far as the row tells.
        rig.db.execute(
                "INSERT INTO listings(id, token_id, seller_address, status, updated_at) VALUES (1051, 't5', '0xa',"
                        + " 'active', now() - interval '1 day')");
        var template = rig.service().camelContext().createProducerTemplate();
        send(template, transfer.asReplayed());
        await().during(Duration.ofSeconds(1))
                .atMost(Duration.ofSeconds(5))
                .until(() -> status(1051).equals("active"));
        template.sendBodyAndHeaders(
                "direct:_router",
                transfer.asReplayed(),
                java.util.Map.of("table", "ens_names", "operation", "UPDATE", "replayRoute", "write-backs"));
        await().until(() -> status(1051).equals("ended"));
    }

    private static void send(org.apache.camel.ProducerTemplate template, ChangeEvent event) {
        template.sendBodyAndHeaders(
                "direct:_router",
                event,
                java.util.Map.of(
                        "table", event.table(), "operation", event.operation().name()));
    }

    private static boolean isTransfer(JsonNode event, String token) {
        return event.at("/key/token_id").asText().equals(token)
                && event.at("/operation").asText().equals("UPDATE")
                && event.at("/new/owner_address").asText().equals("0xb");
    }

    private static String status(long listing) {
        return rig.db.query("SELECT status FROM listings WHERE id = " + listing);
    }

    @Test
    void opensea_events_update_the_records_they_are_about() {
        rig.db.execute(
                "INSERT INTO ens_names(token_id, name, owner_address) VALUES ('t6', 'w.eth', '0xa')",
                "INSERT INTO listings(id, token_id, seller_address, status, price_wei) VALUES (1061, 't6', '0xa', 'active', 1),"
                        + " (1062, 't6', '0xa', 'active', 1), (1063, 't6', '0xa', 'active', 1)");
        rig.db.execute("INSERT INTO opensea_events(event_type, token_id, payload) VALUES"
                + " ('listing', 't6', '{\"listing_id\": 1063, \"price_wei\": \"99999999999999999999\"}'),"
                + " ('cancel', 't6', '{\"listing_id\": 1062}'),"
                + " ('transfer', 't7', '{\"to\": \"0xnobody\"}'),"
                + " ('sale', 't6', '{\"listing_id\": 1061, \"buyer\": \"0xbuyer\"}')");
        await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
            assertThat(status(1061)).isEqualTo("sold");
            assertThat(status(1062)).isEqualTo("cancelled");
            assertThat(rig.db.query("SELECT price_wei FROM listings WHERE id = 1063"))
                    .isEqualTo("99999999999999999999");
            assertThat(rig.db.query("SELECT owner_address FROM ens_names WHERE token_id = 't6'"))
                    .isEqualTo("0xbuyer");
        });
    }

    @Test
    void of_two_events_on_one_record_the_later_commit_wins_however_soon_it_follows() {
        rig.db.execute(
                "INSERT INTO ens_names(token_id, name, owner_address) VALUES ('t8', 'v.eth', '0xa')",
                "INSERT INTO listings(id, token_id, seller_address, status, price_wei) VALUES (1081, 't8', '0xa', 'active', 1)");
        rig.db.execute(
                "INSERT INTO opensea_events(event_type, token_id, payload) VALUES ('transfer', 't8', '{\"to\": \"0xb\"}')",
                "INSERT INTO opensea_events(event_type, token_id, payload) VALUES ('transfer', 't8', '{\"to\": \"0xc\"}')",
                "INSERT INTO opensea_events(event_type, token_id, payload) VALUES ('listing', 't8',"
                        + " '{\"listing_id\": 1081, \"price_wei\": \"7\"}')",
                "INSERT INTO opensea_events(event_type, token_id, payload) VALUES ('sale', 't8',"
                        + " '{\"listing_id\": 1081, \"buyer\": \"0xd\"}')");
        await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
            assertThat(rig.db.query("SELECT owner_address FROM ens_names WHERE token_id = 't8'"))
                    .isEqualTo("0xd");
            assertThat(status(1081)).isIn("sold", "ended");
        });
    }

    @Test
    void a_table_without_a_route_is_audited_and_cached_if_it_has_a_key() {
        rig.db.execute("INSERT INTO plain VALUES (1, 'x')", "INSERT INTO keyless VALUES ('y')");
        awaitCached("plain:1", "v", "x");
        await().until(() ->
                rig.audit().stream().anyMatch(e -> e.at("/table").asText().equals("keyless")));
        rig.db.execute("TRUNCATE plain");
        awaitGone("plain:1");
    }

    @Test
    void health_and_metrics_tell_what_is_delivered() throws Exception {
        rig.db.execute("INSERT INTO listings(id, seller_address, price_wei) VALUES (1091, '0xm', 5)");
        awaitCached("listings:1091", "price_wei", "5");
        await().until(() -> hooks("listings.insert", 1091).size() == 1);
        assertThat(rig.management("/observe/health/ready").statusCode()).isEqualTo(200);
        assertThat(rig.management("/observe/health/live").statusCode()).isEqualTo(200);
        assertThat(ServiceRig.JSON
                        .readTree(rig.management("/observe/health").body())
                        .path("status")
                        .asText())
                .isEqualTo("UP");
        await().untilAsserted(() -> {
            String metrics = rig.management("/observe/metrics").body();
            for (String sink : List.of("cache", "notify", "hook", "audit")) {
                assertThat(metrics).containsPattern("walroute_delivered_total\\{sink=\"" + sink + "\"\\} [1-9]");
            }
        });
    }
}
