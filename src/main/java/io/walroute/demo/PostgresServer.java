package io.walroute.demo;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An embedded PostgreSQL whose every file (binaries, data, log) lies in one folder of the caller's. It listens on 127.0.0.1
 * only and knows the superuser {@code postgres}, password {@code postgres}.
 *
 * <p>Not zonky's own {@code EmbeddedPostgres}: that one leaves its binaries in the temporary directory, always turns fsync
 * off, and can't run as root in a plain Docker container. {@code pg_ctl} starts the server in a session of its own, so a
 * Ctrl-C in the terminal doesn't reach it.
 */
public final class PostgresServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PostgresServer.class);

    private final Path folder;
    private final int port;
    private final Unprivileged user;
    private final Map<String, String> settings;

    private PostgresServer(Path folder, int port, Unprivileged user, Map<String, String> settings) {
        this.folder = folder;
        this.port = port;
        this.user = user;
        this.settings = settings;
    }

    /**
     * @param folder empty or missing; the caller removes it after {@link #close()}
     * @param settings as in postgresql.conf
     */
    public static PostgresServer start(Path folder, Map<String, String> settings) throws IOException {
        try (InputStream binaries = PostgresBinaries.packaged()) {
            return start(folder, settings, binaries);
        }
    }

    /** As {@link #start(Path, Map)}, of any version from 14. @param binaries a {@code .txz} as in zonky's packages */
    public static PostgresServer start(Path folder, Map<String, String> settings, InputStream binaries)
            throws IOException {
        Path home = folder.toAbsolutePath();
        Files.createDirectories(home);
        var server = new PostgresServer(home, FreePort.any(), Unprivileged.detect(), Map.copyOf(settings));
        PostgresBinaries.unpack(binaries, home.resolve("postgresql"));
        server.initialise();
        server.start();
        return server;
    }

    /** Starts it again, where it was, after it has stopped in whatever way. */
    public void start() throws IOException {
        try {
            startPostmaster();
        } catch (IOException e) {
            stopHalfStarted(this, e);
            throw e;
        }
    }

    /** Stops it as {@code pg_ctl stop -m MODE} does: {@code fast}, or {@code immediate}, which is a crash. */
    public void stop(String mode) throws IOException {
        stop(mode, 30);
    }

    /** A start that was cut short may have left a server behind, which writes its process id only after a moment. */
    private static void stopHalfStarted(PostgresServer server, IOException cause) {
        boolean interrupted = Thread.interrupted();
        try {
            for (int i = 0; i < 50 && !Files.exists(pidFile(server.folder)); i++) {
                Thread.sleep(10); // another process writes the file
            }
            server.close();
        } catch (IOException e) {
            cause.addSuppressed(e);
        } catch (InterruptedException e) {
            interrupted = true;
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    public int port() {
        return port;
    }

    public String jdbcUrl(String database) {
        return "jdbc:postgresql://127.0.0.1:" + port + "/" + database + "?user=postgres&password=postgres";
    }

    /** As {@code DATABASE_URL} wants it. */
    public String url(String database) {
        return "postgresql://postgres:postgres@127.0.0.1:" + port + "/" + database;
    }

    /** The file whose first line is the postmaster's process id while it runs. */
    static Path pidFile(Path folder) {
        return folder.resolve("data").resolve("postmaster.pid");
    }

    public void createDatabase(String name) throws IOException {
        try (Connection c = DriverManager.getConnection(jdbcUrl("postgres"));
                var s = c.createStatement()) {
            s.execute("CREATE DATABASE " + name);
        } catch (SQLException e) {
            throw new IOException("cannot create the database " + name + ": " + e.getMessage(), e);
        }
    }

    private void initialise() throws IOException {
        // Builtin locales came with 17; C is what every version has.
        boolean builtin = Files.readString(folder.resolve("postgresql/share/postgresql/postgres.bki"))
                .lines()
                .findFirst()
                .map(line -> Integer.parseInt(line.replaceAll("\\D", "")) >= 17)
                .orElse(false);
        // A real password check, or a wrong password in a setting would go unnoticed.
        Path password = Files.writeString(folder.resolve("password"), "postgres\n");
        user.own(folder);
        run(
                Duration.ofSeconds(60),
                "initdb",
                List.of(
                        "-A",
                        "scram-sha-256",
                        "--pwfile",
                        password.toString(),
                        "-U",
                        "postgres",
                        "-E",
                        "UTF8",
                        "--locale=C"),
                builtin
                        ? List.of(
                                "--locale-provider=builtin",
                                "--builtin-locale=C.UTF-8",
                                "--no-sync",
                                "--no-instructions",
                                "-D",
                                data())
                        : List.of("--no-sync", "--no-instructions", "-D", data()));
    }

    private void startPostmaster() throws IOException {
        // No Unix socket: it would be a file outside the folder.
        var options = new StringBuilder("-p " + port + " -c listen_addresses=127.0.0.1 -c unix_socket_directories=''");
        options.append(" -c timezone=UTC");
        settings.forEach((name, value) ->
                options.append(" -c ").append(name).append("='").append(value).append('\''));
        Path log = folder.resolve("server.log");
        run(
                Duration.ofSeconds(60),
                "pg_ctl",
                List.of("-D", data(), "-l", log.toString(), "-o", options.toString()),
                List.of("-w", "-t", "30", "start"));
    }

    @Override
    public void close() throws IOException {
        if (!Files.exists(pidFile(folder))) {
            return;
        }
        try {
            stop("fast", 5);
        } catch (IOException tooSlow) {
            LOG.debug("PostgreSQL takes longer to stop, it is stopped without its last checkpoint", tooSlow);
            stop("immediate", 10);
        }
    }

    private void stop(String mode, int seconds) throws IOException {
        run(
                Duration.ofSeconds(seconds + 5),
                "pg_ctl",
                List.of("-D", data()),
                List.of("-m", mode, "-w", "-t", Integer.toString(seconds), "stop"));
    }

    private void run(Duration limit, String program, List<String> arguments, List<String> more) throws IOException {
        List<String> command = new ArrayList<>(user.command(
                folder.resolve("postgresql").resolve("bin").resolve(program).toString()));
        command.addAll(arguments);
        command.addAll(more);
        Commands.run(command, folder.resolve("programs.log"), limit);
    }

    private String data() {
        return folder.resolve("data").toString();
    }
}
