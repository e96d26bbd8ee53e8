package io.walroute.notify;

import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;

/**
 * Where public keys are read from: a file, or a URL that nobody on the way can change the answer of. Plain http is for this
 * machine only, and by address or as {@code localhost}: other names may be made to lead anywhere.
 */
public record JwksLocation(URI uri) {
    private static final Set<String> LOOPBACK = Set.of("localhost", "127.0.0.1", "[::1]");

    public JwksLocation {
        String scheme = String.valueOf(uri.getScheme()).toLowerCase(Locale.ROOT);
        String host = uri.getHost();
        boolean loopback = host != null && LOOPBACK.contains(host.toLowerCase(Locale.ROOT));
        boolean allowed =
                switch (scheme) {
                    case "file" -> true;
                    case "https" -> host != null;
                    case "http" -> loopback;
                    default -> false;
                };
        if (!allowed || uri.getUserInfo() != null) {
            throw new IllegalArgumentException(
                    "walroute.notify.jwt.jwks is neither a file nor an https URL without user and password (http only"
                            + " for localhost). Write https://login.example.com/.well-known/jwks.json");
        }
    }

    /** @param text a URL, or a file relative to the folder */
    public static JwksLocation of(String text, Path folder) {
        try {
            boolean url = text.matches("(?i)[a-z][a-z0-9+.-]+:.*");
            return new JwksLocation(
                    url ? URI.create(text) : folder.resolve(text).toUri());
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    e.getMessage().startsWith("walroute.")
                            ? e.getMessage()
                            : "walroute.notify.jwt.jwks is no URL. Write"
                                    + " https://login.example.com/.well-known/jwks.json");
        }
    }

    boolean isFile() {
        return "file".equalsIgnoreCase(uri.getScheme());
    }

    URL url() {
        try {
            return uri.toURL();
        } catch (MalformedURLException e) {
            throw new IllegalStateException("file, http and https are known to every Java platform", e);
        }
    }

    /** Without the query, which may hold a key of its own. */
    @Override
    public String toString() {
        return isFile() ? uri.getPath() : uri.getScheme() + "://" + uri.getAuthority() + uri.getPath();
    }
}
