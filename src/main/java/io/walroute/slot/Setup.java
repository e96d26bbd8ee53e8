package io.walroute.slot;

import io.walroute.change.Lsn;
import io.walroute.slot.Finding.Fault;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * Makes a database ready to be listened to: publication, replica identities, slot. What is there already stays; nothing is
 * ever taken away.
 *
 * <p>Publication and identities come in one transaction, the slot after it: a slot that is older than its publication meets
 * changes that it can't decode. Whatever can be known to fail (a missing table, no free slot, no privilege) is looked at before
 * the first change.
 */
public final class Setup {
    // ALTER TABLE … REPLICA IDENTITY queues behind running transactions and holds up everything behind itself
    // meanwhile.
    private static final Duration LOCK_TIMEOUT = Duration.ofSeconds(10);
    // A new slot waits for every transaction that was running before it.
    static final Duration SLOT_TIMEOUT = Duration.ofSeconds(30);

    /**
     * What is to be published, and with which old values.
     *
     * @param allTables every table of the database; then {@code tables} is empty
     * @param identitiesIfPresent tables whose identity is only wished for: that one is missing is no fault
     */
    public record Wanted(
            boolean allTables,
            List<TableName> tables,
            Map<TableName, ReplicaIdentity> identities,
            Set<TableName> identitiesIfPresent) {}

    /** One statement, and what it will have done, in the past tense. */
    public record Step(String sql, String done) {}

    /**
     * @param transaction run together or not at all
     * @param slot after them; empty if the slot is there
     * @param notes what the user should know, one line each
     */
    public record Plan(List<Step> transaction, Optional<Step> slot, List<String> notes) {
        public Plan {
            transaction = List.copyOf(transaction);
            notes = List.copyOf(notes);
        }

        public List<Step> steps() {
            List<Step> steps = new ArrayList<>(transaction);
            slot.ifPresent(steps::add);
            return List.copyOf(steps);
        }
    }

    private final Connection connection;
    private final ReplicationTarget target;
    private final Duration slotTimeout;
    private final List<Step> steps = new ArrayList<>();
    private final List<String> notes = new ArrayList<>();

    public Setup(Connection connection, ReplicationTarget target) {
        this(connection, target, SLOT_TIMEOUT);
    }

    Setup(Connection connection, ReplicationTarget target, Duration slotTimeout) {
        this.connection = connection;
        this.target = target;
        this.slotTimeout = slotTimeout;
    }

    /**
     * Looks at the database; changes nothing.
     *
     * @throws SlotException with the first thing that would make it fail
     */
    public Plan plan(Wanted wanted) throws SlotException {
        steps.clear();
        notes.clear();
        try {
            ServerInfo server = ServerInfo.read(connection);
            for (Finding finding : ReplicationCheck.serverFindings(server, target)) {
                throw new SlotException(finding);
            }
            Optional<SlotInfo> slot = slot(server);
            checkTables(wanted);
            publication(wanted, slot.isPresent());
            identities(wanted);
            warnOfFrozenTables(wanted);
            return new Plan(steps, slot.isPresent() ? Optional.empty() : Optional.of(slotStep(server)), notes);
        } catch (SQLException e) {
            throw failed(e);
        }
    }

    /**
     * @return what was done, in the past tense; empty if there was nothing to do
     * @throws SlotException if the server refuses; says what is in place nevertheless
     */
    public List<String> apply(Plan plan) throws SlotException {
        List<String> done = new ArrayList<>();
        try {
            runTransaction(plan.transaction());
            plan.transaction().forEach(step -> done.add(step.done()));
        } catch (SQLException e) {
            throw failed(e);
        }
        if (plan.slot().isPresent()) {
            done.add(createSlot(plan.slot().get()));
        }
        return done;
    }

    private Optional<SlotInfo> slot(ServerInfo server) throws SQLException, SlotException {
        Optional<SlotInfo> slot = SlotInfo.read(connection, target.slot());
        Optional<Finding> finding = slot.isEmpty()
                ? ReplicationCheck.noFreeSlot(server)
                : ReplicationCheck.slotFinding(slot.get(), connection.getCatalog())
                        .filter(found -> found.fault() != Fault.SLOT_ACTIVE);
        if (finding.isPresent()) {
            throw new SlotException(finding.get());
        }
        return slot;
    }

