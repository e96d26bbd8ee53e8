package io.walroute.change;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Which epoch a place in the WAL belongs to. After a failover the server sends again what lies before the switch: those
 * changes keep the epoch, and so the id, that they had; what was written after it has the new one.
 *
 * <p>Immutable.
 */
public final class Epochs {
    /** @param from the first place that belongs to it */
    private record Start(long epoch, Lsn from) {}

    private final List<Start> starts;

    private Epochs(List<Start> starts) {
        this.starts = List.copyOf(starts);
    }

    /** One epoch for all LSNs. */
    public static Epochs all(long epoch) {
        return new Epochs(List.of(new Start(epoch, Lsn.ZERO)));
    }

    /**
     * The inverse of {@link #toString()}.
     *
     * @throws IllegalArgumentException if the text is not of that form
     */
    public static Epochs parse(String text) {
        List<Start> starts = new ArrayList<>();
        for (String each : text.split(",")) {
            String[] part = each.split("@");
            if (part.length != 2) {
                throw new IllegalArgumentException("'" + text + "' are no epochs");
            }
            starts.add(new Start(Long.parseLong(part[0]), Lsn.parse(part[1])));
        }
        return new Epochs(starts);
    }

    /** These, and a new epoch for all LSNs at or past {@code from}. */
    public Epochs then(long epoch, Lsn from) {
        List<Start> more = new ArrayList<>(
                starts.stream().filter(each -> each.from.compareTo(from) < 0).toList());
        more.add(new Start(epoch, from));
        return new Epochs(more);
    }

    public long at(Lsn lsn) {
        for (int i = starts.size() - 1; i > 0; i--) {
            if (starts.get(i).from.compareTo(lsn) <= 0) {
                return starts.get(i).epoch;
            }
        }
        return starts.get(0).epoch;
    }

    /** The newest. */
    public long last() {
        return starts.get(starts.size() - 1).epoch;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Epochs that && starts.equals(that.starts);
    }

    @Override
    public int hashCode() {
        return starts.hashCode();
    }

    @Override
    public String toString() {
        return starts.stream().map(each -> each.epoch + "@" + each.from).collect(Collectors.joining(","));
    }
}
