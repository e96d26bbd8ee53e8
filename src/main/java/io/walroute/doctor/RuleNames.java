package io.walroute.doctor;

import io.walroute.change.ColumnList;
import io.walroute.change.ColumnRules;
import io.walroute.change.RedactionRule;
import io.walroute.change.Redactions.TableRules;
import io.walroute.settings.Nearest;
import io.walroute.settings.Settings;
import io.walroute.slot.Publication;
import io.walroute.slot.TableName;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Whether the tables and columns that redaction rules name are there. A mistyped name hides nothing, and what it was meant to hide
 * leaves as it is.
 */
public final class RuleNames {
    /**
     * A name that isn't there.
     *
     * @param leaks whether a column may leave that was to be hidden: nothing must be sent. A table that isn't there sends nothing
     *     either, and may have been dropped on purpose
     * @param line the thing and what is wrong
     */
    public record Problem(boolean leaks, String line, String fix) {
        @Override
        public String toString() {
            return line + ". " + Character.toUpperCase(fix.charAt(0)) + fix.substring(1);
        }
    }

    private static final String COLUMNS = "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            + " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ? AND a.attnum > 0"
            + " AND NOT a.attisdropped AND c.relkind IN ('r', 'p')";

    private final Settings settings;
    private final Connection connection;
    private final Optional<Publication> publication;
    private final List<Problem> problems = new ArrayList<>();

    private RuleNames(Settings settings, Connection connection) throws SQLException {
        this.settings = settings;
        this.connection = connection;
        publication = Publication.read(connection, settings.publicationName());
    }

    /** Whether there is anything to look up. */
    public static boolean areThere(Settings settings) {
        return !rules(settings).isEmpty();
    }

    private static Map<TableName, TableRules> rules(Settings settings) {
        Map<TableName, TableRules> rules = new TreeMap<>((a, b) -> a.sql().compareTo(b.sql()));
        settings.tableSettings().forEach((table, of) -> {
            if (!of.redaction().isEmpty()) {
                rules.put(table, of.redaction());
            }
        });
        return rules;
    }

    /** Empty if all are there. Blocks for a few short queries. */
    public static List<Problem> problems(Settings settings, Connection connection) throws SQLException {
        var names = new RuleNames(settings, connection);
        for (var rule : rules(settings).entrySet()) {
            names.check(rule.getKey(), rule.getValue());
        }
        return names.problems;
    }

    private void check(TableName table, TableRules rules) throws SQLException {
        Set<String> columns = columns(table);
        String key = "walroute.tables." + table;
        if (columns.isEmpty()) {
            problems.add(new Problem(
                    false,
                    "The redaction rules of " + key + " hide nothing: the database has no table " + table,
                    didYouMean(table.toString(), published(), "take them out, or correct the name")));
            return;
        }
        checkPublished(table, key);
        for (var column : rules.rules().entrySet()) {
            if (!columns.contains(column.getKey())) {
                problems.add(new Problem(
                        hides(column.getValue()),
                        key + ".redact." + column.getKey() + " hides nothing: " + table + " has no such column",
                        didYouMean(column.getKey(), columns, "correct the name, or take the rule out")));
            }
        }
        for (String column : listed(rules.columns())) {
            if (!columns.contains(column)) {
                problems.add(new Problem(
                        false,
                        key + ".columns lets nothing out as " + column + ": " + table + " has no such column",
                        didYouMean(column, columns, "correct the name, or take it out")));
            }
        }
    }

    private void checkPublished(TableName table, String key) throws SQLException {
        if (publication.isEmpty() || published().contains(table.toString())) {
            return;
        }
        Set<String> sent = family(table);
        sent.retainAll(published());
        problems.add(new Problem(
                !sent.isEmpty(),
                "The redaction rules of " + key + " hide nothing: the publication " + settings.publicationName()
                        + " sends no change under the name " + table
                        + (sent.isEmpty() ? "" : ", only as " + String.join(", ", sent)),
                sent.isEmpty()
                        ? "take them out, or publish the table: walroute setup"
                        : "write them for that name, or let the publication name partitioned tables: walroute setup"));
    }

    private static boolean hides(ColumnRules rules) {
        return rules.rule().kind() != RedactionRule.Kind.KEEP
                || rules.bySink().values().stream().anyMatch(rule -> rule.kind() != RedactionRule.Kind.KEEP);
    }

    private static Set<String> listed(ColumnList list) {
        Set<String> columns = new LinkedHashSet<>();
        if (list != null) {
            columns.addAll(list.columns() == null ? Set.of() : list.columns());
            list.bySink().values().forEach(columns::addAll);
        }
        return columns;
    }

    private static String didYouMean(String typed, Set<String> known, String otherwise) {
        return Nearest.of(typed, known)
                .map(near -> "did you mean " + near + "? Otherwise " + otherwise)
                .orElse(otherwise);
    }

    private Set<String> published() {
        Set<String> names = new TreeSet<>();
        publication.ifPresent(found -> found.effective().forEach(table -> names.add(table.toString())));
        return names;
    }

    /** The partitions of a partitioned table, and those that a partition belongs to. */
    private Set<String> family(TableName table) throws SQLException {
        String sql = "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                + " WHERE c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass(?))"
                + " UNION SELECT relid FROM pg_partition_ancestors(to_regclass(?))) ORDER BY 1, 2";
        try (var query = connection.prepareStatement(sql)) {
            query.setString(1, table.sql());
            query.setString(2, table.sql());
            try (var rows = query.executeQuery()) {
                Set<String> names = new LinkedHashSet<>();
                while (rows.next()) {
                    names.add(new TableName(rows.getString(1), rows.getString(2)).toString());
                }
                return names;
            }
        }
    }

    /** Of a table or a partitioned table; empty for anything else, which has no changes. */
    private Set<String> columns(TableName table) throws SQLException {
        try (var query = connection.prepareStatement(COLUMNS)) {
            query.setString(1, table.schema());
            query.setString(2, table.table());
            try (var rows = query.executeQuery()) {
                Set<String> names = new LinkedHashSet<>();
                while (rows.next()) {
                    names.add(rows.getString(1));
                }
                return names;
            }
        }
    }
}
