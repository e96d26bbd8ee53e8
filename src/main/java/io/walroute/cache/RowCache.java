package io.walroute.cache;

import io.lettuce.core.KeyScanCursor;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.RedisFuture;
import io.lettuce.core.RedisNoScriptException;
import io.lettuce.core.ScanArgs;
import io.lettuce.core.ScanCursor;
import io.lettuce.core.ScriptOutputType;
import io.lettuce.core.api.async.RedisAsyncCommands;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Redacted;
import io.walroute.change.Version;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;

/**
 * The rows of tables as Redis strings that never go backwards and never hold half a row.
 *
 * <p>A change takes effect only where the cache knows nothing later of the same key: its entry's {@code _version}, the
 * version kept of a row that is gone or may expire, and that of the table's last truncation are compared in one script. So
 * changes may come twice, late, and from two instances at a time. What is kept of gone rows stays until {@link #purge}.
 *
 * <p>Any thread; nothing blocks but the row source, which runs on an executor of its own.
 */
final class RowCache {
    private static final byte[] TRIAL = bytes("_walroute:trial");
    private static final int TRIAL_SECONDS = 10;
    private static final byte[] VERSIONS = bytes("_walroute:versions");
    private static final byte[] TRUNCATIONS = bytes("_walroute:truncations");
    private static final byte[] INDEX = bytes("_walroute:index");
    private static final byte[] NONE = {};
    private static final RedisPipeline.Joint<RowWrite, Long> WRITE_ALL = RowCache::writeAll;
    private static final RedisPipeline.Joint<RowWrite, Long> APPLY_ALL = RowCache::applyAll;
    // Not together with rows to write: once a script has deleted something, a Redis that is out of memory refuses it
    // nothing.
    private static final RedisPipeline.Joint<RowWrite, Long> REMOVE_ALL =
            (commands, writes) -> applyAll(commands, writes);
    /** Keys looked at in one step of a sweep: about a millisecond of Redis' time. */
    private static final int SWEEP_STEP = 1_000;

    private static final int PURGE_STEP = 500;
    /** Each lost race means that another writer got on; so many in a row mean that something is wrong. */
    private static final int MOST_RACES = 100;
    /** 9999-12-31, beyond which Redis refuses some times of expiry; who cares expires nothing. */
    private static final long LAST_EXPIRY_MS = 253_402_300_799_999L;

    private final RedisPipeline redis;
    private final RowSource rows;
    private final Executor rowReaders;

    /** @param rows null if there is nobody to ask */
    RowCache(RedisPipeline redis, RowSource rows, Executor rowReaders) {
        this.redis = redis;
        this.rows = rows;
        this.rowReaders = rowReaders;
    }

    enum Outcome {
        WRITTEN,
        REMOVED,
        /** The cache knew a later change, or this one. */
        OLDER,
        /** There is nothing to cache. */
        FILTERED
    }

    /**
     * How one change's entry is kept.
     *
     * @param ttl null: for ever
     * @param expiresAt goes before the TTL; null: the TTL applies
     */
    record Keeping(String prefix, Duration ttl, Instant expiresAt) {}

    CompletableFuture<Outcome> apply(ChangeEvent event, Keeping keeping) {
        return apply(event, keeping, null);
    }

    /** @param redacted how the change came to hide columns; null if it is as it was */
    CompletableFuture<Outcome> apply(ChangeEvent event, Keeping keeping, Redacted redacted) {
        if (event.operation() == Operation.TRUNCATE) {
            return truncate(event, keeping.prefix() + event.qualifiedTable());
        }
        if (event.key() == null) {
            return CompletableFuture.completedFuture(Outcome.FILTERED);
        }
        var change = new RowChange(event, keeping, redacted);
        if (event.operation() == Operation.DELETE) {
            return change.remove();
        }
        return event.unavailableColumns().isEmpty() ? change.write(event.newRow(), NONE) : change.complete();
    }

    /**
     * Gives up what the cache has of a row that this change never reached, or of all rows if it is a truncation: the entry is
     * stale, and a later change without all columns must not be completed from it. The change itself may still come.
     *
     * @return whether anything older than the change was given up
     */
    CompletableFuture<Boolean> forget(ChangeEvent event, String prefix) {
        if (event.operation() == Operation.TRUNCATE) {
            // All that is older is stale, and gone in the database, too.
            return truncate(event, prefix + event.qualifiedTable()).thenApply(done -> true);
        }
        if (event.key() == null) {
            return CompletableFuture.completedFuture(false);
        }
        var change = new RowChange(event, new Keeping(prefix, null, null), null);
        return this.<Long>run(
                        Script.FORGET,
                        ScriptOutputType.INTEGER,
                        change.keys,
                        change.version,
                        change.table,
                        justBefore(event.version()))
                .thenApply(count -> count > 0);
    }

