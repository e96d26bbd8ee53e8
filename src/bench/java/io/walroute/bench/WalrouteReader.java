package io.walroute.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** walroute with a choice of its sinks. */
final class WalrouteReader implements Reader {
    private enum Sinks {
        CACHE("walroute-cache", "walroute, cache only, no audit log"),
        AUDITED("walroute-audited", "walroute, cache and audit log"),
        FOUR("walroute-four", "walroute, cache, audit log, WebSocket frames and webhooks (in batches of 100)"),
        HOOK("walroute-hook", "walroute, webhooks one by one only, no audit log"),
        HOOK_BATCH("walroute-hook-batch", "walroute, webhooks in batches of 100 only, no audit log");

        final String name;
        final String description;

        Sinks(String name, String description) {
            this.name = name;
            this.description = description;
        }

        boolean cache() {
            return this == CACHE || this == AUDITED || this == FOUR;
        }

        boolean audit() {
            return this == AUDITED || this == FOUR;
        }

        boolean hook() {
            return this == FOUR || this == HOOK || this == HOOK_BATCH;
        }
    }

    private final Sinks sinks;
    private final List<String> jvm;
    private int receiverDelayMs;
    private final Map<String, String> settings = new LinkedHashMap<>();

    private WalrouteReader(Sinks sinks, List<String> jvm) {
        this.sinks = sinks;
        this.jvm = jvm;
    }

    static List<Reader> all(List<String> jvm) {
        return java.util.Arrays.stream(Sinks.values())
                .map(each -> (Reader) new WalrouteReader(each, jvm))
                .toList();
    }

    static WalrouteReader cache(List<String> jvm) {
        return new WalrouteReader(Sinks.CACHE, jvm);
    }

    static WalrouteReader audited(List<String> jvm) {
        return new WalrouteReader(Sinks.AUDITED, jvm);
    }

    static WalrouteReader hook(List<String> jvm, int receiverDelayMs) {
        var reader = new WalrouteReader(Sinks.HOOK, jvm);
        reader.receiverDelayMs = receiverDelayMs;
        return reader;
    }

    WalrouteReader set(String name, String value) {
        settings.put(name, value);
        return this;
    }

    @Override
    public String name() {
        return sinks.name;
    }

    @Override
    public String description() {
        return sinks.description;
    }

    @Override
    public Drain drain(Ground ground, int round) throws Exception {
        Path home = Files.createTempDirectory(ground.folder(), "walroute-");
        try (var receiver = sinks.hook() ? WebhookSink.start(home, receiverDelayMs) : null;
                var service = service(ground, home, receiver)) {
            var watch = new Stopwatch(ground, service.start().child())
                    // The first transaction makes more entries than the cache's own few.
                    .awaitFirst(() -> sinks.cache() ? ground.redis("DBSIZE") > 10 : receiver.counts()[0] > 0)
                    .awaitWarm(() -> ground.tally().changesUpTo(ground.confirmed()))
                    .awaitAcknowledged(() -> (!sinks.cache() || ground.redis("EXISTS " + Ground.END_TABLE + ":1") > 0)
                            && (receiver == null || receiver.counts()[1] >= expectedWebhooks(ground)));
            Map<String, Object> figures = figures(service, receiver);
            figures.put("sink_seconds", watch.heldSeconds());
            return watch.drain(name(), round, figures, fault(ground, service, receiver));
        }
    }

    private WalrouteProcess service(Ground ground, Path home, WebhookSink receiver) throws IOException {
        var service = new WalrouteProcess(ground, home, jvm);
        service.product("errors");
        switch (sinks) {
            case CACHE -> service.product("cache").bench("cache");
            case AUDITED -> service.product("cache", "router");
            case FOUR ->
                service.product("router", "cache", "notify", "listings").bench("four");
            case HOOK, HOOK_BATCH -> service.bench("hook");
        }
        if (sinks.cache()) {
            service.redis(ground);
        }
        if (sinks.hook()) {
            service.hook(receiver.port());
        }
        if (sinks == Sinks.FOUR) {
            service.webSocket();
        }
        if (sinks == Sinks.FOUR || sinks == Sinks.HOOK_BATCH) {
            service.set("WALROUTE_HOOK_MARKETPLACE_BATCH_SIZE", "100");
        }
        settings.forEach(service::set);
        return service;
    }

    private static Map<String, Object> figures(WalrouteProcess service, WebhookSink receiver) throws Exception {
        Map<String, Object> figures = new LinkedHashMap<>();
        GcLog collections = service.collections();
        figures.put("peak_heap_mb", collections.peakMb());
        figures.put("heap_after_gc_mb", collections.afterMb());
        figures.put("peak_rss_mb", Math.round(service.child().memory("VmHWM")));
        figures.put("gc_pause_worst_ms", collections.worstPauseMs());
        figures.put("gc_pause_total_ms", Math.round(collections.totalPauseMs()));
        figures.put("allocated_mb", collections.allocatedMb());
        figures.put("cpu_seconds_since_start", service.child().cpuSeconds());
        figures.put("counts", service.counts());
        if (receiver != null) {
            figures.put("webhook_requests", receiver.counts()[0]);
        }
        return figures;
    }

    /** The first thing that is not as the backlog wants it; null if all is. */
    private String fault(Ground ground, WalrouteProcess service, WebhookSink receiver) throws Exception {
        Map<String, Long> counts = service.counts();
        for (String outcome : List.of("parked", "dead", "filtered")) {
            for (Map.Entry<String, Long> count : counts.entrySet()) {
                if (count.getKey().startsWith(outcome)) {
                    return count.getValue() + " changes " + count.getKey();
                }
            }
        }
        Tally tally = ground.tally();
        if (sinks.audit() && audited(service) != tally.changes()) {
            return audited(service) + " changes in the audit log, expected " + tally.changes();
        }
        if (receiver != null) {
            if (receiver.counts()[1] != expectedWebhooks(ground)) {
                return receiver.counts()[1] + " changes came to the receiver, expected " + expectedWebhooks(ground);
            }
            if (receiver.fault() != null) {
                return receiver.fault();
            }
        }
        return sinks.cache() ? CacheOracle.fault(ground) : null;
    }

    /** With all sinks, the product's choice: new and changed listings. */
    private long expectedWebhooks(Ground ground) {
        return sinks == Sinks.FOUR
                ? ground.tally().sum("listings.INSERT", "listings.UPDATE")
                : ground.tally().changes();
    }

    private static long audited(WalrouteProcess service) throws SQLException {
        try (var c = DriverManager.getConnection("jdbc:sqlite:" + service.store());
                var s = c.createStatement();
                var rows = s.executeQuery("SELECT count(DISTINCT event_id) FROM audit_log")) {
            return rows.getLong(1);
        }
    }
}
