package io.walroute.notify;

import io.vertx.core.http.HttpServerRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Where a client may put its token: {@code Authorization: Bearer TOKEN}; for browsers, which can't send that, the subprotocols
 * {@code bearer} and the token ({@code new WebSocket(url, ["bearer", token])}); where the settings allow it, the URL.
 */
final class Credentials {
    static final String SUBPROTOCOL = "bearer";
    private static final String SCHEME = "bearer ";
    private static final String PARAMETER = "access_token";

    private Credentials() {}

    static Optional<String> of(HttpServerRequest request, boolean queryToken) throws Refused {
        List<String> found = new ArrayList<>();
        for (String value : request.headers().getAll("Authorization")) {
            if (!value.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
                throw Refused.unproven("the header Authorization has to be: Bearer TOKEN");
            }
            found.add(value.substring(SCHEME.length()).strip());
        }
        List<String> protocols = protocols(request);
        int bearer = protocols.indexOf(SUBPROTOCOL);
        if (bearer >= 0 && bearer + 1 < protocols.size()) {
            found.add(protocols.get(bearer + 1));
        }
        List<String> parameters = request.params().getAll(PARAMETER);
        if (!parameters.isEmpty() && !queryToken) {
            throw Refused.unproven("a token in the URL is not taken here, since URLs are logged. Send the header"
                    + " Authorization: Bearer TOKEN, or the subprotocols bearer and TOKEN");
        }
        found.addAll(parameters);
        if (found.size() > 1) {
            throw new Refused(400, "one token is expected");
        }
        return found.stream().filter(token -> !token.isEmpty()).findFirst();
    }

    private static List<String> protocols(HttpServerRequest request) {
        return request.headers().getAll("Sec-WebSocket-Protocol").stream()
                .flatMap(value -> Arrays.stream(value.split(",")))
                .map(String::strip)
                .toList();
    }
}
