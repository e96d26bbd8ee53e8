package io.walroute.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SchemaId;
import com.networknt.schema.SchemaLocation;
import com.networknt.schema.SchemaValidatorsConfig;
import com.networknt.schema.SpecVersion;
import com.networknt.schema.ValidationMessage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The schemas of {@code docs/schema}, and what is printed and answered against them. */
public final class JsonSchemas {
    private static final Path FOLDER = Path.of("docs/schema");
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonSchemaFactory FACTORY = JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012);
    private static final SchemaValidatorsConfig CONFIG =
            SchemaValidatorsConfig.builder().formatAssertionsEnabled(true).build();
    private static final Map<String, JsonSchema> SCHEMAS = new ConcurrentHashMap<>();

    private JsonSchemas() {}

    /** All there are, by name. */
    public static Set<String> names() {
        try (Stream<Path> files = Files.list(FOLDER)) {
            return files.map(file -> file.getFileName().toString().replaceFirst("\\.json$", ""))
                    .collect(Collectors.toCollection(TreeSet::new));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The one that a command's output follows. */
    public static String nameOf(String... args) {
        List<String> all = List.of(args);
        String command = Set.of("dead-letters", "metrics").contains(args[0]) ? args[0] + "-" + args[1] : args[0];
        if (all.contains("--list")) {
            return command.equals("backfill") ? command : command + "-list";
        }
        return Set.of("replay", "backfill").contains(command) && all.contains("--dry-run")
                ? command + "-dry-run"
                : command;
    }

    /**
     * Of a command that was run: with {@code --json} stdout holds one document that follows its schema, or with
     * {@code --watch} one a line; nothing if it failed.
     */
    public static void checkOutput(String stdout, String... args) {
        if (!Arrays.asList(args).contains("--json") || stdout.isBlank()) {
            return;
        }
        boolean watch = Arrays.asList(args).contains("--watch");
        for (JsonNode document : watch ? lines(stdout) : List.of(read(stdout))) {
            check(watch && document.has("error") ? "error" : nameOf(args), document);
        }
    }

    private static List<JsonNode> lines(String stdout) {
        return stdout.lines().map(JsonSchemas::read).toList();
    }

    private static JsonNode read(String text) {
        try (var parser = JSON.createParser(text)) {
            JsonNode document = JSON.readTree(parser);
            if (parser.nextToken() != null) {
                throw new AssertionError("more than one document: " + text);
            }
            return document;
        } catch (JsonProcessingException e) {
            throw new AssertionError("no JSON: " + text, e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** @param name of the schema; with {@code #/…} a part of it */
    public static void check(String name, JsonNode document) {
        List<String> faults = faults(name, document);
        if (!faults.isEmpty()) {
            throw new AssertionError("not as docs/schema/" + name + " says: " + faults + " in " + document);
        }
    }

    /** A line each; empty if it follows the schema. */
    public static List<String> faults(String name, JsonNode document) {
        JsonSchema schema = SCHEMAS.computeIfAbsent(name, JsonSchemas::load);
        return lines(schema.validate(document));
    }

    /** What the schema itself is against the meta-schema of its draft. */
    public static List<String> schemaFaults(String name) throws IOException {
        JsonSchema meta = FACTORY.getSchema(SchemaLocation.of(SchemaId.V202012), CONFIG);
        return lines(meta.validate(JSON.readTree(Files.readString(FOLDER.resolve(name + ".json")))));
    }

    private static JsonSchema load(String name) {
        String[] parts = name.split("#", 2);
        String file =
                FOLDER.resolve(parts[0] + ".json").toAbsolutePath().toUri().toString();
        return FACTORY.getSchema(SchemaLocation.of(parts.length == 1 ? file : file + "#" + parts[1]), CONFIG);
    }

    private static List<String> lines(Set<ValidationMessage> faults) {
        List<String> lines = new ArrayList<>();
        faults.forEach(fault -> lines.add(fault.getMessage()));
        return lines;
    }
}
