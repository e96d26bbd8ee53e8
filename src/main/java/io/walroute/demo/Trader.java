package io.walroute.demo;

import io.walroute.demo.Holdings.Listing;
import io.walroute.demo.Holdings.Name;
import io.walroute.demo.Holdings.Offer;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.SQLException;
import java.util.List;
import java.util.SplittableRandom;

/**
 * A participant of the marketplace: draws what to do next and does it. Its names, listings and offers are its own, so that
 * traders wait for each other only at the shared hot listings, of which a transaction changes at most one, as its last
 * statement: no deadlock among traders.
 *
 * <p>The service under test writes to the same rows (it ends listings of a name that changed hands), so every update
 * asks for the state it relies on and may find no row.
 */
final class Trader {
    private static final int MOST_NAMES = 400;
    private static final int MOST_OFFERS_OF_A_LISTING = 3;

    private final Trades trades;
    private final SplittableRandom random;
    private final MarketValues values;
    private final Holdings own;
    private final List<Long> sharedHotListings;

    Trader(Trades trades, SplittableRandom random, List<Long> sharedHotListings) {
        this.trades = trades;
        this.random = random;
        this.values = new MarketValues(random);
        this.own = new Holdings(random);
        this.sharedHotListings = sharedHotListings;
    }

    /** Runs the statements of one transaction, at most {@code most} row changes, and leaves commit or rollback to the caller. */
    void trade(int most) throws SQLException {
        int wish = Math.min(most, sizeOfTransaction());
        for (int attempt = 0; attempt < 2 * wish && trades.changes() < wish; attempt++) {
            act(wish - trades.changes());
            if (attempt == 0 && random.nextInt(20) == 0) {
                trades.takenBack(() -> act(1));
            }
        }
        if (trades.changes() < wish && random.nextInt(3) == 0) {
            repriceSharedListing();
        }
    }

    private int sizeOfTransaction() {
        int draw = random.nextInt(100);
        return draw < 50 ? 1 + random.nextInt(2) : draw < 90 ? 2 + random.nextInt(4) : 6 + random.nextInt(15);
    }

    private void act(int room) throws SQLException {
        int draw = own.active.size() < 5 ? 0 : random.nextInt(100);
        if (draw < 14) {
            list(room);
        } else if (draw < 42) {
            reprice();
        } else if (draw < 44) {
            describe();
        } else if (draw < 62) {
            offer();
        } else if (draw < 66) {
            accept(room);
        } else if (draw < 71) {
            expireOffer();
        } else if (draw < 76) {
            deleteOffer();
        } else if (draw < 80) {
            cancel();
        } else if (draw < 84) {
            deletePastListing(room);
        } else if (draw < 88) {
            transfer();
        } else {
            openSeaEvent();
        }
    }

    private Name register() throws SQLException {
        var name = new Name(values.tokenId(), values.name(), values.address());
        // A second run with the same seed meets its own names again.
        trades.update("ens_names.INSERT", """
                INSERT INTO ens_names (token_id, name, owner_address, expiry_date, updated_at)
                VALUES (?, ?, ?, now() + ? * interval '1 day', now())
                ON CONFLICT (token_id) DO UPDATE SET owner_address = excluded.owner_address, updated_at = now()""", name.tokenId, name.text, name.owner, 30 + random.nextInt(1000));
        trades.onCommit(() -> own.names.add(name));
        return name;
    }

