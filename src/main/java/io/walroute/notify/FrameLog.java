package io.walroute.notify;

import io.walroute.store.Store;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * The table {@code frames}: what was sent, in the order it is sent in. A frame's id is its position; ids rise, with holes, and
 * are never used again, which is why the newest frame is never pruned.
 *
 * <p>Appending is for any thread. Reading is for one, the hub's; pruning for one other.
 */
final class FrameLog {
    /** Frames {@code after < id <= upTo}: all of them, unless {@code full}: then more may follow. */
    record Chunk(List<Frame> frames, long upTo, long oldest, boolean full) {
        /** Whether frames after that position may have been pruned before they were read. */
        boolean misses(long position) {
            return position < oldest - 1;
        }
    }

    /** @param oldest the first id that is kept, 0 while there is none */
    record Bounds(long oldest, long newest) {}

    static final int CHUNK = 256;
    private static final int TAIL = 512;
    private static final long CHUNK_CHARS = 2L << 20;
    private static final int CACHED_CHUNKS = 32;
    private static final long CACHEABLE_CHARS = 512L << 10;
    private static final int PRUNED_AT_ONCE = 1000;
    private static final Duration PRUNE_PATIENCE = Duration.ofSeconds(30);

    /** SQLite has one writer at a time: several rows to a statement. OR FAIL: no journal of the statement's own. */
    private static final Store.Insert INSERT = new Store.Insert(
            "INSERT OR FAIL INTO frames (topic, event_id, frame, created_at) VALUES",
            "(?, ?, ?, ?)",
            "ON CONFLICT (topic, event_id) DO NOTHING");

