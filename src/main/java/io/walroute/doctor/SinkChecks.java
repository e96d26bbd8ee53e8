package io.walroute.doctor;

import io.walroute.cache.CacheProbe;
import io.walroute.cache.CacheSettings;
import io.walroute.cache.MarkerState;
import io.walroute.doctor.Doctor.Check;
import io.walroute.doctor.Doctor.Group;
import io.walroute.hook.HookProbe;
import io.walroute.hook.HookSettings;
import io.walroute.logging.Figures;
import io.walroute.settings.Settings;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What the sinks need: a Redis that forgets nothing, and receivers that can be reached. */
public final class SinkChecks {
    private static final Duration TIMEOUT = Duration.ofSeconds(3);
    private static final Duration CERTIFICATE_ENDS_SOON = Duration.ofDays(14);
    private static final double FULL = 0.9;

    private final Settings settings;

    public SinkChecks(Settings settings) {
        this.settings = settings;
    }

    public List<Group> groups() {
        List<Group> groups = new ArrayList<>();
        groups.add(new Group(List.of(new Check("redis", false, this::redis))));
        if (settings.hooks().isEmpty()) {
            groups.add(new Group(
                    List.of(Check.of("hook", () -> Result.ok("hook", "off: neither WEBHOOK_URL nor another is set")))));
        }
        settings.hooks()
                .forEach((name, keys) -> groups.add(new Group(
                        List.of(Check.of("hook-" + name, () -> hook("hook-" + name, name, keys))))));
        return groups;
    }

    // ---------------------------------------------------------------- Redis

    private List<Result> redis() {
        if (settings.redisUrl().isEmpty()) {
            return List.of(Result.ok("redis", "off: REDIS_URL is not set"));
        }
        CacheSettings cache = new CacheSettings(
                settings.redisUrl().get(),
                "",
                java.util.Map.of(),
                CacheSettings.DEFAULT_COMMAND_TIMEOUT,
                CacheSettings.DEFAULT_PIPELINE_SIZE,
                settings.cacheCaFile().orElse(null));
        CacheProbe probe;
        try {
            probe = CacheProbe.look(cache, settings.cacheIdentity(), TIMEOUT);
        } catch (RuntimeException e) {
            return List.of(Result.fail(
                    "redis",
                    "Redis at " + cache.server() + " does not answer: " + Doctor.line(e),
                    "start it, or set REDIS_URL"));
        }
        return List.of(
                server(cache, probe.info()),
                policy(probe.info()),
                memory(probe.info()),
                persistence(probe),
                marker(probe));
    }

    private static Result server(CacheSettings cache, Map<String, String> info) {
        String line = "Redis " + info.get("redis_version") + " at " + cache.server();
        if ("slave".equals(info.get("role"))) {
            return Result.fail("redis", line + " is a replica and takes no writes", "set REDIS_URL to its master");
        }
        return "1".equals(info.get("loading"))
                ? Result.warn("redis", line + " is loading its file and takes nothing yet", "wait")
                : Result.ok("redis", line);
    }

    /** A version that was thrown out would let an older change pass for a newer one. */
    private static Result policy(Map<String, String> info) {
        String policy = info.getOrDefault("maxmemory_policy", "unknown");
        String line = "maxmemory-policy is " + policy;
        if (policy.equals("noeviction")) {
            return Result.ok("redis-policy", line);
        }
        String fix = "redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf)";
        return policy.startsWith("allkeys")
                ? Result.fail("redis-policy", line + ": rows and versions are thrown out when memory is short", fix)
                : Result.warn("redis-policy", line + ": rows with a TTL are thrown out when memory is short", fix);
    }

    private static Result memory(Map<String, String> info) {
        long used = number(info, "used_memory");
        long max = number(info, "maxmemory");
        if (max == 0) {
            return Result.ok("redis-memory", Figures.bytes(used) + " used, no limit");
        }
        String line = Figures.bytes(used) + " of " + Figures.bytes(max) + " used";
        return used > max * FULL
                ? Result.warn("redis-memory", line, "redis-cli CONFIG SET maxmemory " + max * 2)
                : Result.ok("redis-memory", line);
    }

    private static long number(Map<String, String> info, String name) {
        String text = info.getOrDefault(name, "0");
        return text.matches("\\d{1,18}") ? Long.parseLong(text) : 0;
    }

    private static Result persistence(CacheProbe probe) {
        boolean aof = "1".equals(probe.info().get("aof_enabled"));
        if (aof || probe.save() == null || !probe.save().isBlank()) {
            return Result.ok(
                    "redis-persistence",
                    aof ? "append-only file" : probe.save() == null ? "not shown by this server" : "snapshots");
        }
        return Result.warn(
                "redis-persistence",
                "none: after a restart of Redis rows are missing until they change or are filled in",
                "redis-cli CONFIG SET appendonly yes (and in redis.conf)");
    }

    private static Result marker(CacheProbe probe) {
        MarkerState marker = probe.marker();
        return switch (marker) {
            case PRESENT -> Result.ok("cache", "filled by this service");
            case MISSING ->
                Result.warn(
                        "cache",
                        "Redis was emptied or never filled: rows are missing until they change",
                        "walroute backfill");
            case FOREIGN ->
                Result.fail(
                        "cache",
                        "Redis was filled by another service or slot, whose rows may stand in the way",
                        "set REDIS_URL to a Redis (or a database in it) of its own, or empty it");
            case UNKNOWN -> Result.warn("cache", "whose it is can't be asked at present", "walroute doctor");
        };
    }

    // ---------------------------------------------------------------- hooks

    private static Result hook(String check, String name, Map<String, String> keys) {
        List<String> problems = new ArrayList<>();
        HookSettings receiver = HookSettings.parse(name, keys, problems);
        if (receiver == null) {
            return DatabaseChecks.split(check, problems.get(0), Result.Level.FAIL);
        }
        try {
            HookProbe.Answer answer = HookProbe.look(receiver, TIMEOUT);
            String line = receiver.url().getHost() + " answers at " + answer.address();
            if (answer.certificateEnds() == null) {
                return Result.ok(check, line + ", no TLS");
            }
            Duration left = Duration.between(Instant.now(), answer.certificateEnds());
            return left.compareTo(CERTIFICATE_ENDS_SOON) < 0
                    ? Result.warn(
                            check,
                            line + ", but its certificate ends in " + Figures.time(left),
                            "tell the receiver to renew its certificate")
                    : Result.ok(check, line + ", TLS, certificate good for " + Figures.time(left));
        } catch (HookProbe.Refused e) {
            return Result.fail(
                    check,
                    receiver.url().getHost() + ": " + e.getMessage(),
                    e.getMessage().startsWith("its address is not allowed")
                            ? "set walroute.hook." + name + ".allow-networks, if that receiver is meant"
                            : "correct walroute.hook." + name + ".url, or start the receiver");
        }
    }
}