    private void list(int room) throws SQLException {
        Name name =
                own.names.size() < MOST_NAMES && room > 1 && random.nextInt(3) > 0 ? register() : own.any(own.names);
        if (name == null) {
            register();
            return;
        }
        if (name.listing != null || !trades.touch(name)) {
            return;
        }
        BigInteger price = values.price();
        long id = trades.insert(
                "listings.INSERT",
                """
                INSERT INTO listings (token_id, ens_name, seller_address, price_wei, currency, status, expires_at, metadata,
                                      created_at, updated_at)
                VALUES (?, ?, ?, ?, ?, 'active', now() + ? * interval '1 hour', ?::jsonb, now(), now()) RETURNING id""",
                name.tokenId,
                name.text,
                name.owner,
                new BigDecimal(price),
                values.currency(),
                1 + random.nextInt(24 * 30),
                values.metadata());
        var listing = new Listing(id, name, name.owner, price);
        trades.onCommit(() -> {
            own.list(listing);
            if (own.active.size() <= 2 && sharedHotListings.size() < 16) {
                sharedHotListings.add(id);
            }
        });
    }

    private void reprice() throws SQLException {
        Listing listing = own.hot(own.active);
        if (!trades.touch(listing)) {
            return;
        }
        BigInteger price = values.newPrice(listing.price);
        int rows = trades.update(
                "listings.UPDATE",
                "UPDATE listings SET price_wei = ?, updated_at = now() WHERE id = ? AND status = 'active'",
                new BigDecimal(price),
                listing.id);
        trades.onCommit(() -> {
            if (rows == 0) {
                own.end(listing);
            } else {
                listing.price = price;
            }
        });
    }

    private void repriceSharedListing() throws SQLException {
        Long id = own.any(sharedHotListings);
        if (id != null) {
            trades.update(
                    "listings.UPDATE",
                    "UPDATE listings SET price_wei = price_wei + ?, updated_at = now() WHERE id = ?",
                    new BigDecimal(BigInteger.TEN.pow(random.nextInt(16))),
                    id);
        }
    }

    private void describe() throws SQLException {
        Listing listing = own.any(own.active);
        if (trades.touch(listing)) {
            trades.update(
                    "listings.UPDATE",
                    "UPDATE listings SET metadata = ?::jsonb, updated_at = now() WHERE id = ?",
                    values.metadata(random.nextBoolean()),
                    listing.id);
        }
    }

    private void offer() throws SQLException {
        Listing listing = own.hot(own.active);
        if (listing.offers >= MOST_OFFERS_OF_A_LISTING || !trades.touch(listing)) {
            return;
        }
        String buyer = values.address();
        long id = trades.insert(
                "offers.INSERT",
                """
                INSERT INTO offers (listing_id, ens_name, buyer_address, amount_wei, status, expires_at, created_at)
                VALUES (?, ?, ?, ?, 'pending', now() + ? * interval '1 minute', now()) RETURNING id""",
                listing.id,
                listing.name.text,
                buyer,
                new BigDecimal(values.offerFor(listing.price)),
                1 + random.nextInt(24 * 60));
        trades.onCommit(() -> {
            own.pending.add(new Offer(id, listing, buyer));
            listing.offers++;
        });
    }

    private void accept(int room) throws SQLException {
        Offer offer = own.any(own.pending);
        if (offer == null || room < 3 || !own.active.contains(offer.listing()) || !trades.touch(offer)) {
            return;
        }
        Listing listing = offer.listing();
        if (!trades.touch(listing) || !trades.touch(listing.name)) {
            return;
        }
        int sold = endListing(listing, "sold");
        if (sold == 0) {
            return;
        }
        trades.update("offers.UPDATE", "UPDATE offers SET status = 'accepted' WHERE id = ?", offer.id());
        trades.onCommit(() -> own.close(offer));
        changeOwner(listing.name, offer.buyer());
    }

    private void expireOffer() throws SQLException {
        Offer offer = own.any(own.pending);
        if (offer != null && trades.touch(offer)) {
            trades.update(
                    "offers.UPDATE",
                    "UPDATE offers SET status = 'expired', expires_at = now() WHERE id = ? AND status = 'pending'",
                    offer.id());
            trades.onCommit(() -> own.close(offer));
        }
    }

