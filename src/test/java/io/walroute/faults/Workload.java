package io.walroute.faults;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;

/**
 * What several clients do to a database, by a seed: hot keys, key changes, transactions over several tables, rollbacks, values
 * that the WAL leaves out. Triggers write each change into {@code f_log}, in the same transaction: the truth about what was
 * committed, also where a client never learned it.
 */
final class Workload {
    static final List<String> TABLES = List.of("f_default", "f_full", "f_wide");
    /** Large loads go here, so that the other tables' webhooks don't count in the hundred thousands. */
    static final String BIG = "f_big";

    private static final int WRITERS = 4;
    private static final int KEYS = 16;
    /** Rows that are older than the slot have their keys from here on. */
    private static final int FIRST_OLD = 100;

    private static final int CHANGED_IN_ONE = 30;

    private final String jdbcUrl;
    private final long seed;
    private final int oldRows;
    private final AtomicBoolean running = new AtomicBoolean();
    private final List<Thread> writers = new ArrayList<>();
    private final List<Connection> open = new ArrayList<>();
    private int bursts;

    /** @param oldRows as many as {@link #create} put into each table; their rows are changed too, and no table is truncated */
    Workload(String jdbcUrl, long seed, int oldRows) {
        this.jdbcUrl = jdbcUrl;
        this.seed = seed;
        this.oldRows = oldRows;
    }

