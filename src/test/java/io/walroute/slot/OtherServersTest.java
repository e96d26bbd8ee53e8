package io.walroute.slot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.walroute.slot.Finding.Fault;
import io.walroute.slot.Finding.Kind;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Servers that are set up too tightly or the wrong way: one each, since their settings need a restart. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class OtherServersTest {
    private static final Setup.Wanted TABLE_T =
            new Setup.Wanted(false, List.of(TableName.parse("t")), Map.of(), Set.of());

    @Test
    void a_server_that_does_not_write_logical_wal_is_told_how_to() throws Exception {
        try (var server = new OwnServer(Map.of("wal_level", "replica"))) {
            server.execute("CREATE TABLE t (id int PRIMARY KEY)", "CREATE PUBLICATION pub FOR TABLE t");
            String line = "wal_level is replica, not logical. Run: ALTER SYSTEM SET wal_level = logical; and restart"
                    + " PostgreSQL";

            assertThat(ReplicationCheck.findings(server.target("s")))
                    .contains(new Finding(Kind.CONFIGURATION, Fault.WAL_LEVEL, line));
            assertThat(failureOfSetup(server, "s").line()).isEqualTo(line);
        }
    }

    @Test
    void a_server_with_one_slot_and_a_limit_shows_its_bounds() throws Exception {
        try (var server = new OwnServer(Map.of(
                "wal_level", "logical",
                "max_replication_slots", "1",
                "max_slot_wal_keep_size", "1MB"))) {
            server.execute(
                    "CREATE TABLE t (id int PRIMARY KEY)",
                    "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')");

            // No free slot: nothing is begun, least of all the publication.
            assertThat(failureOfSetup(server, "other").fault()).isEqualTo(Fault.NO_FREE_SLOT);
            assertThat(ReplicationCheck.findings(server.target("other")))
                    .extracting(Finding::fault)
                    .containsExactly(Fault.PUBLICATION_MISSING, Fault.SLOT_MISSING, Fault.NO_FREE_SLOT);

            // The slot falls behind further than the server keeps.
            server.execute("CREATE PUBLICATION pub FOR TABLE t");
            assertThat(ReplicationCheck.findings(server.target("taken"))).isEmpty();
            loseSlot(server);
            try (var connection = server.connect()) {
                SlotInfo lost = SlotInfo.read(connection, "taken").orElseThrow();
                assertThat(ReplicationCheck.findings(server.target("taken")))
                        .containsExactly(new Finding(
                                Kind.GONE,
                                Fault.SLOT_INVALIDATED,
                                "The replication slot taken is invalidated (wal_removed): changes after "
                                        + lost.confirmedFlushLsn()
                                        + " are gone from PostgreSQL. Give them up: walroute reset --accept-gap"));
            }
            assertThat(failureOfSetup(server, "taken").kind()).isEqualTo(Kind.GONE);
        }
    }

    @Test
    void a_server_without_a_free_wal_sender_says_so() throws Exception {
        try (var server = new OwnServer(Map.of("wal_level", "logical", "max_wal_senders", "0"))) {
            server.execute(
                    "CREATE PUBLICATION pub FOR ALL TABLES",
                    "SELECT pg_create_logical_replication_slot('s', 'pgoutput')");

            assertThat(ReplicationCheck.findings(server.target("s")))
                    .containsExactly(new Finding(
                            Kind.CONFIGURATION,
                            Fault.NO_FREE_WAL_SENDER,
                            "All 0 WAL senders of the server are in use. Raise max_wal_senders in postgresql.conf and"
                                    + " restart PostgreSQL"));
        }
    }

    private static void loseSlot(OwnServer server) throws Exception {
        for (int i = 0; i < 6; i++) {
            server.execute("INSERT INTO t VALUES (" + i + ")", "SELECT pg_switch_wal()");
        }
        server.execute("CHECKPOINT");
    }

    private static Finding failureOfSetup(OwnServer server, String slot) throws Exception {
        var target = server.target(slot);
        try (var connection = target.connect()) {
            return catchThrowableOfType(SlotException.class, () -> new Setup(connection, target).plan(TABLE_T))
                    .finding();
        }
    }
}
