package io.walroute.change;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/**
 * A position in PostgreSQL's write-ahead log, as the 64 unsigned bits that the server counts in.
 *
 * <p>Along one row's changes it rises; across rows it does not follow commit order.
 */
public record Lsn(long value) implements Comparable<Lsn> {
    private static final Pattern TEXT = Pattern.compile("([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})");

    private static final byte[] DIGITS = "0123456789ABCDEF".getBytes(StandardCharsets.ISO_8859_1);

    /** The position before every other; PostgreSQL's {@code 0/0}, which it calls invalid. */
    public static final Lsn ZERO = new Lsn(0);

    /**
     * @param text PostgreSQL's own form, as {@code 0/17D5A48}
     * @throws IllegalArgumentException if it isn't of that form; the message says what was found and shows the form
     */
    public static Lsn parse(String text) {
        var match = TEXT.matcher(text.strip());
        if (!match.matches()) {
            throw new IllegalArgumentException("'" + text + "' is not an LSN. Write it as PostgreSQL does: 0/17D5A48");
        }
        return new Lsn(Long.parseLong(match.group(1), 16) << 32 | Long.parseLong(match.group(2), 16));
    }

    @Override
    public int compareTo(Lsn other) {
        return Long.compareUnsigned(value, other.value);
    }

    /** Bytes of WAL from {@code earlier} up to this position; negative if this one lies before. */
    public long minus(Lsn earlier) {
        return value - earlier.value;
    }

    /** PostgreSQL's form, upper case, without leading zeros: {@code 0/17D5A48}. */
    @Override
    public String toString() {
        int high = (int) (value >>> 32);
        int low = (int) value;
        byte[] text = new byte[digits(high) + 1 + digits(low)];
        put(low, text, text.length);
        text[digits(high)] = '/';
        put(high, text, digits(high));
        return new String(text, StandardCharsets.ISO_8859_1);
    }

    private static int digits(int number) {
        return Math.max(1, (35 - Integer.numberOfLeadingZeros(number)) / 4);
    }

    private static void put(int number, byte[] text, int end) {
        int from = end - digits(number);
        int rest = number;
        for (int i = end - 1; i >= from; i--) {
            text[i] = DIGITS[rest & 0xF];
            rest >>>= 4;
        }
    }
}
