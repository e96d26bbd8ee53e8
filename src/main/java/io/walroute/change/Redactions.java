package io.walroute.change;

import io.walroute.change.RedactionRule.Kind;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import javax.crypto.spec.SecretKeySpec;

/**
 * What which sink doesn't get to see of which table. Bound into Camel's registry if anything is hidden at all.
 *
 * <p>Every sink that isn't named in a rule has the table's rule, a lane that somebody adds tomorrow included. Two stay in the
 * house: the audit log ({@link #AUDIT}), which has only the rules that name it, and lanes that say so ({@code raw}). Immutable.
 */
public final class Redactions {
    /** The audit log's name in rules. */
    public static final String AUDIT = "audit";
    /** The name of a sink that no rule names: what is shown to people. */
    public static final String ANY = "*";

    /**
     * One table's settings.
     *
     * @param columns null: all
     */
    public record TableRules(Map<String, ColumnRules> rules, ColumnList columns) {
        public boolean isEmpty() {
            return rules.isEmpty() && columns == null;
        }

        Set<String> sinks() {
            Set<String> sinks = new LinkedHashSet<>();
            rules.values().forEach(column -> sinks.addAll(column.bySink().keySet()));
            if (columns != null) {
                sinks.addAll(columns.bySink().keySet());
            }
            return sinks;
        }
    }

    private record TableId(String schema, String table) {}

    /** A null is a sink from which nothing is hidden. */
    private record Sinks(Map<String, Redaction> named, Redaction others) {
        Redaction of(String sink) {
            return named.containsKey(sink) ? named.get(sink) : sink.equals(AUDIT) ? null : others;
        }
    }

    private final Map<TableId, Sinks> tables = new HashMap<>();
    private final Sinks otherTables;
    private final Set<String> sinks = new TreeSet<>();

    private Redactions(boolean dropUnnamed) {
        otherTables = new Sinks(Map.of(), dropUnnamed ? new Redaction(Map.of(), RedactionRule.DROP, null) : null);
    }

    public static final class Builder {
        private final Redactions built;
        private final boolean dropUnnamed;
        private final SecretKeySpec salt;

        /**
         * @param dropUnnamed whether columns that no setting names stay in the house, of tables without settings too
         * @param salt null if nothing is hashed
         */
        public Builder(boolean dropUnnamed, String salt) {
            this.dropUnnamed = dropUnnamed;
            this.salt = Redaction.salt(salt);
            built = new Redactions(dropUnnamed);
        }

        public Builder table(String schema, String table, TableRules of) {
            Map<String, Redaction> named = new HashMap<>();
            of.sinks().forEach(sink -> named.put(sink, redaction(sink, of)));
            built.tables.put(new TableId(schema, table), new Sinks(named, redaction(ANY, of)));
            built.sinks.addAll(of.sinks());
            return this;
        }

        private Redaction redaction(String sink, TableRules of) {
            boolean audit = sink.equals(AUDIT);
            Map<String, RedactionRule> rules = new LinkedHashMap<>();
            of.rules().forEach((column, all) -> {
                RedactionRule rule = all.bySink().getOrDefault(sink, audit ? null : all.rule());
                if (rule != null) {
                    rules.put(column, rule);
                }
            });
            ColumnList list = of.columns();
            Set<String> only = list == null ? null : list.bySink().getOrDefault(sink, audit ? null : list.columns());
            if (only != null) {
                // A column that a rule names too is hidden as the rule says, and only if the list has it at all.
                rules.keySet().retainAll(new HashSet<>(only));
                only.forEach(column -> rules.putIfAbsent(column, RedactionRule.KEEP));
            }
            boolean drop = only != null || dropUnnamed && !audit;
            boolean hides = drop || rules.values().stream().anyMatch(rule -> rule.kind() != Kind.KEEP);
            return hides ? new Redaction(rules, drop ? RedactionRule.DROP : RedactionRule.KEEP, salt) : null;
        }

        /** Null if nothing is hidden. */
        public Redactions build() {
            return built.tables.isEmpty() && built.otherTables.others() == null ? null : built;
        }
    }

    /** The sinks that rules name. */
    public Set<String> sinks() {
        return Set.copyOf(sinks);
    }

    /** Null if that sink sees all of that table. */
    public Redaction of(String sink, String schema, String table) {
        return tables.getOrDefault(new TableId(schema, table), otherTables).of(sink);
    }

    /** The sink's copy of a change, and what belongs to it. */
    public Redacted redact(String sink, ChangeEvent event) {
        return new Redacted(of(sink, event.schema(), event.table()), event);
    }
}
