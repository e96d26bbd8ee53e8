package io.walroute.source;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.change.ChangeEvent;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.camel.CamelContext;
import org.apache.camel.TypeConversionException;
import org.apache.camel.spi.TypeConverterRegistry;
import org.apache.camel.support.SimpleTypeConverter;

/** Lets Camel convert a {@link ChangeEvent} to its JSON (String, bytes, InputStream) and to a Map, wherever a route asks. */
public final class ChangeConversions {
    private static final ObjectMapper MAPPER =
            new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);
    private static final TypeReference<Map<String, Object>> MAP = new TypeReference<>() {};

    private ChangeConversions() {}

    /** May be called more than once for a context. */
    public static void register(CamelContext context) {
        TypeConverterRegistry registry = context.getTypeConverterRegistry();
        if (registry.lookup(String.class, ChangeEvent.class) != null) {
            return;
        }
        add(registry, String.class, ChangeEvent::toString);
        add(registry, byte[].class, e -> e.toJson().clone());
        add(registry, InputStream.class, e -> new ByteArrayInputStream(e.toJson()));
        add(registry, Map.class, ChangeConversions::toMap);
        registry.addTypeConverter(
                ChangeEvent.class,
                String.class,
                new SimpleTypeConverter(
                        false,
                        (type, exchange, value) -> fromJson(type, ((String) value).getBytes(StandardCharsets.UTF_8))));
        registry.addTypeConverter(
                ChangeEvent.class,
                byte[].class,
                new SimpleTypeConverter(false, (type, exchange, value) -> fromJson(type, (byte[]) value)));
    }

    private static <T> void add(
            TypeConverterRegistry registry,
            Class<T> type,
            java.util.function.Function<ChangeEvent, ? extends T> convert) {
        registry.addTypeConverter(
                type,
                ChangeEvent.class,
                new SimpleTypeConverter(false, (to, exchange, value) -> convert.apply((ChangeEvent) value)));
    }

    private static Object fromJson(Class<?> type, byte[] json) {
        try {
            return ChangeEvent.fromJson(json);
        } catch (IllegalArgumentException e) {
            throw new TypeConversionException(json, type, e);
        }
    }

    private static Map<String, Object> toMap(ChangeEvent event) {
        try {
            return MAPPER.readValue(event.toJson(), MAP);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a change event's own JSON must be readable", e);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
