package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.logging.Terminal;
import io.walroute.settings.Settings;
import io.walroute.slot.SlotTransaction;
import io.walroute.slot.TransactionSearch.Wanted;
import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "skip",
        description = {
            "Passes over one committed transaction: none of its changes is audited or routed, and the slot moves on. For one"
                    + " whose change stops the stream again and again, or that must not reach the sinks. Shows the"
                    + " transaction first, and keeps who passed over what, when and why.",
            "A running service does it within seconds; without one it is noted, and the next start passes over the"
                    + " transaction. What was delivered of it before stays so, and rows that it changed are stale in the cache"
                    + " until they are read again. It can't be taken back."
        },
        footer = {
            "",
            "Example: walroute skip --xid 812 --dry-run",
            "         walroute skip --xid 812 --reason \"broken import, repeated as 815\"",
            "         walroute skip --lsn 0/17D5A48 --reason \"broken import\""
        })
final class SkipCommand implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();
    // The service looks for the transaction itself, in a backlog that may be large.
    private static final Duration ANSWER = Duration.ofMinutes(10);

    private final Session session;
    private final PrintStream err;

    @Option(
            names = "--xid",
            paramLabel = "XID",
            description = "The transaction with this number, as change events and the log have it.")
    private String xid;

    @Option(
            names = "--lsn",
            paramLabel = "LSN",
            description = "The transaction with a change, or its commit, at this LSN.")
    private String lsn;

    @Option(names = "--reason", paramLabel = "TEXT", description = "Why; kept with the record.")
    private String reason;

    @Option(names = "--dry-run", description = "Show the transaction and change nothing.")
    private boolean dryRun;

    @Option(names = "--list", description = "Show what was passed over so far, the newest first.")
    private boolean list;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    SkipCommand(Session session, PrintStream err) {
        this.session = session;
        this.err = err;
    }

    @Override
    public Integer call() throws Exception {
        if (list) {
            return list(session.entryPoints().slots().skips(session.settings()));
        }
        Wanted wanted = wanted();
        if (!dryRun && (reason == null || reason.isBlank())) {
            throw new Failure(
                    Failure.MISCONFIGURED, "Why is it passed over? Give --reason TEXT: it is kept with the record");
        }
        Settings settings = session.settings();
        ManagementClient service = dryRun ? null : service(settings);
        SlotTransaction transaction = find(settings, wanted);
        if (!json) {
            print(transaction);
        }
        JsonNode skip = dryRun ? null : skip(settings, service, transaction);
        if (json) {
            Json.print(session.out(), document(settings, transaction, skip, service != null));
        } else {
            printEnd(transaction, skip, service != null);
        }
        return 0;
    }

    private Wanted wanted() {
        try {
            return Wanted.of(xid, lsn);
        } catch (IllegalArgumentException e) {
            throw new Failure(Failure.MISCONFIGURED, e.getMessage() + ". See: walroute skip --help");
        }
    }

    /**
     * @return null if there is none
     * @throws Failure if there seems to be one that can't be asked
     */
    private ManagementClient service(Settings settings) throws Exception {
        if (settings.managementPort().orElse(0) != 0) {
            var client = new ManagementClient(settings, ANSWER);
            if (client.isReachable()) {
                StatusCommand.Service answer = StatusCommand.askService(settings);
                if (answer.answer() == null) {
                    throw new Failure(Failure.FAILED, answer.why());
                }
                return client;
            }
        }
        try (var connection = settings.replicationTarget().connect()) {
            var slot = io.walroute.slot.SlotInfo.read(connection, settings.replicationSlot());
            if (slot.isPresent() && slot.get().active()) {
                throw new Failure(
                        Failure.FAILED,
                        "The replication slot " + slot.get().name() + " is in use by process "
                                + slot.get().activePid()
                                + ", but no service answers here (MANAGEMENT_PORT). Run this where the service runs, or"
                                + " stop what reads the slot");
            }
        }
        return null;
    }

    private SlotTransaction find(Settings settings, Wanted wanted) throws Exception {
        var line = new ProgressLine(err, Terminal.hasColours());
        try {
            return session.entryPoints()
                    .slots()
                    .find(
                            settings,
                            wanted,
                            (share, transactions, changes) -> line.show(
                                    share,
                                    String.format(
                                            java.util.Locale.ROOT,
                                            "%,d transactions, %,d changes looked at",
                                            transactions,
                                            changes)));
        } finally {
            line.end();
        }
    }

    private JsonNode skip(Settings settings, ManagementClient service, SlotTransaction transaction) throws Exception {
        String by = System.getProperty("user.name", "unknown");
        if (service == null) {
            return JSON.valueToTree(session.entryPoints().slots().skip(settings, transaction, reason, by));
        }
        Map<String, Object> request = new LinkedHashMap<>();
        // Found faster than by its number, and certainly the one that was shown.
        request.put("lsn", transaction.commit().toString());
        request.put("reason", reason);
        request.put("by", by);
        return service.post("/skips", request).path("skip");
    }

    private Map<String, Object> document(
            Settings settings, SlotTransaction transaction, JsonNode skip, boolean serviceRuns) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("database", settings.databaseUrl().toString());
        document.put("slot", settings.replicationSlot());
        document.put("dry_run", dryRun);
        document.put("transaction", transaction.toJson());
        document.put("skip", skip);
        document.put("by_the_service", dryRun ? null : serviceRuns);
        return document;
    }

    private void print(SlotTransaction transaction) {
        session.out()
                .printf(
                        java.util.Locale.ROOT,
                        "Transaction %d, committed at %s (%s), %,d changes:%n",
                        transaction.xid(),
                        TextTable.time(transaction.committedAt().toString()),
                        transaction.commit(),
                        transaction.changes());
        TextTable.print(
                session.out(),
                transaction.tables().stream().map(SlotTransaction.Table::toMap).toList());
    }

    private void printEnd(SlotTransaction transaction, JsonNode skip, boolean serviceRuns) {
        if (dryRun) {
            session.out().println("Nothing was changed (--dry-run).");
            return;
        }
        session.out()
                .println("Skip " + skip.path("id").asLong() + " is on record, by "
                        + skip.path("by").asText() + ": "
                        + (serviceRuns
                                ? "the service passes over it within seconds."
                                : "the next start passes over it."));
        session.out()
                .println("Once walroute status shows it as done, read its rows again: walroute backfill "
                        + transaction.tables().stream()
                                .map(each -> "--table " + each.table())
                                .collect(Collectors.joining(" ")));
    }

    private Integer list(List<Map<String, Object>> skips) {
        if (json) {
            Json.print(session.out(), skips);
            return 0;
        }
        if (skips.isEmpty()) {
            session.out().println("Nothing was passed over.");
            return 0;
        }
        List<Map<String, Object>> rows = new ArrayList<>();
        for (Map<String, Object> skip : skips) {
            Map<String, Object> row = new LinkedHashMap<>();
            for (String column :
                    List.of("id", "state", "xid", "commit_lsn", "changes", "passed", "by", "at", "reason")) {
                Object value = skip.get(column);
                row.put(column.replace('_', ' '), column.equals("at") ? TextTable.time(value.toString()) : value);
            }
            rows.add(row);
        }
        TextTable.print(session.out(), rows);
        return 0;
    }
}
