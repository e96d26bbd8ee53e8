package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.walroute.cli.EntryPoints.ResetOptions;
import io.walroute.cli.EntryPoints.ResetPlan;
import io.walroute.cli.Failure;
import io.walroute.service.DisasterRig.Server;
import io.walroute.slot.TransactionSearch.Wanted;
import java.nio.file.Path;
import java.sql.Connection;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** What may befall a slot and its server: a gap is said and nothing is streamed over it, and what is none goes on unaided. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class SlotDisasterTest {
    private DisasterRig rig;

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    private void startWithOneAudited() throws Exception {
        rig.createSlot();
        rig.startReady();
        rig.primary.insert(1);
        rig.awaitAudited(1);
        await().untilAsserted(() -> assertThat(rig.slotIsCovered(rig.primary)).isTrue());
    }

    private static String dropSlot() {
        return "SELECT pg_drop_replication_slot('" + DisasterRig.SLOT + "')";
    }

    private void assertStaysDown() {
        await().during(Duration.ofSeconds(3))
                .atMost(Duration.ofSeconds(10))
                .until(() -> rig.wal().message().startsWith("Gap: "));
    }

    @Test
    void a_slot_dropped_under_the_running_service_is_a_gap_until_an_operator_accepts_it() throws Exception {
        rig = new DisasterRig(Map.of());
        startWithOneAudited();
        rig.primary.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active",
                "SELECT pg_sleep(0.05)");
        await().pollInterval(Duration.ofMillis(20)).ignoreExceptions().until(() -> {
            rig.primary.execute(
                    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active", dropSlot());
            return true;
        });
        String gap = rig.awaitGap();
        assertThat(gap)
                .contains("the replication slot grails_wal_slot is gone")
                .contains("Changes after "
                        + rig.store("SELECT lsn FROM walroute_slot").get(0) + " are missing")
                .contains("walroute reset --accept-gap");
        rig.primary.insert(2); // nobody keeps it
        assertStaysDown();
        assertThat(rig.primary.query("SELECT count(*) FROM pg_replication_slots"))
                .as("nobody makes the slot anew in silence")
                .isEqualTo("0");
        assertThat(rig.service()
                        .meters()
                        .get("walroute.gaps")
                        .tag("reason", "slot_missing")
                        .counter()
                        .count())
                .isEqualTo(1);

        var plans = new ArrayList<ResetPlan>();
        var result = Commands.slots().reset(rig.settings(), new ResetOptions(true, false, false), plans::add);
        assertThat(plans).singleElement().satisfies(plan -> {
            assertThat(plan.gap()).isEqualTo(gap);
            assertThat(plan.bytes()).isPositive();
        });
        assertThat(result.epoch()).isEqualTo(2);
        rig.awaitReady();
        rig.primary.insert(3);
        assertThat(rig.awaitAudited(3).path("id").asText()).startsWith("2-");
        assertThat(rig.audit()).extracting(DisasterRig::idOf).containsExactly(1, 3);
        assertThat(rig.store("SELECT state || ' ' || ended_by || ' ' || to_lsn FROM walroute_gaps"))
                .containsExactly("accepted " + System.getProperty("user.name") + " " + result.to());

        assertThat(rig.acceptGap().gap()).as("there is none any more").isNull();
        assertThat(rig.primary.query("SELECT active FROM pg_replication_slots")).isEqualTo("t");
    }

    @Test
    void a_slot_made_anew_while_the_service_was_stopped_is_a_gap_from_the_audit_logs_end_to_the_slot()
            throws Exception {
        rig = new DisasterRig(Map.of());
        startWithOneAudited();
        rig.stop();
        String noted = rig.store("SELECT lsn FROM walroute_slot").get(0);
        rig.primary.execute(dropSlot());
        rig.primary.insert(2);
        rig.createSlot();
        String to = rig.primary.query("SELECT confirmed_flush_lsn FROM pg_replication_slots");
        rig.primary.insert(3);
        rig.start();
        assertThat(rig.awaitGap())
                .contains("stands at " + to + ", past the audit log's end at " + noted)
                .contains("Changes after " + noted + " up to " + to + " are missing");
        rig.acceptGap();
        rig.awaitReady();
        rig.awaitAudited(3);
        assertThat(rig.audit()).extracting(DisasterRig::idOf).containsExactly(1, 3);
    }

    private static final String CREATED = "listings.created";

    private static List<String> kinds(ServiceRig.Client client) {
        return client.frames.stream()
                .map(frame ->
                        frame.path("type").asText() + frame.at("/event/key/id").asText())
                .filter(kind -> !kind.equals("subscribed"))
                .toList();
    }

    private void awaitFrames(ServiceRig.Client client, String... kinds) {
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(kinds(client)).containsExactly(kinds));
    }

    @Test
    void subscribers_are_told_of_an_accepted_gap_where_it_is_live_or_by_since_and_those_behind_it_are_not()
            throws Exception {
        rig = new DisasterRig(Map.of());
        rig.environment.put("WEBSOCKET_PORT", "" + ServiceRig.freePort());
        startWithOneAudited();
        var live = rig.subscribe(CREATED, "0");
        awaitFrames(live, "event1");
        rig.primary.execute(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active",
                "SELECT pg_sleep(0.05)");
        await().pollInterval(Duration.ofMillis(20)).ignoreExceptions().until(() -> {
            rig.primary.execute(
                    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active", dropSlot());
            return true;
        });
        rig.awaitGap();
        rig.primary.insert(2);
        rig.createSlot();
        assertThat(kinds(live)).as("nothing is missed yet for good").containsExactly("event1");

        rig.acceptGap(); // as another process does
        rig.awaitReady();
        awaitFrames(live, "event1", "gap");
        assertThat(live.ofType("gap").get(0).path("topic").asText()).isEqualTo(CREATED);
        assertThat(live.ofType("gap").get(0).path("reason").asText())
                .matches("changes after [0-9A-F/]+ are missing; the stream goes on at [0-9A-F/]+");
        rig.primary.insert(3);
        awaitFrames(live, "event1", "gap", "event3");

        rig.stop();
        String noted = rig.store("SELECT lsn FROM walroute_slot").get(0);
        rig.primary.execute(dropSlot());
        rig.primary.insert(4);
        rig.createSlot();
        rig.acceptGap(); // while no service runs
        rig.startReady();
        rig.primary.insert(5);
        var across = rig.subscribe(CREATED, "0");
        awaitFrames(across, "event1", "gap", "event3", "gap", "event5");
        assertThat(across.ofType("gap").get(1).path("reason").asText()).contains("changes after " + noted);
        String before = live.ofType("event").get(1).path("position").asText();
        awaitFrames(rig.subscribe(CREATED, before), "gap", "event5");
        var behind = rig.subscribe(
                CREATED, across.ofType("event").get(2).path("position").asText());
        rig.primary.insert(6);
        awaitFrames(behind, "event6");
        awaitFrames(across, "event1", "gap", "event3", "gap", "event5", "event6");
    }

    @Test
    void
            a_transaction_that_the_engine_could_not_read_would_be_passed_by_moving_the_slot_behind_it_and_accepting_the_gap()
                    throws Exception {
        rig = new DisasterRig(Map.of());
        rig.primary.execute("CREATE TABLE spans(id int PRIMARY KEY, i interval)");
        startWithOneAudited();
        rig.stop(); // no value is known any more that the engine fails on
        String xid;
        try (Connection early = rig.primary.connect();
                var s = early.createStatement()) {
            early.setAutoCommit(false);
            s.execute("INSERT INTO listings(id, price_wei) VALUES (2, 2)"); // begins before it, commits behind it
            xid = rig.primary.query(
                    "WITH w AS (INSERT INTO spans VALUES (1, '1 hour')) SELECT pg_current_xact_id()::text");
            early.commit();
        }
        rig.primary.insert(3);

        var poison = Commands.slots().find(rig.settings(), Wanted.of(xid, null), (share, transactions, changes) -> {});
        rig.primary.execute("SELECT pg_replication_slot_advance('" + DisasterRig.SLOT + "', '" + poison.commit()
                + "'::pg_lsn + 1)");
        rig.start();
        rig.awaitGap();
        rig.acceptGap();
        rig.awaitReady();
        rig.awaitAudited(3);
        assertThat(rig.audit()).extracting(DisasterRig::idOf).containsExactly(1, 2, 3);
    }

    @Test
    void a_stop_and_a_start_and_a_crash_of_the_server_are_no_gap() throws Exception {
        rig = new DisasterRig(Map.of());
        startWithOneAudited();
        rig.stop();
        rig.primary.insert(2);
        rig.startReady();
        rig.awaitAudited(2);
        rig.primary.postgres.stop("immediate");
        rig.primary.postgres.start();
        rig.primary.insert(3);
        rig.awaitAudited(3);
        rig.awaitReady();
        rig.primary.postgres.stop("fast");
        rig.primary.postgres.start();
        rig.primary.insert(4);
        rig.awaitAudited(4);
        assertThat(rig.audit())
                .extracting(DisasterRig::idOf)
                .as("each once, by the same id however often it came")
                .containsExactly(1, 2, 3, 4);
        assertThat(rig.store("SELECT reason FROM walroute_gaps")).isEmpty();
        assertThat(rig.store("SELECT epoch FROM walroute_slot")).containsExactly("1");
    }

    @Test
    void an_invalidated_slot_is_a_gap_that_reset_mends_while_the_service_is_stopped() throws Exception {
        rig = new DisasterRig(Map.of("max_slot_wal_keep_size", "1MB"));
        startWithOneAudited();
        rig.stop();
        for (int i = 0; i < 6; i++) {
            rig.primary.insert(10 + i);
            rig.primary.execute("SELECT pg_switch_wal()");
        }
        rig.primary.execute("CHECKPOINT");
        assertThat(rig.primary.query("SELECT wal_status FROM pg_replication_slots"))
                .isEqualTo("lost");
        rig.start();
        assertThat(rig.awaitGap()).contains("is invalidated (wal_removed)");
        rig.stop();
        rig.acceptGap();
        rig.startReady();
        rig.primary.insert(2);
        rig.awaitAudited(2);
        assertThat(rig.audit()).extracting(DisasterRig::idOf).containsExactly(1, 2);
    }

    @Test
    void another_server_at_the_same_address_is_a_gap_and_over_when_the_right_one_is_back() throws Exception {
        rig = new DisasterRig(Map.of());
        startWithOneAudited();
        Server other = rig.server(Map.of());
        other.execute("CREATE ROLE walroute LOGIN REPLICATION PASSWORD 'secret'");
        other.execute("CREATE TABLE listings(id int PRIMARY KEY, price_wei numeric)");
        rig.address.retarget(other.port());
        rig.address.reset();
        assertThat(rig.awaitGap())
                .contains("is another server")
                .contains("or DATABASE_URL leads to the former one again");
        rig.address.retarget(rig.primary.port());
        rig.awaitReady();
        rig.primary.insert(2);
        rig.awaitAudited(2);
        assertThat(rig.store("SELECT state FROM walroute_gaps")).containsExactly("resolved");
        assertThat(rig.store("SELECT epoch FROM walroute_slot")).containsExactly("1");
    }

    @Test
    void a_database_restored_from_a_backup_is_said_even_after_it_has_gone_on() throws Exception {
        rig = new DisasterRig(Map.of());
        startWithOneAudited();
        Path copy = rig.folder.resolve("copy");
        rig.primary.copyTo(copy);
        rig.primary.insert(2, 3);
        rig.awaitAudited(3);
        rig.stop();
        rig.primary.restoreFrom(copy);
        rig.start();
        assertThat(rig.awaitGap()).contains("was restored from a backup").contains("may not be in this database");
        rig.primary.execute("SELECT pg_switch_wal()");
        rig.primary.insert(4); // the WAL is past the former end now: the server alone would not show it any more
        assertStaysDown();
        rig.acceptGap();
        rig.awaitReady();
        assertThat(rig.awaitAudited(4).path("id").asText()).startsWith("2-");
    }

    @Test
    void reset_moves_the_slot_of_a_stopped_service_and_says_what_is_given_up() throws Exception {
        rig = new DisasterRig(Map.of());
        startWithOneAudited();
        rig.stop();
        rig.primary.insert(2);
        String before = rig.primary.query("SELECT confirmed_flush_lsn FROM pg_replication_slots");
        var plans = new ArrayList<ResetPlan>();
        Commands.slots().reset(rig.settings(), new ResetOptions(false, false, true), plans::add);
        assertThat(rig.primary.query("SELECT confirmed_flush_lsn FROM pg_replication_slots"))
                .as("dry run")
                .isEqualTo(before);
        var result = Commands.slots().reset(rig.settings(), new ResetOptions(false, false, false), plans::add);
        assertThat(plans.get(1).from()).hasToString(before);
        assertThat(plans.get(1).bytes())
                .isEqualTo(plans.get(1).to().minus(plans.get(1).from()));
        assertThat(rig.primary.query("SELECT confirmed_flush_lsn FROM pg_replication_slots"))
                .isEqualTo(result.to().toString());
        rig.startReady();
        rig.primary.insert(3);
        rig.awaitAudited(3);
        assertThat(rig.audit()).extracting(DisasterRig::idOf).containsExactly(1, 3);
        assertThat(rig.store("SELECT reason || ' ' || state FROM walroute_gaps"))
                .containsExactly("RESET accepted");
    }

    @Test
    void reset_takes_the_slot_of_a_running_service_only_by_force_and_the_service_goes_on() throws Exception {
        rig = new DisasterRig(Map.of());
        startWithOneAudited();
        assertThat(org.assertj.core.api.Assertions.catchThrowableOfType(
                                Failure.class,
                                () -> Commands.slots()
                                        .reset(rig.settings(), new ResetOptions(false, false, false), plan -> {}))
                        .lines())
                .singleElement()
                .asString()
                .contains("is in use by process")
                .contains("walroute reset --force");
        var result = Commands.slots().reset(rig.settings(), new ResetOptions(false, true, false), plan -> {});
        assertThat(result.done()).noneMatch(line -> line.contains("Ended the process"));
        rig.awaitReady();
        rig.primary.insert(2);
        assertThat(rig.awaitAudited(2).path("id").asText()).startsWith("2-");
    }

    @Test
    void a_store_in_the_followed_database_does_not_follow_its_own_notes() throws Exception {
        rig = new DisasterRig(Map.of("autovacuum", "off"));
        rig.primary.execute("GRANT CREATE ON SCHEMA public TO walroute");
        rig.environment.put("WALROUTE_AUDIT_URL", rig.storeInDatabase());
        rig.environment.put("HEARTBEAT_INTERVAL", "60000");
        rig.createSlot();
        rig.startReady();
        rig.primary.insert(1);
        await().atMost(Duration.ofSeconds(20))
                .until(() -> "1".equals(rig.primary.query("SELECT count(*) FROM audit_log")));
        await().atMost(Duration.ofSeconds(20))
                .until(() -> rig.primary
                        .query("SELECT lsn::pg_lsn > (SELECT lsn::pg_lsn FROM audit_log) FROM walroute_slot")
                        .equals("t"));
        String[] last = {""};
        await("the note stays as it is")
                .atMost(Duration.ofSeconds(20))
                .pollInterval(Duration.ofSeconds(3))
                .until(() -> last[0].equals(last[0] = rig.primary.query("SELECT xmin FROM walroute_slot")));
    }

    @Test
    void a_full_table_of_slots_is_said_by_reset_in_one_line() throws Exception {
        rig = new DisasterRig(Map.of("max_replication_slots", "1"));
        startWithOneAudited();
        rig.stop();
        rig.primary.execute(dropSlot(), "SELECT pg_create_physical_replication_slot('other')");
        rig.start();
        rig.awaitGap();
        List<String> lines = new ArrayList<>();
        try {
            rig.acceptGap();
        } catch (io.walroute.slot.SlotException e) {
            lines.add(e.finding().line());
        }
        assertThat(lines).singleElement().asString().startsWith("All 1 replication slots of the server are in use.");
        assertStaysDown();
        rig.primary.execute("SELECT pg_drop_replication_slot('other')");
        rig.acceptGap();
        rig.awaitReady();
    }
}