    /**
     * Tables, triggers and the publication.
     *
     * @param oldRows how many rows each table has already, of which no trigger and no slot knows
     */
    static void create(Connection c, int oldRows) throws SQLException {
        try (var s = c.createStatement()) {
            s.execute("CREATE SEQUENCE f_n");
            s.execute(
                    "CREATE TABLE f_log(t text, op text, id bigint, n bigint, xid xid8 DEFAULT pg_current_xact_id())");
            s.execute("CREATE FUNCTION f_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    + " INSERT INTO f_log(t, op, id, n) VALUES (TG_TABLE_NAME, TG_OP,"
                    + " CASE TG_OP WHEN 'DELETE' THEN OLD.id WHEN 'TRUNCATE' THEN NULL ELSE NEW.id END,"
                    + " CASE WHEN TG_OP IN ('DELETE','TRUNCATE') THEN NULL ELSE NEW.n END); RETURN NULL; END $$");
            s.execute("CREATE FUNCTION f_note_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                    + " INSERT INTO f_log(t, op, id, n) SELECT TG_TABLE_NAME, TG_OP, id, n FROM added; RETURN NULL;"
                    + " END $$");
            for (String table : TABLES) {
                s.execute("CREATE TABLE " + table + "(id bigint PRIMARY KEY, n bigint, v text)");
                s.execute("CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON " + table
                        + " FOR EACH ROW EXECUTE FUNCTION f_note()");
                s.execute("CREATE TRIGGER b AFTER TRUNCATE ON " + table
                        + " FOR EACH STATEMENT EXECUTE FUNCTION f_note()");
            }
            s.execute("ALTER TABLE f_full REPLICA IDENTITY FULL");
            s.execute("ALTER TABLE f_wide ALTER v SET STORAGE EXTERNAL");
            s.execute("CREATE TABLE " + BIG + "(id bigint PRIMARY KEY, n bigint, v text)");
            s.execute("CREATE TRIGGER a AFTER INSERT ON " + BIG
                    + " REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION f_note_all()");
            s.execute("CREATE PUBLICATION grails_publication FOR TABLE " + String.join(", ", TABLES) + ", " + BIG);
            s.execute("SET session_replication_role = replica");
            for (String table : TABLES) {
                s.execute(
                        "INSERT INTO " + table + " SELECT g, -g, repeat('o', CASE WHEN g % 3 = 0 THEN 3000 ELSE 3 END)"
                                + " FROM generate_series(" + FIRST_OLD + ", " + (FIRST_OLD + oldRows - 1) + ") g");
            }
        }
    }

    Connection connect() throws SQLException {
        return DriverManager.getConnection(jdbcUrl);
    }

    /** Begins to write, about {@code perSecond} transactions a second, until {@link #stop()}. Survives a database that is away. */
    void start(int perSecond) {
        running.set(true);
        long pause = TimeUnit.SECONDS.toNanos(1) * WRITERS / perSecond;
        for (int w = 0; w < WRITERS; w++) {
            var random = new Random(seed * 31 + ++bursts);
            begin(new Thread(() -> write(random, pause), "writer-" + w));
        }
        if (oldRows > 0) {
            var random = new Random(seed * 31 + ++bursts);
            begin(new Thread(() -> writeLong(random), "writer-long"));
        }
    }

    private void begin(Thread thread) {
        thread.setDaemon(true);
        thread.start();
        writers.add(thread);
    }

    void stop() {
        running.set(false);
        for (Thread writer : writers) {
            try {
                writer.join(30_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        writers.clear();
    }

    private void write(Random random, long pauseNanos) {
        while (running.get()) {
            try (Connection c = connect()) {
                c.setAutoCommit(false);
                while (running.get()) {
                    transaction(c, random, true);
                    TimeUnit.NANOSECONDS.sleep(pauseNanos);
                }
            } catch (SQLException away) {
                pause();
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    /** Transactions that stay open for a second, on the last third of the old rows, which nobody else changes. */
    private void writeLong(Random random) {
        while (running.get()) {
            try (Connection c = connect();
                    var s = c.createStatement()) {
                c.setAutoCommit(false);
                while (running.get()) {
                    for (int i = 0; i < CHANGED_IN_ONE; i++) {
                        int id = FIRST_OLD + oldRows - 1 - random.nextInt(oldRows / 3);
                        String table = TABLES.get(random.nextInt(TABLES.size()));
                        s.execute(
                                random.nextInt(10) == 0
                                        ? "DELETE FROM " + table + " WHERE id = " + id
                                        : "UPDATE " + table + " SET n = nextval('f_n') WHERE id = " + id);
                    }
                    TimeUnit.MILLISECONDS.sleep(1_000);
                    c.commit();
                }
            } catch (SQLException away) {
                pause();
            } catch (InterruptedException e) {
                return;
            }
        }
    }

    private static void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(100);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** So many transactions, one after another, committed when this returns. */
    void mixed(int transactions) throws SQLException {
        var random = new Random(seed * 31 + ++bursts);
        try (Connection c = connect()) {
            c.setAutoCommit(false);
            for (int i = 0; i < transactions; i++) {
                transaction(c, random, false);
            }
        }
    }

    private void transaction(Connection c, Random random, boolean truncates) throws SQLException {
        try (var s = c.createStatement()) {
            int statements = 1 + random.nextInt(4);
            for (int i = 0; i < statements; i++) {
                statement(s, random, truncates);
            }
            if (random.nextInt(8) == 0) {
                c.rollback();
            } else {
                c.commit();
            }
        } catch (SQLException e) {
            if (c.isClosed() || isAway(e)) {
                throw e;
            }
            c.rollback(); // a key that is taken, or a deadlock: then nothing of it may arrive
        }
    }

    private void statement(Statement s, Random random, boolean truncates) throws SQLException {
        String table = TABLES.get(random.nextInt(TABLES.size()));
        int id = key(random);
        String value = random.nextInt(3) == 0
                ? "repeat('" + (char) ('a' + random.nextInt(26)) + "', 3000)"
                : "'" + random.nextInt(1000) + "'";
        int kind = random.nextInt(100);
        if (kind < 40) {
            s.execute("INSERT INTO " + table + " VALUES (" + id + ", nextval('f_n'), " + value
                    + ") ON CONFLICT (id) DO UPDATE SET n = excluded.n");
        } else if (kind < 60) {
            s.execute("UPDATE " + table + " SET n = nextval('f_n') WHERE id = " + id);
        } else if (kind < 75) {
            s.execute("UPDATE " + table + " SET n = nextval('f_n'), v = " + value + " WHERE id = " + id);
        } else if (kind < 85) {
            s.execute("UPDATE " + table + " SET n = nextval('f_n'), id = " + key(random) + " WHERE id = " + id);
        } else if (kind < 98 || !truncates || oldRows > 0) {
            s.execute("DELETE FROM " + table + " WHERE id = " + id);
        } else {
            s.execute("TRUNCATE " + table);
        }
    }

    private int key(Random random) {
        return oldRows == 0 || random.nextBoolean()
                ? random.nextInt(KEYS)
                : FIRST_OLD + random.nextInt(oldRows - oldRows / 3);
    }

    /** One transaction of three COPYs, of which the middle one's rows have webhooks: all rows of a page share an LSN. */
    void copy(int rowsBeforeAndAfter, int rows) throws Exception {
        long from = System.nanoTime() >>> 8;
        try (Connection c = connect()) {
            c.setAutoCommit(false);
            CopyManager copy = c.unwrap(PGConnection.class).getCopyAPI();
            copy(copy, BIG, from, rowsBeforeAndAfter);
            copy(copy, "f_full", from, rows);
            copy(copy, BIG, from + rowsBeforeAndAfter, rowsBeforeAndAfter);
            c.commit();
        }
    }

    private static void copy(CopyManager copy, String table, long from, int rows) throws Exception {
        var text = new StringBuilder();
        for (int i = 0; i < rows; i++) {
            text.append(from + i).append('\t').append(i).append("\tcopied\n");
        }
        copy.copyIn("COPY " + table + " FROM STDIN", new java.io.StringReader(text.toString()));
    }

    /** One transaction of so many rows. */
    void big(int rows) throws SQLException {
        long from = System.nanoTime() >>> 8;
        try (Connection c = connect();
                var s = c.createStatement()) {
            s.execute("INSERT INTO " + BIG + " SELECT " + from + " + g, g, 'big' FROM generate_series(1, " + rows
                    + ") g");
        }
    }

    /**
     * Three long transactions, with small ones committed between their statements. When this returns the first has committed,
     * the others are open and have written; {@link #endInterleaved} commits them.
     */
    void beginInterleaved(int rowsEach) throws SQLException {
        long from = System.nanoTime() >>> 8;
        for (int i = 0; i < 3; i++) {
            Connection c = connect();
            c.setAutoCommit(false);
            open.add(c);
        }
        for (int part = 0; part < 10; part++) {
            for (int i = 0; i < 3; i++) {
                long first = from + i * 10_000_000L + part * 100_000L;
                try (var s = open.get(i).createStatement()) {
                    s.execute("INSERT INTO " + BIG + " SELECT " + first + " + g, g, 'long' FROM generate_series(1, "
                            + rowsEach / 10 + ") g");
                }
            }
            mixed(4);
        }
        open.get(0).commit();
        mixed(2);
    }

    /** A server that crashed meanwhile has rolled the open ones back: then nothing of them may arrive. */
    void endInterleaved() throws SQLException {
        for (Connection c : open) {
            try (c) {
                c.commit();
                mixed(2);
            } catch (SQLException e) {
                if (!isAway(e)) {
                    throw e;
                }
            }
        }
        open.clear();
        mixed(2);
    }

    private static boolean isAway(SQLException e) {
        return e.getSQLState() == null
                || e.getSQLState().startsWith("08")
                || e.getSQLState().startsWith("57");
    }
}