    private static byte[] justBefore(Version version) {
        return bytes((version.position() > 0
                        ? new Version(version.epoch(), version.lsn(), version.position() - 1)
                        : new Version(version.epoch(), new Lsn(version.lsn().value() - 1), Integer.MAX_VALUE))
                .toText());
    }

    /** Writes something of no meaning, to see whether Redis takes changes: answering questions proves nothing. */
    CompletableFuture<?> tryOut() {
        return redis.send(commands -> commands.setex(TRIAL, TRIAL_SECONDS, NONE))
                .thenAccept(written -> redis.changeMade());
    }

    /**
     * Drops what is kept of deletions, expiring rows and truncations up to and including this version.
     *
     * @return how many were dropped
     */
    CompletableFuture<Long> purge(Version settledUpTo) {
        return purge(bytes(settledUpTo.toText()), 0);
    }

    private CompletableFuture<Long> purge(byte[] version, long before) {
        return this.<Long>run(Script.PURGE, ScriptOutputType.INTEGER, keys(), version, NONE, bytes("" + PURGE_STEP))
                .thenCompose(dropped -> dropped < PURGE_STEP
                        ? CompletableFuture.completedFuture(before + dropped)
                        : purge(version, before + dropped));
    }

    /**
     * Removes the table's entries by going through all keys of the Redis. An index of each table's keys would spare that,
     * but would cost each row's write a second structure of the same size, and truncations are rare.
     */
    private CompletableFuture<Outcome> truncate(ChangeEvent event, String table) {
        byte[] version = bytes(event.version().toText());
        var entries = ScanArgs.Builder.limit(SWEEP_STEP).match(bytes(escapeGlob(table) + ":*"));
        return this.<Long>run(Script.TRUNCATE, ScriptOutputType.INTEGER, keys(), version, bytes(table))
                .thenCompose(done -> sweep(ScanCursor.INITIAL, entries, version))
                .thenApply(done -> {
                    redis.changeMade();
                    return Outcome.REMOVED;
                });
    }

    private CompletableFuture<Long> sweep(ScanCursor from, ScanArgs entries, byte[] version) {
        return redis.<KeyScanCursor<byte[]>>send(commands -> commands.scan(from, entries))
                .thenCompose(step -> remove(step.getKeys(), version)
                        .thenCompose(removed -> step.isFinished()
                                ? CompletableFuture.completedFuture(removed)
                                : sweep(ScanCursor.of(step.getCursor()), entries, version)));
    }

    /**
     * Removes the table's entries that are older than a version, by going through all keys of the Redis.
     *
     * @param table as it begins its entries' keys, without the colon
     * @param keyColumns how many columns its key has: what has more or fewer belongs to another table
     * @return how many there were
     */
    CompletableFuture<Long> prune(String table, int keyColumns, Version before) {
        var entries = ScanArgs.Builder.limit(SWEEP_STEP).match(bytes(escapeGlob(table) + ":*"));
        return prune(ScanCursor.INITIAL, entries, new Prune(bytes(table), keyColumns, before), 0);
    }

    /** What is left of a removed entry is a version that is older than all that a row may still come with. */
    private record Prune(byte[] table, int keyColumns, Version before) {
        byte[] left() {
            return justBefore(before);
        }

        boolean isMeant(byte[] entry) {
            int colons = 0;
            for (int i = table.length + 1; i < entry.length; i++) {
                colons += entry[i] == ':' ? 1 : 0;
            }
            return colons == keyColumns - 1;
        }
    }

    private CompletableFuture<Long> prune(ScanCursor from, ScanArgs entries, Prune prune, long removed) {
        return redis.<KeyScanCursor<byte[]>>send(commands -> commands.scan(from, entries))
                .thenCompose(step -> prune(step.getKeys(), prune)
                        .thenCompose(more -> step.isFinished()
                                ? CompletableFuture.completedFuture(removed + more)
                                : prune(ScanCursor.of(step.getCursor()), entries, prune, removed + more)));
    }

    private CompletableFuture<Long> prune(List<byte[]> found, Prune prune) {
        byte[][] meant = found.stream().filter(prune::isMeant).toArray(byte[][]::new);
        if (meant.length == 0) {
            return CompletableFuture.completedFuture(0L);
        }
        byte[] before = bytes(prune.before().toText());
        return run(Script.PRUNE, ScriptOutputType.INTEGER, keys(meant), before, prune.table(), prune.left());
    }

