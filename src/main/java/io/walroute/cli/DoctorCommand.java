package io.walroute.cli;

import io.walroute.doctor.Result;
import io.walroute.doctor.Result.Level;
import io.walroute.logging.Terminal;
import io.walroute.settings.Settings;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(
        name = "doctor",
        description = {
            "Checks database, slot, publication, replica identities, privileges, Redis, receivers, audit log, routes and"
                    + " ports: one line a check, and the command that mends it. Changes nothing; works with the service"
                    + " stopped or running.",
            "Exit code 1 if any check fails."
        },
        footer = {"", "Example: walroute doctor", "         walroute doctor --json"})
final class DoctorCommand implements Callable<Integer> {
    private final Session session;

    @Option(names = "--json", description = "Print one JSON document.")
    private boolean json;

    DoctorCommand(Session session) {
        this.session = session;
    }

    @Override
    public Integer call() {
        Settings settings = session.settings();
        settings.databaseUrl(); // says so if it isn't set
        StatusCommand.Service service = StatusCommand.askService(settings);
        List<Result> results = session.entryPoints().diagnosis().run(settings, service.answer() != null);
        boolean failed = results.stream().anyMatch(each -> each.level() == Level.FAIL);
        if (json) {
            Json.print(session.out(), document(results, service.answer() != null));
        } else {
            print(results);
        }
        return failed ? Failure.FAILED : 0;
    }

    private static long count(List<Result> results, Level level) {
        return results.stream().filter(each -> each.level() == level).count();
    }

    private static Map<String, Object> document(List<Result> results, boolean serviceRuns) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("ok", count(results, Level.OK));
        document.put("warn", count(results, Level.WARN));
        document.put("fail", count(results, Level.FAIL));
        document.put("service_running", serviceRuns);
        List<Map<String, Object>> checks = new ArrayList<>();
        for (Result each : results) {
            Map<String, Object> check = new LinkedHashMap<>();
            check.put("check", each.check());
            check.put("level", word(each));
            check.put("message", each.message());
            check.put("fix", each.fix());
            checks.add(check);
        }
        document.put("checks", checks);
        return document;
    }

    private void print(List<Result> results) {
        boolean colours = Terminal.hasColours();
        int width =
                results.stream().mapToInt(each -> each.check().length()).max().orElse(0);
        for (Result each : results) {
            session.out()
                    .println(level(each, colours)
                            + each.check()
                            + " ".repeat(width - each.check().length() + 2)
                            + TextTable.oneLine(each.message())
                            + (each.fix() == null ? "" : ". Fix: " + each.fix()));
        }
        session.out().println();
        session.out()
                .println(count(results, Level.OK) + " ok, " + count(results, Level.WARN) + " warn, "
                        + count(results, Level.FAIL) + " fail");
    }

    private static String level(Result result, boolean colours) {
        String word = String.format("%-6s", word(result));
        String code = result.level() == Level.OK ? "32" : result.level() == Level.WARN ? "33" : "31";
        return colours ? "\u001b[" + code + "m" + word + "\u001b[0m" : word;
    }

    private static String word(Result result) {
        return result.level().name().toLowerCase(Locale.ROOT);
    }
}
