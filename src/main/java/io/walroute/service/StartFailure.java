package io.walroute.service;

import io.walroute.lanes.UnknownSinkException;
import io.walroute.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.camel.FailedToCreateRouteException;

/** Turns what Camel throws at start into one line that names the file, the place and what is wrong there. */
final class StartFailure {
    private static final Pattern YAML_FILE = Pattern.compile("([\\w.-]+\\.camel\\.yaml)");

    private StartFailure() {}

    static ServiceException of(Exception failure, Settings settings) {
        List<Throwable> chain = chain(failure);
        String where = "";
        String routeId = null;
        String file = null;
        for (Throwable each : chain) {
            if (each instanceof FailedToCreateRouteException route) {
                routeId = route.getRouteId();
                where = "route " + routeId + ": ";
            }
            String message = String.valueOf(each.getMessage());
            Matcher yaml = YAML_FILE.matcher(message);
            if (file == null && yaml.find()) {
                file = yaml.group(1);
            }
        }
        String cause = line(failure);
        if (file == null && routeId != null) {
            file = fileOf(routeId, settings.routes());
        }
        if (file != null) {
            String name = file.substring(Math.max(file.lastIndexOf('/'), file.lastIndexOf(':')) + 1);
            where = "routes/" + name + ": " + where;
        }
        return new ServiceException(where + cause, failure);
    }

    /** What a redaction rule has wrong, which only the routes can tell. */
    static Optional<String> wrongRule(Exception failure) {
        return chain(failure).stream()
                .filter(UnknownSinkException.class::isInstance)
                .map(Throwable::getMessage)
                .findFirst();
    }

    /** Camel doesn't always tell; a route's id is written in one file only. Null if none is found. */
    private static String fileOf(String routeId, Path routes) {
        Pattern id = Pattern.compile(
                "^- route:\\s*\\n\\s*id:\\s*[\"']?" + Pattern.quote(routeId) + "[\"']?\\s*(#.*)?$", Pattern.MULTILINE);
        try (Stream<Path> files = Files.list(routes)) {
            for (Path file : files.sorted().toList()) {
                if (id.matcher(Files.readString(file)).find()) {
                    return file.getFileName().toString();
                }
            }
        } catch (IOException e) {
            // The failure itself is told all the same.
        }
        return null;
    }

    private static List<Throwable> chain(Throwable failure) {
        List<Throwable> chain = new ArrayList<>();
        for (Throwable each = failure; each != null && !chain.contains(each); each = each.getCause()) {
            chain.add(each);
        }
        return chain;
    }

    /** The root cause in one line. */
    static String line(Throwable failure) {
        List<Throwable> chain = chain(failure);
        Throwable root = chain.get(chain.size() - 1);
        String text = root.getMessage() == null ? root.getClass().getSimpleName() : root.getMessage();
        return text.strip().replaceAll("\\s*\\R\\s*", "; ");
    }
}
