package io.walroute.demo;

import java.math.BigInteger;
import java.util.SplittableRandom;

/** Draws believable values: addresses, names, token ids, prices, metadata. Not for several threads. */
final class MarketValues {
    private static final String[] FIRST = {
        "golden", "silent", "lucky", "brave", "crypto", "frozen", "lunar", "solar", "velvet", "wild", "amber", "coral",
        "rapid", "noble", "misty", "stone", "iron", "paper", "river", "winter"
    };
    private static final String[] SECOND = {
        "falcon", "whale", "otter", "punk", "wizard", "panda", "tiger", "vault", "garden", "harbor", "comet", "ember",
        "forest", "island", "lotus", "raven", "sailor", "tulip", "walrus", "zebra"
    };
    private static final String[] CURRENCIES = {"ETH", "ETH", "WETH", "USDC"};
    private static final String HEX = "0123456789abcdef";
    private static final BigInteger MILLI_ETHER = BigInteger.TEN.pow(15);

    private final SplittableRandom random;

    MarketValues(SplittableRandom random) {
        this.random = random;
    }

    String address() {
        return "0x" + hex(40);
    }

    String orderHash() {
        return "0x" + hex(64);
    }

    /** A label hash as a decimal number, as ENS token ids are: up to 78 digits. */
    String tokenId() {
        return new BigInteger(hex(64), 16).toString();
    }

    String name() {
        return FIRST[random.nextInt(FIRST.length)] + SECOND[random.nextInt(SECOND.length)] + random.nextInt(100_000)
                + ".eth";
    }

    String currency() {
        return CURRENCIES[random.nextInt(CURRENCIES.length)];
    }

    /** From 0.01 to some 100 ether, small prices far more often. */
    BigInteger price() {
        double ether = 0.01 * Math.pow(10, random.nextDouble() * 4);
        return BigInteger.valueOf((long) (ether * 1000)).multiply(MILLI_ETHER);
    }

    BigInteger offerFor(BigInteger price) {
        return price.multiply(BigInteger.valueOf(50 + random.nextInt(50))).divide(BigInteger.valueOf(100));
    }

    BigInteger newPrice(BigInteger price) {
        long percent = 80 + random.nextInt(41);
        // One wei more: a price that comes out the same would be no change of price.
        return price.multiply(BigInteger.valueOf(percent))
                .divide(BigInteger.valueOf(100))
                .add(BigInteger.ONE);
    }

    /** jsonb; now and then so big that PostgreSQL stores it out of line (TOAST) and the WAL leaves it out of updates. */
    String metadata() {
        return metadata(random.nextInt(40) == 0);
    }

    String metadata(boolean big) {
        var json = new StringBuilder("{\"image\": \"ipfs://").append(hex(46)).append("\", \"traits\": [\"");
        json.append(FIRST[random.nextInt(FIRST.length)])
                .append("\", null], \"views\": ")
                .append(random.nextInt(5000));
        if (big) {
            json.append(", \"history\": \"")
                    .append(hex(4_000 + random.nextInt(36_000)))
                    .append('"');
        }
        return json.append('}').toString();
    }

    private String hex(int digits) {
        var text = new StringBuilder(digits);
        while (text.length() < digits) {
            long bits = random.nextLong();
            for (int i = 0; i < 16 && text.length() < digits; i++, bits >>>= 4) {
                text.append(HEX.charAt((int) (bits & 15)));
            }
        }
        return text.toString();
    }
}
