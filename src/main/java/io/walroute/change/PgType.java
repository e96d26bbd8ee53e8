package io.walroute.change;

/**
 * One PostgreSQL type's way from the server's text output to the contract's JSON value. Resolve it once per column: the
 * conversion itself runs for every column of every row.
 *
 * <p>The text is what the type's output function prints in a session with {@code DateStyle=ISO}, {@code TimeZone=UTC},
 * {@code IntervalStyle=postgres} and {@code extra_float_digits=1}. Mind that {@code column::text} is another text for some
 * types ({@code inet}, {@code char(n)}).
 *
 * <table>
 * <caption>Results</caption>
 * <tr><td>int2, int4, int8, oid</td><td>Long</td></tr>
 * <tr><td>float4, float8</td><td>Float, Double; the strings NaN, Infinity and -Infinity</td></tr>
 * <tr><td>bool</td><td>Boolean</td></tr>
 * <tr><td>json, jsonb</td><td>{@link RawJson}, untouched</td></tr>
 * <tr><td>timestamptz</td><td>2026-01-31T12:00:00.123456Z: UTC, six fraction digits; infinity, -infinity</td></tr>
 * <tr><td>timestamp</td><td>the same without Z</td></tr>
 * <tr><td>date</td><td>2026-01-31; years as java.time prints them: -0043 is 44 BC, +10000 follows 9999</td></tr>
 * <tr><td>time</td><td>PostgreSQL's text, which is ISO-8601 already: 12:00:00.5, 24:00:00</td></tr>
 * <tr><td>timetz</td><td>PostgreSQL's text in UTC: 12:00:00.5+00</td></tr>
 * <tr><td>interval</td><td>ISO-8601 as PostgreSQL prints it: P1Y2M3DT4H5M6.789012S, P-1Y2M, PT0S; infinity, -infinity</td></tr>
 * <tr><td>bytea</td><td>base64</td></tr>
 * <tr><td>arrays</td><td>List, nested by dimension, without the lower bounds</td></tr>
 * <tr><td>all others, numeric too</td><td>PostgreSQL's text</td></tr>
 * </table>
 *
 * <p>Stateless, for any thread.
 */
@FunctionalInterface
public interface PgType {
    /** Of types whose values stay PostgreSQL's text, as most do: {@link #of} answers this very object for them. */
    PgType AS_IS = text -> text;

    /**
     * @param text the value's text; null for NULL
     * @return String, Long, Double, Float, Boolean, {@link RawJson}, a List of these, or null for NULL
     * @throws IllegalArgumentException if no server prints such a text for the type; the message names the type and, where
     *     one has to do with it, the session's setting
     */
    Object convert(String text);

    /**
     * @param typeName the name in pg_type: {@code int4}, {@code timestamptz}, {@code _text} for {@code text[]}
     */
    static PgType of(String typeName) {
        PgType nonNull = PgValues.forNonNull(typeName);
        return nonNull == AS_IS ? AS_IS : text -> text == null ? null : nonNull.convert(text);
    }
}
