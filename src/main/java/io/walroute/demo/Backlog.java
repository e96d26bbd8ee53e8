package io.walroute.demo;

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Many mixed changes in a short time: statements that change some dozen rows each, in transactions of one or a few of them.
 * About 45 % updates and 20 % inserts of listings, 25 % offers, and names, events and deletes. The same seed on the same
 * tables makes the same changes.
 */
final class Backlog {
    private static final int HOT_LISTINGS = 8;

    private final Connection connection;
    private final SplittableRandom random;
    private final long seed;
    private final Map<String, PreparedStatement> prepared = new HashMap<>();
    private long left;
    private long serial;
    private long names;
    private long firstListing;
    private long lastListing;
    private long firstOffer;
    private long lastOffer;

    Backlog(Connection connection, long seed) {
        this.connection = connection;
        this.seed = seed;
        this.random = new SplittableRandom(seed);
    }

    void make(long changes) throws SQLException {
        left = changes;
        connection.setAutoCommit(true);
        try (var s = connection.createStatement()) {
            // Nothing is lost by it but time: a crash of the server in the middle ends the benchmark anyhow.
            s.execute("SET synchronous_commit = off");
        }
        connection.setAutoCommit(false);
        try {
            while (left > 0) {
                round();
            }
            flush();
        } finally {
            for (PreparedStatement each : prepared.values()) {
                each.close();
            }
        }
    }

    /** What isn't flushed isn't decoded: one transaction that writes WAL, committed the slow way, flushes all before it. */
    private void flush() throws SQLException {
        try (var s = connection.createStatement()) {
            s.execute("SET synchronous_commit = on");
            s.execute("SELECT pg_logical_emit_message(true, 'walroute-backlog', '')");
        }
        connection.commit();
    }

    private void round() throws SQLException {
        registerNames(30);
        makeListings(100);
        connection.commit();
        for (int i = 0; i < 4; i++) {
            reprice(firstListing, lastListing, 45);
            connection.commit();
        }
        for (int i = 0; i < 12; i++) {
            long hot = firstListing + random.nextInt(HOT_LISTINGS);
            reprice(hot, hot + 1, 1);
            connection.commit();
        }
        makeOffers(80);
        connection.commit();
        answerOffers(40);
        changeOwners(15);
        connection.commit();
        makeEvents(20);
        connection.commit();
        endListings(20);
        connection.commit();
        deleteOffers(20);
        deleteListings(8);
        connection.commit();
    }

    private void registerNames(int rows) throws SQLException {
        int wanted = (int) Math.min(rows, left);
        names += wanted;
        left -= update("""
                INSERT INTO ens_names (token_id, name, owner_address, expiry_date, updated_at)
                SELECT 'b' || ? || '-' || g, 'name' || g || '.eth', '0x' || md5(? || g::text), now() + interval '1 year', now()
                FROM generate_series(?::bigint, ?::bigint) g
                ON CONFLICT (token_id) DO UPDATE SET updated_at = now()""", seed, "owner" + seed, names - wanted + 1, names);
    }

    private void makeListings(int rows) throws SQLException {
        long from = next(rows);
        long[] ids = insert("""
                WITH made AS (
                  INSERT INTO listings (token_id, ens_name, seller_address, price_wei, currency, status, expires_at, metadata,
                                        created_at, updated_at)
                  SELECT 'b' || ? || '-' || g % ? + 1, 'name' || g % 1000 || '.eth', '0x' || md5('seller' || g),
                         (g * 7919 % 100000 + 10) * 1000000000000000::numeric, 'ETH', 'active', now() + interval '30 days',
                         CASE WHEN g % 500 = 0
                           THEN jsonb_build_object('history', (SELECT string_agg(md5(g || '-' || n), '') FROM generate_series(1, 250) n))
                           ELSE jsonb_build_object('image', 'ipfs://' || md5('image' || g), 'views', g % 977) END,
                         now(), now()
                  FROM generate_series(?::bigint, ?::bigint) g RETURNING id)
                SELECT count(*), min(id), max(id) FROM made""", seed, Math.max(1, names), from, serial);
        if (ids[0] > 0) {
            firstListing = firstListing == 0 ? ids[1] : firstListing;
            lastListing = ids[2];
        }
    }

