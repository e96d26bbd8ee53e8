package io.walroute.demo;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.SQLException;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A participant that works in bulk: puts some hundred listings into the marketplace and reprices them within one transaction, and
 * takes them out again in its next. Touches nobody else's rows. One thread's.
 */
final class Importer {
    private static final int MOST = 1000;
    private static final int LEAST = 100;

    private final Trades trades;
    private final SplittableRandom random;
    private final MarketValues values;
    private final int size;
    private List<Long> imported = List.of();

    /** @param perSecond a transaction is about as large as this, so that it doesn't silence its connection for long; 0 for no limit */
    Importer(Trades trades, SplittableRandom random, double perSecond) {
        this.trades = trades;
        this.random = random;
        this.values = new MarketValues(random);
        this.size = perSecond == 0 ? MOST : (int) Math.max(LEAST, Math.min(MOST, perSecond));
    }

    /** Runs the statements of one transaction, at most {@code most} row changes, and leaves commit or rollback to the caller. */
    void trade(int most) throws SQLException {
        int rows = Math.min(most, size);
        if (imported.isEmpty()) {
            take(rows);
        } else {
            remove(rows);
        }
    }

    private void take(int changes) throws SQLException {
        int rows = Math.max(1, changes / 2);
        List<Long> ids = trades.insertAll("listings.INSERT", """
                INSERT INTO listings (token_id, ens_name, seller_address, price_wei, currency, status, expires_at, metadata,
                                      created_at, updated_at)
                SELECT 'import-' || g, 'import' || g || '.eth', ?, g * 1000000000000000::numeric, 'ETH', 'active',
                       now() + interval '30 days', jsonb_build_object('lot', g), now(), now()
                FROM generate_series(1, ?) g RETURNING id""", values.address(), rows);
        reprice(ids.subList(0, changes - rows));
        trades.onCommit(() -> imported = ids);
    }

    private void reprice(List<Long> ids) throws SQLException {
        trades.update(
                "listings.UPDATE",
                "UPDATE listings SET price_wei = price_wei + ?, updated_at = now() WHERE id = ANY (?)",
                new BigDecimal(BigInteger.TEN.pow(random.nextInt(16))),
                ids.toArray(Long[]::new));
    }

    private void remove(int rows) throws SQLException {
        List<Long> gone = imported.subList(0, Math.min(rows, imported.size()));
        List<Long> left = imported.subList(gone.size(), imported.size());
        trades.update("listings.DELETE", "DELETE FROM listings WHERE id = ANY (?)", (Object) gone.toArray(Long[]::new));
        trades.onCommit(() -> imported = List.copyOf(left));
    }
}
