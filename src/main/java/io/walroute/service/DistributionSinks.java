package io.walroute.service;

import io.lettuce.core.SslOptions;
import io.walroute.change.ChangeEvent;
import io.walroute.distribution.Distribution;
import io.walroute.distribution.RabbitServer;
import io.walroute.distribution.RedisServer;
import io.walroute.distribution.RedisStream;
import io.walroute.settings.DistributionSettings;
import io.walroute.settings.SettingsException;
import io.walroute.settings.TableSelection;
import io.walroute.slot.TableName;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import org.apache.camel.main.Main;

/** Those sinks of routes/distribute.camel.yaml that the settings ask for, with their connections. */
final class DistributionSinks implements AutoCloseable {
    static final List<String> NAMES = List.of(
            Distribution.PG_NOTIFY, Distribution.REDIS_STREAM, Distribution.REDIS_PUBSUB, Distribution.RABBITMQ);
    private static final String PREFIX = "walroute.distribute.";

    private final DistributionSettings settings;
    private final Map<String, Predicate<ChangeEvent>> wanted = new LinkedHashMap<>();
    private RedisServer redis;
    private RabbitServer rabbit;

    /**
     * Connects to nothing: that happens with the first change.
     *
     * @param redisSsl of a {@code rediss://} server, as for the cache
     */
    DistributionSinks(DistributionSettings settings, SslOptions redisSsl) {
        this.settings = settings;
        want(Distribution.PG_NOTIFY, settings.pgNotify());
        want(Distribution.REDIS_STREAM, settings.redisStream());
        want(Distribution.REDIS_PUBSUB, settings.redisPubsub());
        want(Distribution.RABBITMQ, settings.rabbitmq());
        List<String> problems = new ArrayList<>();
        if (isOn(Distribution.REDIS_STREAM) || isOn(Distribution.REDIS_PUBSUB)) {
            redis = server(
                    settings.redisUrl(),
                    "redis-url",
                    "walroute.distribute.redis-stream.tables and .redis-pubsub.tables",
                    url -> new RedisServer(url, redisSsl),
                    problems);
        }
        if (isOn(Distribution.RABBITMQ)) {
            rabbit = server(
                    settings.rabbitmqUrl(),
                    "rabbitmq.url",
                    "walroute.distribute.rabbitmq.tables",
                    url -> new RabbitServer(url, settings.rabbitmqExchange()),
                    problems);
        }
        if (!problems.isEmpty()) {
            close();
            throw new SettingsException(problems);
        }
    }

    private void want(String sink, Optional<TableSelection> tables) {
        tables.ifPresent(selection -> wanted.put(sink, predicate(selection)));
    }

    private static Predicate<ChangeEvent> predicate(TableSelection tables) {
        if (tables.all()) {
            return event -> true;
        }
        Set<TableName> names = new HashSet<>(tables.names());
        return event -> names.contains(new TableName(event.schema(), event.table()));
    }

    private static <T> T server(
            Optional<String> url, String key, String tables, Function<String, T> connect, List<String> problems) {
        try {
            if (url.isPresent()) {
                return connect.apply(url.get());
            }
            problems.add(PREFIX + key + " is not set, but tables are to be sent there. Set it, or take out " + tables);
        } catch (IllegalArgumentException e) {
            problems.add(PREFIX + key + " can't be used: " + e.getMessage());
        }
        return null;
    }

    boolean isOn(String sink) {
        return wanted.containsKey(sink);
    }

    /** What the routes refer to. */
    void bind(Main main) {
        main.bind("distribution", new Distribution(wanted));
        if (redis != null) {
            main.bind("distributionRedis", redis.template());
            main.bind(
                    "redisStream",
                    new RedisStream(redis.template(), settings.redisStreamKey(), settings.redisStreamMaxLength()));
        }
        if (rabbit != null) {
            main.bind("distributionRabbit", rabbit.connections());
        }
    }

    void describe(Properties p) {
        p.setProperty(PREFIX + "off", Boolean.toString(wanted.isEmpty()));
        p.setProperty(PREFIX + "pg-notify.channel", settings.pgNotifyChannel());
        p.setProperty(PREFIX + "redis-pubsub.channel", settings.redisPubsubChannel());
        p.setProperty(PREFIX + "redis-address", redis == null ? "localhost:6379" : redis.address());
        p.setProperty(PREFIX + "rabbitmq.exchange", settings.rabbitmqExchange());
    }

    @Override
    public void close() {
        if (redis != null) {
            redis.close();
        }
        if (rabbit != null) {
            rabbit.close();
        }
    }
}
