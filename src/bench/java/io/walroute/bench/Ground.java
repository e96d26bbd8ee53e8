package io.walroute.bench;

import io.walroute.demo.EmbeddedServers;
import io.walroute.demo.Marketplace;
import io.walroute.demo.Simulator;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.postgresql.replication.LogSequenceNumber;

/**
 * PostgreSQL and Redis with one backlog in a slot that nobody reads. Each reader gets a copy of that slot, so that all of them, in
 * any round, read the same changes from the same position.
 */
final class Ground implements AutoCloseable {
    static final String PUBLICATION = "bench_publication";
    /** What a reader reads. */
    static final String SLOT = "bench";
    /** Its one row is the last change of the backlog. */
    static final String END_TABLE = "bench_end";

    private static final String MASTER = "bench_master";

    /** Fills the tables of a backlog. */
    @FunctionalInterface
    interface Backlog {
        void write(Connection connection) throws SQLException;
    }

    final EmbeddedServers servers;
    final Connection database;
    private Tally tally;
    private long endLsn;
    private long warmUp;

    Ground() throws IOException, SQLException {
        servers = new EmbeddedServers().start();
        database = DriverManager.getConnection(servers.jdbcUrl());
        Marketplace.create(database);
        execute("CREATE TABLE " + END_TABLE + "(id bigint PRIMARY KEY)");
    }

    /**
     * The marketplace's mixed changes.
     *
     * @param warmUp how many more stand before those that count
     */
    static Ground marketplace(long warmUp, long changes) throws IOException, SQLException {
        Ground ground = of(Marketplace.TABLES, connection -> Simulator.backlog(connection, warmUp + changes, 42));
        ground.warmUp = warmUp;
        return ground;
    }

    /** @param tables made by {@code ddl} or the marketplace's */
    static Ground of(List<String> tables, Backlog backlog, String... ddl) throws IOException, SQLException {
        var ground = new Ground();
        try {
            ground.execute(ddl);
            ground.publish(tables);
            ground.fill(backlog);
        } catch (SQLException | RuntimeException e) {
            ground.close();
            throw e;
        }
        return ground;
    }

    void publish(List<String> tables) throws SQLException {
        execute(
                "ALTER TABLE listings REPLICA IDENTITY FULL",
                "ALTER TABLE ens_names REPLICA IDENTITY FULL",
                "CREATE PUBLICATION " + PUBLICATION + " FOR TABLE " + String.join(", ", tables) + ", " + END_TABLE
                        + " WITH (publish_via_partition_root = true)",
                "SELECT pg_create_logical_replication_slot('" + MASTER + "', 'pgoutput')");
    }

    private void fill(Backlog backlog) throws SQLException {
        Progress.say("writing the backlog …");
        try (Connection writer = DriverManager.getConnection(servers.jdbcUrl())) {
            backlog.write(writer);
        }
        database.setAutoCommit(false);
        execute("INSERT INTO " + END_TABLE + " VALUES (1)");
        endLsn = lsn(query("SELECT pg_current_wal_insert_lsn()"));
        database.commit();
        database.setAutoCommit(true);
        // What the server would do of its own accord in the middle of the first reader's turn.
        execute("VACUUM ANALYZE", "CHECKPOINT");
        offer();
        tally = Tally.read(servers.jdbcUrl(), SLOT, PUBLICATION);
        withdraw();
        Progress.say(String.format(
                java.util.Locale.ROOT,
                "backlog: %,d changes, %.0f MB of WAL, %s",
                tally.changes(),
                walBytes() / 1e6,
                tally.byKind()));
    }

    /** All changes, those of the warm-up too. */
    Tally tally() {
        return tally;
    }

    /** How many changes a reader takes before its time counts. */
    long warmUp() {
        return warmUp;
    }

    long walBytes() throws SQLException {
        return Long.parseLong(query("SELECT pg_wal_lsn_diff('"
                + LogSequenceNumber.valueOf(endLsn).asString()
                + "', confirmed_flush_lsn)::bigint FROM pg_replication_slots WHERE slot_name = '" + MASTER + "'"));
    }

    String endLsn() {
        return LogSequenceNumber.valueOf(endLsn).asString();
    }

    /** Makes the slot of one reader. */
    void offer() throws SQLException {
        execute("SELECT pg_copy_logical_replication_slot('" + MASTER + "', '" + SLOT + "')");
    }

    /** Takes it away again, once its reader has gone. */
    void withdraw() throws SQLException {
        for (int i = 0; ; i++) {
            try {
                execute("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '"
                        + SLOT + "'");
                return;
            } catch (SQLException stillActive) {
                if (i == 600) {
                    throw stillActive;
                }
                LockSupport.parkNanos(50_000_000);
            }
        }
    }

    void emptyRedis() throws IOException {
        servers.redis().ask("FLUSHALL");
    }

    /** Up to where the reader has acknowledged. */
    long confirmed() throws SQLException {
        return lsn(query("SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '" + SLOT + "'"));
    }

    boolean isConfirmed() throws SQLException {
        return Long.compareUnsigned(confirmed(), endLsn) > 0;
    }

    /** The number that Redis answers, as to DBSIZE. */
    long redis(String command) throws IOException {
        String answer = servers.redis().ask(command);
        return answer.startsWith(":") ? Long.parseLong(answer.substring(1)) : 0;
    }

    Path folder() {
        return servers.folder();
    }

    void execute(String... statements) throws SQLException {
        execute(database, statements);
    }

    String query(String sql) throws SQLException {
        return query(database, sql);
    }

    static void execute(Connection database, String... statements) throws SQLException {
        try (var s = database.createStatement()) {
            for (String sql : statements) {
                s.execute(sql);
            }
        }
    }

    /** The first column of the first row, as text. */
    static String query(Connection database, String sql) throws SQLException {
        try (var s = database.createStatement();
                var rows = s.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }

    static long lsn(String text) {
        return LogSequenceNumber.valueOf(text).asLong();
    }

    @Override
    public void close() throws SQLException, IOException {
        database.close();
        servers.close();
    }
}
