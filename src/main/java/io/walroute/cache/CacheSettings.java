package io.walroute.cache;

import io.lettuce.core.RedisURI;
import io.lettuce.core.SslOptions;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;

/**
 * @param url {@code redis://user:password@host:port/database}, or {@code rediss://} for TLS
 * @param prefix stands before every entry's key; may be empty
 * @param tables by {@code ChangeEvent.qualifiedTable()}; tables that aren't named have the default prefix and no TTL
 * @param commandTimeout Redis without any answer for this long counts as unreachable, and the connection is made anew
 * @param pipelineSize at most so many commands are written to the socket in one go
 * @param caFile PEM certificates of those who may vouch for a {@code rediss://} server; null: whom the Java platform trusts
 */
public record CacheSettings(
        String url,
        String prefix,
        Map<String, TableSettings> tables,
        Duration commandTimeout,
        int pipelineSize,
        Path caFile) {
    public static final Duration DEFAULT_COMMAND_TIMEOUT = Duration.ofSeconds(2);
    public static final int DEFAULT_PIPELINE_SIZE = 256;

    /** @throws IllegalArgumentException with one line that names the value and the form expected, without a password */
    public CacheSettings {
        checkUrl(url);
        prefix = prefix == null ? "" : prefix;
        tables = Map.copyOf(tables);
        if (commandTimeout.isZero() || commandTimeout.isNegative()) {
            throw new IllegalArgumentException(
                    "A cache command timeout of " + commandTimeout + " can't be met. Write 2s.");
        }
        if (pipelineSize < 1) {
            throw new IllegalArgumentException(
                    "A cache pipeline size of " + pipelineSize + " sends nothing. Write 256.");
        }
    }

    public CacheSettings(
            String url, String prefix, Map<String, TableSettings> tables, Duration commandTimeout, int pipelineSize) {
        this(url, prefix, tables, commandTimeout, pipelineSize, null);
    }

    /** The server's name must be the certificate's in any case. */
    SslOptions ssl() {
        return ssl(caFile);
    }

    /** @param caFile the authorities whose certificates are trusted; null for those that Java trusts */
    public static SslOptions ssl(Path caFile) {
        var ssl = SslOptions.builder().jdkSslProvider();
        return (caFile == null ? ssl : ssl.trustManager(caFile.toFile())).build();
    }

    public static CacheSettings of(String url) {
        return new CacheSettings(url, "", Map.of(), DEFAULT_COMMAND_TIMEOUT, DEFAULT_PIPELINE_SIZE);
    }

    /**
     * What one table has in place of the defaults.
     *
     * @param prefix null: the default prefix
     * @param ttl null: entries stay
     */
    public record TableSettings(String prefix, Duration ttl) {
        public TableSettings {
            if (ttl != null && ttl.toMillis() < 1) {
                throw new IllegalArgumentException(
                        "A cache TTL of " + ttl + " keeps nothing. Write 1ms or more, or none.");
            }
        }
    }

    RedisURI uri() {
        var uri = RedisURI.create(url);
        uri.setTimeout(commandTimeout);
        uri.setClientName("walroute");
        return uri;
    }

    /** {@code host:port}, fit for messages. */
    public String server() {
        var uri = RedisURI.create(url);
        return uri.getHost() + ":" + uri.getPort();
    }

    private static void checkUrl(String url) {
        boolean scheme = url.startsWith("redis://") || url.startsWith("rediss://");
        if (!scheme || !parses(url)) {
            throw new IllegalArgumentException("The Redis URL ("
                    + (scheme ? "not shown, it may hold a password" : "it begins with neither redis:// nor rediss://")
                    + ") can't be read. Write redis://user:password@host:6379/0, special characters percent-encoded.");
        }
    }

    private static boolean parses(String url) {
        try {
            return RedisURI.create(url).getHost() != null;
        } catch (RuntimeException e) {
            // Its message holds the URL, and that the password.
            return false;
        }
    }

    @Override
    public String toString() {
        return "CacheSettings[server=" + server() + ", prefix=" + prefix + ", tables=" + tables + ", commandTimeout="
                + commandTimeout + ", pipelineSize=" + pipelineSize + "]";
    }
}
