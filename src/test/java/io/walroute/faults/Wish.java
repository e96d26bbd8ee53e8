package io.walroute.faults;

import java.time.Duration;
import java.util.List;
import java.util.function.Predicate;

/**
 * What a WebSocket client asks for.
 *
 * @param members further members of its {@code subscribe}, as JSON, empty or beginning with a comma
 * @param wants the same for the oracle: which changes have to come
 * @param perFrame how long it takes for each frame, until the end of a cell
 */
record Wish(String name, String topic, String members, Predicate<Oracle.Audited> wants, Duration perFrame) {
    static final String TOPIC = "f";
    static final String TOPIC_OF_BIG = "f_big";

    /** Every change but those of the large loads. */
    static final Wish ALL = new Wish("all", "", Wish::isSmall);

    /** What clients of the cells about resumption ask for: large loads have a topic there, too. */
    static final List<Wish> MANY = List.of(
            ALL,
            new Wish("one row", ",\"filter\":{\"id\":\"3\"}", change -> isSmall(change) && hasId(change, 3, 3)),
            new Wish(
                    "some rows",
                    ",\"filter\":{\"id\":{\"lt\":8}},\"columns\":[\"id\"]",
                    change -> isSmall(change) && hasId(change, 0, 7)),
            new Wish("slow", TOPIC, "", Wish::isSmall, Duration.ofMillis(20)),
            new Wish("all topics", TOPIC + "*", "", change -> true, Duration.ZERO),
            new Wish("large", TOPIC_OF_BIG, "", change -> !isSmall(change), Duration.ZERO),
            new Wish(
                    "some of the large",
                    TOPIC_OF_BIG,
                    ",\"filter\":{\"n\":{\"gt\":15000,\"lte\":25000}}",
                    change -> !isSmall(change)
                            && Long.parseLong(change.n()) > 15_000
                            && Long.parseLong(change.n()) <= 25_000,
                    Duration.ZERO));

    static Wish named(String name) {
        return MANY.stream().filter(wish -> wish.name.equals(name)).findFirst().orElseThrow();
    }

    private Wish(String name, String members, Predicate<Oracle.Audited> wants) {
        this(name, TOPIC, members, wants, Duration.ZERO);
    }

    private static boolean isSmall(Oracle.Audited change) {
        return !change.table().equals(Workload.BIG);
    }

    /** A TRUNCATE has no row that a filter could be asked of. */
    private static boolean hasId(Oracle.Audited change, long least, long most) {
        return !change.operation().equals("TRUNCATE")
                && Long.parseLong(change.id()) >= least
                && Long.parseLong(change.id()) <= most;
    }
}