    private final Store store;
    private final String insert;
    private final Map<Long, Chunk> recent = new LinkedHashMap<>(16, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Chunk> eldest) {
            return size() > CACHED_CHUNKS;
        }
    };

    FrameLog(Store store) {
        this.store = store;
        // The lock lets ids be drawn in commit order only: a reader that saw 12 will never meet an 11.
        insert = "INSERT INTO frames (topic, event_id, frame, created_at)"
                + " SELECT CAST(? AS text), CAST(? AS text), CAST(? AS text), CAST(? AS bigint)"
                + " FROM pg_advisory_xact_lock(hashtext('walroute frames'))"
                + " ON CONFLICT (topic, event_id) DO NOTHING";
    }

    void define() throws SQLException {
        String id = store.isSqlite()
                ? "integer PRIMARY KEY AUTOINCREMENT"
                : "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY";
        store.define("CREATE TABLE IF NOT EXISTS frames (id " + id + ", topic text NOT NULL, event_id text NOT NULL,"
                + " frame text NOT NULL, created_at bigint NOT NULL, UNIQUE (topic, event_id))");
    }

    boolean isShared() {
        return !store.isSqlite();
    }

    /** Logs a frame unless the topic has one of that event already: then it was sent, or will be. */
    void append(String topic, String eventId, String frame, Runnable onDisk, Consumer<Exception> onRefused) {
        long now = System.currentTimeMillis();
        store.submit(session -> append(session, topic, eventId, frame, now), onDisk, onRefused);
    }

    private void append(Store.Session session, String topic, String eventId, String frame, long now)
            throws SQLException {
        if (store.isSqlite()) {
            session.insert(INSERT, topic, eventId, frame, now);
            return;
        }
        PreparedStatement row = session.batchAfter(insert);
        row.setString(1, topic);
        row.setString(2, eventId);
        row.setString(3, frame);
        row.setLong(4, now);
        row.addBatch();
    }

    /** Logs that something may be missing here, in every topic. */
    void mark(Store.Session session, String id, String reason) throws SQLException {
        append(session, Frame.EVERY_TOPIC, id, reason, System.currentTimeMillis());
    }

    Bounds bounds() throws SQLException {
        return store.read(FrameLog::bounds);
    }

    private static Bounds bounds(Connection connection) throws SQLException {
        // As two subselects: SQLite finds min and max in one SELECT by reading the whole table.
        try (var select = connection.prepareStatement(
                        "SELECT (SELECT min(id) FROM frames), (SELECT max(id) FROM frames)");
                var row = select.executeQuery()) {
            row.next();
            return new Bounds(row.getLong(1), row.getLong(2));
        }
    }

    /** What comes after the position, for those who follow the log's end. */
    Chunk tail(long after) throws SQLException {
        return read(after, Long.MAX_VALUE, TAIL);
    }

    /**
     * Some of what comes after the position, for one that is behind {@code newest}. Chunks end at multiples of
     * {@link #CHUNK} and the latest are kept: after a restart all clients ask for about the same ones.
     */
    Chunk chunk(long after, long newest) throws SQLException {
        long end = (after / CHUNK + 1) * CHUNK;
        if (end > newest) {
            return read(after, newest, CHUNK);
        }
        Chunk whole = recent.get(end);
        if (whole == null) {
            whole = read(end - CHUNK, end, CHUNK);
            if (whole.upTo() < end || chars(whole) > CACHEABLE_CHARS) {
                return read(after, newest, CHUNK);
            }
            recent.put(end, whole);
        }
        return new Chunk(
                whole.frames().stream().filter(frame -> frame.id() > after).toList(), end, whole.oldest(), false);
    }

    /** For a log that was started anew: what was read belongs to the former one. */
    void forget() {
        recent.clear();
    }

    private static long chars(Chunk chunk) {
        return chunk.frames().stream().mapToLong(frame -> frame.text().length()).sum();
    }

    private Chunk read(long after, long upTo, int limit) throws SQLException {
        return store.read(connection -> {
            // PostgreSQL's driver fetches everything at once unless in a transaction; frames may be large.
            boolean streaming = isShared();
            if (streaming) {
                connection.setAutoCommit(false);
            }
            try {
                return read(connection, after, upTo, limit);
            } finally {
                if (streaming) {
                    connection.rollback();
                    connection.setAutoCommit(true);
                }
            }
        });
    }

    private static Chunk read(Connection connection, long after, long upTo, int limit) throws SQLException {
        List<Frame> frames = new ArrayList<>();
        boolean full = false;
        try (var select = connection.prepareStatement(
                "SELECT id, topic, frame FROM frames WHERE id > ? AND id <= ? ORDER BY id LIMIT ?")) {
            select.setLong(1, after);
            select.setLong(2, upTo);
            select.setInt(3, limit);
            select.setFetchSize(32);
            long chars = 0;
            try (var rows = select.executeQuery()) {
                while (!full && rows.next()) {
                    var frame = new Frame(rows.getLong(1), rows.getString(2), rows.getString(3));
                    frames.add(frame);
                    chars += frame.text().length();
                    full = frames.size() == limit || chars > CHUNK_CHARS;
                }
            }
        }
        long last = frames.isEmpty() ? after : frames.get(frames.size() - 1).id();
        boolean all = !full || last >= upTo;
        // Read after the rows: what is pruned in between is reported as missed, never missed in silence.
        long oldest = bounds(connection).oldest();
        return new Chunk(frames, all && upTo != Long.MAX_VALUE ? upTo : last, oldest, !all);
    }

    /**
     * Deletes frames older than {@code keep} and those beyond {@code maxFrames}, oldest first, a few at a time so that writes
     * come in between. Blocks.
     *
     * @return how many
     */
    long prune(Instant now, Duration keep, long maxFrames) throws SQLException {
        long expiredBefore = now.minus(keep).toEpochMilli();
        long beyond = beyond(maxFrames);
        long pruned = 0;
        List<Long> oldest;
        do {
            long tooMany = beyond - pruned;
            oldest = store.read(connection -> prunable(connection, expiredBefore, tooMany));
            if (!oldest.isEmpty()) {
                delete(oldest.get(oldest.size() - 1));
                pruned += oldest.size();
            }
        } while (oldest.size() == PRUNED_AT_ONCE);
        return pruned;
    }

    private long beyond(long maxFrames) throws SQLException {
        Bounds bounds = bounds();
        if (bounds.newest() - bounds.oldest() < maxFrames) {
            return 0;
        }
        return store.read(connection -> {
            try (var select = connection.prepareStatement("SELECT count(*) FROM frames");
                    var row = select.executeQuery()) {
                row.next();
                return row.getLong(1) - maxFrames;
            }
        });
    }

    /** The oldest ids that have to go: by their age, or as one of so many too many. Never the newest. */
    private static List<Long> prunable(Connection connection, long expiredBefore, long tooMany) throws SQLException {
        List<Long> ids = new ArrayList<>();
        try (var select = connection.prepareStatement("SELECT id, created_at FROM frames"
                + " WHERE id < (SELECT max(id) FROM frames) ORDER BY id LIMIT " + PRUNED_AT_ONCE)) {
            try (var rows = select.executeQuery()) {
                while (rows.next() && (rows.getLong(2) < expiredBefore || ids.size() < tooMany)) {
                    ids.add(rows.getLong(1));
                }
            }
        }
        return ids;
    }

    private void delete(long upTo) throws SQLException {
        store.write(
                session -> {
                    PreparedStatement delete = session.statement("DELETE FROM frames WHERE id <= ?");
                    delete.setLong(1, upTo);
                    delete.executeUpdate();
                },
                PRUNE_PATIENCE);
    }
}
