package io.walroute.change;

import io.walroute.change.RedactionRule.Kind;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * What one sink doesn't get to see of one table's changes. Pure, immutable, any thread.
 *
 * <p>Applied twice it changes nothing more: a hashed or shortened column is named in the copy's {@link
 * ChangeEvent#redactedColumns()}, and isn't hashed again when the copy comes back from the dead letters or the audit log.
 *
 * <p>Rows are told apart by their key. Of its columns only a hash still does that: with one dropped, masked or shortened the
 * copy has no key at all, and everything behind treats the table as one without a primary key.
 */
public final class Redaction {
    static final String MASK = "***";

    private static final String HMAC = "HmacSHA256";
    private static final Pattern HASHED = Pattern.compile("[0-9a-f]{64}");
    private static final SecretKeySpec OF_THIS_PROCESS = new SecretKeySpec(new SecureRandom().generateSeed(32), HMAC);
    // Looking the algorithm up costs more than hashing a column; a Mac isn't safe to share.
    private static final ThreadLocal<Mac> MAC = new ThreadLocal<>();

    private final Map<String, RedactionRule> rules;
    private final RedactionRule others;
    private final SecretKeySpec salt;

    /**
     * @param rules by column
     * @param others for columns without a rule
     * @param salt null if nothing is hashed
     */
    Redaction(Map<String, RedactionRule> rules, RedactionRule others, SecretKeySpec salt) {
        this.rules = Map.copyOf(rules);
        this.others = others;
        this.salt = salt;
    }

    private RedactionRule rule(String column) {
        return rules.getOrDefault(column, others);
    }

    /** Whether it leaves the column's values as they are. */
    public boolean keeps(String column) {
        return rule(column).kind() == Kind.KEEP;
    }

    /** The sink's copy; the event itself where there is nothing to hide. */
    public ChangeEvent apply(ChangeEvent event) {
        if (!isTouched(event)) {
            return event;
        }
        Set<String> done = Set.copyOf(event.redactedColumns());
        Set<String> hidden = new LinkedHashSet<>(event.redactedColumns());
        Map<String, Object> key = key(event.key(), done);
        var copy = event.toBuilder()
                .key(key)
                .oldRow(row(event.oldRow(), done, hidden))
                .newRow(row(event.newRow(), done, hidden))
                .changedColumns(event.changedColumns() == null ? null : names(event.changedColumns()))
                .unavailableColumns(names(event.unavailableColumns()));
        event.unavailableColumns().stream()
                .filter(column -> !keeps(column) && rule(column).kind() != Kind.DROP)
                .forEach(hidden::add);
        hidden.removeIf(column -> rule(column).kind() == Kind.DROP);
        copy.redactedColumns(List.copyOf(hidden));
        if (event.operation() == Operation.READ
                && event.key() != null
                && !event.key().equals(key)) {
            copy.id(readId(event.id()));
        }
        return copy.build();
    }

    private boolean isTouched(ChangeEvent event) {
        return isTouched(event.newRow())
                || isTouched(event.oldRow())
                || isTouched(event.key())
                || !event.unavailableColumns().stream().allMatch(this::keeps);
    }

    private boolean isTouched(Map<String, Object> row) {
        if (row != null) {
            for (String column : row.keySet()) {
                if (!keeps(column)) {
                    return true;
                }
            }
        }
        return false;
    }

    /** A key's columns for people to see, whether they were hashed already or not; null if they don't tell rows apart. */
    public Map<String, Object> shownKey(Map<String, Object> key) {
        return key(key, key.keySet());
    }

    private Map<String, Object> key(Map<String, Object> key, Set<String> done) {
        if (!isTouched(key)) {
            return key;
        }
        Map<String, Object> copy = new LinkedHashMap<>();
        for (var column : key.entrySet()) {
            Kind kind = rule(column.getKey()).kind();
            if (kind != Kind.KEEP && kind != Kind.HASH) {
                return null;
            }
            copy.put(column.getKey(), value(column.getKey(), column.getValue(), done));
        }
        return copy;
    }

    /** A row that nothing is hidden of yet, as the sink sees it. */
    public Map<String, Object> row(Map<String, Object> row) {
        return row(row, Set.of(), new LinkedHashSet<>());
    }

