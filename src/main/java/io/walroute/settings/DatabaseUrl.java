package io.walroute.settings;

import java.net.URLEncoder;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;

/**
 * Where a PostgreSQL database is and who asks, read from libpq's form of a URL:
 * {@code postgresql://user:password@host:5432/database?sslmode=verify-full}.
 *
 * <p>{@link #toString()} and all messages leave out the password and everything that a password with unencoded special
 * characters could have leaked into.
 *
 * @param host an IPv6 address stands without its brackets
 * @param password null if the URL has none
 * @param parameters libpq's names and their values, in the order of the URL
 */
public record DatabaseUrl(
        String host, int port, String database, String user, String password, Map<String, String> parameters) {
    private static final String FORM = "postgresql://user:password@host:5432/database";
    private static final int DEFAULT_PORT = 5432;

    /** libpq's parameter names and what pgjdbc calls the same. */
    private static final Map<String, String> DRIVER_NAMES = Map.ofEntries(
            Map.entry("sslmode", "sslmode"),
            Map.entry("sslnegotiation", "sslNegotiation"),
            Map.entry("sslrootcert", "sslrootcert"),
            Map.entry("sslcert", "sslcert"),
            Map.entry("sslkey", "sslkey"),
            Map.entry("sslpassword", "sslpassword"),
            Map.entry("channel_binding", "channelBinding"),
            Map.entry("require_auth", "requireAuth"),
            Map.entry("gssencmode", "gssEncMode"),
            Map.entry("application_name", "ApplicationName"),
            Map.entry("connect_timeout", "connectTimeout"),
            Map.entry("options", "options"));

    private static final List<String> SSL_MODES =
            List.of("disable", "allow", "prefer", "require", "verify-ca", "verify-full");

    public DatabaseUrl {
        parameters = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(parameters));
    }

    /**
     * @throws IllegalArgumentException if it can't be used; the message goes on from the setting's name ("names no database.
     *     Expected …") and shows nothing secret
     */
    public static DatabaseUrl parse(String url) {
        return new Reader(url.strip()).read();
    }

    /** The URL for JDBC, without user, password and parameters: those are in {@link #properties()}. */
    public String jdbcUrl() {
        return "jdbc:postgresql://" + hostInUrl() + ":" + port + "/" + encode(database);
    }

    /** Connection properties for pgjdbc, user and password among them. */
    public Map<String, String> properties() {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put("user", user);
        if (password != null) {
            properties.put("password", password);
        }
        properties.put("ApplicationName", "walroute");
        parameters.forEach((name, value) -> properties.put(DRIVER_NAMES.get(name), value));
        return properties;
    }

    public Connection connect() throws SQLException {
        var properties = new Properties();
        properties.putAll(properties());
        return DriverManager.getConnection(jdbcUrl(), properties);
    }

    /** Without the password. */
    @Override
    public String toString() {
        return "postgresql://" + encode(user) + "@" + hostInUrl() + ":" + port + "/" + encode(database);
    }

    private String hostInUrl() {
        return host.indexOf(':') >= 0 ? "[" + host + "]" : host;
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }

    /** Goes through the URL once; each fault is the one line that is shown. */
    private static final class Reader {
        private final String url;

        Reader(String url) {
            this.url = url;
        }

        DatabaseUrl read() {
            String rest = afterScheme();
            int end = firstOf(rest, "/?#");
            String authority = rest.substring(0, end);
            if (rest.indexOf('@', end) >= 0 && authority.indexOf('@') < 0) {
                throw wrong("has a / ? or # before its @. Percent-encode them in user and password: / is %2F, ? is %3F,"
                        + " # is %23");
            }
            if (authority.indexOf('@') != authority.lastIndexOf('@')) {
                throw wrong("has more than one @. Percent-encode it in user and password: @ is %40");
            }
            int at = authority.indexOf('@');
            if (at < 0) {
                throw wrong("names no user. Expected " + FORM);
            }
            String[] login = authority.substring(0, at).split(":", 2);
            String[] hostAndPort = hostAndPort(authority.substring(at + 1));
            int query = rest.indexOf('?', end);
            String path = rest.substring(end, query < 0 ? rest.length() : query);
            if (path.indexOf('#') >= 0) {
                throw wrong("has a # after its host. Leave it out, or percent-encode it as %23");
            }
            return new DatabaseUrl(
                    hostAndPort[0],
                    port(hostAndPort[1]),
                    database(path),
                    required(decode(login[0], "user"), "user"),
                    login.length == 1 || login[1].isEmpty() ? null : decode(login[1], "password"),
                    query < 0 ? Map.of() : parameters(rest.substring(query + 1)));
        }

        private String afterScheme() {
            for (String scheme : List.of("postgresql://", "postgres://")) {
                if (url.regionMatches(true, 0, scheme, 0, scheme.length())) {
                    return url.substring(scheme.length());
                }
            }
            throw wrong((url.startsWith("jdbc:") ? "is a JDBC URL" : "does not begin with postgresql://")
                    + ". Expected " + FORM);
        }

        private String[] hostAndPort(String text) {
            if (text.indexOf(',') >= 0) {
                throw wrong("names several hosts, but a replication slot lives on one server. Name the primary");
            }
            int close = text.startsWith("[") ? text.indexOf(']') : -1;
            if (text.startsWith("[") && (close < 0 || close + 1 < text.length() && text.charAt(close + 1) != ':')) {
                throw wrong("has an IPv6 address that is not closed. Write it as [::1]:5432");
            }
            if (close > 0) {
                String port = close + 2 > text.length() ? "" : text.substring(close + 2);
                return new String[] {required(text.substring(1, close), "host"), port};
            }
            int colon = text.indexOf(':');
            if (colon != text.lastIndexOf(':')) {
                throw wrong("has more than one : after its @. Write an IPv6 address as [::1]:5432");
            }
            String host = decode(colon < 0 ? text : text.substring(0, colon), "host");
            if (host.startsWith("/")) {
                throw wrong("names a socket's folder as host. PostgreSQL is reached by TCP only: write a host name");
            }
            return new String[] {required(host, "host"), colon < 0 ? "" : text.substring(colon + 1)};
        }

        private int port(String text) {
            if (text.isEmpty()) {
                return DEFAULT_PORT;
            }
            int port = text.matches("\\d{1,5}") ? Integer.parseInt(text) : 0;
            if (port < 1 || port > 65535) {
                // Not shown: it may be the end of a password with an @ in it.
                throw wrong("has a port that is not a number from 1 to 65535. Expected " + FORM);
            }
            return port;
        }

        private String database(String path) {
            return required(decode(path.isEmpty() ? "" : path.substring(1), "database"), "database");
        }

        private Map<String, String> parameters(String query) {
            Map<String, String> parameters = new LinkedHashMap<>();
            for (String each : query.split("&")) {
                if (each.isEmpty()) {
                    continue;
                }
                String[] pair = each.split("=", 2);
                String name = decode(pair[0], "parameters");
                if (!DRIVER_NAMES.containsKey(name)) {
                    throw wrong("has the unknown parameter " + name + "."
                            + Nearest.of(name, DRIVER_NAMES.keySet())
                                    .map(near -> " Did you mean " + near + "?")
                                    .orElse(" Known: " + String.join(", ", new TreeSet<>(DRIVER_NAMES.keySet()))));
                }
                if (pair.length == 1) {
                    throw wrong("has the parameter " + name + " without a value. Write " + name + "=…");
                }
                parameters.put(name, parameter(name, decode(pair[1], name)));
            }
            return parameters;
        }

        private String parameter(String name, String value) {
            if (name.equals("sslmode") && !SSL_MODES.contains(value)) {
                throw wrong("has sslmode=" + value + ". Expected one of: " + String.join(", ", SSL_MODES));
            }
            if (name.equals("connect_timeout") && !value.matches("\\d{1,6}")) {
                throw wrong("has connect_timeout=" + value + ", which is not a number of seconds");
            }
            return value;
        }

        private String required(String text, String what) {
            if (text.isEmpty()) {
                throw wrong("names no " + what + ". Expected " + FORM);
            }
            return text;
        }

        /** Unlike in a form, a plus sign is itself. */
        private String decode(String text, String what) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            var decoded = ByteBuffer.allocate(bytes.length);
            for (int i = 0; i < bytes.length; i++) {
                if (bytes[i] != '%') {
                    decoded.put(bytes[i]);
                    continue;
                }
                int high = i + 2 < bytes.length ? Character.digit(bytes[i + 1], 16) : -1;
                int low = i + 2 < bytes.length ? Character.digit(bytes[i + 2], 16) : -1;
                if (high < 0 || low < 0) {
                    throw wrong("has a % in its " + what + " that no two hexadecimal digits follow. Write a % as %25");
                }
                decoded.put((byte) (high << 4 | low));
                i += 2;
            }
            return text(decoded.flip(), what);
        }

        private String text(ByteBuffer bytes, String what) {
            try {
                String text = StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
                if (text.indexOf('\0') < 0) {
                    return text;
                }
            } catch (CharacterCodingException e) {
                // Told below.
            }
            throw wrong("has percent-encoded bytes in its " + what + " that are not UTF-8 text");
        }

        private static int firstOf(String text, String characters) {
            for (int i = 0; i < text.length(); i++) {
                if (characters.indexOf(text.charAt(i)) >= 0) {
                    return i;
                }
            }
            return text.length();
        }

        private static IllegalArgumentException wrong(String message) {
            return new IllegalArgumentException(message);
        }
    }
}
