package io.walroute.notify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.KeySourceException;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.jwk.source.RateLimitReachedException;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.DefaultJOSEObjectTypeVerifier;
import com.nimbusds.jose.proc.JWSKeySelector;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.proc.SingleKeyJWSKeySelector;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import com.nimbusds.jwt.proc.ExpiredJWTException;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.Key;
import java.security.interfaces.RSAKey;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import javax.crypto.spec.SecretKeySpec;

/**
 * Checks JWTs. The algorithm decides on the key, and a key serves no other: HS256 is checked with the secret only, RSA and EC
 * signatures with the public keys only, so that a public key never is a secret. Where keys are is the settings' business,
 * never the token's (jku, x5u and jwk are not followed). A token has to expire. Blocks while keys are fetched.
 */
final class JwtCheck implements Closeable {
    private static final Set<JWSAlgorithm> ASYMMETRIC = Set.of(
            JWSAlgorithm.RS256,
            JWSAlgorithm.RS384,
            JWSAlgorithm.RS512,
            JWSAlgorithm.PS256,
            JWSAlgorithm.PS384,
            JWSAlgorithm.PS512,
            JWSAlgorithm.ES256,
            JWSAlgorithm.ES384,
            JWSAlgorithm.ES512);
    private static final int MIN_RSA_BITS = 2048;
    private static final Duration KEYS_KEEP = Duration.ofMinutes(5);
    private static final Duration KEYS_WAIT = Duration.ofSeconds(10);
    private static final Duration KEYS_BETWEEN_FETCHES = Duration.ofSeconds(30);
    private static final Duration KEYS_SURVIVE_OUTAGE = Duration.ofHours(4);

    private final Duration clockSkew;
    private final DefaultJWTProcessor<SecurityContext> processor = new DefaultJWTProcessor<>();
    private final JwksFetch fetch;
    private final JWKSource<SecurityContext> keys;

    JwtCheck(AuthSettings.Jwt settings) {
        clockSkew = settings.clockSkew();
        fetch = settings.jwks() == null ? null : new JwksFetch(settings.jwks());
        keys = fetch == null ? null : cached(settings.jwks(), fetch);
        processor.setJWSKeySelector(selector(
                settings.secret() == null ? null : secretSelector(settings.secret()),
                keys == null ? null : new JWSVerificationKeySelector<>(ASYMMETRIC, keys)));
        processor.setJWSTypeVerifier(new DefaultJOSEObjectTypeVerifier<>(
                JOSEObjectType.JWT, new JOSEObjectType("at+jwt"), null)); // null: no typ at all
        processor.setJWTClaimsSetVerifier(claimsVerifier(settings));
        processor.setJWEKeySelector(null);
    }

    private static JWKSource<SecurityContext> cached(JwksLocation jwks, JwksFetch fetch) {
        if (jwks.isFile()) {
            fetch.checkFile();
        }
        return JWKSourceBuilder.<SecurityContext>create(jwks.url(), fetch)
                .cache(KEYS_KEEP.toMillis(), KEYS_WAIT.toMillis())
                .refreshAheadCache(false)
                .rateLimited(KEYS_BETWEEN_FETCHES.toMillis())
                .outageTolerant(KEYS_SURVIVE_OUTAGE.toMillis())
                .build();
    }

    /** There is one secret, whatever its issuer calls it (kid). */
    private static JWSKeySelector<SecurityContext> secretSelector(String secret) {
        return new SingleKeyJWSKeySelector<>(
                JWSAlgorithm.HS256, new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
    }

    private static JWSKeySelector<SecurityContext> selector(
            JWSKeySelector<SecurityContext> secret, JWSKeySelector<SecurityContext> publicKeys) {
        return (header, context) -> {
            if (secret != null && JWSAlgorithm.HS256.equals(header.getAlgorithm())) {
                return secret.selectJWSKeys(header, context);
            }
            return publicKeys != null && ASYMMETRIC.contains(header.getAlgorithm())
                    ? strong(publicKeys, header, context)
                    : List.of();
        };
    }

    private static List<? extends Key> strong(
            JWSKeySelector<SecurityContext> keys, JWSHeader header, SecurityContext context) throws KeySourceException {
        return keys.selectJWSKeys(header, context).stream()
                .filter(key -> !(key instanceof RSAKey rsa) || rsa.getModulus().bitLength() >= MIN_RSA_BITS)
                .toList();
    }

    private static DefaultJWTClaimsVerifier<SecurityContext> claimsVerifier(AuthSettings.Jwt settings) {
        var exact = new JWTClaimsSet.Builder();
        if (settings.issuer() != null) {
            exact.issuer(settings.issuer());
        }
        var verifier = new DefaultJWTClaimsVerifier<SecurityContext>(
                settings.audience() == null ? null : Collections.singleton(settings.audience()),
                exact.build(),
                Set.of("exp"),
                null);
        verifier.setMaxClockSkew((int) settings.clockSkew().toSeconds());
        return verifier;
    }

    Identity check(String token) throws Refused {
        try {
            SignedJWT jwt = SignedJWT.parse(token); // anything else, as one without signature, is none
            Date expires = processor.process(jwt, null).getExpirationTime();
            // Read again, so that no digit of a number is lost; what both would read differently is refused.
            Claims claims =
                    Claims.of(ClientMessage.JSON.readTree(jwt.getPayload().toString()));
            Instant until = Instant.ofEpochMilli(expires.getTime()).plus(clockSkew);
            return new Identity(claims, until, () -> true);
        } catch (ExpiredJWTException e) {
            throw Refused.unproven("the token is expired");
        } catch (RateLimitReachedException e) {
            throw Refused.unproven("the token's key is not known");
        } catch (KeySourceException e) {
            throw Refused.later("the token can't be checked at present, since its keys can't be fetched");
        } catch (ParseException
                | BadJOSEException
                | JOSEException
                | JsonProcessingException
                | IllegalArgumentException e) {
            // Which check failed helps only who tries: whoever has a token can read it.
            throw Refused.unproven("the token is not valid here");
        }
    }

    Optional<String> problem() {
        return fetch == null ? Optional.empty() : fetch.problem();
    }

    @Override
    public void close() {
        if (keys instanceof Closeable closeable) {
            try {
                closeable.close();
            } catch (IOException e) {
                throw new IllegalStateException("closing a cache reads nothing", e);
            }
        }
    }
}
