package io.walroute.slot;

import java.util.Locale;

/**
 * What PostgreSQL writes into the WAL of a row's old values on UPDATE and DELETE.
 *
 * @param index the index's name for {@link Kind#INDEX}, otherwise null
 */
public record ReplicaIdentity(Kind kind, String index) {
    /** In the words of {@code ALTER TABLE … REPLICA IDENTITY}, with the letter of {@code pg_class.relreplident}. */
    public enum Kind {
        DEFAULT('d'),
        FULL('f'),
        NOTHING('n'),
        INDEX('i');

        private final char letter;

        Kind(char letter) {
            this.letter = letter;
        }

        char letter() {
            return letter;
        }
    }

    public static final ReplicaIdentity FULL = new ReplicaIdentity(Kind.FULL, null);

    /** @throws IllegalArgumentException if it is none of {@code full}, {@code default}, {@code nothing}, {@code index:NAME} */
    public static ReplicaIdentity parse(String text) {
        if (text.regionMatches(true, 0, "index:", 0, 6) && text.length() > 6) {
            // An index has a name as a table has one; its schema is always the table's.
            return new ReplicaIdentity(
                    Kind.INDEX, TableName.parse(text.substring(6).strip()).table());
        }
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "full" -> FULL;
            case "default" -> new ReplicaIdentity(Kind.DEFAULT, null);
            case "nothing" -> new ReplicaIdentity(Kind.NOTHING, null);
            default ->
                throw new IllegalArgumentException(
                        "is not a replica identity. Write full, default, nothing or index:NAME");
        };
    }

    String sql() {
        return kind == Kind.INDEX ? "USING INDEX " + Quote.identifier(index) : kind.name();
    }

    @Override
    public String toString() {
        return kind == Kind.INDEX ? "index:" + index : kind.name().toLowerCase(Locale.ROOT);
    }
}
