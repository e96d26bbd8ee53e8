package io.walroute.replay;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * One replay as the store keeps it.
 *
 * @param fromSeq the first place in the audit log that it looks at
 * @param toSeq the last one
 * @param nextSeq everything before it is settled: where it goes on after a restart
 * @param sent changes sent through the routes so far, those sent twice because of a restart included
 * @param error why it failed; null unless it did
 * @param by who asked for it
 */
public record Replay(
        long id,
        State state,
        ReplayRequest request,
        long fromSeq,
        long toSeq,
        long nextSeq,
        long sent,
        String error,
        String by,
        Instant startedAt,
        Instant updatedAt) {

    /** What has become of a replay. */
    public enum State {
        RUNNING,
        DONE,
        CANCELLED,
        FAILED
    }

    /** As the commands print it with {@code --json}. */
    public Map<String, Object> toJson() {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", id);
        json.put("state", state.name().toLowerCase(Locale.ROOT));
        json.putAll(request.toJson());
        json.put("from_seq", fromSeq);
        json.put("to_seq", toSeq);
        json.put("next_seq", nextSeq);
        json.put("sent", sent);
        json.put("error", error);
        json.put("by", by);
        json.put("started_at", startedAt.toString());
        json.put("updated_at", updatedAt.toString());
        return json;
    }
}
