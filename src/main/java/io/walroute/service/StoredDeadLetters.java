package io.walroute.service;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.cli.EntryPoints;
import io.walroute.deadletter.DeadLetters;
import io.walroute.settings.Settings;
import io.walroute.settings.SettingsException;
import io.walroute.store.Store;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The dead letters as the command line reaches them by itself: beside a running service, or without one. */
public final class StoredDeadLetters implements EntryPoints.DeadLetters {
    private static final String SQLITE = "jdbc:sqlite:";
    private static final ObjectMapper JSON = new ObjectMapper();

    private interface Work<T> {
        T with(DeadLetterApi letters) throws SQLException;
    }

    @Override
    public List<Map<String, Object>> list(Settings settings, Map<String, String> query) {
        return in(settings, letters -> letters.list(query)).orElse(List.of());
    }

    @Override
    public Optional<Map<String, Object>> show(Settings settings, long id) {
        return in(settings, letters -> letters.show(id)).flatMap(found -> found);
    }

    @Override
    public Map<String, Object> redrive(Settings settings, Map<String, Object> body) {
        return in(settings, letters -> letters.redrive(JSON.valueToTree(body))).orElse(none());
    }

    @Override
    public Map<String, Object> discard(Settings settings, Map<String, Object> body) {
        return in(settings, letters -> letters.discard(JSON.valueToTree(body))).orElse(none());
    }

    private static Map<String, Object> none() {
        return Map.of("entries", List.of());
    }

    /** Empty if the service never ran: looking must not make its file. */
    private static <T> Optional<T> in(Settings settings, Work<T> work) {
        String url = settings.auditUrl();
        if (url.startsWith(SQLITE)
                && !url.startsWith(SQLITE + "file:")
                && !Files.exists(Path.of(url.substring(SQLITE.length()).split("\\?", 2)[0]))) {
            return Optional.empty();
        }
        try (Store store = Store.open(new Store.Settings(url))) {
            return Optional.of(work.with(new DeadLetterApi(new DeadLetters(store), settings.redactions())));
        } catch (SQLException e) {
            throw new SettingsException(
                    List.of("walroute.audit.url: the dead letters can't be reached: " + StartFailure.line(e)));
        }
    }
}