    private void makeOffers(int rows) throws SQLException {
        long from = next(rows);
        long[] ids = insert("""
                WITH made AS (
                  INSERT INTO offers (listing_id, ens_name, buyer_address, amount_wei, status, expires_at, created_at)
                  SELECT ? + g * 31 % ?, 'name' || g % 1000 || '.eth', '0x' || md5('buyer' || g),
                         (g * 6007 % 90000 + 10) * 1000000000000000::numeric, 'pending', now() + interval '3 days', now()
                  FROM generate_series(?::bigint, ?::bigint) g RETURNING id)
                SELECT count(*), min(id), max(id) FROM made""", firstListing, Math.max(1, lastListing - firstListing), from, serial);
        if (ids[0] > 0) {
            firstOffer = firstOffer == 0 ? ids[1] : firstOffer;
            lastOffer = ids[2];
        }
    }

    private void makeEvents(int rows) throws SQLException {
        long from = next(rows);
        left -= update(
                """
                INSERT INTO opensea_events (event_type, token_id, payload, created_at)
                SELECT CASE g % 2 WHEN 0 THEN 'transfer' ELSE 'cancel' END, 'b' || ? || '-' || g % ? + 1,
                       CASE g % 2 WHEN 0
                         THEN jsonb_build_object('from', '0x' || md5('from' || g), 'to', '0x' || md5('to' || g))
                         ELSE jsonb_build_object('listing_id', ? + g % ?) END,
                       now()
                FROM generate_series(?::bigint, ?::bigint) g""", seed, Math.max(1, names), firstListing, Math.max(1, lastListing - firstListing), from, serial);
    }

    private void reprice(long first, long last, int rows) throws SQLException {
        onRange(
                "UPDATE listings SET price_wei = price_wei + ?, updated_at = now() WHERE id >= ? AND id < ?",
                first,
                last,
                rows,
                BigDecimal.valueOf(1 + random.nextInt(1_000_000))
                        .movePointRight(10)
                        .setScale(0));
    }

    private void endListings(int rows) throws SQLException {
        onRange(
                "UPDATE listings SET status = ?, updated_at = now() WHERE id >= ? AND id < ?",
                firstListing + HOT_LISTINGS,
                lastListing,
                rows,
                random.nextBoolean() ? "sold" : "cancelled");
    }

    private void answerOffers(int rows) throws SQLException {
        onRange(
                "UPDATE offers SET status = ? WHERE id >= ? AND id < ?",
                firstOffer,
                lastOffer,
                rows,
                random.nextBoolean() ? "accepted" : "expired");
    }

    private void changeOwners(int rows) throws SQLException {
        int wanted = (int) Math.min(rows, left);
        left -= update("""
                UPDATE ens_names SET owner_address = '0x' || md5(? || token_id), updated_at = now()
                WHERE token_id IN (SELECT 'b' || ? || '-' || ? + g FROM generate_series(0, ? - 1) g)""", "to" + random.nextInt(), seed, 1 + random.nextLong(Math.max(1, names - rows)), wanted);
    }

    private void deleteOffers(int rows) throws SQLException {
        onRange("DELETE FROM offers WHERE id >= ? AND id < ?", firstOffer, lastOffer, rows);
    }

    private void deleteListings(int rows) throws SQLException {
        onRange("DELETE FROM listings WHERE id >= ? AND id < ?", firstListing + HOT_LISTINGS, lastListing, rows);
    }

    /** A statement on at most so many rows from a random place between two ids; the last two parameters are the range. */
    private void onRange(String sql, long first, long last, int rows, Object... before) throws SQLException {
        long wanted = Math.min(rows, left);
        long start = first + random.nextLong(Math.max(1, last - first - rows + 1));
        Object[] parameters = java.util.Arrays.copyOf(before, before.length + 2);
        parameters[before.length] = start;
        parameters[before.length + 1] = start + wanted;
        left -= update(sql, parameters);
    }

    /** Takes serial numbers for new rows, up to {@link #serial}; no more than are wanted. */
    private long next(int rows) {
        long from = serial + 1;
        serial += Math.min(rows, left);
        return from;
    }

    private long[] insert(String sql, Object... parameters) throws SQLException {
        try (var rows = bind(sql, parameters).executeQuery()) {
            rows.next();
            left -= rows.getLong(1);
            return new long[] {rows.getLong(1), rows.getLong(2), rows.getLong(3)};
        }
    }

    private int update(String sql, Object... parameters) throws SQLException {
        return bind(sql, parameters).executeUpdate();
    }

    private PreparedStatement bind(String sql, Object... parameters) throws SQLException {
        PreparedStatement statement = prepared.get(sql);
        if (statement == null) {
            statement = connection.prepareStatement(sql);
            prepared.put(sql, statement);
        }
        for (int i = 0; i < parameters.length; i++) {
            statement.setObject(i + 1, parameters[i]);
        }
        return statement;
    }
}
