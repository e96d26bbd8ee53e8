package io.walroute.settings;

import java.io.IOException;
import java.io.StringReader;
import java.nio.charset.MalformedInputException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;

/** application.properties with the line of each key: a problem that says where it is gets mended. */
final class SettingsFile {
    static final String NAME = "application.properties";

    private final Map<String, RawValue> values = new LinkedHashMap<>();
    private final List<String> problems;

    private SettingsFile(List<String> problems) {
        this.problems = problems;
    }

    /** A missing file is an empty one. */
    static Map<String, RawValue> read(Path home, List<String> problems) {
        var file = new SettingsFile(problems);
        Path path = home.resolve(NAME);
        try {
            file.read(Files.readAllLines(path, StandardCharsets.UTF_8));
        } catch (NoSuchFileException e) {
            return Map.of();
        } catch (MalformedInputException e) {
            problems.add(path + " is not UTF-8 text. Save it as UTF-8");
        } catch (IOException e) {
            problems.add(path + " can't be read: " + e + ". Make it readable for the user that runs walroute");
        }
        return file.values;
    }

    private void read(List<String> lines) {
        for (int i = 0; i < lines.size(); i++) {
            int first = i;
            var logical = new StringBuilder(lines.get(i));
            if (isComment(logical)) {
                continue;
            }
            while (endsOpen(logical) && i + 1 < lines.size()) {
                logical.append('\n').append(lines.get(++i));
            }
            take(logical.toString(), NAME + ":" + (first + 1));
        }
    }

    private void take(String line, String place) {
        var parsed = new Properties();
        try {
            parsed.load(new StringReader(line));
        } catch (IllegalArgumentException | IOException e) {
            problems.add("A \\u is not followed by four hexadecimal digits (" + place + "). Write a backslash as \\\\");
            return;
        }
        for (String key : parsed.stringPropertyNames()) {
            RawValue before =
                    values.put(key, new RawValue(parsed.getProperty(key).strip(), place));
            if (before != null) {
                problems.add(key + " is set twice (" + before.place() + " and " + place + "). Remove one of them");
            }
        }
    }

    private static boolean isComment(CharSequence line) {
        String text = line.toString().stripLeading();
        return text.startsWith("#") || text.startsWith("!");
    }

    /** An odd number of backslashes at its end continues a line. */
    private static boolean endsOpen(CharSequence line) {
        int backslashes = 0;
        while (backslashes < line.length() && line.charAt(line.length() - 1 - backslashes) == '\\') {
            backslashes++;
        }
        return backslashes % 2 == 1;
    }

    /**
     * @param value as written, without white space around it; empty means not set
     * @param place {@code application.properties:14} or {@code environment}
     */
    record RawValue(String value, String place) {}
}
