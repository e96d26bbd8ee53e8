package io.walroute.hook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import io.walroute.testing.Receiver;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which tables, operations and columns a receiver gets: the options of the step that sends to it. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HookSelectionTest {
    private final Receiver receiver = Receiver.start();
    private final HookRig rig = HookRig.to(receiver.url());

    @AfterEach
    void close() {
        rig.close();
        receiver.close();
    }

    private static ChangeEvent change(String schema, String table, Operation operation) {
        Map<String, Object> before = new LinkedHashMap<>();
        before.put("id", 7L);
        before.put("email", "a@example.com");
        before.put("status", "open");
        Map<String, Object> after = new LinkedHashMap<>(before);
        after.put("email", "b@example.com");
        after.put("status", null);
        boolean hasNew = operation == Operation.INSERT || operation == Operation.UPDATE;
        return ChangeEvent.builder(operation, schema, table, Instant.EPOCH, new Version(1, new Lsn(77), 0))
                .key("id", 7L)
                .oldRow(operation == Operation.INSERT ? null : before)
                .newRow(hasNew ? after : null)
                .changedColumns(operation == Operation.UPDATE ? List.of("email", "status") : null)
                .unavailableColumns(operation == Operation.UPDATE ? List.of("metadata", "notes") : List.of())
                .build();
    }

    private JsonNode data(int request) throws Exception {
        return new ObjectMapper()
                .readTree(receiver.requests().get(request).body())
                .get("data");
    }

    @Test
    void only_the_named_columns_and_the_key_leave_wherever_they_stand_in_the_change() throws Exception {
        ChangeEvent change = change("public", "people", Operation.UPDATE);

        rig.startBy("hook:partner?columns=status, metadata", change).join();

        JsonNode data = data(0);
        assertThat(data.get("key")).hasToString("{\"id\":7}");
        assertThat(data.get("old")).hasToString("{\"id\":7,\"status\":\"open\"}");
        assertThat(data.get("new")).hasToString("{\"id\":7,\"status\":null}");
        assertThat(data.get("changed_columns")).hasToString("[\"status\"]");
        assertThat(data.get("unavailable_columns")).hasToString("[\"metadata\"]");
        assertThat(receiver.requests().get(0).text()).doesNotContain("email", "example.com", "notes");
        assertThat(receiver.requests().get(0).header("webhook-id")).isEqualTo(change.id());
        assertThat(HookRig.signed(receiver.requests().get(0), HookRig.SECRET)).isTrue();
        assertThat(change.newRow()).as("others still get the whole").containsKey("email");
    }

    @Test
    void only_the_named_tables_and_operations_are_sent_and_the_rest_is_done() throws Exception {
        List<ChangeEvent> all = new ArrayList<>();
        for (String table : List.of("public.listings", "public.offers", "billing.listings")) {
            for (Operation operation : Operation.values()) {
                all.add(change(table.split("\\.")[0], table.split("\\.")[1], operation));
            }
        }
        String uri = "hook:partner?tables=public.listings,billing.listings&operations=insert,DELETE";

        for (ChangeEvent each : all) {
            assertThat(rig.startBy(uri, each).join().getException()).isNull();
        }

        List<String> types = new ArrayList<>();
        for (Receiver.Request request : receiver.requests()) {
            types.add(new ObjectMapper().readTree(request.body()).get("type").asText());
        }
        assertThat(types)
                .containsExactly(
                        "listings.insert", "listings.delete", "billing.listings.insert", "billing.listings.delete");
    }

    @Test
    void steps_with_other_options_share_the_receiver_and_its_limits() throws Exception {
        rig.startBy("hook:partner?columns=price_wei", HookRig.change(1)).join();
        rig.startBy("hook:partner", HookRig.change(2)).join();
        rig.startBy("hook:partner?batchSize=2&batchDelay=20", HookRig.change(3)).join();

        assertThat(receiver.connections()).isEqualTo(1);
        assertThat(receiver.requests().get(2).text()).startsWith("[");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "operations=INSERT,UPSERT|'UPSERT' is no operation. Write INSERT, UPDATE, DELETE, TRUNCATE, READ",
                "columns=|columns= holds an empty name. Write names separated by commas, or leave it out",
                "tables=listings,,offers|tables=listings,,offers holds an empty name",
                "body=keys|body=keys is unknown. Write changes or invalidations",
                "batchSize=0|batchSize=0 is not a number from 1 to 1000",
                "batchSize=1001|batchSize=1001 is not a number from 1 to 1000",
                "batchDelay=0|batchDelay=0 is not a number of ms from 1 to 60000",
                "colums=id|Unknown parameters=[{colums=id}]"
            })
    void a_wrong_option_stops_the_start_with_one_line(String option, String message) {
        assertThatThrownBy(() -> rig.camel.getEndpoint("hook:partner?" + option))
                .rootCause()
                .hasMessageContaining(message)
                .hasMessageContaining("hook:")
                .hasMessageNotContaining("\n");
    }
}
