package io.walroute.settings;

import io.walroute.change.ColumnList;
import io.walroute.change.ColumnRules;
import io.walroute.slot.ReplicaIdentity;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a setting's value may be. Each throws an IllegalArgumentException whose message goes on from "KEY=value (place)":
 * what is wrong, and what to write instead.
 */
enum Kind {
    TEXT("text", String.class) {
        @Override
        Object parse(String value) {
            return value;
        }
    },
    FOLDER("folder", String.class) {
        @Override
        Object parse(String value) {
            return value;
        }
    },
    FILE("PEM file", String.class) {
        @Override
        Object parse(String value) {
            return value;
        }
    },
    DATABASE_URL("postgresql:// URL", DatabaseUrl.class) {
        @Override
        Object parse(String value) {
            return DatabaseUrl.parse(value);
        }
    },
    REDIS_URL("redis:// or rediss:// URL", String.class) {
        @Override
        Object parse(String value) {
            try {
                var url = new URI(value);
                boolean scheme = "redis".equals(url.getScheme()) || "rediss".equals(url.getScheme());
                if (scheme && url.getHost() != null) {
                    return value;
                }
            } catch (URISyntaxException e) {
                // Told below; its own message holds the URL, and with it the password.
            }
            throw new IllegalArgumentException(
                    "is not a Redis URL. Write redis://user:password@host:6379/0, special characters percent-encoded");
        }
    },
    AMQP_URL("amqp:// or amqps:// URL", String.class) {
        @Override
        Object parse(String value) {
            try {
                var url = new URI(value);
                boolean scheme = "amqp".equals(url.getScheme()) || "amqps".equals(url.getScheme());
                if (scheme && url.getHost() != null) {
                    return value;
                }
            } catch (URISyntaxException e) {
                // Told below; its own message holds the URL, and with it the password.
            }
            throw new IllegalArgumentException(
                    "is not a URL of RabbitMQ. Write amqp://user:password@host:5672/vhost, special characters percent-encoded");
        }
    },
    EXCHANGE("name of an exchange", String.class) {
        @Override
        Object parse(String value) {
            // The routes' own syntax ends a name at some of the others.
            if (value.matches("[A-Za-z0-9._:-]{1,127}") && !value.equals("default")) {
                return value;
            }
            throw new IllegalArgumentException(
                    "is not an exchange's name: letters, digits and . _ : - but not default");
        }
    },
    JDBC_URL("JDBC URL of SQLite or PostgreSQL", String.class) {
        @Override
        Object parse(String value) {
            if (value.equals("jdbc:sqlite:") || value.startsWith("jdbc:sqlite::memory:")) {
                throw new IllegalArgumentException("names no file. Write jdbc:sqlite:data/walroute.db");
            }
            if (value.startsWith("jdbc:sqlite:") || value.startsWith("jdbc:postgresql://")) {
                return value;
            }
            throw new IllegalArgumentException("begins with neither jdbc:sqlite: nor jdbc:postgresql://."
                    + " Write jdbc:sqlite:data/walroute.db or jdbc:postgresql://host:5432/database?user=…&password=…");
        }
    },
    SLOT("slot name", String.class) {
        @Override
        Object parse(String value) {
            if (value.matches("[a-z0-9_]{1,63}")) {
                return value;
            }
            throw new IllegalArgumentException(
                    "is not a slot's name: 1 to 63 lower-case letters, digits and underscores");
        }
    },
    NAME("name of at most 63 bytes", String.class) {
        @Override
        Object parse(String value) {
            if (value.getBytes(StandardCharsets.UTF_8).length > 63 || value.indexOf('\0') >= 0) {
                throw new IllegalArgumentException("is longer than the 63 bytes that PostgreSQL keeps of a name");
            }
            return value;
        }
    },
    TABLES("table names separated by commas, or all", TableSelection.class) {
        @Override
        Object parse(String value) {
            return TableSelection.parse(value);
        }
    },
    REPLICA_IDENTITY("full, default, nothing or index:NAME", ReplicaIdentity.class) {
        @Override
        Object parse(String value) {
            return ReplicaIdentity.parse(value);
        }
    },
    MILLISECONDS("milliseconds", Duration.class) {
        @Override
        Object parse(String value) {
            Matcher digits = DIGITS.matcher(value);
            if (digits.matches() && Long.parseLong(value) > 0) {
                return Duration.ofMillis(Long.parseLong(value));
            }
            Matcher written = DURATION.matcher(value);
            String instead =
                    written.matches() ? String.valueOf(duration(written).toMillis()) : "60000";
            throw new IllegalArgumentException("is not a number of milliseconds above 0. Write " + instead);
        }
    },
    SWITCH("on or off", Boolean.class) {
        @Override
        Object parse(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "on", "true", "yes" -> true;
                case "off", "false", "no" -> false;
                default -> throw new IllegalArgumentException("is neither on nor off. Write on or off");
            };
        }
    },
    DURATION_TIME("time: 10ms, 8s, 5m, 2h or 7d", Duration.class) {
        @Override
        Object parse(String value) {
            Matcher written = DURATION.matcher(value);
            if (written.matches() && duration(written).toMillis() > 0) {
                return duration(written);
            }
            throw new IllegalArgumentException("is not a time above 0. Write it as 10ms, 8s, 5m, 2h or 7d");
        }
    },
    SIZE("size: 512KB, 32MB or 1GB", Long.class) {
        @Override
        Object parse(String value) {
            Matcher written = SIZE_TEXT.matcher(value);
            if (written.matches() && Long.parseLong(written.group(1)) > 0) {
                int shift =
                        switch (written.group(2).toUpperCase(Locale.ROOT)) {
                            case "KB" -> 10;
                            case "MB" -> 20;
                            case "GB" -> 30;
                            default -> 0;
                        };
                return Long.parseLong(written.group(1)) << shift;
            }
            throw new IllegalArgumentException("is not a size above 0. Write it as 512KB, 32MB or 1GB");
        }
    },
    COUNT("whole number from 1", Integer.class) {
        @Override
        Object parse(String value) {
            if (DIGITS.matcher(value).matches() && Long.parseLong(value) >= 1 && Long.parseLong(value) <= 10_000_000) {
                return Integer.parseInt(value);
            }
            throw new IllegalArgumentException("is not a whole number from 1 to 10000000");
        }
    },
    PORT("port, or off", OptionalInt.class) {
        @Override
        Object parse(String value) {
            if (value.equalsIgnoreCase("off")) {
                return OptionalInt.empty();
            }
            if (value.matches("\\d{1,5}") && Integer.parseInt(value) <= 65535) {
                return OptionalInt.of(Integer.parseInt(value));
            }
            throw new IllegalArgumentException(
                    "is not a port. Write a number from 1 to 65535 (0 takes any free one), or off");
        }
    },
    HOST("address of this machine", String.class) {
        @Override
        Object parse(String value) {
            if (value.matches("[A-Za-z0-9.:_-]+")) {
                return value;
            }
            throw new IllegalArgumentException("is not a host name or address. Write 127.0.0.1");
        }
    },
    ORIGINS("origins separated by commas", List.class) {
        @Override
        Object parse(String value) {
            List<String> origins = Arrays.stream(value.split(","))
                    .map(String::strip)
                    .filter(each -> !each.isEmpty())
                    .toList();
            for (String origin : origins) {
                if (!origin.matches("https?://[^/?#\\s]+")) {
                    throw new IllegalArgumentException(
                            "holds " + origin + ", which is not an origin. Write it as https://app.example.com");
                }
            }
            return origins;
        }
    },
    SNAPSHOT("none or cache", SnapshotMode.class) {
        @Override
        Object parse(String value) {
            try {
                return SnapshotMode.valueOf(value.toUpperCase(Locale.ROOT));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("is no kind of snapshot. Write none or cache");
            }
        }
    },
    LOG_FORMAT("text or json", LogFormat.class) {
        @Override
        Object parse(String value) {
            try {
                return LogFormat.valueOf(value.toUpperCase(Locale.ROOT));
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("is not a log format. Write text or json");
            }
        }
    },
    TOKEN("text of 16 characters or more", String.class) {
        @Override
        Object parse(String value) {
            if (value.matches("[\\x21-\\x7e]{16,512}")) {
                return value;
            }
            throw new IllegalArgumentException(
                    "is no token: 16 or more printable ASCII characters without spaces. Make one: openssl rand -hex"
                            + " 32");
        }
    },
    SCHEDULE("waits separated by commas", String.class) {
        @Override
        Object parse(String value) {
            if (value.matches("\\d{1,9}(ms|s|m|h|d)(\\s*,\\s*\\d{1,9}(ms|s|m|h|d))*(\\s*,\\s*\\.\\.\\.)?")) {
                return value;
            }
            throw new IllegalArgumentException(
                    "is no list of waits. Write it as 5s,5m,2h, with ,... at the end to repeat the last for ever");
        }
    },
    REDACT("drop, mask, hash, truncate(N) or keep, exceptions as SINK:RULE behind it", ColumnRules.class) {
        @Override
        Object parse(String value) {
            return ColumnRules.parse(value);
        }
    },
    COLUMNS("column names separated by commas, for one sink as SINK: NAMES behind a semicolon", ColumnList.class) {
        @Override
        Object parse(String value) {
            return ColumnList.parse(value);
        }
    },
    UNNAMED("keep or drop", Boolean.class) {
        @Override
        Object parse(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "keep" -> false;
                case "drop" -> true;
                default -> throw new IllegalArgumentException("is neither keep nor drop. Write keep or drop");
            };
        }
    },
    WHEN_SLOW("gap or close", Boolean.class) {
        @Override
        Object parse(String value) {
            return switch (value.toLowerCase(Locale.ROOT)) {
                case "gap" -> false;
                case "close" -> true;
                default -> throw new IllegalArgumentException("is neither gap nor close. Write gap or close");
            };
        }
    },
    /** Read by whoever runs the receiver; here it is only known to exist. */
    HOOK("as the example", String.class) {
        @Override
        Object parse(String value) {
            return value;
        }
    };

    private static final Pattern DIGITS = Pattern.compile("\\d{1,12}");
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})\\s*(ms|s|m|h|d)");
    private static final Pattern SIZE_TEXT = Pattern.compile("(?i)(\\d{1,9})\\s*(KB|MB|GB|B?)");

    private final String description;
    private final Class<?> type;

    Kind(String description, Class<?> type) {
        this.description = description;
        this.type = type;
    }

    abstract Object parse(String value);

    /** Type and unit, for people. */
    String description() {
        return description;
    }

    Class<?> type() {
        return type;
    }

    private static Duration duration(Matcher written) {
        long number = Long.parseLong(written.group(1));
        return switch (written.group(2)) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            case "h" -> Duration.ofHours(number);
            default -> Duration.ofDays(number);
        };
    }
}
