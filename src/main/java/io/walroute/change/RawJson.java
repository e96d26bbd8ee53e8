package io.walroute.change;

/**
 * A JSON text that is passed on as PostgreSQL gave it ({@code json}, {@code jsonb}): never parsed, so that no digit of a
 * number and no order of members is lost.
 *
 * @param text one valid JSON value
 */
public record RawJson(String text) {
    @Override
    public String toString() {
        return text;
    }
}
