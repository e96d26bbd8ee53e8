package io.walroute.hook;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads {@link HookSettings} and gathers everything that is wrong with them before it gives up. */
final class HookSettingsParser {
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})\\s*(ms|s|m|h)?");
    // Such "names" are other spellings of an IPv4 address: 2130706433, 127.1, 0x7f.0.0.1.
    private static final Pattern NUMERIC_HOST = Pattern.compile("(^|\\.)(\\d+|0[xX][0-9a-fA-F]*)\\.?$");
    private static final Pattern HEADER_NAME = Pattern.compile("[A-Za-z0-9!#$%&'*+.^_`|~-]+");
    // Set by the request itself, or part of what is signed.
    private static final Set<String> OWN_HEADERS = Set.of(
            "host",
            "content-length",
            "content-type",
            "transfer-encoding",
            "connection",
            WebhookSignature.ID,
            WebhookSignature.TIMESTAMP,
            WebhookSignature.SIGNATURE);

    private final String name;
    private final Map<String, String> keys;
    private final List<String> problems;
    private final int problemsBefore;

    HookSettingsParser(String name, Map<String, String> keys, List<String> problems) {
        this.name = name;
        this.keys = new TreeMap<>(keys);
        this.problems = problems;
        problemsBefore = problems.size();
    }

    HookSettings parse() {
        keys.keySet().stream()
                .filter(key -> !key.startsWith("header.") && !HookSettings.KEYS.contains(key))
                .forEach(this::unknownKey);
        List<String> networks = networks();
        URI url = url();
        List<String> secrets = secrets();
        Duration timeout = duration("timeout", HookSettings.DEFAULT_TIMEOUT, Duration.ofMillis(1));
        int concurrency = integer("concurrency", HookSettings.DEFAULT_CONCURRENCY);
        Map<String, String> headers = headers();
        int batchSize = integer("batch-size", HookSettings.DEFAULT_BATCH_SIZE);
        Duration batchDelay = duration("batch-delay", HookSettings.DEFAULT_BATCH_DELAY, Duration.ofMillis(1));
        double rate = rate();
        Duration circuitWait = duration("circuit-wait", HookSettings.DEFAULT_CIRCUIT_WAIT, Duration.ofMillis(1));
        if (url != null) {
            checkAddress(url, networks);
        }
        if (problems.size() > problemsBefore) {
            return null;
        }
        return new HookSettings(
                name, url, secrets, networks, timeout, concurrency, headers, batchSize, batchDelay, rate, circuitWait);
    }

    private void unknownKey(String key) {
        String suggestion = Nearest.of(key, HookSettings.KEYS)
                .map(near -> " Did you mean " + full(near) + "?")
                .orElseGet(() -> " Known: " + String.join(", ", new TreeSet<>(HookSettings.KEYS)));
        problems.add("unknown setting " + full(key) + "." + suggestion);
    }

    private URI url() {
        String text = value("url");
        if (text == null) {
            problems.add(full("url") + " is not set. Set it to the receiver's URL, as https://partner.example/hooks");
            return null;
        }
        try {
            var url = new URI(text);
            String fault = fault(url);
            if (fault == null) {
                return url;
            }
            problems.add(full("url") + " " + fault);
        } catch (URISyntaxException e) {
            problems.add(full("url") + " is not a URL: " + e.getReason() + " at character " + (e.getIndex() + 1));
        }
        return null;
    }

    /** The URL itself isn't shown: its path or query may hold a token. */
    private static String fault(URI url) {
        String scheme = url.getScheme() == null ? "" : url.getScheme().toLowerCase(Locale.ROOT);
        if (!scheme.equals("https") && !scheme.equals("http")) {
            return "begins with '" + scheme + ":'. Only https:// and http:// URLs can be posted to";
        }
        if (url.getHost() == null || NUMERIC_HOST.matcher(url.getHost()).find() && isName(url.getHost())) {
            return "has no valid host. Write it as https://partner.example/hooks";
        }
        if (url.getRawUserInfo() != null) {
            return "holds a user name. Put credentials into a header: header.Authorization";
        }
        if (url.getPort() == 0 || url.getPort() > 65535) {
            return "names port " + url.getPort() + ". Ports go from 1 to 65535";
        }
        return url.getRawFragment() == null ? null : "holds a # fragment, which is never sent. Leave it out";
    }

    private static boolean isName(String host) {
        return NetUtil.createByteArrayFromIpAddressString(host) == null;
    }

    private void checkAddress(URI url, List<String> networks) {
        boolean encrypted = "https".equalsIgnoreCase(url.getScheme());
        if (!encrypted && networks.isEmpty()) {
            problems.add(full("url") + " is plain http to " + url.getHost()
                    + ". Use https, or name the receiver's network: " + full("allow-networks") + "=10.0.0.0/8");
            return;
        }
        byte[] literal = NetUtil.createByteArrayFromIpAddressString(url.getHost());
        if (literal == null) {
            return;
        }
        try {
            new AddressGuard(networks.stream().map(Cidr::parse).toList())
                    .refusal(InetAddress.getByAddress(literal), encrypted)
                    .ifPresent(reason -> problems.add(full("url") + " is refused: " + reason
                            + ". If you mean it, name its network in " + full("allow-networks")));
        } catch (UnknownHostException impossible) {
            throw new IllegalStateException("Netty parsed it", impossible);
        }
    }

    private List<String> secrets() {
        List<String> secrets = list("secret");
        if (secrets.isEmpty()) {
            problems.add(full("secret") + " is not set. Make one: echo \"whsec_$(openssl rand -base64 32)\"");
        }
        for (int i = 0; i < secrets.size(); i++) {
            String which = secrets.size() == 1 ? "" : "(" + (i + 1) + ". of " + secrets.size() + ") ";
            WebhookSignature.secretProblem(secrets.get(i))
                    .ifPresent(
                            problem -> problems.add(
                                    full("secret") + " " + which + problem
                                            + ". Expected: whsec_ and 24 to 64 bytes in base64; echo \"whsec_$(openssl rand -base64 32)\""));
        }
        return secrets;
    }

    private List<String> networks() {
        List<String> networks = new ArrayList<>();
        for (String each : list("allow-networks")) {
            try {
                networks.add(Cidr.parse(each).toString());
            } catch (IllegalArgumentException e) {
                problems.add(full("allow-networks") + ": " + e.getMessage());
            }
        }
        return networks;
    }

    private Map<String, String> headers() {
        var headers = new LinkedHashMap<String, String>();
        keys.forEach((key, value) -> {
            if (key.startsWith("header.")) {
                header(key, key.substring("header.".length()), value.strip(), headers);
            }
        });
        return headers;
    }

    private void header(String key, String header, String value, Map<String, String> headers) {
        if (!HEADER_NAME.matcher(header).matches()) {
            problems.add(full(key) + ": '" + header + "' is not a header's name");
        } else if (OWN_HEADERS.contains(header.toLowerCase(Locale.ROOT))) {
            problems.add(full(key) + ": walroute sets " + header + " itself. Leave it out");
        } else if (!value.chars().allMatch(c -> c == '\t' || c >= 0x20 && c < 0x7F)) {
            problems.add(full(key) + " holds a character that a header can't carry. Use printable ASCII");
        } else {
            headers.put(header, value);
        }
    }

    private Duration duration(String key, Duration otherwise, Duration least) {
        String text = value(key);
        if (text == null) {
            return otherwise;
        }
        Matcher match = DURATION.matcher(text);
        Duration parsed = match.matches() ? duration(Long.parseLong(match.group(1)), match.group(2)) : null;
        if (parsed == null || parsed.compareTo(least) < 0 || parsed.compareTo(Duration.ofDays(1)) > 0) {
            problems.add(full(key) + "=" + text + " is not a time of at most a day. Write it as 500ms, 10s or 5m");
            return otherwise;
        }
        return parsed;
    }

    private static Duration duration(long number, String unit) {
        return switch (unit == null ? "ms" : unit) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            default -> Duration.ofHours(number);
        };
    }

    private int integer(String key, int otherwise) {
        String text = value(key);
        if (text == null) {
            return otherwise;
        }
        if (text.matches("\\d{1,4}") && Integer.parseInt(text) >= 1 && Integer.parseInt(text) <= 1000) {
            return Integer.parseInt(text);
        }
        problems.add(full(key) + "=" + text + " is not a whole number from 1 to 1000");
        return otherwise;
    }

    private double rate() {
        String text = value("rate");
        if (text == null) {
            return 0;
        }
        if (text.matches("\\d{1,6}(\\.\\d{1,6})?") && Double.parseDouble(text) > 0) {
            return Double.parseDouble(text);
        }
        problems.add(full("rate") + "=" + text + " is not a number of requests per second above 0, as 20 or 0.5");
        return 0;
    }

    /** Null where the key is absent or empty: an empty environment variable means "not set". */
    private String value(String key) {
        String value = keys.get(key);
        return value == null || value.isBlank() ? null : value.strip();
    }

    private List<String> list(String key) {
        String value = value(key);
        return value == null ? List.of() : List.of(value.split("\\s*,\\s*"));
    }

    private String full(String key) {
        return "walroute.hook." + name + "." + key;
    }
}
