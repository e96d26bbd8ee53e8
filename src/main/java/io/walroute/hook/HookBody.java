package io.walroute.hook;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import io.walroute.change.ChangeEvent;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/** What a receiver gets: {@code {"type":"listings.update","timestamp":"…","data":{event}}}, and under which webhook-id. */
final class HookBody {
    // As in the event itself: PostgreSQL's microseconds, always six digits.
    static final DateTimeFormatter MICROSECONDS =
            DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS'Z'").withZone(ZoneOffset.UTC);
    private static final Pattern HEADER_SAFE = Pattern.compile("[A-Za-z0-9_-]{1,128}");

    private HookBody() {}

    static byte[] of(ChangeEvent event) {
        String type = event.qualifiedTable() + "." + event.operation().name().toLowerCase(Locale.ROOT);
        byte[] head = ("{\"type\":\""
                        + new String(JsonStringEncoder.getInstance().quoteAsString(type))
                        + "\",\"timestamp\":\"" + MICROSECONDS.format(event.timestamp()) + "\",\"data\":")
                .getBytes(StandardCharsets.UTF_8);
        byte[] data = event.toJson();
        byte[] body = new byte[head.length + data.length + 1];
        System.arraycopy(head, 0, body, 0, head.length);
        System.arraycopy(data, 0, body, head.length, data.length);
        body[body.length - 1] = '}';
        return body;
    }

    /** A JSON array of bodies. */
    static byte[] array(List<byte[]> bodies) {
        int length = bodies.stream().mapToInt(body -> body.length + 1).sum() + 1;
        byte[] array = new byte[length];
        int at = 0;
        for (byte[] body : bodies) {
            array[at] = (byte) (at == 0 ? '[' : ',');
            System.arraycopy(body, 0, array, at + 1, body.length);
            at += body.length + 1;
        }
        array[at] = ']';
        return array;
    }

    /**
     * The event's own id. One that holds what a header or the signature's full stops can't bear (a READ's may name any
     * key) is replaced by its hash, the same each time.
     */
    static String webhookId(String eventId) {
        return HEADER_SAFE.matcher(eventId).matches() ? eventId : "sha256-" + sha256(eventId);
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
