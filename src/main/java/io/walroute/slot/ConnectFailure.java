package io.walroute.slot;

import io.walroute.slot.Finding.Fault;
import java.net.ConnectException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.sql.SQLException;
import javax.net.ssl.SSLException;

/** Why a connection didn't come about, in one line. */
final class ConnectFailure {
    private ConnectFailure() {}

    static Finding explain(ReplicationTarget target, SQLException e) {
        String state = e.getSQLState() == null ? "" : e.getSQLState();
        return switch (state) {
            case "28P01" ->
                Finding.of(
                        Fault.LOGIN_REFUSED,
                        "PostgreSQL at " + target.server() + " refuses the password of user " + target.user()
                                + ". Correct DATABASE_URL");
            case "28000" ->
                Finding.of(
                        Fault.LOGIN_REFUSED,
                        "PostgreSQL at " + target.server() + " refuses user " + target.user() + ": " + line(e)
                                + ". Correct DATABASE_URL, or the server's pg_hba.conf");
            case "3D000" ->
                Finding.of(
                        Fault.DATABASE_MISSING,
                        "PostgreSQL at " + target.server() + " has no such database: " + line(e)
                                + ". Correct DATABASE_URL");
            case "57P01", "57P02", "57P03", "53300" ->
                Finding.of(
                        Fault.NOT_READY, "PostgreSQL at " + target.server() + " takes no connection now: " + line(e));
            default -> byCause(target, e);
        };
    }

    private static Finding byCause(ReplicationTarget target, SQLException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof UnknownHostException) {
                return Finding.of(
                        Fault.UNKNOWN_HOST,
                        "The host " + target.host()
                                + " of DATABASE_URL is not known. Correct DATABASE_URL, or the name service");
            }
            if (cause instanceof SSLException) {
                return Finding.of(
                        Fault.TLS,
                        "No TLS connection to PostgreSQL at " + target.server() + ": " + line(cause)
                                + ". Correct sslmode and sslrootcert in DATABASE_URL");
            }
            if (cause instanceof ConnectException || cause instanceof SocketTimeoutException) {
                return Finding.of(
                        Fault.NO_ANSWER,
                        "PostgreSQL at " + target.server() + " does not answer: " + line(cause)
                                + ". Start it, or correct DATABASE_URL");
            }
        }
        String message = line(e);
        if (message.contains("SSL")) {
            return Finding.of(
                    Fault.TLS,
                    "No TLS connection to PostgreSQL at " + target.server() + ": " + message
                            + ". Correct sslmode in DATABASE_URL");
        }
        if (message.contains("password")) {
            return Finding.of(
                    Fault.LOGIN_REFUSED,
                    "PostgreSQL at " + target.server() + " asks for a password of user " + target.user()
                            + ", and DATABASE_URL has none. Write postgresql://user:password@…");
        }
        return Finding.of(Fault.NO_ANSWER, "No connection to PostgreSQL at " + target.server() + ": " + message);
    }

    /** A message of several lines (the server's detail, a hint) as one, without PostgreSQL's severity and full stop. */
    static String line(Throwable e) {
        String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        String line = message.strip().replaceAll("\\s*[\\r\\n]+\\s*", "; ").replaceFirst("^(FATAL|ERROR|PANIC): ", "");
        return line.endsWith(".") ? line.substring(0, line.length() - 1) : line;
    }
}
