package io.walroute.hook;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.walroute.change.ChangeEvent;
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

/** What a receiver gets: {@code {"type":"listings.update","timestamp":"…","data":{event}}}, and under which webhook-id. */
final class HookBody {
    // As in the event itself: PostgreSQL's microseconds, always six digits.
    private static final DateTimeFormatter MICROSECONDS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);
    private static final int LONGEST_HEADER = 128;
    private static final long YEAR_0 = -62_167_219_200L;
    private static final long YEAR_10000 = 253_402_300_800L;

    private HookBody() {}

    static byte[] of(ChangeEvent event) {
        byte[] head = head(event);
        byte[] body = new byte[head.length + event.toJson().length + 1];
        put(body, 0, head, event);
        return body;
    }

    /** A JSON array of bodies. */
    static byte[] array(List<ChangeEvent> events) {
        byte[][] heads = new byte[events.size()][];
        int length = 1;
        for (int i = 0; i < heads.length; i++) {
            heads[i] = head(events.get(i));
            length += heads[i].length + events.get(i).toJson().length + 2;
        }
        byte[] array = new byte[length];
        int at = 0;
        for (int i = 0; i < heads.length; i++) {
            array[at] = (byte) (i == 0 ? '[' : ',');
            at = put(array, at + 1, heads[i], events.get(i));
        }
        array[at] = ']';
        return array;
    }

    private static byte[] head(ChangeEvent event) {
        String type = event.qualifiedTable() + "." + event.operation().name().toLowerCase(Locale.ROOT);
        return ("{\"type\":\""
                        + new String(JsonStringEncoder.getInstance().quoteAsString(type))
                        + "\",\"timestamp\":\"" + microseconds(event.timestamp()) + "\",\"data\":")
                .getBytes(StandardCharsets.UTF_8);
    }

    /** Returns where it ends. */
    private static int put(byte[] into, int at, byte[] head, ChangeEvent event) {
        byte[] data = event.toJson();
        System.arraycopy(head, 0, into, at, head.length);
        System.arraycopy(data, 0, into, at + head.length, data.length);
        int end = at + head.length + data.length;
        into[end] = '}';
        return end + 1;
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
