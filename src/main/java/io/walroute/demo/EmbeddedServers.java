package io.walroute.demo;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * PostgreSQL (with logical decoding) and Redis on free ports, all their files in one temporary folder that goes with them.
 *
 * <p>{@link #close()} leaves no process and no folder; it may come from another thread in the middle of {@link #start()}
 * (Ctrl-C), and then waits for the start to end. Should the JVM be killed, a {@link Watchdog} does the same.
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
    private CompletableFuture<PostgresServer> postgres;
    private CompletableFuture<RedisServer> redis;
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
            Path postgresFolder = postgresFolder();
            Path redisFolder = redisFolder();
            postgres = CompletableFuture.supplyAsync(() -> {
                try {
                    return PostgresServer.start(postgresFolder, POSTGRES_SETTINGS);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            redis = CompletableFuture.supplyAsync(() -> {
                try {
                    return RedisServer.start(redisFolder, FreePort.any());
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
        PostgresServer database = join(postgres);
        join(redis);
        database.createDatabase(DATABASE);
        return this;
    }

    /** For whatever else shall vanish with the servers. */
    public Path folder() {
        return folder;
    }

    public String databaseUrl() {
        return postgres.join().url(DATABASE);
    }

    public String jdbcUrl() {
        return postgres.join().jdbcUrl(DATABASE);
    }

    public RedisServer redis() {
        return redis.join();
    }

    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        closed = true;
        try {
            closeStarted(redis);
            closeStarted(postgres);
        } finally {
            TemporaryFolder.delete(folder);
            if (watchdog != null) {
                watchdog.close();
            }
        }
    }

    private static void closeStarted(CompletableFuture<? extends AutoCloseable> server) throws IOException {
        if (server == null) {
            return;
        }
        AutoCloseable started = server.exceptionally(neverStarted -> null).join();
        if (started != null) {
            try {
                started.close();
            } catch (IOException | RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IOException(e);
            }
        }
    }

    private static <T> T join(CompletableFuture<T> starting) throws IOException {
        try {
            return starting.join();
        } catch (CompletionException e) {
            if (e.getCause() instanceof UncheckedIOException failure) {
                throw failure.getCause();
            }
            throw e;
        }
    }

    private Path postgresFolder() {
        return folder.resolve("postgresql");
    }

    private Path redisFolder() {
        return folder.resolve("redis");
    }
}
