package io.walroute.settings;

import io.walroute.settings.SettingsFile.RawValue;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What is set, by key, the environment on top of the file, and everything that is no setting named as a problem. Knows which
 * keys there are, not what their values mean.
 */
final class RawSettings {
    private static final String ENVIRONMENT = "environment";
    private static final String FILE = "_FILE";
    private static final long LONGEST_SECRET = 64 << 10;
    private static final Map<Setting, String> SEED_HOOK = Map.of(
            Setting.WEBHOOK_URL, "walroute.hook.marketplace.url",
            Setting.WEBHOOK_SECRET, "walroute.hook.marketplace.secret");

    private final Map<String, RawValue> values = new LinkedHashMap<>();
    private final Map<String, String> others = new TreeMap<>();
    private final List<String> problems;

    private RawSettings(List<String> problems) {
        this.problems = problems;
    }

    static RawSettings read(Path home, Map<String, String> environment, List<String> problems) {
        var raw = new RawSettings(problems);
        raw.take(raw.fromFile(SettingsFile.read(home, problems)));
        raw.take(raw.fromEnvironment(new TreeMap<>(environment)));
        return raw;
    }

    /** Keys as the file has them. */
    static RawSettings of(Map<String, String> values, List<String> problems) {
        var raw = new RawSettings(problems);
        Map<String, RawValue> level = new LinkedHashMap<>();
        values.forEach((key, value) -> level.put(key, new RawValue(value.strip(), "given by the program")));
        raw.take(raw.fromFile(level));
        return raw;
    }

    /** Empty if it isn't set, or set to nothing. */
    Optional<RawValue> value(String key) {
        return Optional.ofNullable(values.get(key)).filter(raw -> !raw.value().isEmpty());
    }

    Map<String, RawValue> values() {
        return values;
    }

    /** Keys of the file that aren't walroute's: Camel's, and what users' own routes refer to. */
    Map<String, String> others() {
        return others;
    }

    /** One level (the file, the environment) after the other; the seed's webhook names become the keys they stand for. */
    private void take(Map<String, RawValue> level) {
        SEED_HOOK.forEach((seed, key) -> {
            RawValue bySeed = level.remove(seed.key());
            RawValue byKey = level.get(key);
            if (bySeed == null || bySeed.value().isEmpty()) {
                return;
            }
            if (byKey != null && !byKey.value().equals(bySeed.value())) {
                problems.add(seed.key() + " (" + bySeed.place() + ") and " + key + " (" + byKey.place()
                        + ") are the same setting with different values. Remove one of them");
            }
            level.put(key, bySeed);
        });
        level.forEach((key, raw) -> {
            if (!raw.value().isEmpty()) {
                values.put(key, raw);
            }
        });
    }

    private Map<String, RawValue> fromFile(Map<String, RawValue> file) {
        Map<String, RawValue> known = new LinkedHashMap<>();
        file.forEach((key, raw) -> {
            if (key.equals(Setting.WALROUTE_HOME.key())) {
                problems.add("WALROUTE_HOME can't be set in the file that it leads to (" + raw.place()
                        + "). Set it in the environment, or give --home");
            } else if (Setting.ofKey(key).isPresent()) {
                known.put(key, raw);
            } else if (key.startsWith("walroute.") || key.equals("walroute") || isMistypedSeedName(key)) {
                problems.add(unknown(key, raw.place(), nearest(key)));
            } else {
                others.put(key, raw.value());
            }
        });
        return known;
    }

