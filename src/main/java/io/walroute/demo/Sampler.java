package io.walroute.demo;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Looks at everything the board shows, once for each {@link #sample}. One thread's. */
final class Sampler implements AutoCloseable {
    private static final List<String> SINKS = List.of("cache", "notify", "hook", "audit");

    private final String jdbcUrl;
    private final String slot;
    private final MeterRegistry meters;
    private final LagClock lagClock = new LagClock();
    private final Map<String, Double> totals = new HashMap<>();
    private long lastNanos = System.nanoTime();
    private Connection connection;

    Sampler(String jdbcUrl, String slot, MeterRegistry meters) {
        this.jdbcUrl = jdbcUrl;
        this.slot = slot;
        this.meters = meters;
    }

    BoardState sample(
            Duration uptime,
            Duration firstChange,
            Simulator.Progress simulator,
            WebhookReceiver receiver,
            Subscriber subscriber,
            RecentWarnings warnings) {
        long now = System.nanoTime();
        double seconds = Math.max(1e-3, (now - lastNanos) / 1e9);
        lastNanos = now;
        Map<String, BoardState.Sink> sinks = new LinkedHashMap<>();
        for (String sink : SINKS) {
            double delivered = count("walroute.delivered", sink);
            sinks.put(sink, new BoardState.Sink((long) delivered, perSecond(sink, delivered, seconds), (long)
                    count("walroute.parked", sink)));
        }
        BoardState.Sink audit = sinks.get("audit");
        return new BoardState(
                uptime,
                firstChange,
                new BoardState.Flow(simulator.changes(), perSecond("made", simulator.changes(), seconds)),
                // Every change passes the audit log, whatever the routes do with it.
                new BoardState.Flow(audit.delivered(), audit.perSecond()),
                sinks,
                lag(now),
                new BoardState.Webhooks(receiver.verified(), receiver.refused()),
                subscriber.frames(),
                subscriber.gaps(),
                subscriber.isConnected(),
                warnings.count(),
                warnings.last());
    }

    private double perSecond(String name, double total, double seconds) {
        Double before = totals.put(name, total);
        return before == null ? 0 : Math.max(0, (total - before) / seconds);
    }

    private double count(String name, String sink) {
        double sum = 0;
        for (Meter meter : meters.find(name).tag("sink", sink).meters()) {
            if (meter instanceof Counter counter) {
                sum += counter.count();
            } else if (meter instanceof FunctionCounter counter) {
                sum += counter.count();
            }
        }
        return sum;
    }

    private BoardState.Lag lag(long now) {
        try {
            if (connection == null) {
                connection = DriverManager.getConnection(jdbcUrl);
            }
            try (var query = connection.prepareStatement("""
                    SELECT pg_current_wal_lsn() - '0/0'::pg_lsn, confirmed_flush_lsn - '0/0'::pg_lsn, active
                    FROM pg_replication_slots WHERE slot_name = ?""")) {
                query.setString(1, slot);
                try (var rows = query.executeQuery()) {
                    if (!rows.next()) {
                        return null;
                    }
                    long written = rows.getLong(1);
                    long confirmed = rows.getLong(2);
                    Duration behind = lagClock.behind(now, written, confirmed);
                    return new BoardState.Lag(Math.max(0, written - confirmed), behind, rows.getBoolean(3));
                }
            }
        } catch (SQLException e) {
            close();
            return null;
        }
    }

    @Override
    public void close() {
        if (connection != null) {
            try {
                connection.close();
            } catch (SQLException gone) {
                // The server closed it first.
            }
            connection = null;
        }
    }
}