    private void checkTables(Wanted wanted) throws SQLException, SlotException {
        Set<TableName> named = new LinkedHashSet<>(wanted.tables());
        wanted.identities().keySet().stream()
                .filter(table -> !wanted.identitiesIfPresent().contains(table))
                .forEach(named::add);
        List<TableName> missing = new ArrayList<>();
        for (TableName table : named) {
            Optional<TableInfo> info = TableInfo.find(connection, table);
            if (info.isEmpty()) {
                missing.add(table);
                continue;
            }
            Optional<String> why = info.get().whyNotPublishable();
            if (why.isPresent()) {
                throw new SlotException(Finding.of(
                        Fault.TABLE_NOT_PUBLISHABLE,
                        table + " is " + why.get() + " and can't be published. Take it out of walroute.tables"));
            }
        }
        if (!missing.isEmpty()) {
            throw new SlotException(Finding.of(
                    Fault.TABLE_MISSING,
                    "Database " + connection.getCatalog() + " has no table " + names(missing)
                            + ". Create what is missing, or correct walroute.tables"));
        }
    }

    private void publication(Wanted wanted, boolean slotExists) throws SQLException, SlotException {
        Optional<Publication> publication = Publication.read(connection, target.publication());
        if (publication.isEmpty()) {
            create(wanted);
            if (slotExists) {
                notes.add("The replication slot " + target.slot() + " is older than the publication: changes that were"
                        + " committed in between are not published");
            }
            return;
        }
        extend(publication.get(), wanted);
    }

    private void create(Wanted wanted) {
        String what = wanted.allTables() ? "FOR ALL TABLES" : "FOR TABLE " + sqlNames(wanted.tables());
        steps.add(new Step(
                "CREATE PUBLICATION " + publicationSql() + " " + what + " WITH (publish_via_partition_root = true)",
                "Created publication " + target.publication() + " for "
                        + (wanted.allTables() ? "all tables" : names(wanted.tables()))));
    }

    private void extend(Publication publication, Wanted wanted) throws SlotException {
        if (wanted.allTables() && !publication.allTables()) {
            throw new SlotException(Finding.of(
                    Fault.PUBLICATION_OF_OTHER_KIND,
                    "The publication " + publication.name()
                            + " lists its tables, and PostgreSQL can't turn it into one of"
                            + " all tables. Drop it (DROP PUBLICATION " + publicationSql()
                            + "), or name the tables in walroute.tables"));
        }
        if (!publication.viaRoot()) {
            steps.add(new Step(
                    "ALTER PUBLICATION " + publicationSql() + " SET (publish_via_partition_root = true)",
                    "Made publication " + publication.name() + " publish partitions under their root table's name"));
        }
        List<TableName> missing = wanted.tables().stream()
                .filter(table -> !publication.allTables())
                .filter(table -> !publication.listed().contains(table))
                .filter(table -> !publication.effective().contains(table))
                .toList();
        if (!missing.isEmpty()) {
            steps.add(new Step(
                    "ALTER PUBLICATION " + publicationSql() + " ADD TABLE " + sqlNames(missing),
                    "Added " + names(missing) + " to publication " + publication.name()));
        }
        noteWhatElse(publication, wanted);
    }

    private void noteWhatElse(Publication publication, Wanted wanted) {
        if (!publication.unpublished().isEmpty()) {
            notes.add("The publication " + publication.name() + " leaves out "
                    + String.join(", ", publication.unpublished())
                    + ": such changes never arrive. To change that: ALTER"
                    + " PUBLICATION " + publicationSql() + " SET (publish = 'insert, update, delete, truncate')");
        }
        if (wanted.allTables()) {
            return;
        }
        Set<TableName> extra = new LinkedHashSet<>(publication.allTables() ? Set.of() : publication.listed());
        extra.removeAll(wanted.tables());
        if (publication.allTables()) {
            notes.add("The publication " + publication.name()
                    + " publishes all tables, not only those of walroute.tables: they are routed and audited too");
        } else if (!extra.isEmpty()) {
            notes.add("The publication " + publication.name() + " also publishes " + names(extra)
                    + ": routed and audited too. To take it out: ALTER PUBLICATION " + publicationSql() + " DROP TABLE "
                    + sqlNames(extra));
        }
    }

