package io.walroute.deadletter;

import io.walroute.change.ChangeEvent;
import io.walroute.change.ChangeJson;
import io.walroute.change.Operation;
import io.walroute.change.ParkedKeys;
import io.walroute.change.RedriveTurn;
import io.walroute.deadletter.DeadLetter.State;
import io.walroute.deadletter.RedriveQueue.Parked;
import io.walroute.store.Store;
import io.walroute.store.Store.Session;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.LongPredicate;
import java.util.function.Predicate;

/**
 * The table {@code dead_letters}, beside the audit log: deliveries that did not get through to their sink, each once.
 *
 * <p>One delivery is one sink, one change and one set of kept headers: a route may send one change to two topics of one sink.
 * Within a sink they stand in commit order, by the change's {@code seq} in the audit log. Safe to use from any thread;
 * the public methods block.
 */
public final class DeadLetters implements ParkedKeys {
    /** How many there are of one sink in one state. */
    public record Count(String sink, State state, long letters) {}

    private static final int PAGE_ROWS = 2000;
    private static final Duration WAIT = Duration.ofSeconds(10);
    private static final DateTimeFormatter MICROSECONDS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);

    private static final String TABLE = """
            CREATE TABLE IF NOT EXISTS dead_letters (
              id %s,
              sink text NOT NULL,
              event_id text NOT NULL,
              variant text NOT NULL,
              seq bigint,
              lsn text NOT NULL,
              xid bigint NOT NULL,
              schema_name text NOT NULL,
              table_name text NOT NULL,
              operation text NOT NULL,
              key text,
              key_text text NOT NULL,
              old_key_text text,
              route text,
              endpoint text,
              attempts integer NOT NULL,
              redrives integer NOT NULL,
              parkings integer NOT NULL,
              first_failure %2$s NOT NULL,
              last_failure %2$s NOT NULL,
              next_attempt %2$s,
              cause text NOT NULL,
              state text NOT NULL,
              event text NOT NULL,
              headers text NOT NULL,
              attempt_log text NOT NULL DEFAULT '',
              UNIQUE (event_id, sink, variant))""";

    // A change that isn't in the audit log (a backfilled row) has no place in commit order: it comes first.
    private static final String ORDER = "coalesce(seq, 0)";

    private static final String[] INDEXES = {
        "CREATE INDEX IF NOT EXISTS dead_letters_in_order ON dead_letters (sink, state, " + ORDER + ", id)",
        // A key may be longer than an index entry: its beginning finds it. Of a key with many the first is found at
        // once.
        "CREATE INDEX IF NOT EXISTS dead_letters_first_of_key ON dead_letters"
                + " (sink, table_name, substr(key_text, 1, 200), state, " + ORDER + ", id)",
        "CREATE INDEX IF NOT EXISTS dead_letters_first_of_old_key ON dead_letters"
                + " (sink, table_name, substr(old_key_text, 1, 200), state, " + ORDER + ", id)"
                + " WHERE old_key_text IS NOT NULL"
    };

    // SELECT in place of VALUES: PostgreSQL's driver would join several rows into one INSERT, and that may not meet the
    // same conflict twice. Repeated parking without an attempt says nothing new of the failure.
    private static final String PARK = """
            INSERT INTO dead_letters (sink, event_id, variant, lsn, xid, schema_name, table_name, operation, key, key_text,
              old_key_text, route, endpoint, attempts, first_failure, last_failure, next_attempt, cause, event, headers,
              attempt_log, redrives, parkings, state, seq)
            SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1, %s, %s
            WHERE 1 = 1
            ON CONFLICT (event_id, sink, variant) DO UPDATE SET
              parkings = dead_letters.parkings + 1,
              attempts = dead_letters.attempts + excluded.attempts,
              redrives = dead_letters.redrives + ?,
              last_failure = CASE WHEN excluded.attempts = 0 THEN dead_letters.last_failure ELSE excluded.last_failure END,
              cause = %s,
              attempt_log = %s,
              route = coalesce(excluded.route, dead_letters.route),
              endpoint = coalesce(excluded.endpoint, dead_letters.endpoint)%s""";

    private static final String LAST_CAUSE =
            "CASE WHEN excluded.attempts = 0 THEN dead_letters.cause ELSE excluded.cause END";
    private static final String DEAD_AGAIN = ", state = 'dead', next_attempt = NULL";

    private static final String SEQ = "(SELECT a.seq FROM audit_log a WHERE a.event_id = ?)";
    private static final String ALL_ATTEMPTS = "dead_letters.attempt_log || excluded.attempt_log";

    // What a sink is told of changes that it never gets, or not in their turn: its followers wait until it was. Noted
    // together
    // with what makes a delivery dead or gone, so that it can't be lost, whether or not the sink can be told at that
    // moment.
    private static final String NOTICES = """
            CREATE TABLE IF NOT EXISTS dead_letter_notices (
              id bigint PRIMARY KEY,
              sink text NOT NULL,
              schema_name text NOT NULL,
              table_name text NOT NULL,
              key_text text NOT NULL,
              old_key_text text,
              event text NOT NULL,
              headers text NOT NULL)""";

    private static final String[] NOTICE_INDEXES = {
        "CREATE INDEX IF NOT EXISTS dead_letter_notices_of_sink ON dead_letter_notices (sink, id)",
        "CREATE INDEX IF NOT EXISTS dead_letter_notices_of_key ON dead_letter_notices"
                + " (sink, table_name, substr(key_text, 1, 200))",
        "CREATE INDEX IF NOT EXISTS dead_letter_notices_of_old_key ON dead_letter_notices"
                + " (sink, table_name, substr(old_key_text, 1, 200)) WHERE old_key_text IS NOT NULL"
    };

    /** Followed by a sink's name: a key of the store's meta table while that sink is to be told. */
    private static final String TOLD = "told_of_dead_letters:";

    private static final String NOTE = "INSERT INTO dead_letter_notices (id, sink, schema_name, table_name, key_text,"
            + " old_key_text, event, headers) SELECT d.id, d.sink, d.schema_name, d.table_name, d.key_text, d.old_key_text,"
            + " d.event, d.headers FROM dead_letters d JOIN walroute_meta m ON m.key = '" + TOLD + "' || d.sink"
            + " WHERE %s ON CONFLICT DO NOTHING";
    private static final String NOTE_ONE = NOTE.formatted("d.id = ?");
    private static final String NOTE_BURIED =
            NOTE.formatted("d.event_id = ? AND d.sink = ? AND d.variant = ? AND d.state = 'dead'");

    private static final String SUMMARY =
            "SELECT id, sink, event_id, seq, lsn, xid, schema_name, table_name, operation, key, route, endpoint, attempts,"
                    + " redrives, first_failure, last_failure, next_attempt, cause, state, '' AS event, '' AS headers, '' AS attempt_log"
                    + " FROM dead_letters WHERE ";

    private final Store store;
    /** First by what becomes of the delivery, then by whether there is an audit log. */
    private final String[][] statements;

    private volatile boolean audited;

    /** Creates the table if it is missing. */
    public DeadLetters(Store store) throws SQLException {
        this.store = store;
        boolean sqlite = store.isSqlite();
        statements = new String[][] {
            {park("'parked'", LAST_CAUSE, "", false), park("'parked'", LAST_CAUSE, "", true)},
            {park("'dead'", LAST_CAUSE, "", false), park("'dead'", LAST_CAUSE, "", true)},
            {park("'dead'", "excluded.cause", DEAD_AGAIN, false), park("'dead'", "excluded.cause", DEAD_AGAIN, true)}
        };
        store.define(TABLE.formatted(
                sqlite ? "integer PRIMARY KEY AUTOINCREMENT" : "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
                sqlite ? "text" : "timestamptz"));
        addAttemptLog();
        store.define(INDEXES);
        store.define(NOTICES);
        store.define(NOTICE_INDEXES);
    }

    /** A database of an earlier release has the table without it. Not as a definition: that would be repeated. */
    private void addAttemptLog() throws SQLException {
        String there = store.isSqlite()
                ? "SELECT count(*) FROM pragma_table_info('dead_letters') WHERE name = 'attempt_log'"
                : "SELECT count(*) FROM pg_attribute WHERE attrelid = 'dead_letters'::regclass AND attname = 'attempt_log'";
        if (query(there, rows -> rows.getInt(1)).get(0) == 0) {
            update("ALTER TABLE dead_letters ADD COLUMN attempt_log text NOT NULL DEFAULT ''");
        }
    }

    private String park(String state, String cause, String more, boolean withSeq) {
        String lastAttempts = store.isSqlite()
                ? "substr(" + ALL_ATTEMPTS + ", -" + AttemptLog.MOST_CHARACTERS + ")"
                : "right(" + ALL_ATTEMPTS + ", " + AttemptLog.MOST_CHARACTERS + ")";
        return PARK.formatted(state, withSeq ? SEQ : "NULL", cause, lastAttempts, more);
    }

    /**
     * Parks one delivery. A delivery that stands here already keeps its place, its first failure and its state.
     *
     * @param next when it is due; null if it is dead from the beginning
     * @param redrive whether it was sent from here
     */
    Store.Write parking(
            String sink, ChangeEvent event, String headers, Failure failure, Instant next, boolean redrive) {
        return parking(sink, event, headers, failure, next, redrive, next == null ? 1 : 0);
    }

    /** One that must not leave as it is: dead, and dead again if it stands here already and was sent again by hand. */
    Store.Write refusal(String sink, ChangeEvent event, String headers, Failure failure, boolean redrive) {
        return parking(sink, event, headers, failure, null, redrive, 2);
    }

    private Store.Write parking(
            String sink,
            ChangeEvent event,
            String headers,
            Failure failure,
            Instant next,
            boolean redrive,
            int statement) {
        Instant now = Instant.now();
        return session -> {
            boolean withSeq = isAudited(session);
            PreparedStatement row = session.batchAfter(statements[statement][withSeq ? 1 : 0]);
            String key = keyText(event.keyText());
            String oldKey = event.operation() == Operation.UPDATE ? keyText(event.oldKeyText()) : key;
            int i = 0;
            row.setString(++i, sink);
            row.setString(++i, event.id());
            row.setString(++i, variant(headers));
            row.setString(++i, event.lsnText());
            row.setLong(++i, event.xid());
            row.setString(++i, event.schema());
            row.setString(++i, event.table());
            row.setString(++i, event.operation().name());
            row.setString(++i, event.key() == null ? null : ChangeJson.writeRow(event.key()));
            row.setString(++i, key);
            row.setString(++i, oldKey.equals(key) ? null : oldKey);
            row.setString(++i, failure.route());
            row.setString(++i, failure.endpoint());
            row.setInt(++i, failure.attempts());
            setTime(row, ++i, now);
            setTime(row, ++i, now);
            setTime(row, ++i, next);
            row.setString(++i, failure.cause());
            row.setString(++i, new String(event.toJson(), StandardCharsets.UTF_8));
            row.setString(++i, headers);
            row.setString(++i, failure.attemptLog());
            if (withSeq) {
                row.setString(++i, event.id());
            }
            row.setInt(++i, redrive && failure.attempts() > 0 ? 1 : 0);
            row.addBatch();
            if (next == null) {
                PreparedStatement note = session.batchAfter(NOTE_BURIED);
                note.setString(1, event.id());
                note.setString(2, sink);
                note.setString(3, variant(headers));
                note.addBatch();
            }
        };
    }

    private static String keyText(String text) {
        return text == null ? "" : text;
    }

    private static String variant(String headers) {
        if (headers.equals("{}")) {
            return "";
        }
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(headers.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    /** Whether there is an audit log to refer to: a service without that step has dead letters nevertheless. */
    private boolean isAudited(Session session) throws SQLException {
        if (!audited) {
            String sql = store.isSqlite()
                    ? "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit_log'"
                    : "SELECT count(to_regclass('audit_log'))";
            try (ResultSet rows = session.statement(sql).executeQuery()) {
                audited = rows.next() && rows.getInt(1) > 0;
            }
        }
        return audited;
    }

    // What the redrive needs. What decides runs in the store's writer: it sees every parking that was queued before.

    /** A delivery's place in its sink's order. */
    record Place(long order, long id) {
        static final Place START = new Place(Long.MIN_VALUE, Long.MIN_VALUE);
    }

    /**
     * Gives a sink's parked deliveries to {@code taker} in their order, until that wants no more.
     *
     * @param from after which to begin
     * @return the last that was wanted; null if there were no more
     */
    Place forEachParked(String sink, Place from, Predicate<Parked> taker) throws SQLException {
        Place last = from;
        while (true) {
            // Pages, so that PostgreSQL's driver doesn't fetch all and SQLite keeps no old snapshot.
            String sql = "SELECT id, " + ORDER
                    + ", schema_name, table_name, key_text, old_key_text, next_attempt, redrives,"
                    + " parkings FROM dead_letters WHERE sink = ? AND state = 'parked' AND (" + ORDER + ", id) > (?, ?)"
                    + " ORDER BY " + ORDER + ", id LIMIT " + PAGE_ROWS;
            List<Object[]> page =
                    query(sql, rows -> new Object[] {rows.getLong(2), parked(rows)}, sink, last.order(), last.id());
            for (Object[] row : page) {
                var parked = (Parked) row[1];
                if (!taker.test(parked)) {
                    return last;
                }
                last = new Place((Long) row[0], parked.id());
            }
            if (page.size() < PAGE_ROWS) {
                return null;
            }
        }
    }

    private Parked parked(ResultSet rows) throws SQLException {
        String key = rows.getString(5);
        return new Parked(
                rows.getLong(1),
                rows.getString(3) + '.' + rows.getString(4),
                key.isEmpty() ? null : key,
                rows.getString(6),
                time(rows, 7),
                rows.getInt(8),
                rows.getInt(9));
    }

    /**
     * A delivery as it is sent again.
     *
     * @param parkings how often it had been parked when it was read
     */
    record Taken(ChangeEvent event, String headers, int redrives, int parkings) {}

    /** Reads a delivery in order to send it; null if it isn't parked any more. */
    Taken take(long id) throws SQLException {
        String sql = "SELECT event, headers, redrives, parkings FROM dead_letters WHERE id = ? AND state = 'parked'";
        List<Taken> found = query(
                sql,
                row -> new Taken(
                        ChangeEvent.fromJson(row.getString(1).getBytes(StandardCharsets.UTF_8)),
                        row.getString(2),
                        row.getInt(3),
                        row.getInt(4)),
                id);
        return found.isEmpty() ? null : found.get(0);
    }

    /** Whether a delivery may be tried now: it is still parked, and no other of its key or its whole table is before it. */
    RedriveTurn.Answer turn(Session session, long id) throws SQLException {
        PreparedStatement select = session.statement("SELECT sink, schema_name, table_name, key_text, old_key_text, "
                + ORDER + " FROM dead_letters WHERE id = ? AND state = 'parked'");
        select.setLong(1, id);
        try (ResultSet row = select.executeQuery()) {
            if (!row.next()) {
                return RedriveTurn.Answer.STAY;
            }
            var asker = new Asker(row.getString(1), row.getString(2), row.getString(3), new Place(row.getLong(6), id));
            String key = row.getString(4);
            String oldKey = row.getString(5);
            return key.isEmpty() ? turnOfTable(session, asker) : turnOfKeys(session, asker, key, oldKey);
        }
    }

    private record Asker(String sink, String schema, String table, Place place) {
        boolean isAfter(Place other) {
            return other != null
                    && (other.order() < place.order() || other.order() == place.order() && other.id() < place.id());
        }
    }

    private static RedriveTurn.Answer turnOfTable(Session session, Asker asker) throws SQLException {
        PreparedStatement before = session.statement(
                "SELECT " + ORDER + ", id FROM dead_letters WHERE sink = ?" + " AND state = 'parked' AND (" + ORDER
                        + ", id) < (?, ?) AND table_name = ? AND schema_name = ? LIMIT 1");
        before.setString(1, asker.sink());
        before.setLong(2, asker.place().order());
        before.setLong(3, asker.place().id());
        before.setString(4, asker.table());
        before.setString(5, asker.schema());
        if (place(before) != null) {
            return RedriveTurn.Answer.STAY;
        }
        boolean left = firstOther(session, asker, "key_text", "") != null;
        return new RedriveTurn.Answer(true, left, false);
    }

    private static RedriveTurn.Answer turnOfKeys(Session session, Asker asker, String key, String oldKey)
            throws SQLException {
        if (isNoted(session, asker, key) || oldKey != null && isNoted(session, asker, oldKey)) {
            return RedriveTurn.Answer.STAY;
        }
        if (asker.isAfter(firstOther(session, asker, "key_text", ""))) {
            return RedriveTurn.Answer.STAY;
        }
        boolean[] left = new boolean[2];
        for (String column : List.of("key_text", "old_key_text")) {
            Place ofKey = firstOther(session, asker, column, key);
            Place ofOldKey = oldKey == null ? null : firstOther(session, asker, column, oldKey);
            if (asker.isAfter(ofKey) || asker.isAfter(ofOldKey)) {
                return RedriveTurn.Answer.STAY;
            }
            left[0] |= ofKey != null;
            left[1] |= ofOldKey != null;
        }
        return new RedriveTurn.Answer(true, left[0], left[1]);
    }

    /** The first parked one with this key but the asker. */
    private static Place firstOther(Session session, Asker asker, String column, String key) throws SQLException {
        PreparedStatement first = session.statement("SELECT " + ORDER + ", id FROM dead_letters WHERE sink = ?"
                + " AND table_name = ? AND substr(" + column + ", 1, 200) = substr(?, 1, 200) AND " + column + " = ?"
                + " AND schema_name = ? AND state = 'parked' AND id <> ? ORDER BY " + ORDER + ", id LIMIT 1");
        first.setString(1, asker.sink());
        first.setString(2, asker.table());
        first.setString(3, key);
        first.setString(4, key);
        first.setString(5, asker.schema());
        first.setLong(6, asker.place().id());
        return place(first);
    }

    /** Whether the sink has still to be told of a change of this key. */
    private static boolean isNoted(Session session, Asker asker, String key) throws SQLException {
        for (String column : List.of("key_text", "old_key_text")) {
            PreparedStatement noted = session.statement("SELECT 1 FROM dead_letter_notices WHERE sink = ?"
                    + " AND table_name = ? AND substr(" + column + ", 1, 200) = substr(?, 1, 200) AND " + column
                    + " = ? AND schema_name = ? LIMIT 1");
            noted.setString(1, asker.sink());
            noted.setString(2, asker.table());
            noted.setString(3, key);
            noted.setString(4, key);
            noted.setString(5, asker.schema());
            try (ResultSet row = noted.executeQuery()) {
                if (row.next()) {
                    return true;
                }
            }
        }
        return false;
    }

    private static Place place(PreparedStatement select) throws SQLException {
        try (ResultSet row = select.executeQuery()) {
            return row.next() ? new Place(row.getLong(1), row.getLong(2)) : null;
        }
    }

    enum Outcome {
        /** It is no longer here. */
        DELIVERED,
        /** It was tried and failed; another attempt follows. */
        FAILED,
        /** It was tried for the last time. */
        DEAD,
        /** It came back without an attempt: the sink takes nothing at present. */
        NOT_TRIED
    }

    /** After a redrive: deletes the delivery, unless it was parked again meanwhile; then says when it is due. */
    Outcome finish(Session session, long id, Taken taken, boolean settled, Schedule schedule, Duration pause)
            throws SQLException {
        if (settled) {
            PreparedStatement delete = session.statement("DELETE FROM dead_letters WHERE id = ? AND parkings = ?");
            delete.setLong(1, id);
            delete.setInt(2, taken.parkings());
            if (delete.executeUpdate() > 0) {
                return Outcome.DELIVERED;
            }
        }
        PreparedStatement select = session.statement("SELECT redrives, state FROM dead_letters WHERE id = ?");
        select.setLong(1, id);
        int redrives;
        try (ResultSet row = select.executeQuery()) {
            if (!row.next()) {
                return Outcome.DELIVERED; // or discarded by hand meanwhile
            }
            redrives = row.getInt(1);
            if (State.of(row.getString(2)) == State.DEAD) {
                return Outcome.DEAD; // its lane refused it
            }
        }
        boolean tried = redrives > taken.redrives();
        Optional<Duration> wait =
                tried ? schedule.after(redrives, java.util.concurrent.ThreadLocalRandom.current()) : Optional.of(pause);
        PreparedStatement update = session.statement(
                "UPDATE dead_letters SET next_attempt = ?, state = ? WHERE id = ? AND state = 'parked'");
        setTime(update, 1, wait.map(Instant.now()::plus).orElse(null));
        update.setString(2, (wait.isPresent() ? State.PARKED : State.DEAD).text());
        update.setLong(3, id);
        update.executeUpdate();
        if (wait.isEmpty()) {
            note(session, id);
        }
        return !tried ? Outcome.NOT_TRIED : wait.isPresent() ? Outcome.FAILED : Outcome.DEAD;
    }

    // What a sink has to be told.

    /** A delivery that its sink never gets, or not in its turn. */
    record Notice(long id, ChangeEvent event, String headers) {}

    /**
     * Whether a sink is told of what becomes dead or is discarded; kept in the store, so that it holds also for what is discarded
     * without a service. Blocks.
     */
    void tellOfDead(String sink, boolean told) throws SQLException {
        if (told == (store.meta(TOLD + sink) != null)) {
            return;
        }
        if (told) {
            store.setMeta(TOLD + sink, "yes");
            return;
        }
        store.write(
                session -> {
                    PreparedStatement no = session.statement("DELETE FROM walroute_meta WHERE key = ?");
                    no.setString(1, TOLD + sink);
                    no.executeUpdate();
                    PreparedStatement none = session.statement("DELETE FROM dead_letter_notices WHERE sink = ?");
                    none.setString(1, sink);
                    none.executeUpdate();
                },
                WAIT);
    }

    private static void note(Session session, long id) throws SQLException {
        PreparedStatement note = session.statement(NOTE_ONE);
        note.setLong(1, id);
        note.executeUpdate();
    }

    /** The next of which a sink has still to be told. */
    List<Notice> notices(String sink, int most) throws SQLException {
        return query(
                "SELECT id, event, headers FROM dead_letter_notices WHERE sink = ? ORDER BY id LIMIT " + most,
                row -> new Notice(
                        row.getLong(1),
                        ChangeEvent.fromJson(row.getString(2).getBytes(StandardCharsets.UTF_8)),
                        row.getString(3)),
                sink);
    }

    /** Its followers may go on. */
    void told(Session session, long id) throws SQLException {
        PreparedStatement delete = session.statement("DELETE FROM dead_letter_notices WHERE id = ?");
        delete.setLong(1, id);
        delete.executeUpdate();
    }

    // What people and other components ask.

    /** The first {@code most} that the filter lets through, those that failed last first. */
    public List<DeadLetter> list(DeadLetterFilter filter, int most) throws SQLException {
        var values = new ArrayList<Object>();
        String sql = "SELECT * FROM dead_letters WHERE " + filter.where(values)
                + " ORDER BY last_failure DESC, id DESC LIMIT " + most;
        return query(sql, this::letter, values.toArray());
    }

    /** As {@link #list}, without their events and headers, which may be large: these are empty. */
    public List<DeadLetter> summaries(DeadLetterFilter filter, int most) throws SQLException {
        var values = new ArrayList<Object>();
        String sql = SUMMARY + filter.where(values) + " ORDER BY last_failure DESC, id DESC LIMIT " + most;
        return query(sql, this::letter, values.toArray());
    }

    /** Summaries in the order of their ids, behind {@code after} and up to {@code last}. */
    public List<DeadLetter> page(DeadLetterFilter filter, long after, long last, int most) throws SQLException {
        var values = new ArrayList<Object>();
        String sql = SUMMARY + filter.where(values) + " AND id > ? AND id <= ? ORDER BY id LIMIT " + most;
        values.add(after);
        values.add(last);
        return query(sql, this::letter, values.toArray());
    }

    /** The highest id in use; 0 if there is none. */
    public long lastId() throws SQLException {
        return query("SELECT coalesce(max(id), 0) FROM dead_letters", rows -> rows.getLong(1))
                .get(0);
    }

    public Optional<DeadLetter> get(long id) throws SQLException {
        return query("SELECT * FROM dead_letters WHERE id = ?", this::letter, id).stream()
                .findFirst();
    }

    public List<Count> counts() throws SQLException {
        return query(
                "SELECT sink, state, count(*) FROM dead_letters GROUP BY sink, state ORDER BY sink, state",
                rows -> new Count(rows.getString(1), State.of(rows.getString(2)), rows.getLong(3)));
    }

    public long count(DeadLetterFilter filter) throws SQLException {
        var values = new ArrayList<Object>();
        String sql = "SELECT count(*) FROM dead_letters WHERE " + filter.where(values);
        return query(sql, rows -> rows.getLong(1), values.toArray()).get(0);
    }

    /** Deletes one for good: its sink never gets that change. Returns whether it was there. */
    public boolean discard(long id) throws SQLException {
        return !discard(List.of(id), none -> false).isEmpty();
    }

    /** Deletes all that the filter lets through, for good. Returns how many. */
    public int discard(DeadLetterFilter filter) throws SQLException {
        var values = new ArrayList<Object>();
        String which = "SELECT id FROM dead_letters WHERE " + filter.where(values);
        return discard(query(which, row -> row.getLong(1), values.toArray()), none -> false)
                .size();
    }

    /** Lets one be sent again at once, a dead one too. Returns whether it was there. */
    public boolean markDue(long id) throws SQLException {
        return update("UPDATE dead_letters SET next_attempt = ?, state = 'parked' WHERE id = ?", Instant.now(), id) > 0;
    }

    /** Lets all that the filter lets through be sent again at once, dead ones too. Returns how many. */
    public int markDue(DeadLetterFilter filter) throws SQLException {
        var values = new ArrayList<Object>(List.of(Instant.now()));
        return update(
                "UPDATE dead_letters SET next_attempt = ?, state = 'parked' WHERE " + filter.where(values),
                values.toArray());
    }

    /**
     * Lets these be sent again at once, dead ones too. What is parked before one of them of its key is due as well: it goes
     * first.
     *
     * @return those that there are
     */
    public Set<Long> redrive(List<Long> ids) throws SQLException {
        var there = new HashSet<Long>();
        store.write(
                session -> {
                    there.clear();
                    for (Long id : ids) {
                        if (redrive(session, id)) {
                            there.add(id);
                        }
                    }
                },
                WAIT);
        return there;
    }

    private boolean redrive(Session session, long id) throws SQLException {
        PreparedStatement due =
                session.statement("UPDATE dead_letters SET next_attempt = ?, state = 'parked' WHERE id = ?");
        setTime(due, 1, Instant.now());
        due.setLong(2, id);
        if (due.executeUpdate() == 0) {
            return false;
        }
        PreparedStatement earlier =
                session.statement("UPDATE dead_letters SET next_attempt = ? WHERE id IN (SELECT e.id"
                        + " FROM dead_letters e JOIN dead_letters d ON e.sink = d.sink AND e.table_name = d.table_name"
                        + " AND substr(e.key_text, 1, 200) = substr(d.key_text, 1, 200) AND e.key_text = d.key_text"
                        + " AND e.schema_name = d.schema_name WHERE d.id = ? AND e.state = 'parked'"
                        + " AND (coalesce(e.seq, 0), e.id) < (coalesce(d.seq, 0), d.id)) AND next_attempt > ?");
        setTime(earlier, 1, Instant.now());
        earlier.setLong(2, id);
        setTime(earlier, 3, Instant.now());
        earlier.executeUpdate();
        return true;
    }

    /** Lets all that is parked for a sink be sent again at once. Returns how many weren't due. */
    int allDue(Session session, String sink) throws SQLException {
        PreparedStatement due = session.statement("UPDATE dead_letters SET next_attempt = ? WHERE sink = ?"
                + " AND state = 'parked' AND next_attempt > ?");
        Instant now = Instant.now();
        setTime(due, 1, now);
        due.setString(2, sink);
        setTime(due, 3, now);
        return due.executeUpdate();
    }

    /**
     * Deletes these for good.
     *
     * @param except asked on the store's thread: what it is true for stays
     * @return the sinks of those that were deleted, by id
     */
    public Map<Long, String> discard(List<Long> ids, LongPredicate except) throws SQLException {
        var gone = new HashMap<Long, String>();
        store.write(
                session -> {
                    gone.clear();
                    for (Long id : ids) {
                        if (!except.test(id)) {
                            discard(session, id, gone);
                        }
                    }
                },
                WAIT);
        return gone;
    }

    private static void discard(Session session, long id, Map<Long, String> gone) throws SQLException {
        PreparedStatement select = session.statement("SELECT sink FROM dead_letters WHERE id = ?");
        select.setLong(1, id);
        try (ResultSet row = select.executeQuery()) {
            if (!row.next()) {
                return;
            }
            gone.put(id, row.getString(1));
        }
        note(session, id);
        PreparedStatement delete = session.statement("DELETE FROM dead_letters WHERE id = ?");
        delete.setLong(1, id);
        delete.executeUpdate();
    }

    @Override
    public boolean forEachParkedKey(String sink, int most, Consumer<String> taker) {
        // Noted ones last: what is parked now may be noted a moment later, but not the other way round.
        return forEachKey(sink, "dead_letters WHERE sink = ? AND state = 'parked'", most, taker)
                && forEachKey(sink, "dead_letter_notices WHERE sink = ?", most, taker);
    }

    private boolean forEachKey(String sink, String from, int most, Consumer<String> taker) {
        // Sorted by no more than the databases need; the driver hands out a part at a time only inside a transaction.
        String sql = "SELECT DISTINCT schema_name, table_name, key_text, old_key_text FROM " + from + " LIMIT "
                + (most + 1L);
        try {
            return store.read(connection -> {
                connection.setAutoCommit(store.isSqlite());
                try (var select = connection.prepareStatement(sql)) {
                    select.setFetchSize(store.isSqlite() ? 0 : PAGE_ROWS);
                    select.setString(1, sink);
                    return takeKeys(select, most, taker);
                } finally {
                    connection.setAutoCommit(true);
                }
            });
        } catch (SQLException e) {
            throw new IllegalStateException("The dead letters of " + sink + " can't be read: " + e.getMessage(), e);
        }
    }

    private static boolean takeKeys(PreparedStatement select, int most, Consumer<String> taker) throws SQLException {
        int taken = 0;
        try (ResultSet rows = select.executeQuery()) {
            while (rows.next()) {
                if (++taken > most) {
                    return false;
                }
                taker.accept(ParkedKeys.key(rows.getString(1), rows.getString(2), rows.getString(3)));
                if (rows.getString(4) != null) {
                    taker.accept(ParkedKeys.key(rows.getString(1), rows.getString(2), rows.getString(4)));
                }
            }
        }
        return true;
    }

    private DeadLetter letter(ResultSet row) throws SQLException {
        long seq = row.getLong("seq");
        Long seqOrNull = row.wasNull() ? null : seq;
        return new DeadLetter(
                row.getLong("id"),
                row.getString("sink"),
                row.getString("event_id"),
                seqOrNull,
                row.getString("lsn"),
                row.getLong("xid"),
                row.getString("schema_name"),
                row.getString("table_name"),
                row.getString("operation"),
                row.getString("key"),
                row.getString("route"),
                row.getString("endpoint"),
                row.getInt("attempts"),
                row.getInt("redrives"),
                time(row, row.findColumn("first_failure")),
                time(row, row.findColumn("last_failure")),
                time(row, row.findColumn("next_attempt")),
                row.getString("cause"),
                State.of(row.getString("state")),
                row.getString("event"),
                row.getString("headers"),
                AttemptLog.read(row.getString("attempt_log")));
    }

    private interface RowReader<T> {
        T read(ResultSet row) throws SQLException;
    }

    private <T> List<T> query(String sql, RowReader<T> reader, Object... values) throws SQLException {
        return store.read(connection -> {
            try (var select = connection.prepareStatement(sql)) {
                bind(select, values);
                var found = new ArrayList<T>();
                try (ResultSet rows = select.executeQuery()) {
                    while (rows.next()) {
                        found.add(reader.read(rows));
                    }
                }
                return found;
            }
        });
    }

    private int update(String sql, Object... values) throws SQLException {
        var rows = new AtomicInteger();
        store.write(
                session -> {
                    PreparedStatement update = session.statement(sql);
                    bind(update, values);
                    rows.set(update.executeUpdate());
                },
                WAIT);
        return rows.get();
    }

    private void bind(PreparedStatement statement, Object... values) throws SQLException {
        for (int i = 0; i < values.length; i++) {
            if (values[i] instanceof Instant time) {
                setTime(statement, i + 1, time);
            } else {
                statement.setObject(i + 1, values[i]);
            }
        }
    }

    private void setTime(PreparedStatement statement, int index, Instant time) throws SQLException {
        if (store.isSqlite()) {
            statement.setString(index, time == null ? null : MICROSECONDS.format(time));
        } else {
            statement.setObject(
                    index,
                    time == null ? null : OffsetDateTime.ofInstant(time, ZoneOffset.UTC),
                    java.sql.Types.TIMESTAMP_WITH_TIMEZONE);
        }
    }

    private Instant time(ResultSet row, int column) throws SQLException {
        if (store.isSqlite()) {
            String text = row.getString(column);
            return text == null ? null : Instant.parse(text);
        }
        OffsetDateTime time = row.getObject(column, OffsetDateTime.class);
        return time == null ? null : time.toInstant();
    }
}
