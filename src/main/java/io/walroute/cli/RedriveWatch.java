package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/** Looks at redriven dead letters until it is known what became of each. */
final class RedriveWatch {
    private static final long LOOK_EVERY_MS = 500;
    private static final int IDS_A_CALL = 200;

    private final ManagementClient service;
    private final long deadlineNanos;

    RedriveWatch(ManagementClient service, Duration timeout) {
        this.service = service;
        deadlineNanos = System.nanoTime() + timeout.toNanos();
    }

    /**
     * @param each gets an entry as soon as it is known what became of it
     * @return the entries with their new results: delivered, failed again, dead or still waiting
     */
    List<JsonNode> watch(List<JsonNode> entries, Consumer<JsonNode> each) throws InterruptedException {
        List<JsonNode> ended = new ArrayList<>();
        Map<Long, ObjectNode> open = new LinkedHashMap<>();
        Consumer<ObjectNode> end = entry -> {
            ended.add(entry);
            each.accept(entry);
        };
        for (JsonNode entry : entries) {
            if (entry.path("result").asText().equals("due")) {
                open.put(entry.path("id").asLong(), entry.deepCopy());
            } else {
                end.accept(entry.deepCopy());
            }
        }
        look(open, end);
        while (!open.isEmpty() && System.nanoTime() - deadlineNanos < 0) {
            Thread.sleep(LOOK_EVERY_MS); // the service does the work; nobody here could be told of its end
            look(open, end);
        }
        open.values().forEach(entry -> end.accept(entry.put("result", "still waiting")));
        return ended;
    }

    private void look(Map<Long, ObjectNode> open, Consumer<ObjectNode> end) {
        try {
            lookAtEach(open, end);
        } catch (Failure e) {
            throw e.whileWaiting("What became of " + open.size() + " of them is not known; they are due. See: walroute"
                    + " dead-letters list");
        }
    }

    private void lookAtEach(Map<Long, ObjectNode> open, Consumer<ObjectNode> end) {
        List<Long> ids = List.copyOf(open.keySet());
        for (int from = 0; from < ids.size(); from += IDS_A_CALL) {
            List<Long> part = ids.subList(from, Math.min(ids.size(), from + IDS_A_CALL));
            Map<Long, JsonNode> there = standing(part);
            for (Long id : part) {
                String result = result(open.get(id), there.get(id));
                if (result != null) {
                    end.accept(open.remove(id).put("result", result));
                }
            }
        }
    }

    private Map<Long, JsonNode> standing(List<Long> ids) {
        JsonNode letters = service.get(
                "/dead-letters", Map.of("ids", ids.stream().map(String::valueOf).collect(Collectors.joining(","))));
        Map<Long, JsonNode> byId = new HashMap<>();
        letters.forEach(letter -> byId.put(letter.path("id").asLong(), letter));
        return byId;
    }

    /** Null as long as it isn't known. */
    private static String result(JsonNode before, JsonNode now) {
        if (now == null) {
            return "delivered";
        }
        boolean tried = now.path("attempts").asInt() > before.path("attempts").asInt();
        if (now.path("state").asText().equals("dead")) {
            return "dead again: " + now.path("cause").asText();
        }
        return tried ? "failed again: " + now.path("cause").asText() : null;
    }
}
