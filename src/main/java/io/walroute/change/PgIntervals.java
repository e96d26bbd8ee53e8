package io.walroute.change;

/**
 * Intervals from {@code IntervalStyle=postgres}, {@code -1 years +2 mons -3 days +04:05:06.7}, to what
 * {@code IntervalStyle=iso_8601} prints: {@code P-1Y2M-3DT4H5M6.7S}.
 */
final class PgIntervals {
    private PgIntervals() {}

    static String toIso(String text) {
        if (text.startsWith("P") || text.endsWith("infinity")) {
            return text;
        }
        if (text.isEmpty()) {
            throw malformed(text);
        }
        var iso = new StringBuilder(32).append('P');
        int from = 0;
        while (from < text.length()) {
            int space = text.indexOf(' ', from);
            if (space < 0) {
                appendTime(iso, text, from);
                break;
            }
            int next = text.indexOf(' ', space + 1);
            int end = next < 0 ? text.length() : next;
            appendNumber(iso, text, from, space, unit(text, space + 1));
            from = end + 1;
        }
        return iso.length() == 1 ? "PT0S" : iso.toString();
    }

    private static char unit(String text, int at) {
        return switch (text.charAt(at)) {
            case 'y' -> 'Y';
            case 'm' -> 'M';
            case 'd' -> 'D';
            default -> throw malformed(text);
        };
    }

    private static void appendTime(StringBuilder iso, String text, int from) {
        boolean negative = text.charAt(from) == '-';
        int start = negative || text.charAt(from) == '+' ? from + 1 : from;
        int minutes = text.indexOf(':', start);
        int seconds = text.indexOf(':', minutes + 1);
        if (minutes < 0 || seconds < 0) {
            throw malformed(text);
        }
        int before = iso.length();
        iso.append('T');
        appendPart(iso, negative, text, start, minutes, 'H');
        appendPart(iso, negative, text, minutes + 1, seconds, 'M');
        appendPart(iso, negative, text, seconds + 1, text.length(), 'S');
        if (iso.length() == before + 1) {
            iso.setLength(before);
        }
    }

    private static void appendPart(StringBuilder iso, boolean negative, String text, int from, int to, char unit) {
        int mark = iso.length();
        if (negative) {
            iso.append('-');
        }
        int digits = iso.length();
        appendNumber(iso, text, from, to, unit);
        if (iso.length() == digits) {
            iso.setLength(mark);
        }
    }

    /** Without leading zeros; nothing for zero. */
    private static void appendNumber(StringBuilder iso, String text, int from, int to, char unit) {
        int at = from;
        if (text.charAt(at) == '-' || text.charAt(at) == '+') {
            at++;
        }
        while (at < to - 1 && text.charAt(at) == '0' && text.charAt(at + 1) != '.') {
            at++;
        }
        if (at == to - 1 && text.charAt(at) == '0') {
            return;
        }
        if (text.charAt(from) == '-') {
            iso.append('-');
        }
        iso.append(text, at, to).append(unit);
    }

    private static IllegalArgumentException malformed(String text) {
        return new IllegalArgumentException("'" + text
                + "' is no interval as IntervalStyle=postgres prints it: the session's IntervalStyle must be postgres");
    }
}
