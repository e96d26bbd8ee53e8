package io.walroute.change;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What becomes of one column before it leaves.
 *
 * @param length how many characters {@link Kind#TRUNCATE} leaves; 0 for the others
 */
public record RedactionRule(Kind kind, int length) {
    /** From the one that hides least. */
    public enum Kind {
        KEEP,
        /** The first characters are left. */
        TRUNCATE,
        /** HMAC-SHA-256 with the salt, in hexadecimal digits: equal values stay equal, null stays null. */
        HASH,
        /** Every value, null too, is {@value Redaction#MASK}. */
        MASK,
        /** Neither value nor name are there. */
        DROP
    }

    public static final RedactionRule KEEP = new RedactionRule(Kind.KEEP, 0);
    public static final RedactionRule DROP = new RedactionRule(Kind.DROP, 0);

    private static final Pattern TRUNCATION = Pattern.compile("truncate\\((\\d{1,6})\\)");

    /** @throws IllegalArgumentException with what was expected, going on from the setting's name */
    public static RedactionRule parse(String text) {
        String rule = text.strip().toLowerCase(Locale.ROOT);
        Matcher truncation = TRUNCATION.matcher(rule);
        if (truncation.matches()) {
            return new RedactionRule(Kind.TRUNCATE, Integer.parseInt(truncation.group(1)));
        }
        return switch (rule) {
            case "keep" -> KEEP;
            case "drop" -> DROP;
            case "mask" -> new RedactionRule(Kind.MASK, 0);
            case "hash" -> new RedactionRule(Kind.HASH, 0);
            default ->
                throw new IllegalArgumentException("has the rule '" + text.strip()
                        + "', which is unknown. Write drop, mask, hash, truncate(4) or keep");
        };
    }
}
