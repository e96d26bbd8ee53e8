package io.walroute.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The database role that README shows for {@code run}, made of README's own text, so that every test of the service is one of that
 * text, too.
 */
public final class ReadmeRole {
    private static final String PASSWORD = "secret";
    private static final Pattern BLOCK =
            Pattern.compile("^ *```sql\\n(.*?)^ *```$", Pattern.DOTALL | Pattern.MULTILINE);
    private static final Pattern SCHEMAS = Pattern.compile("^(?!pg_|information_schema$).*");

    private ReadmeRole() {}

    /** Its statements as they stand there, with another name. */
    public static List<String> sql(String role) {
        Matcher blocks = BLOCK.matcher(readme());
        while (blocks.find()) {
            if (blocks.group(1).contains("CREATE ROLE")) {
                return statements(
                        blocks.group(1).replaceAll("\\bwalroute\\b", role).replace("'…'", "'" + PASSWORD + "'"));
            }
        }
        throw new AssertionError("README shows no role");
    }

    /** The same without what it may do with the marketplace's tables, for a database that hasn't got them. */
    public static List<String> sqlWithoutTables(String role) {
        return sql(role).stream()
                .filter(statement -> !statement.contains(" ON "))
                .toList();
    }

    private static String readme() {
        try {
            return Files.readString(Path.of("README.md"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> statements(String block) {
        List<String> statements = new ArrayList<>();
        for (String statement : block.replaceAll("--.*", "").split(";")) {
            if (!statement.isBlank()) {
                statements.add(statement.strip());
            }
        }
        return statements;
    }

    /**
     * Makes the role of a database with the marketplace's tables: {@code walroute_DATABASE}. Tables beside those are granted as README
     * says of tables that are added, those that are made later, too.
     */
    public static String create(Postgres.Database database) {
        String role = "walroute_" + database.name();
        List<String> all = new ArrayList<>(sql(role));
        for (String schema : database.query("SELECT string_agg(nspname, ',') FROM pg_namespace")
                .split(",")) {
            if (SCHEMAS.matcher(schema).matches()) {
                all.add("GRANT USAGE ON SCHEMA \"" + schema + "\" TO " + role);
                all.add("GRANT SELECT ON ALL TABLES IN SCHEMA \"" + schema + "\" TO " + role);
            }
        }
        all.add("ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO " + role);
        all.add("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO " + role);
        database.execute(all.toArray(String[]::new));
        return role;
    }

    /** As {@code DATABASE_URL} wants it. */
    public static String url(Postgres.Database database, String role) {
        return database.url().replace("postgres:postgres@", role + ":" + PASSWORD + "@");
    }

    public static void drop(Postgres.Database database, String role) {
        database.execute("DROP OWNED BY " + role, "DROP ROLE " + role);
    }
}
