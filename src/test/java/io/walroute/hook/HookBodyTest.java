package io.walroute.hook;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.Version;
import java.time.Instant;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class HookBodyTest {
    @Test
    void any_table_name_makes_a_valid_body() throws Exception {
        var event = ChangeEvent.builder(
                        Operation.TRUNCATE,
                        "bil\"ling",
                        "Ünï \\ Tabelle\n",
                        Instant.parse("2026-01-31T12:00:00Z"),
                        new Version(1, Lsn.ZERO, 0))
                .build();

        var body = new ObjectMapper().readTree(HookBody.of(event));

        assertThat(body.at("/type").asText()).isEqualTo("bil\"ling.Ünï \\ Tabelle\n.truncate");
        assertThat(body.at("/timestamp").asText()).isEqualTo("2026-01-31T12:00:00.000000Z");
        assertThat(body.at("/data/schema").asText()).isEqualTo("bil\"ling");
    }

    @Test
    void an_event_id_that_no_header_can_carry_gets_a_webhook_id_that_is_stable_and_distinct() {
        String id = HookBody.webhookId("backfill-7.listings.ключ\r\nX: y");

        assertThat(id)
                .matches("[A-Za-z0-9_-]{1,128}")
                .isEqualTo(HookBody.webhookId("backfill-7.listings.ключ\r\nX: y"))
                .isNotEqualTo(HookBody.webhookId("backfill-7.listings.ключ\r\nX: z"));
        assertThat(HookBody.webhookId("1-17d5a48-0011223344556677-0")).isEqualTo("1-17d5a48-0011223344556677-0");
    }

    @Test
    void a_batchs_id_depends_on_each_event() {
        assertThat(HookBody.webhookId(List.of("a", "b")))
                .isEqualTo(HookBody.webhookId(List.of("a", "b")))
                .isNotEqualTo(HookBody.webhookId(List.of("a", "c")))
                .isNotEqualTo(HookBody.webhookId(List.of("b", "a")));
    }

    @ParameterizedTest
    @CsvSource({
        "2026-01-31T12:00:00Z, 2026-01-31T12:00:00.000000Z",
        "1999-12-31T23:59:59.999999999Z, 1999-12-31T23:59:59.999999Z",
        "1969-07-20T20:17:40.000001Z, 1969-07-20T20:17:40.000001Z",
        "0001-01-01T00:00:00.1Z, 0001-01-01T00:00:00.100000Z",
        "+10000-01-01T00:00:00Z, +10000-01-01T00:00:00.000000Z",
        "-0001-12-31T00:00:00Z, -0001-12-31T00:00:00.000000Z"
    })
    void a_time_has_six_digits_of_a_second_in_any_year(Instant instant, String text) {
        assertThat(HookBody.microseconds(instant)).isEqualTo(text);
    }
}
