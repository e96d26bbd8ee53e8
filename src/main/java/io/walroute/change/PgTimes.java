package io.walroute.change;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;

/**
 * Dates and times from PostgreSQL's text ({@code DateStyle=ISO}) to ISO-8601. Ordinary ones are copied character by
 * character; eras, long years and other zones than UTC take the slow way.
 */
final class PgTimes {
    private static final int SECONDS_PER_DAY = 86_400;

    /** The changes of one transaction have the same commit time, and each change is asked for its own. */
    private static volatile Iso latest = new Iso(Instant.EPOCH, write(Instant.EPOCH));

    private record Iso(Instant instant, String text) {}

    private PgTimes() {}

    static String timestamptz(String text) {
        int end = text.length() - 3;
        return end >= 19 && text.endsWith("+00") && isPlain(text, end)
                ? copy(text, end, true)
                : new Scanner("timestamptz", text).timestamp(true);
    }

    static String timestamp(String text) {
        int end = text.length();
        return isPlain(text, end) ? copy(text, end, false) : new Scanner("timestamp", text).timestamp(false);
    }

    static String date(String text) {
        boolean plain = text.length() == 10 && text.charAt(4) == '-' && text.charAt(7) == '-';
        return plain ? text : new Scanner("date", text).date();
    }

    /** In UTC; what lies before or after the day's 24 hours then, wraps around. */
    static String timetz(String text) {
        return text.endsWith("+00") && !text.startsWith("24") ? text : new Scanner("timetz", text).timetz();
    }

    /** A commit time, always with six digits: texts of one width sort as times. */
    static String iso(Instant instant) {
        Iso iso = latest;
        if (!iso.instant().equals(instant)) {
            iso = new Iso(instant, write(instant));
            latest = iso;
        }
        return iso.text();
    }

    private static String write(Instant instant) {
        var out = new StringBuilder(27);
        return appendTimestamp(
                        out, LocalDateTime.ofEpochSecond(instant.getEpochSecond(), instant.getNano(), ZoneOffset.UTC))
                .append('Z')
                .toString();
    }

    /** A year of four digits and no era: 2026-01-31 12:00:00 and a fraction, if any. */
    private static boolean isPlain(String text, int end) {
        return end >= 19
                && end <= 26
                && end != 20
                && text.charAt(4) == '-'
                && text.charAt(7) == '-'
                && text.charAt(10) == ' '
                && text.charAt(13) == ':'
                && text.charAt(16) == ':'
                && isDigit(text.charAt(end - 1))
                && (end == 19 || text.charAt(19) == '.');
    }

    private static String copy(String text, int end, boolean zone) {
        byte[] iso = new byte[zone ? 27 : 26];
        for (int i = 0; i < end; i++) {
            iso[i] = (byte) text.charAt(i);
        }
        iso[10] = 'T';
        iso[19] = '.';
        for (int i = Math.max(end, 20); i < 26; i++) {
            iso[i] = '0';
        }
        if (zone) {
            iso[26] = 'Z';
        }
        return new String(iso, StandardCharsets.ISO_8859_1);
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static StringBuilder appendTimestamp(StringBuilder out, LocalDateTime time) {
        appendDate(out, time.getYear(), time.getMonthValue(), time.getDayOfMonth());
        appendPadded(out.append('T'), time.getHour(), 2);
        appendPadded(out.append(':'), time.getMinute(), 2);
        appendPadded(out.append(':'), time.getSecond(), 2);
        return appendPadded(out.append('.'), time.getNano() / 1000, 6);
    }

    /** The year as java.time prints and reads it. */
    private static StringBuilder appendDate(StringBuilder out, int year, int month, int day) {
        if (year < 0) {
            out.append('-');
        } else if (year > 9999) {
            out.append('+');
        }
        appendPadded(out, Math.abs(year), 4);
        appendPadded(out.append('-'), month, 2);
        return appendPadded(out.append('-'), day, 2);
    }

    private static StringBuilder appendPadded(StringBuilder out, int number, int width) {
        int limit = 10;
        for (int digits = 1; digits < width; digits++) {
            if (number < limit) {
                out.append('0');
            }
            limit *= 10;
        }
        return out.append(number);
    }

    /** The slow way, over any text that PostgreSQL prints. */
    private static final class Scanner {
        private final String type;
        private final String text;
        private int at;

        Scanner(String type, String text) {
            this.type = type;
            this.text = text;
        }

        String timestamp(boolean zone) {
            if (isInfinite()) {
                return text;
            }
            int year = number();
            int month = numberAfter('-');
            int day = numberAfter('-');
            int hour = numberAfter(' ');
            int minute = numberAfter(':');
            int second = numberAfter(':');
            int micros = fraction();
            int offset = zone ? offset() : 0;
            int isoYear = isoYear(year);
            var local = LocalDateTime.of(isoYear, month, day, hour, minute, second, micros * 1000);
            var out = appendTimestamp(new StringBuilder(32), local.minusSeconds(offset));
            return zone ? out.append('Z').toString() : out.toString();
        }

        String date() {
            if (isInfinite()) {
                return text;
            }
            int year = number();
            int month = numberAfter('-');
            int day = numberAfter('-');
            return appendDate(new StringBuilder(16), isoYear(year), month, day).toString();
        }

        String timetz() {
            int hour = number();
            int minute = numberAfter(':');
            int second = numberAfter(':');
            int fractionFrom = at;
            fraction();
            String fraction = text.substring(fractionFrom, at);
            int seconds = Math.floorMod(hour * 3600 + minute * 60 + second - offset(), SECONDS_PER_DAY);
            end();
            var out = appendPadded(new StringBuilder(18), seconds / 3600, 2);
            appendPadded(out.append(':'), seconds / 60 % 60, 2);
            appendPadded(out.append(':'), seconds % 60, 2);
            return out.append(fraction).append("+00").toString();
        }

        private boolean isInfinite() {
            return text.equals("infinity") || text.equals("-infinity");
        }

        /** 1 BC is the year 0. */
        private int isoYear(int year) {
            boolean bc = text.startsWith(" BC", at);
            if (bc) {
                at += 3;
            }
            end();
            return bc ? 1 - year : year;
        }

        private int numberAfter(char separator) {
            if (at >= text.length() || text.charAt(at) != separator) {
                throw malformed();
            }
            at++;
            return number();
        }

        private int number() {
            int from = at;
            while (at < text.length() && isDigit(text.charAt(at))) {
                at++;
            }
            if (at == from || at - from > 9) {
                throw malformed();
            }
            return Integer.parseInt(text, from, at, 10);
        }

        private int fraction() {
            if (at >= text.length() || text.charAt(at) != '.') {
                return 0;
            }
            int from = ++at;
            int micros = number();
            for (int digits = at - from; digits < 6; digits++) {
                micros *= 10;
            }
            return micros;
        }

        private int offset() {
            if (at >= text.length() || (text.charAt(at) != '+' && text.charAt(at) != '-')) {
                throw malformed();
            }
            int sign = text.charAt(at++) == '-' ? -1 : 1;
            int seconds = number() * 3600;
            for (int unit = 60; at < text.length() && text.charAt(at) == ':'; unit /= 60) {
                seconds += numberAfter(':') * unit;
            }
            return sign * seconds;
        }

        private void end() {
            if (at != text.length()) {
                throw malformed();
            }
        }

        private IllegalArgumentException malformed() {
            return new IllegalArgumentException("'" + text + "' is no " + type
                    + " as DateStyle=ISO prints it: the session's DateStyle must be ISO");
        }
    }
}
