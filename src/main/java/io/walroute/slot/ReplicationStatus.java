package io.walroute.slot;

import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * All that the database tells of slot and publication at one moment, and what is wrong with them.
 *
 * @param server its version as a text, {@code 18.1}
 * @param slot null if there is none
 * @param publication null if there is none
 * @param tables those that are wanted or published
 * @param problems why changes don't get through, or not all of them; one line each with its fix
 * @param warnings what is not as it should be, and loses nothing
 */
public record ReplicationStatus(
        String server,
        ServerInfo info,
        SlotInfo slot,
        WalLimits limits,
        List<Pin> pins,
        Publication publication,
        List<TableStatus> tables,
        List<String> problems,
        List<String> warnings) {

    /** @param longTransaction younger transactions are no {@link #pins} */
    public static ReplicationStatus read(
            Connection connection, ReplicationTarget target, Setup.Wanted wanted, Duration longTransaction)
            throws SQLException {
        Optional<Publication> publication = Publication.read(connection, target.publication());
        List<TableStatus> tables = tables(connection, wanted, publication);
        List<String> problems = new ArrayList<>();
        ReplicationCheck.findings(connection, target).stream()
                .filter(finding -> finding.fault() != Finding.Fault.SLOT_ACTIVE)
                .forEach(finding -> problems.add(finding.line()));
        List<String> warnings = new ArrayList<>();
        publication.ifPresent(found -> drift(found, wanted, tables, problems, warnings));
        identities(tables, warnings);
        return new ReplicationStatus(
                connection.getMetaData().getDatabaseProductVersion(),
                ServerInfo.read(connection),
                SlotInfo.read(connection, target.slot()).orElse(null),
                WalLimits.read(connection),
                Pin.list(connection, target.slot(), longTransaction),
                publication.orElse(null),
                tables,
                List.copyOf(problems),
                List.copyOf(warnings));
    }

    private static List<TableStatus> tables(
            Connection connection, Setup.Wanted wanted, Optional<Publication> publication) throws SQLException {
        Set<TableName> published = publication.map(Publication::effective).orElse(Set.of());
        Set<TableName> names = new LinkedHashSet<>(wanted.tables());
        names.addAll(published);
        List<TableStatus> tables = new ArrayList<>();
        for (TableName name : names) {
            boolean named = wanted.allTables() || wanted.tables().contains(name);
            boolean sent = published.contains(name) || partitionsAre(connection, name, published);
            tables.add(TableStatus.read(
                    connection, name, named, sent, wanted.identities().get(name)));
        }
        return tables;
    }

    /** A publication that doesn't publish by the root names its partitions instead. */
    private static boolean partitionsAre(Connection connection, TableName name, Set<TableName> published)
            throws SQLException {
        if (TableInfo.find(connection, name).filter(TableInfo::isPartitioned).isEmpty()) {
            return false;
        }
        return TableInfo.withPartitions(connection, name).stream().anyMatch(each -> published.contains(each.name()));
    }

    private static void drift(
            Publication publication,
            Setup.Wanted wanted,
            List<TableStatus> tables,
            List<String> problems,
            List<String> warnings) {
        List<String> missing = names(tables, each -> each.wanted() && each.exists() && !each.published());
        if (!missing.isEmpty()) {
            problems.add("The publication " + publication.name() + " does not publish " + String.join(", ", missing)
                    + ": such changes never arrive. Run: walroute setup");
        }
        List<String> absent = names(tables, each -> !each.exists());
        if (!absent.isEmpty()) {
            problems.add("The database has no table " + String.join(", ", absent)
                    + ". Create what is missing, or correct walroute.tables");
        }
        if (wanted.allTables() && !publication.allTables()) {
            problems.add("The publication " + publication.name() + " lists its tables, while walroute.tables says all:"
                    + " changes of others never arrive. Run: walroute drop --publication, then walroute setup");
        }
        if (!publication.unpublished().isEmpty()) {
            problems.add("The publication " + publication.name() + " leaves out "
                    + String.join(", ", publication.unpublished())
                    + ": such changes never arrive. Run: ALTER PUBLICATION " + Quote.identifier(publication.name())
                    + " SET (publish = 'insert, update, delete, truncate')");
        }
        if (!publication.viaRoot()) {
            warnings.add("The publication " + publication.name()
                    + " sends changes under the names of partitions, not of their tables. Run: walroute setup");
        }
        List<String> extra = names(tables, each -> !each.wanted() && each.published());
        if (!extra.isEmpty()) {
            warnings.add("The publication " + publication.name() + " also publishes " + String.join(", ", extra)
                    + ", which walroute.tables does not name: routed and audited too");
        }
    }

    private static void identities(List<TableStatus> tables, List<String> warnings) {
        List<String> wrong = names(tables, each -> each.exists() && !each.identityIsRight());
        if (!wrong.isEmpty()) {
            warnings.add("The replica identity is not as configured on " + String.join(", ", wrong)
                    + ": old values and changed columns are missing. Run: walroute setup");
        }
        List<String> frozen = names(tables, TableStatus::frozen);
        if (!frozen.isEmpty()) {
            warnings.add("PostgreSQL refuses UPDATE and DELETE on " + String.join(", ", frozen)
                    + ", published without a primary key or replica identity. Set walroute.tables." + frozen.get(0)
                    + ".replica-identity=full and run: walroute setup");
        }
    }

    private static List<String> names(List<TableStatus> tables, java.util.function.Predicate<TableStatus> which) {
        return tables.stream().filter(which).map(each -> each.name().toString()).toList();
    }

    /** Whether changes are kept and get through, all of them. */
    public boolean isSound() {
        return problems.isEmpty();
    }
}