    private void identities(Wanted wanted) throws SQLException, SlotException {
        for (var each : wanted.identities().entrySet()) {
            Optional<TableInfo> table = TableInfo.find(connection, each.getKey());
            if (table.isPresent() && table.get().whyNotPublishable().isEmpty()) {
                identity(table.get(), each.getValue());
            }
        }
    }

    /** Partitions don't take it over from their root, and it is theirs that counts. */
    private void identity(TableInfo root, ReplicaIdentity wanted) throws SQLException, SlotException {
        for (TableInfo table : TableInfo.withPartitions(connection, root.name())) {
            ReplicaIdentity identity = wanted.kind() == ReplicaIdentity.Kind.INDEX
                    ? new ReplicaIdentity(wanted.kind(), indexOf(table.name(), root.name(), wanted.index()))
                    : wanted;
            if (!table.has(identity)) {
                String sql = "REPLICA IDENTITY " + identity.sql();
                steps.add(new Step(
                        "ALTER TABLE " + table.name().sql() + " " + sql, "Set " + sql + " on " + table.name()));
            }
        }
        if (root.isPartitioned()) {
            notes.add("Partitions of " + root.name() + " made later need their replica identity too: run walroute setup"
                    + " again");
        }
    }

    private String indexOf(TableName table, TableName root, String rootIndex) throws SQLException, SlotException {
        String sql = """
                SELECT x.relname
                  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                 WHERE i.indrelid = ?::regclass
                   AND i.indexrelid IN (SELECT r.oid FROM pg_class r JOIN pg_index ri ON ri.indexrelid = r.oid
                                         WHERE ri.indrelid = ?::regclass AND r.relname = ?
                                        UNION
                                        SELECT t.relid FROM pg_class r JOIN pg_index ri ON ri.indexrelid = r.oid,
                                               pg_partition_tree(r.oid) t
                                         WHERE ri.indrelid = ?::regclass AND r.relname = ?)
                """;
        try (var statement = connection.prepareStatement(sql)) {
            statement.setString(1, table.sql());
            statement.setString(2, root.sql());
            statement.setString(3, rootIndex);
            statement.setString(4, root.sql());
            statement.setString(5, rootIndex);
            try (var row = statement.executeQuery()) {
                if (row.next()) {
                    return row.getString(1);
                }
            }
        }
        throw new SlotException(Finding.of(
                Fault.INDEX_UNSUITABLE,
                "Table " + table + " has no index " + rootIndex + ". Correct walroute.tables." + root
                        + ".replica-identity"));
    }

    private void warnOfFrozenTables(Wanted wanted) throws SQLException {
        List<TableInfo> tables = new ArrayList<>();
        if (wanted.allTables()) {
            tables.addAll(TableInfo.allOfDatabase(connection));
        }
        for (TableName table : wanted.tables()) {
            tables.addAll(TableInfo.withPartitions(connection, table));
        }
        // Those that this plan gives an identity are well.
        Set<String> mended = steps.stream().map(Step::sql).collect(Collectors.toSet());
        List<TableName> frozen = tables.stream()
                .filter(TableInfo::isFrozenByPublishing)
                .map(TableInfo::name)
                .filter(name -> mended.stream().noneMatch(sql -> sql.startsWith("ALTER TABLE " + name.sql() + " ")))
                .toList();
        if (!frozen.isEmpty()) {
            notes.add("PostgreSQL refuses UPDATE and DELETE while these tables are published, for they have neither a"
                    + " primary key nor a replica identity: " + names(frozen) + ". Set walroute.tables."
                    + frozen.get(0) + ".replica-identity=full");
        }
    }

    /** With failover (from 17 on): where the server copies slots to its standbys, a promotion doesn't lose this one. */
    private Step slotStep(ServerInfo server) {
        return new Step(
                slotSql(target.failover() && server.majorVersion() >= 17), "Created replication slot " + target.slot());
    }

    private String slotSql(boolean failover) {
        return "SELECT lsn FROM pg_create_logical_replication_slot(" + Quote.literal(target.slot()) + ", 'pgoutput'"
                + (failover ? ", failover => true)" : ")");
    }