    private CompletableFuture<Long> remove(List<byte[]> entries, byte[] version) {
        if (entries.isEmpty()) {
            return CompletableFuture.completedFuture(0L);
        }
        return run(Script.SWEEP, ScriptOutputType.INTEGER, keys(entries.toArray(byte[][]::new)), version, NONE);
    }

    private static String escapeGlob(String text) {
        return text.replaceAll("[\\\\*?\\[\\]]", "\\\\$0");
    }

    private static byte[][] keys(byte[]... entries) {
        byte[][] keys = new byte[3 + entries.length][];
        keys[0] = VERSIONS;
        keys[1] = TRUNCATIONS;
        keys[2] = INDEX;
        System.arraycopy(entries, 0, keys, 3, entries.length);
        return keys;
    }

    private <T> CompletableFuture<T> run(Script script, ScriptOutputType type, byte[][] keys, byte[]... values) {
        return redis.<T>send(commands -> commands.evalsha(script.sha(), type, keys, values))
                .handle((answer, failure) -> {
                    if (failure == null) {
                        return CompletableFuture.completedFuture(answer);
                    }
                    // Redis forgot its scripts (SCRIPT FLUSH, or a failover); EVAL brings this one back.
                    return failure.getCause() instanceof RedisNoScriptException
                            ? redis.<T>send(commands -> commands.eval(script.source(), type, keys, values))
                            : CompletableFuture.<T>failedFuture(failure);
                })
                .thenCompose(answer -> answer);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static RedisFuture<List<Long>> writeAll(
            RedisAsyncCommands<byte[], byte[]> commands, List<RowWrite> writes) {
        byte[][] keys = new byte[3 + writes.size()][];
        keys[0] = VERSIONS;
        keys[1] = TRUNCATIONS;
        keys[2] = INDEX;
        byte[][] values = new byte[3 * writes.size()][];
        for (int i = 0; i < writes.size(); i++) {
            keys[3 + i] = writes.get(i).entry;
            System.arraycopy(writes.get(i).values, 0, values, 3 * i, 3);
        }
        return commands.evalsha(Script.WRITE.sha(), ScriptOutputType.MULTI, keys, values);
    }

    private static RedisFuture<List<Long>> applyAll(
            RedisAsyncCommands<byte[], byte[]> commands, List<RowWrite> writes) {
        byte[][] keys = new byte[3 + 2 * writes.size()][];
        keys[0] = VERSIONS;
        keys[1] = TRUNCATIONS;
        keys[2] = INDEX;
        byte[][] values = new byte[6 * writes.size()][];
        for (int i = 0; i < writes.size(); i++) {
            keys[3 + 2 * i] = writes.get(i).entry;
            keys[4 + 2 * i] = writes.get(i).former;
            System.arraycopy(writes.get(i).values, 0, values, 6 * i, 6);
        }
        return commands.evalsha(Script.APPLY.sha(), ScriptOutputType.MULTI, keys, values);
    }

    /** One row's part of apply.lua. */
    private record RowWrite(byte[] entry, byte[] former, byte[][] values) {
        /** Whether write.lua does all that is to be done. */
        boolean isPlain() {
            return values[2].length > 0
                    && former == entry
                    && values[3].length + values[4].length + values[5].length == 0;
        }

        RedisPipeline.Joint<RowWrite, Long> joint() {
            if (values[2].length == 0) {
                return REMOVE_ALL;
            }
            return isPlain() ? WRITE_ALL : APPLY_ALL;
        }
    }

    /** One change of one row with what its scripts need. */
    private final class RowChange {
        private final ChangeEvent event;
        private final Redacted redacted;
        private final byte[][] keys;
        private final byte[] version;
        private final byte[] table;
        private final byte[] ttl;
        private final byte[] expires;

        RowChange(ChangeEvent event, Keeping keeping, Redacted redacted) {
            this.event = event;
            this.redacted = redacted;
            String tableKey = keeping.prefix() + event.qualifiedTable();
            byte[] entry = bytes(tableKey + ":" + event.keyText());
            keys = event.keyChanged() ? keys(entry, bytes(tableKey + ":" + event.oldKeyText())) : keys(entry);
            version = bytes(event.version().toText());
            table = bytes(tableKey);
            ttl = keeping.ttl() == null ? NONE : bytes("" + keeping.ttl().toMillis());
            expires = keeping.expiresAt() == null ? NONE : expiry(keeping.expiresAt());
        }

        private byte[] expiry(Instant at) {
            if (at.getEpochSecond() > LAST_EXPIRY_MS / 1_000) {
                return NONE;
            }
            return bytes("" + (at.getEpochSecond() <= 0 ? 1 : at.toEpochMilli()));
        }

        CompletableFuture<Outcome> remove() {
            return apply(NONE, NONE).thenApply(this::outcome);
        }

        /** @param sourceVersion the version of the entry that the row was completed from; empty if it wasn't */
        CompletableFuture<Outcome> write(Map<String, Object> row, byte[] sourceVersion) {
            return apply(json(row), sourceVersion).thenApply(this::outcome);
        }

        private byte[] json(Map<String, Object> row) {
            return WholeRow.toJson(row, event.version().toText());
        }

        private CompletableFuture<Long> apply(byte[] row, byte[] sourceVersion) {
            var write = new RowWrite(keys[3], keys.length > 4 ? keys[4] : keys[3], new byte[][] {
                version, table, row, ttl, expires, sourceVersion
            });
            return redis.sendJoined(write, row.length, write.joint())
                    .handle((answer, failure) -> {
                        if (failure == null) {
                            return CompletableFuture.completedFuture(answer);
                        }
                        // It may not be this row that Redis refused; rows before it were written, which does no harm
                        // again.
                        return failure.getCause() instanceof RedisCommandExecutionException
                                ? alone(write)
                                : CompletableFuture.<Long>failedFuture(failure);
                    })
                    .thenCompose(answer -> answer);
        }

        /** By the same script: if Redis had forgotten it, this brings it back. */
        private CompletableFuture<Long> alone(RowWrite write) {
            return (write.isPlain()
                            ? RowCache.this.<List<Long>>run(
                                    Script.WRITE,
                                    ScriptOutputType.MULTI,
                                    keys(write.entry),
                                    Arrays.copyOf(write.values, 3))
                            : RowCache.this.<List<Long>>run(
                                    Script.APPLY,
                                    ScriptOutputType.MULTI,
                                    keys(write.entry, write.former),
                                    write.values))
                    .thenApply(answers -> answers.get(0));
        }

        private Outcome outcome(long answer) {
            if (answer == 0) {
                return Outcome.OLDER;
            }
            redis.changeMade();
            return (answer & 1) != 0 ? Outcome.WRITTEN : Outcome.REMOVED;
        }

        CompletableFuture<Outcome> complete() {
            Map<String, Object> row = WholeRow.complete(event, event.oldRow());
            if (row != null) {
                return write(row, NONE);
            }
            return missesHidden() ? completeFromDatabase() : completeFromEntry(1);
        }

        /** The entry may be older than the rule that hides the column: what it has of it is not to be written again. */
        private boolean missesHidden() {
            return redacted != null && !event.unavailableColumns().stream().allMatch(redacted::keeps);
        }

        private CompletableFuture<Outcome> completeFromEntry(int attempt) {
            return RowCache.this
                    .<List<Object>>run(Script.BEFORE, ScriptOutputType.MULTI, keys, version, table)
                    .thenCompose(before -> {
                        if ((Long) before.get(0) == 1) {
                            // Nothing to write; but a former key's entry may have to go.
                            return remove();
                        }
                        byte[] entry = before.size() > 1 ? (byte[]) before.get(1) : null;
                        Map<String, Object> row = entry == null ? null : WholeRow.complete(event, WholeRow.row(entry));
                        return row == null
                                ? completeFromDatabase()
                                : writeUnlessRaced(row, bytes(WholeRow.version(entry)), attempt);
                    });
        }

        private CompletableFuture<Outcome> writeUnlessRaced(
                Map<String, Object> row, byte[] sourceVersion, int attempt) {
            return apply(json(row), sourceVersion).thenCompose(answer -> {
                if (answer != -1) {
                    return CompletableFuture.completedFuture(outcome(answer));
                }
                return attempt < MOST_RACES
                        ? completeFromEntry(attempt + 1)
                        : CompletableFuture.failedFuture(new RowCacheException(
                                "The entry before was changed " + attempt
                                        + " times while the row was completed from it",
                                null));
            });
        }

        private CompletableFuture<Outcome> completeFromDatabase() {
            if (rows == null) {
                return remove();
            }
            return CompletableFuture.supplyAsync(this::readRow, rowReaders)
                    .thenCompose(row -> row == null ? remove() : write(row, NONE));
        }

        private Map<String, Object> readRow() {
            try {
                Map<String, Object> key =
                        redacted == null ? event.key() : redacted.databaseKey().orElse(null);
                if (key == null) {
                    return null; // a redriven change whose key is hashed: nobody knows any more which row it was
                }
                Map<String, Object> row =
                        rows.read(event.schema(), event.table(), key).orElse(null);
                return WholeRow.completeIfUnchanged(event, redacted == null ? row : redacted.row(row));
            } catch (RuntimeException e) {
                throw new CompletionException(new RowCacheException(
                        "A row with left-out columns can't be read from the database: " + e.getMessage(), e));
            }
        }
    }
}
