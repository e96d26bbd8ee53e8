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
