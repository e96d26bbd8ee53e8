package io.walroute.service;

import io.walroute.notify.AuthSettings;
import io.walroute.notify.JwksLocation;
import io.walroute.notify.NotifyLimits;
import io.walroute.notify.NotifySettings;
import io.walroute.notify.TopicPolicies;
import io.walroute.settings.Settings;
import io.walroute.settings.SettingsException;
import java.util.List;
import java.util.Optional;

/** What the settings say of the WebSocket hub, as the hub understands it. */
final class NotifyComposition {
    private static final int CONNECTIONS_PER_ADDRESS = 1000;
    private static final String ANY = "any";

    private NotifyComposition() {}

    /** @throws SettingsException also if a file that is named can't be used */
    static NotifySettings settings(Settings settings) {
        try {
            var hub = NotifySettings.builder()
                    .host(settings.notifyHost())
                    .port(settings.websocketPort().getAsInt())
                    .keep(settings.notifyKeep())
                    .allowOrigins(settings.notifyAllowOrigins())
                    .maxConnections(settings.notifyMaxConnections())
                    .auth(auth(settings))
                    .limits(limits(settings))
                    .topics(new TopicPolicies(settings.notifyRules(), settings.notifyCloseSlow()))
                    .requireAuthorization(settings.notifyRequireAuthorization())
                    .tls(settings.notifyTls())
                    .build();
            hub.check();
            return hub;
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of(e.getMessage()));
        }
    }

    private static AuthSettings auth(Settings settings) {
        return new AuthSettings(jwt(settings), settings.notifyTokens(), settings.notifyQueryToken());
    }

    private static Optional<AuthSettings.Jwt> jwt(Settings settings) {
        Optional<String> audience = settings.notifyJwtAudience();
        if (settings.notifyJwtJwks().isEmpty()
                && settings.notifyJwtSecret().isEmpty()
                && settings.notifyJwtIssuer().isEmpty()
                && audience.isEmpty()) {
            return Optional.empty();
        }
        if (settings.notifyJwtJwks().isPresent() && audience.isEmpty()) {
            throw new IllegalArgumentException(
                    "walroute.notify.jwt.audience is not set: who signs with the keys of walroute.notify.jwt.jwks may"
                            + " make tokens for other services, too. Set it to what aud holds in those for this one, or to"
                            + " any");
        }
        return Optional.of(new AuthSettings.Jwt(
                settings.notifyJwtSecret().orElse(null),
                settings.notifyJwtJwks()
                        .map(jwks -> JwksLocation.of(jwks, settings.home()))
                        .orElse(null),
                settings.notifyJwtIssuer().orElse(null),
                audience.filter(value -> !value.equals(ANY)).orElse(null),
                settings.notifyJwtClockSkew()));
    }

    private static NotifyLimits limits(Settings settings) {
        int perAddress = settings.notifyMaxConnectionsPerAddress()
                .orElse(Service.isLoopback(settings.notifyHost()) ? Integer.MAX_VALUE : CONNECTIONS_PER_ADDRESS);
        return new NotifyLimits(
                settings.notifyMaxConnectionsPerSubject(),
                perAddress,
                settings.notifyMaxSubscriptions(),
                (int) Math.min(Integer.MAX_VALUE, settings.notifyMaxMessage()),
                settings.notifyMessageRate(),
                settings.notifyHandshakeTimeout());
    }
}
