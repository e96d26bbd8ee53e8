package io.walroute.service;

import io.walroute.doctor.Result;
import io.walroute.settings.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.camel.impl.DefaultCamelContext;
import org.apache.camel.model.ProcessorDefinitionHelper;
import org.apache.camel.model.RouteDefinition;
import org.apache.camel.model.SendDefinition;
import org.apache.camel.support.PluginHelper;
import org.apache.camel.support.ResourceHelper;

/** Reads the route files as Camel would, and follows who sends to whom. Starts nothing and connects to nothing. */
final class RoutesCheck {
    private static final Set<String> OWN =
            Set.of("wal", "audit", "lanes", "row-cache", "notify", "hook", "dead-letter");

    private final Settings settings;
    private final List<Result> results = new ArrayList<>();

    RoutesCheck(Settings settings) {
        this.settings = settings;
    }

    List<Result> look() throws Exception {
        if (!Files.isDirectory(settings.routes())) {
            return List.of(Result.fail(
                    "routes",
                    "there is no folder " + settings.routes(),
                    "run it where routes/ is, give --home, or set walroute.routes"));
        }
        List<Path> files;
        try (Stream<Path> all = Files.list(settings.routes())) {
            files = all.filter(file -> file.toString().endsWith(".camel.yaml"))
                    .sorted()
                    .toList();
        }
        try (var camel = new DefaultCamelContext(false)) {
            camel.build();
            files.forEach(file -> load(camel, file));
            List<RouteDefinition> routes = camel.getRouteDefinitions();
            if (results.isEmpty()) {
                references(camel, routes);
            }
            if (results.isEmpty()) {
                results.add(Result.ok("routes", routes.size() + " routes in " + files.size() + " files"));
            }
        }
        return results;
    }

    private void load(DefaultCamelContext camel, Path file) {
        try {
            PluginHelper.getRoutesLoader(camel)
                    .loadRoutes(ResourceHelper.resolveMandatoryResource(camel, "file:" + file.toAbsolutePath()));
        } catch (Exception e) {
            results.add(Result.fail(
                    "routes", "routes/" + file.getFileName() + ": " + StartFailure.line(e), "edit " + file));
        }
    }

    private void references(DefaultCamelContext camel, List<RouteDefinition> routes) throws IOException {
        Set<String> starts = new HashSet<>();
        routes.forEach(route -> starts.add(address(route.getInput().getEndpointUri())));
        if (starts.stream().noneMatch(start -> start.startsWith("wal:"))) {
            results.add(Result.fail(
                    "routes",
                    "no route reads from wal:, so no change is ever routed",
                    "restore routes/router.camel.yaml"));
        }
        for (RouteDefinition route : routes) {
            for (SendDefinition<?> send :
                    ProcessorDefinitionHelper.filterTypeInOutputs(route.getOutputs(), SendDefinition.class)) {
                String uri = send.getEndpointUri();
                if (uri != null && !uri.contains("{{") && !uri.contains("${")) {
                    reference(camel, route.getId(), address(uri), starts);
                }
            }
        }
    }

    /** Without options; {@code direct://a} and {@code direct:a} are the same. */
    private static String address(String uri) {
        return uri.split("\\?", 2)[0].replaceFirst(":/*", ":");
    }

    private void reference(DefaultCamelContext camel, String route, String address, Set<String> starts) {
        String scheme = address.split(":", 2)[0];
        String name = address.substring(Math.min(address.length(), scheme.length() + 1));
        boolean inside = scheme.equals("direct") || scheme.equals("lanes");
        if (inside && !starts.contains(address)) {
            results.add(Result.fail(
                    "routes",
                    "route " + route + " sends to " + address + ", where no route starts",
                    "add that route, or correct route " + route));
        } else if (scheme.equals("hook")
                && !Service.READY_RECEIVERS.containsKey(name)
                && !settings.hooks().containsKey(name)) {
            results.add(Result.fail(
                    "routes",
                    "route " + route + " sends to " + address + ", which no setting describes",
                    "set walroute.hook." + name + ".url and .secret"));
        } else if (!inside && !OWN.contains(scheme) && camel.getComponent(scheme, true, false) == null) {
            results.add(Result.fail(
                    "routes",
                    "route " + route + " sends to " + scheme + ":, and no such component is installed",
                    "correct route " + route));
        }
    }
}
