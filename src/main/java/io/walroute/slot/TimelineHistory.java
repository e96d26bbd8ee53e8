package io.walroute.slot;

import io.walroute.change.Lsn;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.TreeMap;

/** Where each of a server's former timelines ended, at a promotion or a restore. */
public final class TimelineHistory {
    static final TimelineHistory NONE = new TimelineHistory(Map.of());

    private final Map<Integer, Lsn> ends;

    private TimelineHistory(Map<Integer, Lsn> ends) {
        this.ends = Map.copyOf(ends);
    }

    /** By the replication protocol, since no SQL function tells: needs no more than the right to replicate. */
    static TimelineHistory read(ReplicationTarget target, int timeline) throws SQLException {
        var properties = new Properties();
        properties.put("connectTimeout", "10");
        properties.put("socketTimeout", "30");
        properties.putAll(target.properties());
        properties.put("replication", "database");
        properties.put("preferQueryMode", "simple");
        properties.put("assumeMinServerVersion", "14");
        try (var connection = DriverManager.getConnection(target.jdbcUrl(), properties);
                var statement = connection.createStatement();
                var row = statement.executeQuery("TIMELINE_HISTORY " + timeline)) {
            row.next();
            return parse(new String(row.getBytes(2), java.nio.charset.StandardCharsets.UTF_8));
        }
    }

    /** @param file lines of timeline, the place where it ended, and a reason, with tabs between */
    static TimelineHistory parse(String file) {
        Map<Integer, Lsn> ends = new TreeMap<>();
        for (String line : file.split("\\R")) {
            String[] part = line.strip().split("\\s+", 3);
            if (part.length >= 2 && part[0].matches("\\d+")) {
                ends.put(Integer.parseInt(part[0]), Lsn.parse(part[1]));
            }
        }
        return new TimelineHistory(ends);
    }

    /** Empty if the server doesn't descend from that timeline. */
    Optional<Lsn> endOf(int timeline) {
        return Optional.ofNullable(ends.get(timeline));
    }
}