    private Map<String, Object> row(Map<String, Object> row, Set<String> done, Set<String> hidden) {
        if (!isTouched(row)) {
            return row;
        }
        Map<String, Object> copy = new LinkedHashMap<>();
        row.forEach((column, value) -> {
            Kind kind = rule(column).kind();
            if (kind != Kind.DROP) {
                copy.put(column, value(column, value, done));
            }
            if (kind != Kind.KEEP) {
                hidden.add(column);
            }
        });
        return copy;
    }

    private List<String> names(List<String> columns) {
        List<String> copy = new ArrayList<>(columns.size());
        for (String column : columns) {
            if (rule(column).kind() != Kind.DROP) {
                copy.add(column);
            }
        }
        return copy;
    }

    /** One column's value as the sink sees it; null where it is dropped. */
    public Object value(String column, Object value) {
        return value(column, value, Set.of());
    }

    private Object value(String column, Object value, Set<String> done) {
        RedactionRule rule = rule(column);
        return switch (rule.kind()) {
            case KEEP -> value;
            case DROP -> null;
            case MASK -> MASK;
            case HASH -> done.contains(column) && isHashed(value) ? value : hash(text(value));
            case TRUNCATE -> truncate(text(value), rule.length());
        };
    }

    /**
     * What a value is hashed and shortened as. A scalar in a jsonb column comes from the WAL as JSON and from the audit log as the
     * value itself: both must give the same hash.
     */
    static String text(Object value) {
        if (value instanceof List<?> list) {
            return ChangeJson.writeValue(list);
        } else if (value instanceof RawJson raw) {
            String text = raw.text().strip();
            if (text.equals("null")) {
                return null;
            }
            return text.startsWith("\"") ? ChangeJson.readString(text) : text;
        }
        return value == null ? null : KeyText.text(value);
    }

    /** Of a column that was redacted before: one that was only shortened has still to be hashed. */
    private static boolean isHashed(Object value) {
        return value == null
                || value.equals(MASK)
                || value instanceof String text && HASHED.matcher(text).matches();
    }

    private static String truncate(String text, int length) {
        return text == null || text.codePointCount(0, text.length()) <= length
                ? text
                : text.substring(0, text.offsetByCodePoints(0, length));
    }

    private String hash(String text) {
        return text == null ? null : hash(salt, text);
    }

    static String hash(SecretKeySpec salt, String text) {
        try {
            Mac mac = MAC.get();
            if (mac == null) {
                mac = Mac.getInstance(HMAC);
                MAC.set(mac);
            }
            mac.init(salt);
            return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has " + HMAC, e);
        }
    }

    static SecretKeySpec salt(String text) {
        return text == null ? null : new SecretKeySpec(text.getBytes(StandardCharsets.UTF_8), HMAC);
    }

    /** A backfilled row's id is made of its key by a hash that anybody can try keys with. */
    private String readId(String id) {
        int tail = id.lastIndexOf('-') + 1;
        String hash = hash(salt == null ? OF_THIS_PROCESS : salt, id).substring(0, 16);
        return id.substring(0, tail) + 'r' + hash;
    }

    /** A text about the change, as an error message, without what the sink doesn't get to see of it. */
    public String hide(String text, ChangeEvent original) {
        String shown = text;
        if (shown != null) {
            shown = hide(shown, original.key());
            shown = hide(shown, original.oldRow());
            shown = hide(shown, original.newRow());
        }
        return shown;
    }

    private String hide(String text, Map<String, Object> row) {
        String shown = text;
        if (row != null) {
            for (var column : row.entrySet()) {
                String value = keeps(column.getKey()) ? null : text(column.getValue());
                if (value != null && !value.isBlank() && !value.equals(MASK)) {
                    shown = hide(shown, value);
                }
            }
        }
        return shown;
    }

    /** A short value only where it stands by itself: replacing each 1 would leave nothing to read. */
    private static String hide(String text, String value) {
        var shown = new StringBuilder();
        int from = 0;
        for (int at = text.indexOf(value); at >= 0; at = text.indexOf(value, Math.max(from, at + 1))) {
            int end = at + value.length();
            if (value.length() < 4 && (isWord(text, at - 1) || isWord(text, end))) {
                continue;
            }
            shown.append(text, from, at).append(MASK);
            from = end;
        }
        return from == 0 ? text : shown.append(text, from, text.length()).toString();
    }

    private static boolean isWord(String text, int at) {
        return at >= 0 && at < text.length() && Character.isLetterOrDigit(text.charAt(at));
    }
}
