package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.service.DisasterRig.Server;
import io.walroute.testing.PostgresVersion;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A real standby that is promoted while the primary dies. */
@Tag("faults")
@DisplayNameGeneration(ReplaceUnderscores.class)
class FailoverTest {
    private DisasterRig rig;
    private Server standby;

    @AfterEach
    void close() throws Exception {
        rig.close();
    }

    /** @param synced whether the slot is one that the standby keeps a copy of */
    private void start(PostgresVersion version, boolean synced) throws Exception {
        rig = new DisasterRig(version, Map.of());
        Path copy = rig.folder.resolve("copy");
        rig.primary.execute("SELECT pg_create_physical_replication_slot('standby', true)");
        rig.primary.copyTo(copy);
        var settings = new LinkedHashMap<>(Map.of(
                "hot_standby_feedback", "on",
                "primary_slot_name", "standby",
                "wal_retrieve_retry_interval", "100ms",
                "primary_conninfo",
                        "host=127.0.0.1 port=" + rig.primary.port()
                                + " user=postgres password=postgres dbname=postgres"));
        if (synced) {
            settings.put("sync_replication_slots", "on"); // from 17 on
        }
        standby = rig.server(settings);
        standby.followFrom(copy);
        rig.primary.execute("SELECT pg_create_logical_replication_slot('" + DisasterRig.SLOT + "', 'pgoutput'"
                + (synced ? ", failover => true)" : ")"));
        rig.startReady();
        rig.primary.insert(1);
        rig.awaitAudited(1);
    }

    private void awaitReplayed() throws Exception {
        String end = rig.primary.query("SELECT pg_current_wal_flush_lsn()");
        await().atMost(Duration.ofSeconds(30))
                .until(() -> "t".equals(standby.query("SELECT pg_last_wal_replay_lsn() >= '" + end + "'::pg_lsn")));
    }

    private void promote() throws Exception {
        standby.execute("SELECT pg_promote(true, 30)");
        rig.address.retarget(standby.port());
        rig.address.heal();
    }

    private List<Integer> ids() {
        return rig.audit().stream().map(DisasterRig::idOf).toList();
    }

    @Test
    void a_promoted_slot_goes_on_unaided_in_a_new_epoch_and_repeats_keep_their_ids() throws Exception {
        start(null, true);
        await().atMost(Duration.ofSeconds(60))
                .until(() -> "t"
                        .equals(standby.query("SELECT synced AND NOT temporary FROM pg_replication_slots"
                                + " WHERE slot_name = '" + DisasterRig.SLOT + "'")));
        rig.primary.insert(2, 3);
        rig.awaitAudited(3);
        rig.address.cut(); // the service falls silent
        rig.primary.insert(4); // nobody but the standby sees it
        awaitReplayed();
        rig.primary.postgres.stop("immediate");
        promote();
        standby.insert(5);
        JsonNode five = rig.awaitAudited(5);
        rig.awaitReady();

        assertThat(ids()).as("each once").containsExactly(1, 2, 3, 4, 5);
        assertThat(five.path("id").asText()).startsWith("2-");
        assertThat(rig.audit())
                .filteredOn(event -> DisasterRig.idOf(event) <= 4)
                .as("written before the promotion")
                .allSatisfy(event -> assertThat(event.path("id").asText()).startsWith("1-"));
        assertThat(rig.store("SELECT reason FROM walroute_gaps")).isEmpty();
        assertThat(rig.store("SELECT value FROM walroute_meta WHERE key = 'epoch'"))
                .containsExactly("2");
        assertThat(rig.slotIsCovered(standby)).isTrue();
    }

    @Test
    void a_promoted_server_without_the_slot_is_a_gap_that_can_be_accepted() throws Exception {
        start(PostgresVersion.V14, false);
        awaitReplayed();
        rig.address.cut();
        rig.primary.postgres.stop("immediate");
        promote();
        standby.insert(2);
        assertThat(rig.awaitGap()).contains("is gone from 127.0.0.1:" + rig.address.port());
        rig.acceptGap();
        rig.awaitReady();
        standby.insert(3);
        assertThat(rig.awaitAudited(3).path("id").asText()).startsWith("2-");
        assertThat(ids()).containsExactly(1, 3);
    }

    @Test
    void a_server_promoted_without_the_last_audited_changes_is_a_gap() throws Exception {
        start(null, true);
        awaitReplayed();
        standby.postgres.stop("fast"); // it lags
        rig.primary.insert(2);
        rig.awaitAudited(2);
        rig.address.cut();
        rig.primary.postgres.stop("immediate");
        standby.postgres.start();
        promote();
        assertThat(rig.awaitGap())
                .contains("before the last change that was read")
                .contains("may not be in this database");
        rig.acceptGap();
        rig.awaitReady();
        standby.insert(3);
        assertThat(rig.awaitAudited(3).path("id").asText()).startsWith("2-");
    }
}
