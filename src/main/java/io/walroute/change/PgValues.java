package io.walroute.change;

import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;

/** The conversions behind {@link PgType}: which type takes which, and the short ones. */
public final class PgValues {
    private PgValues() {}

    /** For a single value; a column's values go through one {@link PgType}. */
    public static Object toJsonValue(String typeName, String text) {
        return PgType.of(typeName).convert(text);
    }

    static PgType forNonNull(String typeName) {
        if (typeName.length() > 1 && typeName.charAt(0) == '_') {
            return forArray(typeName.substring(1));
        }
        return switch (typeName) {
            case "int2", "int4", "int8", "oid" -> text -> integer(typeName, text);
            case "float8" -> text -> isFinite(text) ? (Object) Double.valueOf(text) : text;
            case "float4" -> text -> isFinite(text) ? (Object) Float.valueOf(text) : text;
            case "bool" -> text -> text.charAt(0) == 't';
            case "json", "jsonb" -> RawJson::new;
            case "timestamptz" -> PgTimes::timestamptz;
            case "timestamp" -> PgTimes::timestamp;
            case "date" -> PgTimes::date;
            case "timetz" -> PgTimes::timetz;
            case "interval" -> PgIntervals::toIso;
            case "bytea" -> PgValues::base64;
            default -> PgType.AS_IS;
        };
    }

    /** Names of other types may begin with an underscore too; their texts, enum labels and such, are no arrays. */
    private static PgType forArray(String elementTypeName) {
        PgType element = forNonNull(elementTypeName);
        char delimiter = elementTypeName.equals("box") ? ';' : ',';
        return text -> PgArrays.isArray(text) ? PgArrays.parse(text, element, delimiter) : text;
    }

    private static Long integer(String typeName, String text) {
        try {
            return Long.valueOf(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException("'" + text + "' is no " + typeName, e);
        }
    }

    /** PostgreSQL's other float texts are NaN, Infinity and -Infinity. */
    private static boolean isFinite(String text) {
        char last = text.charAt(text.length() - 1);
        return last >= '0' && last <= '9';
    }

    private static String base64(String text) {
        byte[] bytes = text.startsWith("\\x") ? HexFormat.of().parseHex(text, 2, text.length()) : unescape(text);
        return Base64.getEncoder().encodeToString(bytes);
    }

    /** {@code bytea_output=escape}: printable ASCII as it is, a backslash doubled, all else as three octal digits. */
    private static byte[] unescape(String text) {
        byte[] bytes = new byte[text.length()];
        int length = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != '\\') {
                bytes[length++] = (byte) c;
            } else if (i + 1 < text.length() && text.charAt(i + 1) == '\\') {
                bytes[length++] = '\\';
                i++;
            } else if (i + 3 < text.length()) {
                bytes[length++] = (byte) Integer.parseInt(text, i + 1, i + 4, 8);
                i += 3;
            } else {
                throw new IllegalArgumentException("a bytea's text ends in the middle of an escape");
            }
        }
        return Arrays.copyOf(bytes, length);
    }
}
