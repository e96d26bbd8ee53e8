package io.walroute.cache;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** The Lua scripts beside this class; each change is one call of one of them, and Redis runs it whole or not at all. */
enum Script {
    APPLY,
    WRITE,
    BEFORE,
    TRUNCATE,
    SWEEP,
    PURGE,
    PRUNE,
    FORGET;

    private final byte[] source;
    private final String sha;

    Script() {
        String text = load("common") + load(name().toLowerCase(java.util.Locale.ROOT));
        source = text.getBytes(StandardCharsets.UTF_8);
        sha = sha1(source);
    }

    byte[] source() {
        return source.clone();
    }

    String sha() {
        return sha;
    }

    private static String load(String name) {
        try (var in = Script.class.getResourceAsStream(name + ".lua")) {
            if (in == null) {
                throw new IllegalStateException("the jar lacks io/walroute/cache/" + name + ".lua");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String sha1(byte[] source) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-1").digest(source));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-1", e);
        }
    }
}
