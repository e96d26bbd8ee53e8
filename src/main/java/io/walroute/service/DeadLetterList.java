package io.walroute.service;

import io.walroute.deadletter.DeadLetter;
import io.walroute.deadletter.DeadLetterFilter;
import io.walroute.deadletter.DeadLetters;
import io.walroute.settings.SettingsException;
import io.walroute.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What {@code dead-letters list} shows, read beside a running service or without one. */
final class DeadLetterList {
    private static final int MOST = 10_000;
    private static final String SQLITE = "jdbc:sqlite:";

    private DeadLetterList() {}

    static List<Map<String, Object>> read(String auditUrl) {
        if (auditUrl.startsWith(SQLITE)
                && !auditUrl.startsWith(SQLITE + "file:")
                && !Files.exists(Path.of(auditUrl.substring(SQLITE.length()).split("\\?", 2)[0]))) {
            return List.of(); // the service never ran; looking must not make its file
        }
        try (Store store = Store.open(new Store.Settings(auditUrl))) {
            return new DeadLetters(store)
                    .list(DeadLetterFilter.ALL, MOST).stream()
                            .map(DeadLetterList::row)
                            .toList();
        } catch (SQLException e) {
            throw new SettingsException(
                    List.of("walroute.audit.url: the dead letters can't be read: " + StartFailure.line(e)));
        }
    }

    private static Map<String, Object> row(DeadLetter letter) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("id", letter.id());
        row.put("sink", letter.sink());
        row.put("state", letter.state().name().toLowerCase(java.util.Locale.ROOT));
        row.put("table", letter.schema().equals("public") ? letter.table() : letter.schema() + "." + letter.table());
        row.put("key", letter.key());
        row.put("operation", letter.operation());
        row.put("attempts", letter.attempts());
        row.put("first_failure", text(letter.firstFailure()));
        row.put("last_failure", text(letter.lastFailure()));
        row.put("next_attempt", text(letter.nextAttempt()));
        row.put("route", letter.route());
        row.put("endpoint", letter.endpoint());
        row.put("event_id", letter.eventId());
        row.put("cause", letter.cause());
        return row;
    }

    private static String text(Object time) {
        return time == null ? null : time.toString();
    }
}
