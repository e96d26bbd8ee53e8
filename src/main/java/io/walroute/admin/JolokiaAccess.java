package io.walroute.admin;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Which requests to Jolokia change something, so that they need the token. Everything does that isn't known to be a look: what
 * Jolokia would read otherwise than this does is refused rather than let in. What is allowed at all says jolokia-access.xml.
 */
final class JolokiaAccess {
    private static final Set<String> LOOKS = Set.of("read", "list", "search", "version");
    private static final Set<String> LOOKING_OPERATIONS = Set.of(
            "dumpRoutesAsXml",
            "dumpRoutesStatsAsXml",
            "dumpRouteAsXml",
            "dumpRouteStatsAsXml",
            "browse",
            "details",
            "get");

    // Of two members of one name the readers might take different ones.
    private static final ObjectMapper STRICT = new ObjectMapper()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

    private JolokiaAccess() {}

    /**
     * @param below the path's parts behind Jolokia's own, decoded
     * @param hasParameters whether there is a query: it can hold the request, too
     */
    static boolean getChanges(List<String> below, boolean hasParameters) {
        if (below.isEmpty()) {
            return hasParameters;
        }
        return !LOOKS.contains(below.get(0)) || hasParameters && below.size() == 1;
    }

    /** Empty if the body is not one that can be understood. */
    static Optional<Boolean> postChanges(byte[] body) {
        try {
            JsonNode request = STRICT.readTree(body);
            if (request.isObject()) {
                return Optional.of(changes(request));
            }
            if (!request.isArray()) {
                return Optional.empty();
            }
            boolean changes = false;
            for (JsonNode each : request) {
                if (!each.isObject()) {
                    return Optional.empty();
                }
                changes |= changes(each);
            }
            return Optional.of(changes);
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static boolean changes(JsonNode request) {
        if (request.has("target")) {
            return true; // another server's business
        }
        String type = request.path("type").asText("").toLowerCase(Locale.ROOT);
        if (type.equals("exec")) {
            String operation = request.path("operation").asText("");
            return !LOOKING_OPERATIONS.contains(operation.split("\\(", 2)[0]);
        }
        return !LOOKS.contains(type);
    }
}
