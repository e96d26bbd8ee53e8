package io.walroute.source;

import io.debezium.connector.postgresql.PostgresValueConverter;
import io.debezium.connector.postgresql.UnchangedToastedReplicationMessageColumn;
import io.debezium.data.SpecialValueDecimal;
import io.walroute.change.PgValues;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.OffsetTime;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Locale;
import java.util.regex.Pattern;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;

/**
 * The way back from what Debezium's pgoutput decoder makes of a value to the text that the server sent. Exactly that text,
 * but for bytea columns, which skip the hex ({@link PgValues#BASE64}), for floats in Java's notation, and for timetz, of
 * which only UTC is left.
 */
final class PgText {
    private static final int BYTEA_OID = 17;
    private static final Pattern JAVA_DOUBLE = Pattern.compile("-?[0-9]+\\.[0-9]+(E-?[0-9]+)?");

    private PgText() {}

    /**
     * @param type the column's type in pg_type
     * @param rootType that type's oid; for a domain its base type's
     */
    static String of(String type, int rootType, Object value) {
        if (value == null || value instanceof String) {
            return (String) value;
        } else if (value instanceof Integer || value instanceof Long) {
            return value.toString();
        } else if (value instanceof OffsetDateTime time) {
            return timestamptz(time);
        } else if (value instanceof SpecialValueDecimal number) {
            return numeric(number);
        } else if (value instanceof Boolean bool) {
            return bool ? "t" : "f";
        } else if (UnchangedToastedReplicationMessageColumn.isUnchangedToastedValue(value)) {
            return TextConverter.ABSENT;
        } else if (value instanceof byte[] bytes) {
            return bytes(type, rootType, bytes);
        } else if (value instanceof Instant time) {
            return timestamp(time);
        } else if (value instanceof LocalDate date) {
            return date(date);
        } else if (value instanceof OffsetTime time) {
            return timetz(time);
        } else if (value instanceof PGInterval interval) {
            return interval(interval);
        } else if (value instanceof BigDecimal amount) {
            return money(amount);
        } else if (value instanceof PGobject shape) {
            return JAVA_DOUBLE.matcher(shape.toString()).replaceAll(number -> float8(number.group()));
        }
        // Arrays: PgArray's text is the server's. Floats: Java's notation, which PgType reads as well.
        return value.toString();
    }

    private static String numeric(SpecialValueDecimal number) {
        if (number.equals(SpecialValueDecimal.POSITIVE_INF)) {
            return "Infinity";
        }
        if (number.equals(SpecialValueDecimal.NEGATIVE_INF)) {
            return "-Infinity";
        }
        return number.getDecimalValue().map(BigDecimal::toPlainString).orElse("NaN");
    }

    private static String timestamptz(OffsetDateTime time) {
        if (time.getYear() > 294_276 || time.getYear() < -4_713) {
            return infinity(time.getYear());
        }
        var utc = time.getOffset() == ZoneOffset.UTC ? time : time.withOffsetSameInstant(ZoneOffset.UTC);
        var text = new StringBuilder(29);
        return appendEra(appendTimestamp(text, utc.toLocalDateTime()).append("+00"), utc.getYear())
                .toString();
    }

    private static String timestamp(Instant time) {
        if (time.equals(PostgresValueConverter.POSITIVE_INFINITY_INSTANT)) {
            return "infinity";
        }
        if (time.equals(PostgresValueConverter.NEGATIVE_INFINITY_INSTANT)) {
            return "-infinity";
        }
        var local = LocalDateTime.ofEpochSecond(time.getEpochSecond(), time.getNano(), ZoneOffset.UTC);
        return appendEra(appendTimestamp(new StringBuilder(26), local), local.getYear())
                .toString();
    }

    private static String date(LocalDate date) {
        // Debezium's two dates for the infinities lie one day apart, before all of PostgreSQL's.
        if (date.equals(PostgresValueConverter.POSITIVE_INFINITY_LOCAL_DATE)) {
            return "infinity";
        }
        if (date.equals(PostgresValueConverter.NEGATIVE_INFINITY_LOCAL_DATE)) {
            return "-infinity";
        }
        return appendEra(appendDate(new StringBuilder(13), date), date.getYear())
                .toString();
    }

    private static String infinity(int year) {
        return year > 0 ? "infinity" : "-infinity";
    }

    private static String timetz(OffsetTime time) {
        var text = new StringBuilder(18);
        appendTime(text, time.getHour(), time.getMinute(), time.getSecond(), time.getNano() / 1000);
        return text.append("+00").toString();
    }