    private Map<String, RawValue> fromEnvironment(Map<String, String> environment) {
        Map<String, RawValue> known = new LinkedHashMap<>();
        environment.forEach((name, value) -> {
            Optional<Setting.Match> match = Setting.ofEnvironment(name);
            var raw = new RawValue(value.strip(), ENVIRONMENT);
            Optional<Setting.Match> byFile = secretOfFile(name);
            if (byFile.isPresent()) {
                fromSecretFile(name, raw.value(), environment)
                        .ifPresent(secret -> known.put(key(byFile.get()), secret));
                return;
            }
            if (match.isPresent() && match.get().setting().key().contains("<topic>")) {
                // Dots of a topic would be guessed, and a rule for a topic that there isn't protects nothing.
                topicInFile(match.get())
                        .ifPresentOrElse(
                                key -> known.put(key, raw),
                                () -> problems.add(name + " names no topic that application.properties has the setting"
                                        + " for (" + ENVIRONMENT + "). Set "
                                        + match.get().setting().key() + " there"));
            } else if (match.isPresent()) {
                known.put(key(match.get()), raw);
            } else if (name.startsWith("WALROUTE_")) {
                problems.add(unknown(name, ENVIRONMENT, nearestVariable(name)));
            }
        });
        return known;
    }

    /** {@code DATABASE_URL_FILE} names the file that holds DATABASE_URL, as secrets of Docker and Kubernetes come. */
    private static Optional<Setting.Match> secretOfFile(String name) {
        return name.endsWith(FILE)
                ? Setting.ofEnvironment(name.substring(0, name.length() - FILE.length()))
                        .filter(match -> match.setting().isSecret())
                : Optional.empty();
    }

    /** Neither the file's content nor its name is shown together with what is wrong with the value. */
    private Optional<RawValue> fromSecretFile(String name, String path, Map<String, String> environment) {
        String plain = name.substring(0, name.length() - FILE.length());
        if (path.isEmpty()) {
            return Optional.empty();
        }
        if (!environment.getOrDefault(plain, "").isBlank()) {
            problems.add(name + " and " + plain + " are both set (" + ENVIRONMENT + "). Remove one of them");
            return Optional.empty();
        }
        try {
            if (Files.size(Path.of(path)) > LONGEST_SECRET) {
                problems.add(name + "=" + path + " is longer than a secret can be (" + ENVIRONMENT
                        + "). Name the file that holds it and nothing else");
                return Optional.empty();
            }
            return Optional.of(new RawValue(Files.readString(Path.of(path)).strip(), name));
        } catch (IOException | InvalidPathException e) {
            String why = e instanceof NoSuchFileException
                    ? "does not exist"
                    : e instanceof MalformedInputException ? "is not UTF-8 text" : "can't be read";
            problems.add(name + "=" + path + " " + why + " (" + ENVIRONMENT
                    + "). Name a file that the user that runs walroute can read");
            return Optional.empty();
        }
    }

    /** {@code WALROUTE_TABLES_ENS_NAMES_CACHE_TTL} doesn't tell which underscore was one. */
    private String key(Setting.Match match) {
        List<String> variables = match.variables();
        String key = match.setting().key();
        return switch (match.setting()) {
            case TABLE_REPLICA_IDENTITY, TABLE_CACHE_TTL, TABLE_CACHE_PREFIX, TABLE_COLUMNS ->
                key.replace("<table>", tableInFile(variables.get(0)));
            case TABLE_REDACT ->
                key.replace("<table>", tableInFile(variables.get(0)))
                        .replace("<column>", variables.get(1).toLowerCase(Locale.ROOT));
            case REDRIVE_SCHEDULE ->
                key.replace("<sink>", variables.get(0).toLowerCase(Locale.ROOT).replace('_', '-'));
            case HOOK_HEADER ->
                key.replace("<name>", hookInFile(variables.get(0)))
                        .replace(
                                "<header>",
                                variables.get(1).toLowerCase(Locale.ROOT).replace('_', '-'));
            default -> variables.isEmpty() ? key : key.replace("<name>", hookInFile(variables.get(0)));
        };
    }

    private Optional<String> topicInFile(Setting.Match match) {
        String variable =
                match.setting().key().replace("<topic>", match.variables().get(0));
        String wanted = Setting.environmentName(variable).toUpperCase(Locale.ROOT);
        return values.keySet().stream()
                .filter(key ->
                        Setting.environmentName(key).toUpperCase(Locale.ROOT).equals(wanted))
                .findFirst()
                .or(() -> Optional.of(match.variables().get(0))
                        .filter(topic -> topic.indexOf('_') < 0)
                        .map(topic -> match.setting().key().replace("<topic>", topic.toLowerCase(Locale.ROOT))));
    }

