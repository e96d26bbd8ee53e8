package io.walroute.notify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The tokens of a file, a JSON array of {@code {"token" or "sha256", "subject", "claims", "expires"}}. The file is read
 * again when it changed, on a thread of its own: it may lie where reading takes long, and event loops ask. One that can't be
 * read leaves the former tokens in force. Only digests are kept and looked up, so that neither memory nor the time it takes
 * tells a token. Safe to use from any thread.
 */
final class StaticTokens implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StaticTokens.class);
    private static final long LOOK_AGAIN_MILLIS = 1000;
    private static final int MIN_LENGTH = 16;
    private static final Set<String> MEMBERS = Set.of("token", "sha256", "subject", "claims", "expires");

    private record Entry(Claims claims, Instant expires) {
        boolean standsAt(Instant now) {
            return expires == null || now.isBefore(expires);
        }
    }

    private record Stamp(FileTime time, long size) {}

    private final Path file;
    private final ScheduledExecutorService reader = Executors.newSingleThreadScheduledExecutor(task -> {
        var thread = new Thread(task, "notify-tokens");
        thread.setDaemon(true);
        return thread;
    });
    private volatile Map<String, Entry> entries;
    private volatile String problem;
    /** The reader's, once it runs. */
    private Stamp stamp;

    StaticTokens(Path file) {
        this.file = file;
        try {
            stamp = stamp();
            entries = read();
        } catch (IOException e) {
            throw new IllegalArgumentException(message(e), e);
        }
        reader.scheduleWithFixedDelay(this::readIfChanged, LOOK_AGAIN_MILLIS, LOOK_AGAIN_MILLIS, TimeUnit.MILLISECONDS);
    }

    Optional<Identity> find(String token) throws Refused {
        String digest = digest(token);
        Entry entry = entries.get(digest);
        if (entry == null) {
            return Optional.empty();
        }
        if (!entry.standsAt(Instant.now())) {
            throw Refused.unproven("the token is expired");
        }
        return Optional.of(new Identity(entry.claims(), entry.expires(), () -> entry.equals(entries.get(digest))));
    }

    Optional<String> problem() {
        return Optional.ofNullable(problem);
    }

    @Override
    public void close() {
        reader.shutdownNow();
    }

    private void readIfChanged() {
        try {
            Stamp found = stamp();
            if (!found.equals(stamp) || problem != null) {
                entries = read();
                stamp = found;
                problem = null;
                LOG.info("walroute.notify.tokens was read again: {} tokens", entries.size());
            }
        } catch (IOException | RuntimeException e) {
            // Any: the reader ends with what it throws.
            String found = message(e) + ". The tokens read before stay in force";
            if (!found.equals(problem)) {
                LOG.warn("{}", found);
            }
            problem = found;
        }
    }

    private String message(Exception e) {
        String why = e instanceof Unusable
                ? e.getMessage()
                : "can't be read: " + e.getClass().getSimpleName();
        return "walroute.notify.tokens: the file " + file + " " + why;
    }

    private Stamp stamp() throws IOException {
        return new Stamp(Files.getLastModifiedTime(file), Files.size(file));
    }

    /** Its message goes on from the file's name, and holds nothing of what is in it. */
    private static final class Unusable extends IOException {
        private static final long serialVersionUID = 1;

        Unusable(String message) {
            super(message);
        }
    }

    private Map<String, Entry> read() throws IOException {
        JsonNode array;
        try {
            array = ClientMessage.JSON.readTree(Files.readAllBytes(file));
        } catch (JsonProcessingException e) {
            int line = e.getLocation() == null ? 0 : e.getLocation().getLineNr();
            throw new Unusable("is not JSON (line " + line + ")");
        }
        if (!array.isArray()) {
            throw new Unusable("holds no JSON array. Write [{\"token\": \"…\", \"subject\": \"…\", \"claims\": {}}]");
        }
        Map<String, Entry> read = new HashMap<>();
        for (int i = 0; i < array.size(); i++) {
            JsonNode each = array.get(i);
            String where = "has an entry (number " + (i + 1) + ") ";
            if (read.put(key(each, where), entry(each, where)) != null) {
                throw new Unusable(where + "whose token an earlier one has, too");
            }
        }
        return Map.copyOf(read);
    }

    private static String key(JsonNode entry, String where) throws Unusable {
        for (var names = entry.fieldNames(); names.hasNext(); ) {
            if (!MEMBERS.contains(names.next())) {
                throw new Unusable(where + "with a member other than token, sha256, subject, claims and expires");
            }
        }
        String token = entry.path("token").textValue();
        String sha256 = entry.path("sha256").textValue();
        if (token != null && sha256 == null && token.matches("[\\x21-\\x7e]{" + MIN_LENGTH + ",512}")) {
            return digest(token);
        }
        if (token == null && sha256 != null && sha256.matches("[0-9a-fA-F]{64}")) {
            return sha256.toLowerCase(Locale.ROOT);
        }
        throw new Unusable(where + "without a token of " + MIN_LENGTH
                + " or more printable ASCII characters, or its sha256 of 64 hexadecimal digits in its place");
    }

    private static Entry entry(JsonNode entry, String where) throws Unusable {
        String subject = entry.path("subject").textValue();
        if (subject == null || subject.isEmpty()) {
            throw new Unusable(where + "without a subject");
        }
        JsonNode claims = entry.path("claims");
        if (!claims.isMissingNode() && !claims.isObject()) {
            throw new Unusable(where + "whose claims are no JSON object");
        }
        ObjectNode all = claims.isMissingNode()
                ? com.fasterxml.jackson.databind.node.JsonNodeFactory.instance.objectNode()
                : claims.deepCopy();
        all.put(Claims.SUBJECT, subject);
        try {
            String expires = entry.path("expires").textValue();
            return new Entry(Claims.of(all), expires == null ? null : Instant.parse(expires));
        } catch (DateTimeParseException e) {
            throw new Unusable(where + "whose expires is no time such as 2027-01-31T00:00:00Z");
        }
    }

    private static String digest(String token) {
        try {
            return HexFormat.of()
                    .formatHex(MessageDigest.getInstance("SHA-256").digest(token.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
