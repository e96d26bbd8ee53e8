package io.walroute.hook;

import java.net.URI;
import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * One receiver of webhooks: what stands under {@code walroute.hook.NAME.} in application.properties.
 *
 * @param name the NAME of {@code hook:NAME}
 * @param url where changes are posted to
 * @param secrets {@code whsec_<base64>}; a request carries a signature by each, so that one can be replaced by another
 * @param allowNetworks networks (CIDR) beyond the public ones that the receiver's address may lie in
 * @param timeout for one attempt as a whole: name, connection, request and answer
 * @param concurrency attempts at the same time, and connections
 * @param headers sent with each request
 * @param batchSize changes in one request; above 1 the body is a JSON array
 * @param batchDelay how long a change waits at most for others to go with it
 * @param ratePerSecond requests per second; 0 for no limit
 * @param circuitWait how long the circuit stays open before the receiver is tried again
 */
public record HookSettings(
        String name,
        URI url,
        List<String> secrets,
        List<String> allowNetworks,
        Duration timeout,
        int concurrency,
        Map<String, String> headers,
        int batchSize,
        Duration batchDelay,
        double ratePerSecond,
        Duration circuitWait) {

    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(10);
    public static final int DEFAULT_CONCURRENCY = 32;
    public static final int DEFAULT_BATCH_SIZE = 1;
    public static final Duration DEFAULT_BATCH_DELAY = Duration.ofMillis(50);
    public static final Duration DEFAULT_CIRCUIT_WAIT = Duration.ofSeconds(10);

    /** The keys that {@link #parse} knows, without {@code walroute.hook.NAME.}; {@code header.} goes on with a name. */
    public static final Set<String> KEYS = Set.of(
            "url",
            "secret",
            "allow-networks",
            "timeout",
            "concurrency",
            "batch-size",
            "batch-delay",
            "rate",
            "circuit-wait",
            "header.");

    public HookSettings {
        Objects.requireNonNull(name, "name");
        Objects.requireNonNull(url, "url");
        secrets = List.copyOf(secrets);
        allowNetworks = List.copyOf(allowNetworks);
        headers = Collections.unmodifiableMap(new LinkedHashMap<>(headers));
    }

    /** All defaults but where to and by which secrets. */
    public HookSettings(String name, URI url, List<String> secrets, List<String> allowNetworks) {
        this(
                name,
                url,
                secrets,
                allowNetworks,
                DEFAULT_TIMEOUT,
                DEFAULT_CONCURRENCY,
                Map.of(),
                DEFAULT_BATCH_SIZE,
                DEFAULT_BATCH_DELAY,
                0,
                DEFAULT_CIRCUIT_WAIT);
    }

    /**
     * Reads one receiver's settings. Asks no DNS: a host name is checked when it is connected to.
     *
     * @param keys values by key, the keys without {@code walroute.hook.NAME.}
     * @param problems takes one line for each thing that is wrong; none of them shows a secret
     * @return null if anything is wrong
     */
    public static HookSettings parse(String name, Map<String, String> keys, List<String> problems) {
        return new HookSettingsParser(name, keys, problems).parse();
    }

    boolean encrypted() {
        return "https".equalsIgnoreCase(url.getScheme());
    }

    /** Without the brackets that a URL puts around an IPv6 address. */
    String host() {
        String host = url.getHost();
        return host.startsWith("[") ? host.substring(1, host.length() - 1) : host;
    }

    int port() {
        return url.getPort() > 0 ? url.getPort() : encrypted() ? 443 : 80;
    }

    AddressGuard guard() {
        return new AddressGuard(allowNetworks.stream().map(Cidr::parse).toList());
    }

    /** Neither secrets nor what may hold one: path and query, header values. */
    @Override
    public String toString() {
        return "HookSettings[" + name + ", " + url.getScheme() + "://" + url.getAuthority() + ", " + secrets.size()
                + " secret(s), allowNetworks=" + allowNetworks + ", timeout=" + timeout + ", concurrency=" + concurrency
                + ", headers=" + headers.keySet() + ", batchSize=" + batchSize + ", batchDelay=" + batchDelay
                + ", ratePerSecond=" + ratePerSecond + ", circuitWait=" + circuitWait + "]";
    }
}
