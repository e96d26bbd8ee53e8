package io.walroute.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/**
 * PostgreSQL (with logical decoding) and Redis on free ports, all their files in one temporary folder that goes with them.
 *
 * <p>{@link #close()} leaves no process and no folder; it may come from another thread in the middle of {@link #start()}
 * (Ctrl-C), which it cuts short. Should the JVM be killed, a {@link Watchdog} does the same.
 */
public final class EmbeddedServers implements AutoCloseable {
    private static final Map<String, String> POSTGRES_SETTINGS = Map.of(
            "wal_level", "logical",
            "max_replication_slots", "10",
            "max_wal_senders", "10",
            "max_connections", "200");
    private static final String DATABASE = "grails";

    private final Path folder;
    private final Watchdog watchdog;
    private Start<PostgresServer> postgres;
    private Start<RedisServer> redis;
    private PostgresServer runningPostgres;
    private RedisServer runningRedis;
    private boolean closed;

    /** Makes the folder; nothing runs yet. */
    public EmbeddedServers() throws IOException {
        folder = Files.createTempDirectory("walroute-demo-").toRealPath();
        watchdog = Watchdog.start(folder, PostgresServer.pidFile(postgresFolder()), RedisServer.pidFile(redisFolder()));
    }

    /** Starts both at the same time and creates the database. */
    public EmbeddedServers start() throws IOException {
        synchronized (this) {
            if (closed) {
                throw new IOException("stopped while starting");
            }
            postgres = new Start<>("start-postgresql", () -> PostgresServer.start(postgresFolder(), POSTGRES_SETTINGS));
            redis = new Start<>("start-redis", () -> RedisServer.start(redisFolder(), FreePort.any()));
        }
        PostgresServer database = postgres.get();
        runningRedis = redis.get();
        database.createDatabase(DATABASE);
        runningPostgres = database;
        return this;
    }

    /** For whatever else shall vanish with the servers. */
    public Path folder() {
        return folder;
    }

    public String databaseUrl() {
        return runningPostgres.url(DATABASE);
    }

    public String jdbcUrl() {
        return runningPostgres.jdbcUrl(DATABASE);
    }

    public RedisServer redis() {
        return runningRedis;
    }

    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            close(redis);
            close(postgres);
        } finally {
            TemporaryFolder.delete(folder);
            if (watchdog != null) {
                watchdog.close();
            }
        }
    }

    private static void close(Start<?> server) throws IOException {
        if (server != null) {
            server.close();
        }
    }

    private Path postgresFolder() {
        return folder.resolve("postgresql");
    }

    private Path redisFolder() {
        return folder.resolve("redis");
    }
}
