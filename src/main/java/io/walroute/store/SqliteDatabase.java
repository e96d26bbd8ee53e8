package io.walroute.store;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import javax.sql.DataSource;
import org.sqlite.SQLiteConfig;
import org.sqlite.SQLiteConfig.SynchronousMode;
import org.sqlite.SQLiteConfig.TransactionMode;
import org.sqlite.SQLiteDataSource;
import org.sqlite.SQLiteErrorCode;
import org.sqlite.SQLiteException;

/** A store in one SQLite file, in WAL mode: others may read it at any time. */
final class SqliteDatabase extends Database {
    static final String SCHEME = "jdbc:sqlite:";
    private static final int BUSY_TIMEOUT_MS = 5000;
    private static final int PAGE_BYTES = 8192;
    private static final int CHECKPOINT_BYTES = 64 << 20;

    private final String url;
    private final Path file;
    private Object openFileKey;

    SqliteDatabase(String url) {
        String name = url.substring(SCHEME.length());
        int options = name.indexOf('?');
        if (name.isEmpty() || options >= 0 || name.startsWith(":") || name.startsWith("file:")) {
            throw new IllegalArgumentException(
                    "The store's URL '" + url + "' must name a plain file: jdbc:sqlite:FILE");
        }
        this.url = url;
        file = Path.of(name).toAbsolutePath();
    }

    @Override
    boolean isSqlite() {
        return true;
    }

    @Override
    Connection connectToDefine() throws SQLException {
        return connect(false);
    }

    @Override
    Connection connectToWrite() throws SQLException {
        return connect(true);
    }

    private Connection connect(boolean writesRows) throws SQLException {
        try {
            Files.createDirectories(file.getParent());
        } catch (IOException e) {
            throw new SQLException("its folder can't be made (" + oneLine(e) + ")", e);
        }
        SQLiteConfig config = common();
        config.setSynchronous(SynchronousMode.FULL);
        // Deliberately not IMMEDIATE: the driver begins the next transaction right after a commit, so an idle store
        // would keep every other writer out. See begin().
        config.setTransactionMode(TransactionMode.DEFERRED);
        // 32 MB of pages: the audit log's index by key is written all over, and what doesn't fit is written twice.
        config.setCacheSize(-32_000);
        // In a new file only. Each page is written twice, by system calls of its own, and a row takes some 1.4 kB.
        config.setPageSize(PAGE_BYTES);
        config.setJournalSizeLimit(80 << 20);
        Connection connection = config.createConnection(url);
        try (var statement = connection.createStatement()) {
            // Takes effect in a new file only, and before WAL mode: lets pruning give pages back a few at a time.
            statement.execute("PRAGMA auto_vacuum=INCREMENTAL");
            statement.execute("PRAGMA journal_mode=WAL");
            // Every 64 MB instead of 4: pages of that index change many times over before they go to the file, once.
            statement.execute("PRAGMA wal_autocheckpoint=" + CHECKPOINT_BYTES / PAGE_BYTES);
            if (writesRows) {
                // An index by an expression (the audit log has two) makes SQLite keep a journal for each statement of
                // several
                // rows, whatever OR says: in a file, that is twice what the WAL gets. Not for DDL, which sorts whole
                // tables.
                statement.execute("PRAGMA temp_store=MEMORY");
            }
            connection.setAutoCommit(false);
            openFileKey = fileKey();
        } catch (SQLException | RuntimeException e) {
            connection.close();
            throw e;
        }
        return connection;
    }

    private static SQLiteConfig common() {
        var config = new SQLiteConfig();
        config.setBusyTimeout(BUSY_TIMEOUT_MS);
        return config;
    }

    @Override
    DataSource readers() {
        SQLiteConfig config = common();
        var source = new SQLiteDataSource(config);
        source.setUrl(url);
        return source;
    }

    /** SQLite has no round trips to save: few, so that large rows don't gather. */
    @Override
    int batchRows() {
        return 32;
    }

    /** Beginning and ending a statement, with AUTOINCREMENT's own table, costs as much as an index entry. */
    @Override
    int rowsPerInsert() {
        return 32;
    }

    /** A file that was moved or deleted goes on taking writes, which nobody would ever read. */
    @Override
    boolean wasReplaced() {
        return openFileKey != null && !openFileKey.equals(fileKey());
    }

    private Object fileKey() {
        try {
            return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
        } catch (IOException e) {
            return "no file";
        }
    }

    /**
     * Takes the write lock at once, waiting for another process if need be. Taken later, by a transaction that has read
     * before, it would be refused without a wait whenever another process has written in between.
     */
    @Override
    void begin(Connection connection, Statement statement, boolean withTables) throws SQLException {
        if (withTables) {
            statement.executeUpdate("UPDATE walroute_meta SET value = value WHERE key = ''");
        } else {
            connection.setAutoCommit(true); // ends the driver's own transaction
            statement.execute("BEGIN IMMEDIATE");
        }
    }

    @Override
    String explain(Throwable e) {
        return "The store " + file + " can't be written: " + reason(e);
    }

    private String reason(Throwable e) {
        if (!(e instanceof SQLiteException sqlite)) {
            return oneLine(e);
        }
        return switch (primary(sqlite)) {
            case SQLITE_FULL -> "the disk is full. Free some space on the volume of " + file.getParent();
            case SQLITE_BUSY, SQLITE_LOCKED ->
                "another process has held its lock for more than " + BUSY_TIMEOUT_MS / 1000
                        + " s. End that process's transaction (fuser " + file + " names it)";
            case SQLITE_CORRUPT, SQLITE_NOTADB ->
                "it is damaged or not an SQLite database. Stop the service, move the"
                        + " file and its -wal and -shm away or restore a copy, start again (" + oneLine(e) + ")";
            case SQLITE_READONLY, SQLITE_PERM, SQLITE_AUTH ->
                "it is read-only for this user. Check the owner and" + " permissions of the file and its folder";
            case SQLITE_CANTOPEN -> "it can't be opened. Check that " + file.getParent() + " exists and is writable";
            case SQLITE_IOERR ->
                "the disk reports an error (" + oneLine(e) + "). Check the volume of " + file.getParent();
            default -> oneLine(e);
        };
    }

    static boolean refuses(SQLException e) {
        if (!(e instanceof SQLiteException sqlite)) {
            return false;
        }
        return switch (primary(sqlite)) {
            case SQLITE_CONSTRAINT, SQLITE_TOOBIG, SQLITE_MISMATCH -> true;
            default -> false;
        };
    }

    private static SQLiteErrorCode primary(SQLiteException e) {
        return SQLiteErrorCode.getErrorCode(e.getResultCode().code & 0xFF);
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
