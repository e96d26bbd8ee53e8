package io.walroute.slot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class TableNameTest {
    @Test
    void names_are_read_as_sql_reads_them() {
        assertThat(TableName.parse("Listings")).isEqualTo(new TableName("public", "listings"));
        assertThat(TableName.parse("Billing.Invoices")).isEqualTo(new TableName("billing", "invoices"));
        assertThat(TableName.parse("\"My.Schema\".\"A \"\"b\"\", c\""))
                .isEqualTo(new TableName("My.Schema", "A \"b\", c"));
        assertThat(TableName.parse("ÜNÏ")).isEqualTo(new TableName("public", "ÜnÏ"));
    }

    @Test
    void a_comma_inside_quotes_belongs_to_the_name() {
        assertThat(TableName.parseList(" a, \"b,c\" ,d.e,"))
                .containsExactly(new TableName("public", "a"), new TableName("public", "b,c"), new TableName("d", "e"));
    }

    @Test
    void a_name_goes_into_statements_quoted_and_to_people_as_events_have_it() {
        assertThat(new TableName("public", "a\"b").sql()).isEqualTo("\"public\".\"a\"\"b\"");
        assertThat(new TableName("public", "listings")).hasToString("listings");
        assertThat(new TableName("billing", "invoices")).hasToString("billing.invoices");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ".", "a.", ".a", "a.b.c", "a b", "1a", "\"a", "\"a\"b", "\"\"", "a;drop", "a-b"})
    void what_is_no_name_is_told_with_the_form(String text) {
        assertThatThrownBy(() -> TableName.parse(text))
                .hasMessageContaining("Write it as in SQL: listings, billing.invoices, \"Mixed Case\"");
    }

    @Test
    void a_name_that_postgresql_would_cut_is_refused() {
        assertThat(TableName.parse("ü".repeat(31)).table()).hasSize(31);
        assertThatThrownBy(() -> TableName.parse("ü".repeat(32)))
                .hasMessageContaining("longer than PostgreSQL's 63 bytes");
    }

    @Test
    void a_literal_is_safe_whatever_it_holds() {
        assertThat(Quote.literal("a'b")).isEqualTo("'a''b'");
        assertThat(Quote.literal("a\\'b")).isEqualTo(" E'a\\\\''b'");
    }
}
