package io.walroute.hook;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Answer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.camel.Exchange;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class InvalidationTest {
    private static final String STEP = "hook:partner?body=invalidations&batchSize=3&batchDelay=300";

    private final Receiver receiver = Receiver.start();
    private final HookRig rig = HookRig.to(receiver.url());
    private long lsn;

    @AfterEach
    void close() {
        rig.close();
        receiver.close();
    }

    private ChangeEvent.Builder builder(Operation operation, String schema, String table) {
        return ChangeEvent.builder(
                operation, schema, table, Instant.ofEpochSecond(1000 + lsn), new Version(1, new Lsn(++lsn), 0));
    }

    private ChangeEvent update(long id) {
        Map<String, Object> row = new LinkedHashMap<>(Map.of("id", id, "secret_note", "stays here"));
        return builder(Operation.UPDATE, "public", "listings")
                .key("id", id)
                .newRow(row)
                .build();
    }

    private List<Exchange> send(ChangeEvent... events) {
        List<CompletableFuture<Exchange>> started = new ArrayList<>();
        for (ChangeEvent event : events) {
            started.add(rig.startBy(STEP, event));
        }
        return started.stream().map(CompletableFuture::join).toList();
    }

    private JsonNode body(int request) throws Exception {
        return new ObjectMapper().readTree(receiver.requests().get(request).body());
    }

    @Test
    void several_changes_of_a_key_become_one_and_no_row_leaves() throws Exception {
        send(update(1), update(2), update(1), update(1), update(2))
                .forEach(each -> assertThat(each.getException()).isNull());

        assertThat(receiver.requests()).hasSize(1);
        assertThat(receiver.requests().get(0).text())
                .isEqualTo(
                        "{\"type\":\"cache.invalidate\",\"timestamp\":\"1970-01-01T00:16:44.000000Z\",\"data\":{\"keys\":["
                                + "{\"table\":\"listings\",\"key\":{\"id\":1},\"cache_key\":\"listings:1\"},"
                                + "{\"table\":\"listings\",\"key\":{\"id\":2},\"cache_key\":\"listings:2\"}],\"tables\":[]}}");
        assertThat(HookRig.signed(receiver.requests().get(0), HookRig.SECRET)).isTrue();
        assertThat(receiver.requests().get(0).header("webhook-id")).matches("invalidate-[0-9a-f]{64}");
    }

    @Test
    void keys_beyond_the_batch_go_in_the_next_one() throws Exception {
        send(update(1), update(2), update(3), update(1), update(4));

        assertThat(receiver.requests()).hasSize(2);
        assertThat(body(0).at("/data/keys")).hasSize(3);
        assertThat(body(1).at("/data/keys").findValuesAsText("cache_key")).containsExactly("listings:4");
    }

    @Test
    void a_changed_key_is_named_as_it_was_and_as_it_is() throws Exception {
        Map<String, Object> oldRow = new LinkedHashMap<>(Map.of("a", "x:y", "b", 1L));
        Map<String, Object> key = new LinkedHashMap<>();
        key.put("a", "x:y");
        key.put("b", 2L);
        send(builder(Operation.UPDATE, "billing", "lines")
                .key(key)
                .oldRow(oldRow)
                .newRow(key)
                .build());

        assertThat(body(0).at("/data/keys").toString())
                .isEqualTo(
                        "[{\"table\":\"billing.lines\",\"key\":{\"a\":\"x:y\",\"b\":2},\"cache_key\":\"billing.lines:x%3Ay:2\"},"
                                + "{\"table\":\"billing.lines\",\"key\":{\"a\":\"x:y\",\"b\":1},\"cache_key\":\"billing.lines:x%3Ay:1\"}]");
    }

    @Test
    void a_truncated_table_and_one_without_a_key_are_named_as_a_whole() throws Exception {
        send(
                update(1),
                builder(Operation.TRUNCATE, "public", "listings").build(),
                builder(Operation.INSERT, "public", "log")
                        .newRow(new LinkedHashMap<>())
                        .build());

        assertThat(body(0).at("/data/keys")).isEmpty();
        assertThat(body(0).at("/data/tables").toString()).isEqualTo("[\"listings\",\"log\"]");
    }

    @Test
    void a_failed_request_fails_each_of_its_changes_and_the_same_one_has_the_same_id() {
        receiver.answer(Answer.status(503));
        ChangeEvent[] events = {update(1), update(1), update(2)};

        assertThat(send(events)).allMatch(each -> each.getException() instanceof HookException);
        assertThat(send(events)).allMatch(each -> each.getException() == null);

        assertThat(receiver.requests()).hasSize(2);
        assertThat(receiver.requests().get(0).header("webhook-id"))
                .isEqualTo(receiver.requests().get(1).header("webhook-id"));
    }
}