    /** The text depends on lc_monetary, which {@link TextConverter#DRIVER_OPTIONS} makes C. */
    private static String money(BigDecimal amount) {
        return (amount.signum() < 0 ? "-$" : "$") + String.format(Locale.ROOT, "%,.2f", amount.abs());
    }

    private static String bytes(String type, int rootType, byte[] bytes) {
        if (rootType != BYTEA_OID) {
            return new String(bytes, StandardCharsets.UTF_8);
        }
        return type.equals("bytea")
                ? PgValues.BASE64 + Base64.getEncoder().encodeToString(bytes)
                : "\\x" + HexFormat.of().formatHex(bytes);
    }

    /** PGInterval's own text differs between versions of the driver. */
    private static String interval(PGInterval interval) {
        var text = new StringBuilder(40);
        boolean plus = appendUnit(text, false, interval.getYears(), "year");
        plus = appendUnit(text, plus, interval.getMonths(), "mon");
        plus = appendUnit(text, plus, interval.getDays(), "day");
        int hours = interval.getHours();
        int minutes = interval.getMinutes();
        int seconds = interval.getWholeSeconds();
        int micros = interval.getMicroSeconds();
        if (text.length() > 0 && hours == 0 && minutes == 0 && seconds == 0 && micros == 0) {
            return text.toString();
        }
        if (text.length() > 0) {
            text.append(' ');
        }
        if (hours < 0 || minutes < 0 || seconds < 0 || micros < 0) {
            text.append('-');
        } else if (plus) {
            text.append('+');
        }
        appendTime(text, Math.abs(hours), Math.abs(minutes), Math.abs(seconds), Math.abs(micros));
        return text.toString();
    }

    /** After a negative part PostgreSQL marks the positive ones. */
    private static boolean appendUnit(StringBuilder text, boolean plus, int number, String unit) {
        if (number == 0) {
            return plus;
        }
        if (text.length() > 0) {
            text.append(' ');
        }
        if (plus && number > 0) {
            text.append('+');
        }
        text.append(number).append(' ').append(unit);
        if (number != 1) {
            text.append('s');
        }
        return number < 0;
    }

    private static StringBuilder appendTimestamp(StringBuilder text, LocalDateTime time) {
        appendDate(text, time.toLocalDate()).append(' ');
        return appendTime(text, time.getHour(), time.getMinute(), time.getSecond(), time.getNano() / 1000);
    }

    private static StringBuilder appendDate(StringBuilder text, LocalDate date) {
        int year = date.getYear() > 0 ? date.getYear() : 1 - date.getYear();
        appendPadded(text, year, 4);
        appendPadded(text.append('-'), date.getMonthValue(), 2);
        return appendPadded(text.append('-'), date.getDayOfMonth(), 2);
    }

    private static StringBuilder appendEra(StringBuilder text, int year) {
        return year > 0 ? text : text.append(" BC");
    }

    private static StringBuilder appendTime(StringBuilder text, int hours, int minutes, int seconds, int micros) {
        appendPadded(text, hours, 2);
        appendPadded(text.append(':'), minutes, 2);
        appendPadded(text.append(':'), seconds, 2);
        if (micros != 0) {
            appendPadded(text.append('.'), micros, 6);
            while (text.charAt(text.length() - 1) == '0') {
                text.setLength(text.length() - 1);
            }
        }
        return text;
    }

    private static StringBuilder appendPadded(StringBuilder text, int number, int width) {
        int limit = 10;
        for (int digits = 1; digits < width; digits++) {
            if (number < limit) {
                text.append('0');
            }
            limit *= 10;
        }
        return text.append(number);
    }

    /** As float8out prints it: the fewest digits that mean the same number, an exponent below 1e-4 and from 1e15. */
    private static String float8(String javaText) {
        double number = Double.parseDouble(javaText);
        if (number == 0) {
            return javaText.startsWith("-") ? "-0" : "0";
        }
        var digits = new BigDecimal(number);
        for (int precision = 15; precision <= 17; precision++) {
            var rounded = digits.round(new MathContext(precision));
            if (rounded.doubleValue() == number) {
                digits = rounded.stripTrailingZeros();
                break;
            }
        }
        int exponent = digits.precision() - digits.scale() - 1;
        if (exponent >= -4 && exponent < 15) {
            return digits.toPlainString();
        }
        String mantissa = digits.scaleByPowerOfTen(-exponent).toPlainString();
        String sign = exponent < 0 ? "-" : "+";
        return mantissa + "e" + sign + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
    }
}