    private void runTransaction(List<Step> transaction) throws SQLException {
        if (transaction.isEmpty()) {
            return;
        }
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET LOCAL lock_timeout = " + LOCK_TIMEOUT.toMillis());
            for (Step step : transaction) {
                statement.execute(step.sql());
            }
            connection.commit();
        } catch (SQLException e) {
            connection.rollback();
            throw e;
        } finally {
            connection.setAutoCommit(true);
        }
    }

    private String createSlot(Step step) throws SlotException {
        return step.done() + " at " + createSlot(step.sql());
    }

    /** Only the slot. @return where it stands */
    Lsn createSlot(ServerInfo server) throws SlotException {
        return Lsn.parse(createSlot(slotStep(server).sql()));
    }

    private String createSlot(String sql) throws SlotException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SET statement_timeout = " + slotTimeout.toMillis());
            try {
                return createSlot(statement, sql);
            } finally {
                statement.execute("RESET statement_timeout");
            }
        } catch (SQLException e) {
            throw slotFailed(e);
        }
    }

    private String createSlot(Statement statement, String sql) throws SQLException {
        try (var row = statement.executeQuery(sql)) {
            row.next();
            return row.getString(1);
        } catch (SQLException e) {
            boolean hopeless = "57014".equals(e.getSQLState()) || sql.equals(slotSql(false));
            if (hopeless) {
                throw e;
            }
            // Some managed servers know failover slots and don't allow them; a plain slot is worth more than none.
            return createSlot(statement, slotSql(false));
        }
    }

    private SlotException slotFailed(SQLException e) {
        if (!"57014".equals(e.getSQLState())) {
            return new SlotException(
                    Finding.of(
                            "42501".equals(e.getSQLState()) ? Fault.PERMISSION : Fault.STATEMENT_FAILED,
                            "The publication is in place, but the replication slot " + target.slot()
                                    + " could not be created: " + ConnectFailure.line(e)),
                    e);
        }
        return new SlotException(
                Finding.of(
                        Fault.STATEMENT_FAILED,
                        "The publication is in place, but the replication slot " + target.slot()
                                + " was not created within "
                                + slotTimeout.toSeconds() + " s: PostgreSQL waits for transactions begun before it"
                                + oldestTransaction() + ". End them, then run: walroute setup"),
                e);
    }

    private String oldestTransaction() {
        String sql = "SELECT pid, extract(epoch FROM now() - xact_start)::bigint FROM pg_stat_activity"
                + " WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1";
        try (Statement statement = connection.createStatement();
                var row = statement.executeQuery(sql)) {
            return row.next() ? " (process " + row.getInt(1) + ", for " + row.getLong(2) + " s)" : "";
        } catch (SQLException e) {
            // Only to say more about another failure.
            return "";
        }
    }

    private SlotException failed(SQLException e) {
        String state = e.getSQLState() == null ? "" : e.getSQLState();
        String line = ConnectFailure.line(e);
        Finding finding =
                switch (state) {
                    case "42501" ->
                        Finding.of(
                                Fault.PERMISSION,
                                "User " + target.user() + " may not set this up: " + line
                                        + ". Nothing was changed. Let a"
                                        + " user who may run what this prints: walroute setup --dry-run");
                    case "55P03" ->
                        Finding.of(
                                Fault.STATEMENT_FAILED,
                                "A table stayed locked by running transactions for " + LOCK_TIMEOUT.toSeconds()
                                        + " s. Nothing was changed. Run again: walroute setup");
                    default -> Finding.of(Fault.STATEMENT_FAILED, "Setup failed: " + line + ". Nothing was changed");
                };
        return new SlotException(finding, e);
    }

    private String publicationSql() {
        return Quote.identifier(target.publication());
    }

    private static String sqlNames(Iterable<TableName> tables) {
        List<String> names = new ArrayList<>();
        tables.forEach(table -> names.add(table.sql()));
        return String.join(", ", names);
    }

    private static String names(Iterable<TableName> tables) {
        List<String> names = new ArrayList<>();
        tables.forEach(table -> names.add(table.toString()));
        return String.join(", ", names);
    }
}