    private void deleteOffer() throws SQLException {
        Offer offer = own.any(own.closed);
        if (offer != null && trades.touch(offer)) {
            deleteOffer(offer);
        }
    }

    private void deleteOffer(Offer offer) throws SQLException {
        trades.update("offers.DELETE", "DELETE FROM offers WHERE id = ?", offer.id());
        trades.onCommit(() -> {
            own.pending.remove(offer);
            own.closed.remove(offer);
            offer.listing().offers--;
        });
    }

    private void cancel() throws SQLException {
        Listing listing = own.any(own.active);
        if (!isShared(listing) && trades.touch(listing)) {
            endListing(listing, "cancelled");
        }
    }

    private int endListing(Listing listing, String status) throws SQLException {
        int rows = trades.update(
                "listings.UPDATE",
                "UPDATE listings SET status = ?, updated_at = now() WHERE id = ? AND status = 'active'",
                status,
                listing.id);
        trades.onCommit(() -> own.end(listing));
        return rows;
    }

    /** With its offers before it. */
    private void deletePastListing(int room) throws SQLException {
        Listing listing = own.any(own.past);
        if (listing == null || isShared(listing) || room < 1 + listing.offers || !trades.touch(listing)) {
            return;
        }
        for (Offer offer : offersOf(listing)) {
            if (!trades.touch(offer)) {
                return;
            }
            deleteOffer(offer);
        }
        trades.update("listings.DELETE", "DELETE FROM listings WHERE id = ?", listing.id);
        trades.onCommit(() -> own.past.remove(listing));
    }

    private List<Offer> offersOf(Listing listing) {
        return java.util.stream.Stream.concat(own.pending.stream(), own.closed.stream())
                .filter(offer -> offer.listing() == listing)
                .toList();
    }

    /** The service ends the old owner's listing of it. */
    private void transfer() throws SQLException {
        Name name = own.any(own.names);
        if (name != null && trades.touch(name)) {
            changeOwner(name, values.address());
        }
    }

    private void changeOwner(Name name, String owner) throws SQLException {
        trades.update(
                "ens_names.UPDATE",
                "UPDATE ens_names SET owner_address = ?, updated_at = now() WHERE token_id = ?",
                owner,
                name.tokenId);
        trades.onCommit(() -> {
            name.owner = owner;
            if (name.listing != null) {
                own.end(name.listing);
            }
        });
    }

    /** What an indexer of OpenSea's stream writes; the records it concerns are updated by the service. */
    private void openSeaEvent() throws SQLException {
        Listing listing = own.any(own.active);
        if (isShared(listing) || !trades.touch(listing) || !trades.touch(listing.name)) {
            return;
        }
        switch (random.nextInt(4)) {
            case 0 -> {
                String buyer = values.address();
                event(listing.name, "sale", OpenSeaPayload.sale(values.orderHash(), listing, buyer, values.currency()));
                ends(listing, buyer);
            }
            case 1 -> {
                String to = values.address();
                event(listing.name, "transfer", OpenSeaPayload.transfer(listing.name.owner, to));
                ends(listing, to);
            }
            case 2 ->
                event(
                        listing.name,
                        "listing",
                        OpenSeaPayload.listing(listing, values.newPrice(listing.price), values.currency()));
            default -> {
                event(listing.name, "cancel", OpenSeaPayload.cancel(listing));
                ends(listing, listing.name.owner);
            }
        }
    }

    private void event(Name name, String type, String payload) throws SQLException {
        trades.update(
                "opensea_events.INSERT",
                "INSERT INTO opensea_events (event_type, token_id, payload, created_at) VALUES (?, ?, ?::jsonb, now())",
                type,
                name.tokenId,
                payload);
    }

    private void ends(Listing listing, String owner) {
        trades.onCommit(() -> {
            own.end(listing);
            listing.name.owner = owner;
        });
    }

    private boolean isShared(Listing listing) {
        return sharedHotListings.contains(listing.id);
    }
}