    /** A receiver that the file has settings for; otherwise underscores are dashes, as they are in all keys. */
    private String hookInFile(String variable) {
        return values.keySet().stream()
                .filter(key -> key.startsWith("walroute.hook."))
                .map(key -> key.substring("walroute.hook.".length()))
                .map(key -> key.substring(0, key.indexOf('.')))
                .filter(name -> Setting.environmentName("walroute." + name).equals("WALROUTE_" + variable))
                .findFirst()
                .orElseGet(() -> variable.toLowerCase(Locale.ROOT).replace('_', '-'));
    }

    /** A table that the file has settings for; otherwise an unqualified name, in which underscores are common. */
    private String tableInFile(String variable) {
        return values.keySet().stream()
                .filter(key -> key.startsWith("walroute.tables.")
                        && Setting.ofKey(key)
                                .map(match -> match.setting().isFamily())
                                .orElse(false))
                .map(key -> Setting.ofKey(key).orElseThrow().variables().get(0))
                .filter(table -> Setting.environmentName("walroute." + table).equals("WALROUTE_" + variable))
                .findFirst()
                .orElseGet(() -> variable.toLowerCase(Locale.ROOT));
    }

    private static String unknown(String name, String place, Optional<String> nearest) {
        return name + " is not a setting (" + place + ")."
                + nearest.map(near -> " Did you mean " + near + "?")
                        .orElse(" All settings are in the README and in application.properties");
    }

    private static boolean isMistypedSeedName(String key) {
        return key.matches("[A-Z_]{6,}") && Nearest.of(key, seedNames()).isPresent();
    }

    private static List<String> seedNames() {
        return java.util.Arrays.stream(Setting.values())
                .map(Setting::key)
                .filter(key -> !key.startsWith("walroute."))
                .toList();
    }

    /** In a family the variable part is taken over from what was typed, so that only the rest is compared. */
    private static Optional<String> nearest(String typed) {
        List<String> known = new ArrayList<>();
        String[] parts = typed.split("\\.", 4);
        for (Setting setting : Setting.values()) {
            if (!setting.isFamily()) {
                known.add(setting.key());
            } else if (parts.length == 4 && setting.key().contains("<name>")) {
                String header = parts[3].substring(parts[3].lastIndexOf('.') + 1);
                known.add(setting.key().replace("<name>", parts[2]).replace("<header>", header));
            } else if (parts.length == 4 && setting.key().contains("<sink>")) {
                known.add(setting.key().replace("<sink>", parts[2]));
            } else if (setting.key().contains("<topic>")) {
                String prefix = "walroute.notify.topics.";
                if (typed.startsWith(prefix) && typed.lastIndexOf('.') >= prefix.length()) {
                    String topic = typed.substring(prefix.length(), typed.lastIndexOf('.'));
                    known.add(setting.key().replace("<topic>", topic));
                }
            } else if (parts.length == 4) {
                String table = typed.substring(
                        "walroute.tables.".length() <= typed.length() ? "walroute.tables.".length() : 0,
                        typed.lastIndexOf('.'));
                known.add(setting.key()
                        .replace("<table>", table.endsWith(".redact") ? table.substring(0, table.length() - 7) : table)
                        .replace("<column>", typed.substring(typed.lastIndexOf('.') + 1)));
            }
        }
        return Nearest.of(typed, known);
    }

    private static Optional<String> nearestVariable(String typed) {
        String key = typed.toLowerCase(Locale.ROOT).replace('_', '.');
        String[] parts = key.split("\\.", 4);
        List<String> known = new ArrayList<>();
        for (Setting setting : Setting.values()) {
            String variable = setting.environmentVariable();
            if (setting.isFamily() && parts.length == 4) {
                variable = variable.replace("<name>", parts[2].toUpperCase(Locale.ROOT))
                        .replace("<table>", parts[2].toUpperCase(Locale.ROOT))
                        .replace("<sink>", parts[2].toUpperCase(Locale.ROOT))
                        .replace("<header>", "X");
            }
            known.add(variable);
        }
        return Nearest.of(typed, known);
    }
}
