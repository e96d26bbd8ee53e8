package io.walroute.service;

import io.walroute.lanes.LanesComponent;
import io.walroute.slot.Publication;
import io.walroute.slot.TableName;
import java.sql.SQLException;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import javax.sql.DataSource;
import org.apache.camel.CamelContext;
import org.apache.camel.Route;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the running service has sinks, routes and tables of. */
final class KnownNames implements DeadLetterApi.Names {
    private static final Logger LOG = LoggerFactory.getLogger(KnownNames.class);
    /** Where changes are parked that no route could take. */
    private static final String ROUTER = "router";

    private final CamelContext camel;
    private final LanesComponent lanes;
    private final List<String> off;
    private final DataSource database;
    private final String publication;

    /** @param off sinks without settings, whose lanes nobody reads */
    KnownNames(CamelContext camel, LanesComponent lanes, List<String> off, DataSource database, String publication) {
        this.camel = camel;
        this.lanes = lanes;
        this.off = off;
        this.database = database;
        this.publication = publication;
    }

    @Override
    public Set<String> sinks() {
        Set<String> sinks = new TreeSet<>(lanes.names());
        sinks.addAll(off);
        sinks.add(ROUTER);
        return sinks;
    }

    @Override
    public Set<String> routes() {
        return camel.getRoutes().stream().map(Route::getId).collect(Collectors.toSet());
    }

    @Override
    public Set<TableName> tables() {
        try (var connection = database.getConnection()) {
            return Publication.read(connection, publication)
                    .map(Publication::effective)
                    .orElse(Set.of());
        } catch (SQLException e) {
            LOG.debug("The published tables can't be told", e);
            return Set.of();
        }
    }
}
