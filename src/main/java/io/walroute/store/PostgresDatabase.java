package io.walroute.store;

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;
import javax.sql.DataSource;
import org.postgresql.ds.PGSimpleDataSource;

/** A store in a PostgreSQL database, which several instances may share. */
final class PostgresDatabase extends Database {
    static final String SCHEME = "jdbc:postgresql:";

    /** "walroute" in ASCII: an advisory lock's number that no other program is likely to use. */
    private static final long DEFINITIONS_LOCK = 0x77616c726f757465L;

    private final String url;
    private final String shownUrl;

    PostgresDatabase(String url) {
        this.url = url;
        shownUrl = url.substring("jdbc:".length()).replaceAll("\\?.*$", "").replaceAll("//[^/@]*@", "//");
    }

    @Override
    boolean isSqlite() {
        return false;
    }

    @Override
    Connection connectToWrite() throws SQLException {
        Connection connection = DriverManager.getConnection(url, defaults());
        try (var statement = connection.createStatement()) {
            connection.setAutoCommit(false);
            // "On disk" must hold whatever the server's or the role's default is; the server may add a standby to it.
            statement.execute("""
                    SELECT set_config('synchronous_commit', 'on', false)
                    WHERE current_setting('synchronous_commit') IN ('off', 'local')""");
            connection.commit();
        } catch (SQLException | RuntimeException e) {
            connection.close();
            throw e;
        }
        return connection;
    }

    /** What the URL may override. Without time limits a cut cable would hold the writer for hours. */
    private static Properties defaults() {
        var properties = new Properties();
        properties.setProperty("ApplicationName", "walroute-store");
        properties.setProperty("connectTimeout", "10");
        properties.setProperty("loginTimeout", "15");
        properties.setProperty("socketTimeout", "60");
        properties.setProperty("tcpKeepAlive", "true");
        properties.setProperty("reWriteBatchedInserts", "true");
        return properties;
    }

    @Override
    DataSource readers() {
        var source = new PGSimpleDataSource();
        source.setApplicationName("walroute-store");
        source.setConnectTimeout(10);
        source.setTcpKeepAlive(true);
        source.setUrl(url);
        return source;
    }

    @Override
    int batchRows() {
        return 256;
    }

    /** The driver makes such statements of a batch by itself. */
    @Override
    int rowsPerInsert() {
        return 1;
    }

    @Override
    boolean wasReplaced() {
        return false;
    }

    /** IF NOT EXISTS alone doesn't keep two services that start together from creating the same table at once. */
    @Override
    void begin(Connection connection, Statement statement, boolean withTables) throws SQLException {
        if (!withTables) {
            statement.execute("SELECT pg_advisory_xact_lock(" + DEFINITIONS_LOCK + ")");
        }
    }

    @Override
    String explain(Throwable e) {
        return "The store " + shownUrl + " can't be written: " + reason(e);
    }

    private static String reason(Throwable e) {
        String state = e instanceof SQLException sql ? sql.getSQLState() : null;
        if (state == null) {
            return oneLine(e);
        }
        if (state.startsWith("08")) {
            return "the server doesn't answer (" + oneLine(e) + "). Check that it runs and can be reached";
        }
        if (state.startsWith("57P")) {
            return "the server is stopping or starting (" + oneLine(e) + ")";
        }
        if (state.startsWith("28")) {
            return "the login is refused (" + oneLine(e) + "). Check user and password in walroute.audit.url";
        }
        return switch (state) {
            case "53100" -> "the server's disk is full. Free some space there (" + oneLine(e) + ")";
            case "53300" -> "the server has no free connection. Raise max_connections or close others";
            case "42501" -> "the role lacks a privilege (" + oneLine(e) + "). Let it create and write tables there";
            case "25006" -> "the server is read-only, a standby perhaps. Name the primary in walroute.audit.url";
            case "3D000" -> "the database is missing (" + oneLine(e) + "). Create it";
            default -> oneLine(e) + " (SQLSTATE " + state + ")";
        };
    }

    /** Data exceptions, broken constraints, and limits such as the longest index entry. */
    static boolean refuses(SQLException e) {
        String state = e.getSQLState();
        return state != null && (state.startsWith("22") || state.startsWith("23") || state.startsWith("54"));
    }

    @Override
    public String toString() {
        return shownUrl;
    }
}
