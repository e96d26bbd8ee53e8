package io.walroute.change;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Makes a change's id from where it stands in the WAL: {@code epoch-lsn-table-position}.
 *
 * <p>An LSN alone is not enough: rows of one COPY, and the tables of one TRUNCATE, share theirs. The table stands in it as
 * eight bytes of a hash, since ids travel in HTTP headers and names may hold any character.
 */
final class EventId {
    private static final String READ = "r";
    private static final Map<String, String> HASHES = new ConcurrentHashMap<>();

    private EventId() {}

    static String of(Version version, String schema, String table) {
        return version.epoch()
                + "-"
                + Long.toHexString(version.lsn().value())
                + "-"
                + HASHES.computeIfAbsent(schema + '\0' + table, EventId::hash)
                + "-"
                + version.position();
    }

    /**
     * A backfill reads a row at no place in the WAL: in place of the position stands a hash of the backfill's name and the
     * row's key.
     */
    static String ofRead(Version version, String schema, String table, String backfill, String keyText) {
        var noPosition = new Version(version.epoch(), version.lsn(), 0);
        String id = of(noPosition, schema, table);
        return id.substring(0, id.length() - 1) + READ + hash(backfill + '\0' + keyText);
    }

    /** What an id tells of its version: all but the LSN, which an event carries itself. */
    static Version version(String id, Lsn lsn) {
        String[] part = id.split("-");
        if (part.length != 4) {
            return new Version(0, lsn, 0);
        }
        int position = part[3].startsWith(READ) ? 0 : Integer.parseInt(part[3]);
        return new Version(Long.parseLong(part[0]), lsn, position);
    }

    /** Deterministic: an id made after a restart must be the id that was made before it. */
    private static String hash(String name) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(name.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
