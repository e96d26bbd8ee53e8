package io.walroute.hook;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Operation;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** What a receiver gets: {@code {"type":"listings.update","timestamp":"…","data":{event}}}, and under which webhook-id. */
final class HookBody {
    // As in the event itself: PostgreSQL's microseconds, always six digits.
    private static final DateTimeFormatter MICROSECONDS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);
    private static final int LONGEST_HEADER = 128;
    private static final long YEAR_0 = -62_167_219_200L;
    private static final long YEAR_10000 = 253_402_300_800L;

    private static final byte[] TO_DATA = "\",\"data\":".getBytes(StandardCharsets.ISO_8859_1);
    private static final int MOST_HEADS = 1000;
    private static final Map<Kind, byte[]> HEADS = new ConcurrentHashMap<>();
    private static volatile Stamp latest = stamp(Instant.EPOCH);

    private record Kind(String schema, String table, Operation operation) {}

    private record Stamp(Instant instant, byte[] text) {}

    private HookBody() {}

    static byte[] of(ChangeEvent event) {
        byte[] body = new byte[length(event)];
        put(body, 0, event);
        return body;
    }

    /** A JSON array of bodies. */
    static byte[] array(List<ChangeEvent> events) {
        int length = 1;
        for (ChangeEvent event : events) {
            length += 1 + length(event);
        }
        byte[] array = new byte[length];
        int at = 0;
        for (ChangeEvent event : events) {
            array[at] = (byte) (at == 0 ? '[' : ',');
            at = put(array, at + 1, event);
        }
        array[at] = ']';
        return array;
    }

    private static int length(ChangeEvent event) {
        return head(event).length + timestamp(event).length + TO_DATA.length + event.toJson().length + 1;
    }

    /** Returns where it ends. */
    private static int put(byte[] into, int from, ChangeEvent event) {
        int at = put(into, from, head(event));
        at = put(into, at, timestamp(event));
        at = put(into, at, TO_DATA);
        at = put(into, at, event.toJson());
        into[at] = '}';
        return at + 1;
    }

    private static int put(byte[] into, int at, byte[] bytes) {
        System.arraycopy(bytes, 0, into, at, bytes.length);
        return at + bytes.length;
    }

    /** Up to the timestamp. There are few kinds of change, and to quote the type each time takes as long as to sign the body. */
    private static byte[] head(ChangeEvent event) {
        var kind = new Kind(event.schema(), event.table(), event.operation());
        byte[] head = HEADS.get(kind);
        if (head == null) {
            String type =
                    event.qualifiedTable() + "." + event.operation().name().toLowerCase(Locale.ROOT);
            head = ("{\"type\":\"" + new String(JsonStringEncoder.getInstance().quoteAsString(type))
                            + "\",\"timestamp\":\"")
                    .getBytes(StandardCharsets.UTF_8);
            if (HEADS.size() < MOST_HEADS) {
                HEADS.put(kind, head);
            }
        }
        return head;
    }

    /** The changes of one transaction share it. */
    private static byte[] timestamp(ChangeEvent event) {
        Stamp stamp = latest;
        if (!stamp.instant().equals(event.timestamp())) {
            stamp = stamp(event.timestamp());
            latest = stamp;
        }
        return stamp.text();
    }

    private static Stamp stamp(Instant instant) {
        return new Stamp(instant, microseconds(instant).getBytes(StandardCharsets.ISO_8859_1));
    }

    static String microseconds(Instant instant) {
        long second = instant.getEpochSecond();
        if (second < YEAR_0 || second >= YEAR_10000) {
            return MICROSECONDS.format(instant);
        }
        // By hand, since every change has one: a formatter takes longer than all the rest of the body.
        var time = LocalDateTime.ofEpochSecond(second, instant.getNano(), ZoneOffset.UTC);
        byte[] text = "0000-00-00T00:00:00.000000Z".getBytes(StandardCharsets.ISO_8859_1);
        digits(text, 4, time.getYear());
        digits(text, 7, time.getMonthValue());
        digits(text, 10, time.getDayOfMonth());
        digits(text, 13, time.getHour());
        digits(text, 16, time.getMinute());
        digits(text, 19, time.getSecond());
        digits(text, 26, time.getNano() / 1000);
        return new String(text, StandardCharsets.ISO_8859_1);
    }

    private static void digits(byte[] text, int end, int number) {
        int at = end;
        for (int rest = number; rest > 0; rest /= 10) {
            text[--at] = (byte) ('0' + rest % 10);
        }
    }

    /**
     * The event's own id. One that holds what a header or the signature's full stops can't bear (a READ's may name any
     * key) is replaced by its hash, the same each time.
     */
    static String webhookId(String eventId) {
        return isHeaderSafe(eventId) ? eventId : "sha256-" + sha256(eventId);
    }

    private static boolean isHeaderSafe(String id) {
        if (id.isEmpty() || id.length() > LONGEST_HEADER) {
            return false;
        }
        for (int i = 0; i < id.length(); i++) {
            char c = id.charAt(i);
            if (!(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')) {
                return false;
            }
        }
        return true;
    }

    /**
     * The same for the same changes in the same order, and for those only: made of the first id and the number, two batches
     * that begin alike would share it, and a receiver that drops repeated ids would lose the rest.
     */
    static String webhookId(List<String> eventIds) {
        return eventIds.size() == 1 ? webhookId(eventIds.get(0)) : "batch-" + sha256(String.join("\n", eventIds));
    }

    /** Not that of the changes themselves: one receiver may get both, and would drop what it takes for a repetition. */
    static String invalidationsId(List<String> eventIds) {
        return "invalidate-" + sha256(String.join("\n", eventIds));
    }

    private static String sha256(String text) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
            return HexFormat.of().formatHex(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
