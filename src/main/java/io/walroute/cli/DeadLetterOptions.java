package io.walroute.cli;

import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** Which dead letters a command is about. */
final class DeadLetterOptions {
    @Parameters(paramLabel = "ID", arity = "0..*", description = "Ids, as dead-letters list shows them.")
    private List<Long> ids = new ArrayList<>();

    @Option(names = "--sink", description = "Those for this sink: cache, notify, hook, …")
    private String sink;

    @Option(names = "--route", description = "Those that failed in this route.")
    private String route;

    @Option(names = "--table", description = "Those of this table, as listings or billing.invoices.")
    private String table;

    @Option(names = "--key", description = "Those of the row with this primary key, as 42 or {\"id\":42}.")
    private String key;

    @Option(
            names = "--since",
            paramLabel = "TIME",
            converter = SinceConverter.class,
            description = "Those that failed last since then: 2026-01-31T12:00:00Z, or 30m for half an hour ago.")
    private Instant since;

    @Option(names = "--cause", paramLabel = "TEXT", description = "Those whose cause holds this text.")
    private String cause;

    @Option(names = "--state", paramLabel = "STATE", description = "parked (sent again by schedule) or dead.")
    private String state;

    /** The filter in the words of the API, without the ids. */
    Map<String, String> filter() {
        Map<String, String> filter = new LinkedHashMap<>();
        put(filter, "sink", sink);
        put(filter, "route", route);
        put(filter, "table", table);
        put(filter, "key", key);
        put(filter, "since", since == null ? null : since.toString());
        put(filter, "cause", cause);
        put(filter, "state", state);
        return filter;
    }

    private static void put(Map<String, String> filter, String name, String value) {
        if (value != null) {
            filter.put(name, value);
        }
    }

    List<Long> ids() {
        return ids.stream().distinct().sorted().toList();
    }

    static final class SinceConverter implements ITypeConverter<Instant> {
        @Override
        public Instant convert(String value) {
            if (value.matches("\\d{1,5}d")) {
                return Instant.now().minus(Duration.ofDays(Long.parseLong(value.substring(0, value.length() - 1))));
            }
            try {
                return value.matches("\\d{1,9}(ms|s|m|h)")
                        ? Instant.now().minus(new DurationConverter().convert(value))
                        : Instant.parse(value);
            } catch (DateTimeParseException e) {
                throw new TypeConversionException(
                        "'" + value + "' is no time. Write it as 2026-01-31T12:00:00Z, or as 30m, 2h or 1d ago");
            }
        }
    }
}
