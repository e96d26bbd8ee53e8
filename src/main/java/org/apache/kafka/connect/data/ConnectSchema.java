package org.apache.kafka.connect.data;

import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.apache.kafka.connect.errors.DataException;

/**
 * In place of Kafka Connect's class of this name, which makes a text for an error message of every value that is put into a
 * {@link Struct}, and compares schemas field by field for every struct in a struct: an eighth of all that a change allocated. This
 * one makes the text when there is an error, and compares two schemas once. It promises the same.
 */
public class ConnectSchema implements Schema {
    private static final Map<Type, Class<?>[]> CLASSES = new EnumMap<>(Map.ofEntries(
            Map.entry(Type.INT8, of(Byte.class)),
            Map.entry(Type.INT16, of(Short.class)),
            Map.entry(Type.INT32, of(Integer.class)),
            Map.entry(Type.INT64, of(Long.class)),
            Map.entry(Type.FLOAT32, of(Float.class)),
            Map.entry(Type.FLOAT64, of(Double.class)),
            Map.entry(Type.BOOLEAN, of(Boolean.class)),
            Map.entry(Type.STRING, of(String.class)),
            Map.entry(Type.BYTES, of(byte[].class, ByteBuffer.class)),
            Map.entry(Type.ARRAY, of(List.class)),
            Map.entry(Type.MAP, of(Map.class)),
            Map.entry(Type.STRUCT, of(Struct.class))));
    private static final Map<String, Class<?>[]> LOGICAL_CLASSES = Map.of(
            Decimal.LOGICAL_NAME, of(BigDecimal.class),
            Date.LOGICAL_NAME, of(java.util.Date.class),
            Time.LOGICAL_NAME, of(java.util.Date.class),
            Timestamp.LOGICAL_NAME, of(java.util.Date.class));

    private final Type type;
    private final boolean optional;
    private final Object defaultValue;
    private final String name;
    private final Integer version;
    private final String doc;
    private final Map<String, String> parameters;
    private final List<Field> fields;
    private final Map<String, Field> fieldsByName;
    private final Schema keySchema;
    private final Schema valueSchema;
    private final Class<?>[] expected;

    private int hash;
    /** Another schema that was found equal. A race loses nothing but a comparison. */
    private Schema equal;

    private static Class<?>[] of(Class<?>... classes) {
        return classes;
    }

    public ConnectSchema(
            Type type,
            boolean optional,
            Object defaultValue,
            String name,
            Integer version,
            String doc,
            Map<String, String> parameters,
            List<Field> fields,
            Schema keySchema,
            Schema valueSchema) {
        this.type = type;
        this.optional = optional;
        this.defaultValue = defaultValue;
        this.name = name;
        this.version = version;
        this.doc = doc;
        this.parameters = parameters;
        if (type == Type.STRUCT) {
            this.fields = fields == null ? List.of() : fields;
            fieldsByName = new HashMap<>(2 * this.fields.size());
            this.fields.forEach(field -> fieldsByName.put(field.name(), field));
        } else {
            this.fields = null;
            fieldsByName = null;
        }
        this.keySchema = keySchema;
        this.valueSchema = valueSchema;
        Class<?>[] logical = name == null ? null : LOGICAL_CLASSES.get(name);
        expected = logical != null ? logical : CLASSES.get(type);
    }

    public ConnectSchema(Type type, boolean optional, Object defaultValue, String name, Integer version, String doc) {
        this(type, optional, defaultValue, name, version, doc, null, null, null, null);
    }

    public ConnectSchema(Type type) {
        this(type, false, null, null, null, null);
    }

    @Override
    public Type type() {
        return type;
    }

    @Override
    public boolean isOptional() {
        return optional;
    }

