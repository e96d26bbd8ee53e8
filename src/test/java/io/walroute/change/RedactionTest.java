package io.walroute.change;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.walroute.change.Redactions.TableRules;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class RedactionTest {
    private static final String SALT = "0123456789abcdef";
    private static final String RAW = "raw-secret-";

    private static Redactions rules(String... columnsAndRules) {
        Map<String, ColumnRules> rules = new LinkedHashMap<>();
        for (int i = 0; i < columnsAndRules.length; i += 2) {
            rules.put(columnsAndRules[i], ColumnRules.parse(columnsAndRules[i + 1]));
        }
        return new Redactions.Builder(false, SALT)
                .table("public", "customers", new TableRules(rules, null))
                .build();
    }

    private static Redactions only(boolean dropUnnamed, String columns) {
        var builder = new Redactions.Builder(dropUnnamed, SALT);
        if (columns != null) {
            builder.table("public", "customers", new TableRules(Map.of(), ColumnList.parse(columns)));
        }
        return builder.build();
    }

    private static Map<String, Object> row(Object... namesAndValues) {
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            row.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return row;
    }

    private static ChangeEvent.Builder change(Operation operation) {
        return ChangeEvent.builder(operation, "public", "customers", Instant.EPOCH, new Version(1, new Lsn(7), 0));
    }

    private static ChangeEvent update() {
        return change(Operation.UPDATE)
                .key("id", 42L)
                .oldRow(row("id", 42L, "email", RAW + "old", "note", "a"))
                .newRow(row("id", 42L, "email", RAW + "new", "note", "b"))
                .changedColumns(List.of("email", "note"))
                .build();
    }

    private static String hmac(String text) throws Exception {
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(SALT.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return java.util.HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
    }

    private static ChangeEvent readBack(ChangeEvent event) {
        return ChangeEvent.fromJson(event.toJson());
    }

    @Test
    void a_dropped_column_leaves_no_trace_not_even_its_name() {
        ChangeEvent copy = rules("email", "drop").redact("hook", update()).copy();
        assertThat(copy.toString()).doesNotContain("email", RAW);
        assertThat(copy.changedColumns()).containsExactly("note");
        assertThat(copy.key()).containsEntry("id", 42L);
        assertThat(copy.id()).isEqualTo(update().id());
    }

    @Test
    void a_masked_column_shows_neither_its_values_nor_that_it_is_null() {
        ChangeEvent insert = change(Operation.INSERT)
                .key("id", 1L)
                .newRow(row("id", 1L, "email", null))
                .build();
        ChangeEvent copy = rules("email", "mask").redact("hook", insert).copy();
        assertThat(copy.newRow()).containsEntry("email", "***");
        assertThat(copy.redactedColumns()).containsExactly("email");
        assertThat(copy.toString()).contains("\"redacted_columns\":[\"email\"]");
    }

    @Test
    void a_hash_is_the_hmac_of_the_text_so_that_equal_values_stay_equal() throws Exception {
        ChangeEvent copy =
                rules("email", "hash", "id", "hash").redact("hook", update()).copy();
        assertThat(copy.newRow()).containsEntry("email", hmac(RAW + "new")).containsEntry("id", hmac("42"));
        assertThat(copy.oldRow()).containsEntry("email", hmac(RAW + "old"));
        assertThat(copy.key()).containsEntry("id", hmac("42"));
        assertThat(copy.keyChanged()).isFalse();
    }

    @Test
    void a_truncation_counts_characters_not_surrogates() {
        ChangeEvent insert = change(Operation.INSERT)
                .newRow(row("email", "😀😀😀", "phone", 1234567L))
                .build();
        ChangeEvent copy = rules("email", "truncate(2)", "phone", "truncate(3)")
                .redact("hook", insert)
                .copy();
        assertThat(copy.newRow()).containsEntry("email", "😀😀").containsEntry("phone", "123");
    }

    @Test
    void a_scalar_in_a_jsonb_column_has_the_same_hash_from_the_wal_and_from_the_audit_log() {
        Redactions hash = rules("doc", "hash");
        for (String json : List.of("\"x\"", "\"\\u00e9\"", "17", "1.50", "null", "true", "{\"a\": 1}", "[1, 2]")) {
            ChangeEvent live = change(Operation.INSERT)
                    .newRow(row("doc", new RawJson(json)))
                    .build();
            assertThat(hash.redact("hook", readBack(live)).copy().newRow())
                    .as(json)
                    .isEqualTo(hash.redact("hook", live).copy().newRow());
        }
    }

    @Test
    void what_was_redacted_is_not_redacted_again_when_it_comes_back_from_a_store() {
        Redactions all = rules("id", "hash", "email", "hash", "note", "truncate(1)");
        ChangeEvent once = all.redact("hook", update()).copy();
        assertThat(all.redact("hook", readBack(once)).copy()).hasToString(once.toString());
    }

    @Test
    void a_value_that_looks_like_a_hash_is_hashed_nevertheless() throws Exception {
        String forged = hmac("somebody else");
        ChangeEvent insert =
                change(Operation.INSERT).newRow(row("email", forged)).build();
        assertThat(rules("email", "hash").redact("hook", insert).copy().newRow())
                .containsEntry("email", hmac(forged));
    }

    @Test
    void what_was_only_shortened_for_the_audit_log_is_still_hashed_for_a_sink() throws Exception {
        Redactions both = rules("email", "hash, audit:truncate(5)");
        ChangeEvent audited = readBack(both.redact("audit", update()).copy());
        assertThat(audited.newRow()).containsEntry("email", "raw-s");
        assertThat(both.redact("hook", audited).copy().newRow()).containsEntry("email", hmac("raw-s"));
    }

    @Test
    void a_sink_that_is_named_has_its_own_rule_and_any_other_the_tables() {
        Redactions some = rules("email", "mask, hook:drop, cache:keep");
        assertThat(some.redact("hook", update()).copy().newRow()).doesNotContainKey("email");
        assertThat(some.redact("cache", update()).hidesAnything()).isFalse();
        assertThat(some.redact("added-tomorrow", update()).copy().newRow()).containsEntry("email", "***");
    }

    @Test
    void the_audit_log_keeps_everything_unless_a_rule_names_it() {
        assertThat(rules("email", "drop").redact("audit", update()).hidesAnything())
                .isFalse();
        assertThat(only(true, "id").redact("audit", update()).hidesAnything()).isFalse();
        assertThat(rules("email", "drop, audit:mask")
                        .redact("audit", update())
                        .copy()
                        .newRow())
                .containsEntry("email", "***");
    }

    @Test
    void only_listed_columns_leave_and_a_column_added_later_does_not() {
        ChangeEvent copy =
                only(false, "id, note; hook: id").redact("notify", update()).copy();
        assertThat(copy.newRow()).containsOnlyKeys("id", "note");
        assertThat(only(false, "id, note; hook: id")
                        .redact("hook", update())
                        .copy()
                        .newRow())
                .containsOnlyKeys("id");
    }

    @Test
    void with_unnamed_dropped_a_table_without_settings_gives_nothing_away() {
        ChangeEvent copy = only(true, null).redact("hook", update()).copy();
        assertThat(copy.newRow()).isEmpty();
        assertThat(copy.oldRow()).isEmpty();
        assertThat(copy.key()).isNull();
        assertThat(copy.changedColumns()).isEmpty();
    }

    @Test
    void a_key_column_that_cannot_tell_rows_apart_any_more_leaves_no_key() {
        for (String rule : List.of("mask", "drop", "truncate(1)")) {
            assertThat(rules("id", rule).redact("cache", update()).copy().key())
                    .as(rule)
                    .isNull();
        }
    }

    @Test
    void a_left_out_column_that_is_dropped_is_not_named() {
        ChangeEvent event = change(Operation.UPDATE)
                .key("id", 1L)
                .newRow(row("id", 1L))
                .unavailableColumns(List.of("email", "note"))
                .build();
        ChangeEvent copy =
                rules("email", "drop", "note", "mask").redact("hook", event).copy();
        assertThat(copy.unavailableColumns()).containsExactly("note");
        assertThat(copy.redactedColumns()).containsExactly("note");
    }

    @Test
    void deletes_and_truncates_are_copied_too() {
        ChangeEvent delete = change(Operation.DELETE)
                .key("id", 1L)
                .oldRow(row("id", 1L, "email", RAW))
                .build();
        assertThat(rules("email", "mask").redact("hook", delete).copy().toString())
                .doesNotContain(RAW);
        ChangeEvent truncate = change(Operation.TRUNCATE).build();
        assertThat(rules("email", "mask").redact("hook", truncate).hidesAnything())
                .isFalse();
    }

    @Test
    void the_id_of_a_backfilled_row_is_not_made_of_a_hidden_key_alone() {
        ChangeEvent read = change(Operation.READ)
                .key("id", 42L)
                .newRow(row("id", 42L))
                .backfill("b1")
                .build();
        UnaryOperator<ChangeEvent> redact =
                event -> rules("id", "hash").redact("cache", event).copy();
        assertThat(redact.apply(read).id())
                .isNotEqualTo(read.id())
                .isEqualTo(redact.apply(read).id());
        assertThat(EventId.version(redact.apply(read).id(), new Lsn(7))).isEqualTo(read.version());
    }

    @Test
    void a_message_does_not_repeat_what_is_hidden() {
        Redacted redacted = rules("email", "mask", "note", "drop").redact("hook", update());
        assertThat(redacted.hide("Key (email)=(" + RAW + "new) exists, was " + RAW + "old; b is not about a bee: a"))
                .isEqualTo("Key (email)=(***) exists, was ***; *** is not about *** bee: ***");
        assertThat(redacted.toString()).doesNotContain(RAW);
    }

    @Test
    void a_wrong_rule_says_what_to_write() {
        assertThatThrownBy(() -> ColumnRules.parse("hide")).hasMessageContaining("Write drop, mask, hash");
        assertThatThrownBy(() -> ColumnRules.parse("hook:drop")).hasMessageContaining("keep, hook:drop");
        assertThatThrownBy(() -> ColumnRules.parse("mask, drop")).hasMessageContaining("two rules");
        assertThatThrownBy(() -> ColumnList.parse("id,,b")).hasMessageContaining("without a name");
    }

    @Test
    void an_event_that_is_too_long_or_half_of_one_must_not_leave() {
        ChangeEvent event = change(Operation.INSERT)
                .key("id", 1L)
                .newRow(row("id", 1L, "note", RAW.repeat(1_000)))
                .build();
        assertThat(EventCheck.problem(event, event.toJson().length)).isNull();
        assertThat(EventCheck.problem(event, event.toJson().length - 1))
                .contains("walroute.max-event-bytes")
                .doesNotContain(RAW);
        assertThat(EventCheck.problem(change(Operation.INSERT).build(), 1 << 20))
                .contains("no new row");
        assertThat(EventCheck.problem(
                        change(Operation.DELETE).newRow(row("id", 1L)).build(), 1 << 20))
                .contains("DELETE");
        assertThat(EventCheck.problem(
                        change(Operation.INSERT)
                                .key("id", 1L)
                                .newRow(row("a", 1L))
                                .build(),
                        1 << 20))
                .contains("key column id");
    }
}
