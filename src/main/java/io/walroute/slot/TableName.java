package io.walroute.slot;

import java.util.ArrayList;
import java.util.List;

/** A table's name as PostgreSQL stores it: neither folded nor quoted. */
public record TableName(String schema, String table) {
    // NAMEDATALEN - 1: PostgreSQL cuts longer names silently, and then they name something else.
    private static final int MAX_BYTES = 63;

    /**
     * Reads a name by SQL's rules: without quotes it is folded to lower case, with quotes it stays as it is and may hold
     * anything ({@code ""} stands for a quote). Without a schema it lies in {@code public}.
     *
     * @throws IllegalArgumentException one line that says what is wrong and shows the form
     */
    public static TableName parse(String text) {
        List<String> parts = parts(text);
        return switch (parts.size()) {
            case 1 -> new TableName("public", parts.get(0));
            case 2 -> new TableName(parts.get(0), parts.get(1));
            default -> throw malformed(text, "has " + parts.size() + " parts");
        };
    }

    /** The names of a list separated by commas; commas inside quotes belong to the name. */
    public static List<TableName> parseList(String text) {
        List<TableName> names = new ArrayList<>();
        boolean quoted = false;
        int from = 0;
        for (int i = 0; i <= text.length(); i++) {
            if (i == text.length() || text.charAt(i) == ',' && !quoted) {
                String each = text.substring(from, i).strip();
                from = i + 1;
                if (!each.isEmpty()) {
                    names.add(parse(each));
                }
            } else if (text.charAt(i) == '"') {
                quoted = !quoted;
            }
        }
        return names;
    }

    private static List<String> parts(String text) {
        List<String> parts = new ArrayList<>();
        int at = 0;
        do {
            var part = new StringBuilder();
            at = text.startsWith("\"", at) ? quoted(text, at + 1, part) : plain(text, at, part);
            if (part.isEmpty()) {
                throw malformed(text, "has an empty part");
            }
            if (part.toString().getBytes(java.nio.charset.StandardCharsets.UTF_8).length > MAX_BYTES) {
                throw malformed(text, "is longer than PostgreSQL's " + MAX_BYTES + " bytes");
            }
            parts.add(part.toString());
            if (at < text.length() && text.charAt(at) != '.') {
                throw malformed(text, "goes on after a closing quote");
            }
        } while (at++ < text.length());
        return parts;
    }

    private static int quoted(String text, int at, StringBuilder part) {
        for (int i = at; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c != '"') {
                part.append(c);
            } else if (text.startsWith("\"", i + 1)) {
                part.append(c);
                i++;
            } else {
                return i + 1;
            }
        }
        throw malformed(text, "has an open quote");
    }

    /** Letters beyond ASCII aren't folded, as PostgreSQL doesn't in UTF-8. */
    private static int plain(String text, int at, StringBuilder part) {
        int i = at;
        for (; i < text.length() && text.charAt(i) != '.'; i++) {
            char c = text.charAt(i);
            boolean letter = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c > 0x7F;
            if (!letter && !(i > at && (c >= '0' && c <= '9' || c == '$'))) {
                throw malformed(text, "holds '" + c + "' outside of quotes");
            }
            part.append(c >= 'A' && c <= 'Z' ? (char) (c + 32) : c);
        }
        return i;
    }

    private static IllegalArgumentException malformed(String text, String why) {
        return new IllegalArgumentException("the table name " + text + " " + why
                + ". Write it as in SQL: listings, billing.invoices, \"Mixed Case\"");
    }

    /** As {@code ChangeEvent.qualifiedTable()}: without schema for {@code public}. For people, not for statements. */
    @Override
    public String toString() {
        return schema.equals("public") ? table : schema + "." + table;
    }

    /** Quoted, with schema. */
    public String sql() {
        return Quote.identifier(schema) + "." + Quote.identifier(table);
    }
}