    @Override
    public Object defaultValue() {
        return defaultValue;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Integer version() {
        return version;
    }

    @Override
    public String doc() {
        return doc;
    }

    @Override
    public Map<String, String> parameters() {
        return parameters;
    }

    @Override
    public List<Field> fields() {
        return structs(fields);
    }

    @Override
    public Field field(String fieldName) {
        return structs(fieldsByName).get(fieldName);
    }

    private <T> T structs(T part) {
        if (part == null) {
            throw new DataException("A schema of type " + type + " has no fields");
        }
        return part;
    }

    @Override
    public Schema keySchema() {
        if (type != Type.MAP) {
            throw new DataException("A schema of type " + type + " has no key schema");
        }
        return keySchema;
    }

    @Override
    public Schema valueSchema() {
        if (type != Type.MAP && type != Type.ARRAY) {
            throw new DataException("A schema of type " + type + " has no value schema");
        }
        return valueSchema;
    }

    @Override
    public ConnectSchema schema() {
        return this;
    }

    // ---------------------------------------------------------------- values

    public void validateValue(Object value) {
        validateValue(this, value);
    }

    public static void validateValue(Schema schema, Object value) {
        validateValue(null, schema, value);
    }

    /**
     * @param name of the field that it is to stand in; null if it is no field's
     * @throws DataException if the value isn't one of the schema's
     */
    public static void validateValue(String name, Schema schema, Object value) {
        if (schema == null) {
            throw new DataException("There is no schema for " + place(name));
        }
        if (value == null) {
            if (!schema.isOptional()) {
                throw new DataException(
                        "Invalid value: null used for required " + place(name) + ", schema type: " + schema.type());
            }
            return;
        }
        if (!isExpected(schema, value)) {
            throw new DataException("Invalid Java object for schema "
                    + (schema.name() == null ? "" : "\"" + schema.name() + "\" ") + "with type " + schema.type() + ": "
                    + value.getClass() + " for " + place(name));
        }
        switch (schema.type()) {
            case STRUCT -> {
                if (!isOf(((Struct) value).schema(), schema)) {
                    throw new DataException("Struct schemas do not match for " + place(name));
                }
            }
            case ARRAY -> {
                for (Object element : (List<?>) value) {
                    validateValue(name, schema.valueSchema(), element);
                }
            }
            case MAP -> {
                for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                    validateValue(name, schema.keySchema(), entry.getKey());
                    validateValue(name, schema.valueSchema(), entry.getValue());
                }
            }
            default -> {
                // its class was all there is to check
            }
        }
    }

    private static String place(String name) {
        return name == null ? "a value" : "field: \"" + name + "\"";
    }

    private static boolean isExpected(Schema schema, Object value) {
        Class<?>[] expected = schema instanceof ConnectSchema known ? known.expected : expected(schema);
        if (expected != null) {
            for (Class<?> one : expected) {
                if (one.isInstance(value)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static Class<?>[] expected(Schema schema) {
        Class<?>[] logical = schema.name() == null ? null : LOGICAL_CLASSES.get(schema.name());
        return logical != null ? logical : CLASSES.get(schema.type());
    }

    private static boolean isOf(Schema of, Schema schema) {
        if (of == schema) {
            return true;
        }
        if (schema instanceof ConnectSchema known) {
            if (known.equal == of) {
                return true;
            }
            if (of.equals(schema)) {
                known.equal = of;
                return true;
            }
            return false;
        }
        return of.equals(schema);
    }

    /** The type of values of a class that isn't a logical type's; null if there is none. */
    public static Type schemaType(Class<?> valueClass) {
        for (var entry : CLASSES.entrySet()) {
            for (Class<?> one : entry.getValue()) {
                if (one.isAssignableFrom(valueClass)) {
                    return entry.getKey();
                }
            }
        }
        return null;
    }

    // ---------------------------------------------------------------- equality

    @Override
    public boolean equals(Object o) {
        if (this == o) {
            return true;
        }
        if (o == null || getClass() != o.getClass()) {
            return false;
        }
        var other = (ConnectSchema) o;
        return optional == other.optional
                && hashCode() == other.hashCode()
                && type == other.type
                && Objects.equals(version, other.version)
                && Objects.equals(name, other.name)
                && Objects.equals(doc, other.doc)
                && Objects.deepEquals(defaultValue, other.defaultValue)
                && Objects.equals(fields, other.fields)
                && Objects.equals(keySchema, other.keySchema)
                && Objects.equals(valueSchema, other.valueSchema)
                && Objects.equals(parameters, other.parameters);
    }

    @Override
    public int hashCode() {
        int known = hash;
        if (known == 0) {
            // Without the default value: two arrays that are deeply equal have hashes of their own.
            known = Objects.hash(type, optional, name, version, doc, fields, keySchema, valueSchema, parameters);
            hash = known;
        }
        return known;
    }

    @Override
    public String toString() {
        return "Schema{" + (name == null ? type : name + ":" + type) + "}";
    }
}
