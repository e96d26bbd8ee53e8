package io.walroute.doctor;

import io.walroute.doctor.Doctor.Check;
import io.walroute.doctor.Doctor.Group;
import io.walroute.logging.Figures;
import io.walroute.settings.Settings;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.List;
import java.util.OptionalInt;

/** What this machine must have: room and rights for the audit log, and free ports. */
public final class LocalChecks {
    private static final String SQLITE = "jdbc:sqlite:";
    private static final long TOO_LITTLE = 100L << 20;
    private static final long LITTLE = 1L << 30;

    private final Settings settings;
    private final boolean serviceRuns;

    /** @param serviceRuns whether the service of these settings answers: then the ports are its own */
    public LocalChecks(Settings settings, boolean serviceRuns) {
        this.settings = settings;
        this.serviceRuns = serviceRuns;
    }

    public List<Group> groups() {
        return List.of(
                new Group(List.of(Check.of("audit-log", this::auditLog), Check.of("audit-disk", this::disk))),
                new Group(List.of(
                        Check.of(
                                "port-websocket",
                                () -> port("WEBSOCKET_PORT", settings.notifyHost(), settings.websocketPort())),
                        Check.of(
                                "port-management",
                                () -> port("MANAGEMENT_PORT", settings.managementHost(), settings.managementPort())))));
    }

    // ---------------------------------------------------------------- audit log

    private boolean isFile() {
        return settings.auditUrl().startsWith(SQLITE);
    }

    private Path file() {
        return Path.of(settings.auditUrl().substring(SQLITE.length()).split("\\?", 2)[0]);
    }

    private Result auditLog() throws SQLException {
        if (!isFile()) {
            return auditServer();
        }
        if (!Files.exists(file())) {
            Path folder = existing(file().getParent());
            return Files.isDirectory(folder) && Files.isWritable(folder)
                    ? Result.ok("audit-log", file() + " is not there yet and can be made")
                    : Result.fail(
                            "audit-log",
                            file() + " can't be made: " + folder + " is not a folder that this user may write into",
                            "chown it, or set walroute.audit.url");
        }
        if (!Files.isWritable(file()) || !Files.isWritable(file().getParent())) {
            return Result.fail(
                    "audit-log",
                    file() + " can't be written by this user (the folder neither, which SQLite needs)",
                    "chown -R \"$USER\" " + file().getParent());
        }
        return write();
    }

    /** Only the lock that a write needs: nothing is changed. */
    private Result write() throws SQLException {
        try (var connection = DriverManager.getConnection(SQLITE + file());
                var statement = connection.createStatement()) {
            statement.execute("PRAGMA busy_timeout = 3000");
            statement.execute("BEGIN IMMEDIATE");
            statement.execute("ROLLBACK");
        } catch (SQLException e) {
            return Result.fail(
                    "audit-log",
                    file() + " takes no writes: " + Doctor.line(e),
                    "stop what locks it (fuser " + file() + "), or restore it from a backup");
        }
        return Result.ok("audit-log", file() + " takes writes");
    }

    private Result auditServer() {
        DriverManager.setLoginTimeout(5);
        try (var connection = DriverManager.getConnection(settings.auditUrl());
                var statement = connection.createStatement();
                var row = statement.executeQuery("SELECT pg_is_in_recovery(),"
                        + " coalesce((SELECT has_table_privilege(oid, 'INSERT') FROM pg_class WHERE oid ="
                        + " to_regclass('audit_log')), has_schema_privilege(current_schema(), 'CREATE'))")) {
            row.next();
            if (row.getBoolean(1) || !row.getBoolean(2)) {
                return Result.fail(
                        "audit-log",
                        row.getBoolean(1)
                                ? "walroute.audit.url leads to a standby, which takes no writes"
                                : "the user of walroute.audit.url may not write the audit log",
                        row.getBoolean(1)
                                ? "set walroute.audit.url to the primary"
                                : "GRANT CREATE ON SCHEMA public to that user");
            }
            return Result.ok("audit-log", "the PostgreSQL of walroute.audit.url takes writes");
        } catch (SQLException e) {
            return Result.fail(
                    "audit-log", "walroute.audit.url can't be reached: " + Doctor.line(e), "set walroute.audit.url");
        }
    }

    private Result disk() throws IOException {
        if (!isFile()) {
            return Result.ok("audit-disk", "the audit log is in PostgreSQL, not on this machine");
        }
        Path folder = existing(file().getParent());
        return disk(folder, Files.getFileStore(folder).getUsableSpace());
    }

    static Result disk(Path folder, long free) {
        String line = Figures.bytes(free) + " free for the audit log in " + folder;
        String fix = "make room, set walroute.audit.keep shorter, or move it by walroute.audit.url";
        return free < TOO_LITTLE
                ? Result.fail("audit-disk", line, fix)
                : free < LITTLE ? Result.warn("audit-disk", line, fix) : Result.ok("audit-disk", line);
    }

    private static Path existing(Path folder) {
        Path each = folder.toAbsolutePath();
        while (!Files.exists(each)) {
            each = each.getParent();
        }
        return each;
    }

    // ---------------------------------------------------------------- ports

    private Result port(String setting, String host, OptionalInt port) {
        String check = setting.equals("WEBSOCKET_PORT") ? "port-websocket" : "port-management";
        if (port.isEmpty()) {
            return Result.ok(check, setting + " is off");
        }
        if (port.getAsInt() == 0) {
            return Result.ok(check, setting + " is any free one");
        }
        try (var socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(InetAddress.getByName(host), port.getAsInt()));
            return Result.ok(check, setting + " " + port.getAsInt() + " is free");
        } catch (IOException e) {
            if (serviceRuns) {
                return Result.ok(check, setting + " " + port.getAsInt() + " is held while the service runs");
            }
            return Result.fail(
                    check,
                    setting + "=" + port.getAsInt() + " can't be taken on " + host + ": " + Doctor.line(e),
                    "stop what uses it (ss -ltnp sport = :" + port.getAsInt() + "), or set " + setting);
        }
    }
}
