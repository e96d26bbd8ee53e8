package org.apache.kafka.connect.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.errors.DataException;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** walroute's class in Kafka Connect's place. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class ConnectSchemaTest {
    private static SchemaBuilder row() {
        return SchemaBuilder.struct()
                .name("row")
                .field("id", Schema.INT64_SCHEMA)
                .field("name", Schema.OPTIONAL_STRING_SCHEMA);
    }

    @Test
    void a_value_of_another_class_is_refused_with_the_fields_name() {
        var struct = new Struct(row().build());
        assertThatThrownBy(() -> struct.put("id", 1))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("INT64")
                .hasMessageContaining("java.lang.Integer")
                .hasMessageContaining("field: \"id\"");
        assertThatThrownBy(() -> struct.put("id", null))
                .isInstanceOf(DataException.class)
                .hasMessageContaining("null used for required field: \"id\"");
        struct.put("id", 1L).put("name", null);
        assertThat(struct.getInt64("id")).isEqualTo(1);
    }

    @Test
    void bytes_and_logical_types_have_classes_of_their_own() {
        ConnectSchema.validateValue(Schema.BYTES_SCHEMA, new byte[] {1});
        ConnectSchema.validateValue(Schema.BYTES_SCHEMA, ByteBuffer.allocate(1));
        ConnectSchema.validateValue(Decimal.schema(2), new BigDecimal("1.23"));
        ConnectSchema.validateValue(Timestamp.SCHEMA, new java.util.Date());
        assertThatThrownBy(() -> ConnectSchema.validateValue(Decimal.schema(2), new byte[] {1}))
                .isInstanceOf(DataException.class);
        assertThatThrownBy(() -> ConnectSchema.validateValue(Timestamp.SCHEMA, 1L))
                .isInstanceOf(DataException.class);
    }

    @Test
    void what_is_in_lists_and_maps_is_looked_at_too() {
        Schema list = SchemaBuilder.array(Schema.STRING_SCHEMA).build();
        ConnectSchema.validateValue(list, List.of("a"));
        assertThatThrownBy(() -> ConnectSchema.validateValue(list, List.of(1))).isInstanceOf(DataException.class);
        Schema map =
                SchemaBuilder.map(Schema.STRING_SCHEMA, Schema.INT32_SCHEMA).build();
        ConnectSchema.validateValue(map, Map.of("a", 1));
        assertThatThrownBy(() -> ConnectSchema.validateValue(map, Map.of("a", "b")))
                .isInstanceOf(DataException.class);
        assertThatThrownBy(() -> ConnectSchema.validateValue(map, Map.of(1, 1))).isInstanceOf(DataException.class);
    }

    @Test
    void a_struct_of_an_equal_schema_is_taken_again_and_again_and_one_of_another_never() {
        Schema outer = SchemaBuilder.struct().field("row", row().build()).build();
        Struct equal = new Struct(row().build()).put("id", 1L);
        Struct other = new Struct(SchemaBuilder.struct()
                        .name("row")
                        .field("id", Schema.INT64_SCHEMA)
                        .build())
                .put("id", 1L);
        for (int i = 0; i < 3; i++) {
            assertThat(new Struct(outer).put("row", equal).getStruct("row")).isSameAs(equal);
            assertThatThrownBy(() -> new Struct(outer).put("row", other))
                    .isInstanceOf(DataException.class)
                    .hasMessageContaining("do not match");
        }
    }

    @ParameterizedTest
    @CsvSource({"name", "version", "doc", "optional", "parameter", "default", "field"})
    void schemas_that_differ_in_one_thing_are_not_equal(String what) {
        SchemaBuilder builder = SchemaBuilder.struct();
        switch (what) {
            case "name" -> builder.name("other").field("id", Schema.INT64_SCHEMA);
            case "version" -> builder.version(2).field("id", Schema.INT64_SCHEMA);
            case "doc" -> builder.doc("other").field("id", Schema.INT64_SCHEMA);
            case "optional" -> builder.optional().field("id", Schema.INT64_SCHEMA);
            case "parameter" -> builder.parameter("a", "b").field("id", Schema.INT64_SCHEMA);
            case "default" ->
                builder.field("id", SchemaBuilder.int64().defaultValue(1L).build());
            default -> builder.field("id", Schema.INT32_SCHEMA);
        }
        Schema plain = SchemaBuilder.struct().field("id", Schema.INT64_SCHEMA).build();
        Schema same = SchemaBuilder.struct().field("id", Schema.INT64_SCHEMA).build();
        assertThat(plain).isEqualTo(same).hasSameHashCodeAs(same).isNotEqualTo(builder.build());
    }

    @Test
    void parts_that_a_type_has_not_are_refused() {
        assertThatThrownBy(Schema.INT64_SCHEMA::fields).isInstanceOf(DataException.class);
        assertThatThrownBy(() -> Schema.INT64_SCHEMA.field("a")).isInstanceOf(DataException.class);
        assertThatThrownBy(Schema.INT64_SCHEMA::keySchema).isInstanceOf(DataException.class);
        assertThatThrownBy(row().build()::valueSchema).isInstanceOf(DataException.class);
        assertThat(row().build().field("nothing")).isNull();
    }

    @Test
    void a_class_is_found_its_type() {
        assertThat(ConnectSchema.schemaType(Long.class)).isEqualTo(Schema.Type.INT64);
        assertThat(ConnectSchema.schemaType(java.util.ArrayList.class)).isEqualTo(Schema.Type.ARRAY);
        assertThat(ConnectSchema.schemaType(byte[].class)).isEqualTo(Schema.Type.BYTES);
        assertThat(ConnectSchema.schemaType(Object.class)).isNull();
    }
}
