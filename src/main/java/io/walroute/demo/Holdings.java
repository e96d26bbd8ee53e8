package io.walroute.demo;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** What one trader believes to be in the database: the names, listings and offers that only it changes. One thread's. */
final class Holdings {
    static final class Name {
        final String tokenId;
        final String text;
        String owner;
        Listing listing;

        Name(String tokenId, String text, String owner) {
            this.tokenId = tokenId;
            this.text = text;
            this.owner = owner;
        }
    }

    static final class Listing {
        final long id;
        final Name name;
        final String seller;
        BigInteger price;
        int offers;

        Listing(long id, Name name, String seller, BigInteger price) {
            this.id = id;
            this.name = name;
            this.seller = seller;
            this.price = price;
        }
    }

    record Offer(long id, Listing listing, String buyer) {}

    private final SplittableRandom random;
    final List<Name> names = new ArrayList<>();
    final List<Listing> active = new ArrayList<>();
    /** Sold, cancelled or ended: still rows, which a delete takes. */
    final List<Listing> past = new ArrayList<>();

    final List<Offer> pending = new ArrayList<>();
    final List<Offer> closed = new ArrayList<>();

    Holdings(SplittableRandom random) {
        this.random = random;
    }

    /** Early entries are drawn far more often than late ones: hot keys. Null from an empty list. */
    <T> T hot(List<T> from) {
        double skewed = Math.pow(random.nextDouble(), 3);
        return from.isEmpty() ? null : from.get((int) (skewed * from.size()));
    }

    <T> T any(List<T> from) {
        return from.isEmpty() ? null : from.get(random.nextInt(from.size()));
    }

    void list(Listing listing) {
        active.add(listing);
        listing.name.listing = listing;
    }

    /** The listing is no longer for sale, whatever the reason. */
    void end(Listing listing) {
        if (active.remove(listing)) {
            past.add(listing);
        }
        if (listing.name.listing == listing) {
            listing.name.listing = null;
        }
    }

    void close(Offer offer) {
        if (pending.remove(offer)) {
            closed.add(offer);
        }
    }
}
