package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.replay.Replay;
import io.walroute.replay.ReplayRequest;
import io.walroute.testing.Receiver;
import java.sql.DriverManager;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ReplayTest {
    private ServiceRig rig;

    @BeforeEach
    void start() throws Exception {
        rig = new ServiceRig();
        rig.startReady();
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private Replay replay(Object... members) throws Exception {
        return rig.service().replays().start(request(members), "test");
    }

    private static ReplayRequest request(Object... members) {
        Map<String, Object> json = new HashMap<>();
        for (int i = 0; i < members.length; i += 2) {
            json.put((String) members[i], members[i + 1]);
        }
        return ReplayRequest.of(json);
    }

    private Replay awaitEnd(Replay replay) {
        return await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.service().replays().find(replay.id()), r -> r.state() != Replay.State.RUNNING);
    }

    private String firstLsn() {
        return rig.audit().get(0).at("/lsn").asText();
    }

    private void awaitWebhooks(int count) {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.receiver.requests().size() >= count);
        // A change passes the audit log before it is on disk there, and a replay begins with what is on disk.
        String changes = rig.db.query("SELECT pg_current_wal_lsn()");
        await().atMost(Duration.ofSeconds(30)).until(() -> rig.slotHasConfirmed(changes));
    }

    private static JsonNode event(Receiver.Request request) {
        try {
            return ServiceRig.JSON.readTree(request.body()).path("data");
        } catch (java.io.IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void past_changes_go_through_the_routes_again_with_their_id_marked_as_replayed_and_in_order() throws Exception {
        rig.db.execute(
                "INSERT INTO listings(id, price_wei) SELECT g, 1 FROM generate_series(1, 5) g",
                "UPDATE listings SET price_wei = 2",
                "UPDATE listings SET price_wei = 3");
        awaitWebhooks(15);
        var before = rig.receiver.requests().stream().map(ReplayTest::event).toList();

        Replay ended = awaitEnd(replay("lsn", firstLsn(), "rate", 0));
        assertThat(ended.state()).isEqualTo(Replay.State.DONE);
        assertThat(ended.sent()).isEqualTo(15);
        awaitWebhooks(30);
        var again =
                rig.receiver.requests().stream().skip(15).map(ReplayTest::event).toList();
        assertThat(again)
                .allSatisfy(e -> assertThat(e.at("/replayed").asBoolean()).isTrue());
        assertThat(ids(again)).containsExactlyInAnyOrderElementsOf(ids(before));
        for (int key = 1; key <= 5; key++) {
            assertThat(prices(again, key)).containsExactly("1", "2", "3");
        }
        assertThat(rig.count("audit_log")).as("not audited again").isEqualTo(15);
        try (var redis = rig.redis()) {
            assertThat(redis.sync().get("listings:1"))
                    .as("the cache didn't go back")
                    .contains("\"price_wei\":\"3\"");
        }
    }

    private static List<String> ids(List<JsonNode> events) {
        return events.stream().map(e -> e.at("/id").asText()).toList();
    }

    private static List<String> prices(List<JsonNode> events, int key) {
        return events.stream()
                .filter(e -> e.at("/key/id").asInt() == key)
                .map(e -> e.at("/new/price_wei").asText())
                .toList();
    }

    @Test
    void a_row_that_was_deleted_since_does_not_come_back_even_if_the_cache_has_forgotten_the_deletion()
            throws Exception {
        rig.db.execute(
                "INSERT INTO listings(id, price_wei) VALUES (1, 1), (2, 2)", "DELETE FROM listings WHERE id = 1");
        await().until(() -> rig.count("audit_log") == 3);
        try (var redis = rig.redis()) {
            await().until(() ->
                    redis.sync().get("listings:1") == null && redis.sync().get("listings:2") != null);
            redis.sync().flushall();
            awaitEnd(replay("lsn", firstLsn(), "route", "cache"));
            await().until(() -> redis.sync().get("listings:2") != null);
            assertThat(redis.sync().get("listings:1")).isNull();
        }
    }

    @Test
    void a_route_that_is_named_gets_the_changes_alone_and_so_do_the_lanes_that_lead_to_it() throws Exception {
        rig.db.execute(
                "INSERT INTO listings(id, seller_address, price_wei) VALUES (1, '0xs', 1)",
                "INSERT INTO offers(id, listing_id) VALUES (7, 1)");
        awaitWebhooks(1);
        await().until(() -> rig.count("frames") == 2);
        var client = rig.subscribe("offers.received", "{}");
        Replay ended = awaitEnd(replay("lsn", firstLsn(), "route", "notify", "table", "offers"));
        assertThat(ended.sent()).isEqualTo(1);
        await().until(() -> client.ofType("event").size() == 1);
        assertThat(client.ofType("event").get(0).at("/event/replayed").asBoolean())
                .isTrue();
        assertThat(client.ofType("event").get(0).at("/context/seller_address").asText())
                .isEqualTo("0xs");
        awaitEnd(replay("lsn", firstLsn(), "route", "hook"));
        awaitWebhooks(2);
        assertThat(rig.receiver.requests()).hasSize(2);
        client.close();
    }

    @Test
    void a_dry_run_counts_by_route_and_sends_nothing() throws Exception {
        rig.db.execute(
                "INSERT INTO listings(id, price_wei) VALUES (1, 1), (2, 1)",
                "UPDATE listings SET price_wei = 2 WHERE id = 1",
                "DELETE FROM listings WHERE id = 2");
        awaitWebhooks(3);
        await().until(() -> rig.count("audit_log") == 4);
        Map<String, Long> counts = rig.service().replays().dryRun(request("lsn", firstLsn()));
        // Only the update of 1 is its row's last word: the others skip the cache, the deletion of 2 included as the
        // last of its row.
        assertThat(counts)
                .containsEntry("changes", 4L)
                .containsEntry("hook", 3L)
                .containsEntry("notify", 4L)
                .containsEntry("cache", 2L);
        assertThat(rig.receiver.requests()).hasSize(3);
        assertThat(rig.service().replays().list(10)).isEmpty();
    }

    @Test
    void a_filter_by_key_and_time_sends_only_what_it_lets_through() throws Exception {
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, 1 FROM generate_series(1, 9) g");
        awaitWebhooks(9);
        Replay ended =
                awaitEnd(replay("since", "2020-01-01T00:00:00Z", "lsn", firstLsn(), "table", "listings", "key", "4"));
        assertThat(ended.sent()).isEqualTo(1);
        awaitWebhooks(10);
        assertThat(event(rig.receiver.requests().get(9)).at("/key/id").asInt()).isEqualTo(4);
    }

    @Test
    void a_time_alone_is_where_it_begins_and_one_before_the_log_is_refused_with_where_that_begins() throws Exception {
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (1, 1)");
        String between = rig.db.query(
                "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')");
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (2, 1)");
        awaitWebhooks(2);

        Replay ended = awaitEnd(replay("since", between, "route", "hook"));
        assertThat(ended.state()).isEqualTo(Replay.State.DONE);
        assertThat(ended.sent()).isEqualTo(1);
        awaitWebhooks(3);
        assertThat(event(rig.receiver.requests().get(2)).at("/key/id").asInt()).isEqualTo(2);

        JsonNode first = rig.audit().get(0);
        assertThat(walroute("replay", "--since", "2020-01-01T00:00:00Z")).isEqualTo(1);
        assertThat(rig.cli.err())
                .isEqualToIgnoringNewLines("the audit log doesn't reach back to 2020-01-01T00:00:00Z: it begins at "
                        + first.at("/lsn").asText() + " ("
                        + first.at("/timestamp").asText() + "). Replay from there");
        assertThat(walroute("replay", "--since", "2999-01-01T00:00:00Z")).isEqualTo(1);
        assertThat(rig.cli.err()).isEqualToIgnoringNewLines("no change was committed since 2999-01-01T00:00:00Z");
        assertThat(walroute("replay", "--since", first.at("/timestamp").asText(), "--route", "hook"))
                .isZero();
        assertThat(rig.cli.out()).contains("done, 2 changes sent");
    }

    @Test
    void a_key_that_no_change_has_sends_none_and_says_so() throws Exception {
        rig.db.execute("INSERT INTO listings(id, price_wei) VALUES (1, 1)");
        awaitWebhooks(1);
        String[] nobody = {"replay", "--lsn", firstLsn(), "--table", "listings", "--key", "77"};

        assertThat(rig.cli.run(nobody)).as(rig.cli.err()).isZero();
        assertThat(rig.cli.out()).containsPattern("(?m)^Replay \\d+: done, 0 changes sent$");
        assertThat(rig.receiver.requests()).hasSize(1);
        assertThat(walroute("replay", "--lsn", firstLsn(), "--table", "listings", "--key", "77", "--dry-run"))
                .isZero();
        assertThat(rig.cli.out()).startsWith("Would send 0 changes");
    }

    @Test
    void what_cannot_be_replayed_is_refused_with_the_reason() throws Exception {
        assertThatThrownBy(() -> replay("lsn", "0/1")).hasMessage("the audit log is empty");
        rig.db.execute("INSERT INTO listings(id) VALUES (1)");
        rig.db.execute("INSERT INTO listings(id) VALUES (2)");
        await().until(() -> rig.count("audit_log") == 2);
        String first = firstLsn();
        try (var c = DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement()) {
            s.execute("DELETE FROM audit_log WHERE seq = 1");
        }
        assertThatThrownBy(() -> replay("lsn", first))
                .hasMessageContaining("doesn't reach back to " + first)
                .hasMessageContaining("begins at " + firstLsn());
        assertThatThrownBy(() -> replay("lsn", "FFFF/0")).hasMessageContaining("lies past the last audited change");
        assertThatThrownBy(() -> replay("lsn", firstLsn(), "table", "nosuch")).hasMessageContaining("nosuch");
        assertThatThrownBy(() -> replay("lsn", firstLsn(), "route", "nosuch"))
                .hasMessageContaining("there is no lane nosuch")
                .hasMessageContaining("cache");
        assertThatThrownBy(() -> request("lsn", "17D5A48")).hasMessageContaining("is not an LSN");
        assertThatThrownBy(() -> request("since", "yesterday")).hasMessageContaining("is not a time");
        assertThatThrownBy(() -> request("table", "listings")).hasMessageContaining("--lsn or --since");
    }

    @Test
    void a_service_that_stops_in_the_middle_goes_on_where_it_was() throws Exception {
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, 1 FROM generate_series(1, 100) g");
        awaitWebhooks(100);
        Replay begun = replay("lsn", firstLsn(), "rate", 40, "route", "hook");
        assertThatThrownBy(() -> replay("lsn", firstLsn())).hasMessageContaining("is under way");
        awaitWebhooks(110);
        rig.stop();
        int sentBefore = rig.receiver.requests().size();
        assertThat(sentBefore).isLessThan(200);
        rig.startReady();
        Replay ended = awaitEnd(begun);
        assertThat(ended.state()).isEqualTo(Replay.State.DONE);
        await().until(() -> rig.receiver.requests().stream()
                        .skip(100)
                        .map(r -> r.header("webhook-id"))
                        .distinct()
                        .count()
                == 100);
        assertThat(rig.receiver.requests())
                .as("nothing twice after a clean stop")
                .hasSize(200);
    }

    @Test
    void a_service_that_stops_while_the_command_waits_is_told_and_goes_on_with_the_replay_later() throws Exception {
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, 1 FROM generate_series(1, 50) g");
        awaitWebhooks(50);
        String lsn = firstLsn();
        var command = CompletableFuture.supplyAsync(
                () -> walroute("replay", "--lsn", lsn, "--route", "hook", "--rate", "10"));
        awaitWebhooks(52);
        rig.stop();

        assertThat(command.get(60, TimeUnit.SECONDS)).as(rig.cli.out()).isEqualTo(1);
        assertThat(rig.cli.err())
                .containsPattern("^[Tt]he (connection to the )?service ")
                .containsPattern("Replay \\d+ is not ended by that, and goes on when the service does\\. See: walroute"
                        + " replay --list\\R$")
                .hasLineCount(1);
        rig.startReady();
        awaitEnd(rig.service().replays().list(1).get(0));
        awaitWebhooks(100);
    }

    @Test
    void a_cancelled_replay_ends_and_another_may_begin() throws Exception {
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, 1 FROM generate_series(1, 50) g");
        awaitWebhooks(50);
        Replay begun = replay("lsn", firstLsn(), "rate", 5);
        Replay cancelled = rig.service().replays().cancel(begun.id());
        assertThat(cancelled.state()).isEqualTo(Replay.State.CANCELLED);
        assertThat(cancelled.sent()).isLessThan(50);
        assertThatThrownBy(() -> rig.service().replays().cancel(begun.id())).hasMessageContaining("not under way");
        assertThat(awaitEnd(replay("lsn", firstLsn(), "rate", 0)).sent()).isEqualTo(50);
    }

    // ---------------------------------------------------------------- the command

    private int walroute(String... args) {
        return rig.cli.run(args);
    }

    @Test
    void the_command_counts_sends_lists_and_says_what_is_wrong() throws Exception {
        rig.db.execute("INSERT INTO listings(id, price_wei) SELECT g, 1 FROM generate_series(1, 10) g");
        awaitWebhooks(10);
        assertThat(walroute("replay", "--lsn", firstLsn(), "--route", "hook", "--dry-run"))
                .isZero();
        assertThat(rig.cli.out()).contains("Would send 10 changes", "hook");
        assertThat(walroute("replay", "--lsn", firstLsn(), "--route", "hook", "--json"))
                .isZero();
        JsonNode replay = ServiceRig.JSON.readTree(rig.cli.out());
        assertThat(replay.path("state").asText()).isEqualTo("done");
        assertThat(replay.path("sent").asInt()).isEqualTo(10);
        awaitWebhooks(20);
        assertThat(walroute("replay", "--list")).isZero();
        assertThat(rig.cli.out()).contains("done").contains("100 %");

        assertThat(walroute("status")).isZero();
        assertThat(rig.cli.out()).containsPattern("Replays +\\d+ done, 10 sent");
        try (var c = DriverManager.getConnection(rig.environment.get("WALROUTE_AUDIT_URL"));
                var s = c.createStatement()) {
            s.execute("PRAGMA busy_timeout = 10000");
            s.execute("UPDATE replays SET updated_at = '" + Instant.now().minus(Duration.ofMinutes(61)) + "'");
        }
        assertThat(walroute("status")).isZero();
        assertThat(rig.cli.out()).as("an hour later").doesNotContain("Replays");

        assertThat(walroute("replay")).isEqualTo(2);
        assertThat(rig.cli.err()).contains("--lsn or --since");
        assertThat(walroute("replay", "--lsn", "nonsense")).isEqualTo(2);
        assertThat(rig.cli.err()).contains("is not an LSN").hasLineCount(1);
        assertThat(walroute("replay", "--lsn", firstLsn(), "--to-lsn", "0/x")).isEqualTo(2);
        assertThat(rig.cli.err()).contains("--to-lsn 0/x is not an LSN").hasLineCount(1);
        assertThat(walroute("replay", "--lsn", firstLsn(), "--table", "listing"))
                .isEqualTo(2);
        assertThat(rig.cli.err())
                .contains("no change of table listing. It holds those of: listings")
                .hasLineCount(1);
        assertThat(walroute("replay", "--lsn", firstLsn(), "--route", "hok")).isEqualTo(2);
        assertThat(rig.cli.err())
                .contains("there is no lane hok. Lanes: cache, ")
                .hasLineCount(1);
        assertThat(walroute("replay", "--lsn", firstLsn(), "--key", "1")).isEqualTo(2);
        assertThat(walroute("replay", "--lsn", "FFFFFFFF/0")).isEqualTo(1);
        assertThat(rig.cli.err()).contains("lies past the last").hasLineCount(1);
        assertThat(walroute("replay", "--cancel", "77")).isEqualTo(1);
        assertThat(rig.cli.err()).contains("no replay 77");
        rig.stop();
        assertThat(walroute("replay", "--lsn", "0/1")).isEqualTo(1);
        assertThat(rig.cli.err()).contains("Is it running?").hasLineCount(1);
    }
}
