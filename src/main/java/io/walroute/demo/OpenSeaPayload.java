package io.walroute.demo;

import io.walroute.demo.Holdings.Listing;
import java.math.BigInteger;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * The {@code payload} of {@code opensea_events}, by {@code event_type}; modelled on OpenSea's stream events, flattened.
 * Amounts are strings, since JSON numbers lose digits; the token stands in the column {@code token_id}.
 *
 * <table>
 * <caption>Fields</caption>
 * <tr><td>sale</td><td>order_hash, listing_id, seller, buyer, price_wei, currency</td></tr>
 * <tr><td>transfer</td><td>from, to</td></tr>
 * <tr><td>listing</td><td>listing_id, seller, price_wei, currency, expires_at (ISO-8601, UTC)</td></tr>
 * <tr><td>cancel</td><td>listing_id</td></tr>
 * </table>
 */
final class OpenSeaPayload {
    private OpenSeaPayload() {}

    static String sale(String orderHash, Listing listing, String buyer, String currency) {
        return "{\"order_hash\": \"%s\", \"listing_id\": %d, \"seller\": \"%s\", \"buyer\": \"%s\", \"price_wei\": \"%s\", \"currency\": \"%s\"}"
                .formatted(orderHash, listing.id, listing.seller, buyer, listing.price, currency);
    }

    static String transfer(String from, String to) {
        return "{\"from\": \"%s\", \"to\": \"%s\"}".formatted(from, to);
    }

    static String listing(Listing listing, BigInteger price, String currency) {
        Instant expires = Instant.now().plus(30, ChronoUnit.DAYS).truncatedTo(ChronoUnit.SECONDS);
        return "{\"listing_id\": %d, \"seller\": \"%s\", \"price_wei\": \"%s\", \"currency\": \"%s\", \"expires_at\": \"%s\"}"
                .formatted(listing.id, listing.seller, price, currency, expires);
    }

    static String cancel(Listing listing) {
        return "{\"listing_id\": %d}".formatted(listing.id);
    }
}
