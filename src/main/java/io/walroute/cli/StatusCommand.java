package io.walroute.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.walroute.logging.Terminal;
import io.walroute.settings.DatabaseUrl;
import io.walroute.settings.Settings;
import io.walroute.slot.ReplicationStatus;
import io.walroute.slot.SlotException;
import io.walroute.slot.WalBudget;
import java.sql.Connection;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "status",
        description = {
            "Shows slot, lag, WAL budget (how much WAL the slot keeps, how much more is safe, how fast that is used up and"
                    + " when it will be), what else keeps WAL, the publication against the settings, and replica"
                    + " identities. Of a running service also its routes, sinks and what it is busy with.",
            "Exit code 1 without a sound slot and publication, or while a gap is open."
        },
        footer = {"", "Example: walroute status --watch", "         walroute status --json"})
final class StatusCommand implements Callable<Integer> {
    private static final Duration SERVICE_ANSWERS = Duration.ofSeconds(5);
    private static final Duration LONG_TRANSACTION = Duration.ofSeconds(30);
    private static final Duration NO_SERVICE_SAMPLES = Duration.ofSeconds(1);

    private final Session session;
    private final WalBudget budget = new WalBudget();

    @Option(names = "--json", description = "Print one JSON document (with --watch: one a line).")
    private boolean json;

    @Option(names = "--watch", description = "Show it again and again, until Ctrl-C.")
    private boolean watch;

    @Option(
            names = "--interval",
            paramLabel = "TIME",
            defaultValue = "2s",
            converter = DurationConverter.class,
            description = "How often with --watch (default: 2s).")
    private Duration interval;

    StatusCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() throws Exception {
        Settings settings = session.settings();
        int code = show(settings);
        while (watch && !session.out().checkError()) {
            try {
                Thread.sleep(interval.toMillis()); // what --interval asks for
            } catch (InterruptedException e) {
                return code;
            }
            code = showAgain(settings, code);
        }
        return code;
    }

    /** A database that is away for a moment must not end the watching. */
    private int showAgain(Settings settings, int before) throws Exception {
        try {
            return show(settings);
        } catch (SlotException | Failure e) {
            if (json) {
                session.out().println(Json.line(Map.of("error", e.getMessage())));
            } else {
                session.out().println(e.getMessage());
            }
            return Failure.FAILED;
        }
    }

    private int show(Settings settings) throws Exception {
        Service service = askService(settings);
        ReplicationStatus status = read(settings, service.answer() == null);
        Optional<EntryPoints.Noted> noted = session.entryPoints().slots().noted(settings);
        var document = new StatusDocument(settings, status, noted, service, budget, Instant.now());
        if (json && watch) {
            session.out().println(Json.line(document.toMap()));
        } else if (json) {
            Json.print(session.out(), document.toMap());
        } else {
            boolean colours = Terminal.hasColours();
            if (watch && colours) {
                session.out().print("\u001b[H\u001b[2J");
            }
            new StatusText(session.out(), colours).print(document.toMap());
        }
        return document.isSound() ? 0 : Failure.FAILED;
    }

    /** Without a service that has looked for a while, the rates need two looks. */
    private ReplicationStatus read(Settings settings, boolean twice) throws SlotException, SQLException {
        var target = settings.replicationTarget();
        try (Connection connection = target.connect()) {
            ReplicationStatus status =
                    ReplicationStatus.read(connection, target, settings.wantedSetup(), LONG_TRANSACTION);
            boolean first = budget.rates().isEmpty();
            sample(status);
            if (!twice || !first || status.slot() == null) {
                return status;
            }
            try {
                Thread.sleep(NO_SERVICE_SAMPLES.toMillis()); // a rate is what comes between two looks
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return status;
            }
            status = ReplicationStatus.read(connection, target, settings.wantedSetup(), LONG_TRANSACTION);
            sample(status);
            return status;
        }
    }

    private void sample(ReplicationStatus status) {
        if (status.slot() != null) {
            budget.add(WalBudget.Sample.of(
                    Instant.now(), status.slot(), status.info().walPosition().value()));
        }
    }

    /**
     * What the service said of itself.
     *
     * @param answer null if it didn't
     * @param why it didn't, in one line; else null
     */
    record Service(JsonNode answer, String why) {}

    /** Whoever logs in: setup and load need the tables' owner, the service does with less. */
    private static boolean isSame(String database, DatabaseUrl ours) {
        try {
            return DatabaseUrl.parse(database).jdbcUrl().equals(ours.jdbcUrl());
        } catch (IllegalArgumentException notOurs) {
            return false;
        }
    }

    static Service askService(Settings settings) {
        try {
            JsonNode answer = new ManagementClient(settings, SERVICE_ANSWERS).get("/status", Map.of());
            String slot = answer.path("slot").asText();
            String database = answer.path("database").asText();
            boolean same = slot.equals(settings.replicationSlot()) && isSame(database, settings.databaseUrl());
            return same
                    ? new Service(answer, null)
                    : new Service(
                            null,
                            "The service at MANAGEMENT_PORT is another one: it follows slot " + slot + " of "
                                    + database);
        } catch (Failure e) {
            return new Service(null, e.lines().get(0));
        }
    }
}
