package io.walroute.change;

import java.util.HexFormat;

/**
 * How late a change of one row is: of two changes of the same row, the one with the greater version is the later.
 *
 * @param epoch rises when the server's LSNs may be used again (failover, restore, accepted gap)
 * @param lsn the row's own LSN
 * @param position the position among that table's changes at that LSN, from 0
 */
public record Version(long epoch, Lsn lsn, int position) implements Comparable<Version> {
    @Override
    public int compareTo(Version other) {
        int byEpoch = Long.compare(epoch, other.epoch);
        if (byEpoch != 0) {
            return byEpoch;
        }
        int byLsn = lsn.compareTo(other.lsn);
        return byLsn != 0 ? byLsn : Integer.compare(position, other.position);
    }

    /** Fixed-width hexadecimal, so that text order is version order (Redis compares it as text). */
    public String toText() {
        var hex = HexFormat.of();
        return hex.toHexDigits((int) epoch) + "-" + hex.toHexDigits(lsn.value()) + "-" + hex.toHexDigits(position);
    }

    /**
     * The inverse of {@link #toText()}.
     *
     * @throws IllegalArgumentException if the text is not of that form
     */
    public static Version parse(String text) {
        String[] parts = text.split("-");
        try {
            if (parts.length == 3) {
                return new Version(
                        Long.parseLong(parts[0], 16),
                        new Lsn(Long.parseUnsignedLong(parts[1], 16)),
                        Integer.parseUnsignedInt(parts[2], 16));
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("'" + text + "' is not a version", e);
        }
        throw new IllegalArgumentException("'" + text + "' is not a version");
    }
}
