package io.walroute.cli;

import java.time.Duration;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Times on the command line, written as in the settings: {@code 30s}, {@code 5m}. */
final class DurationConverter implements ITypeConverter<Duration> {
    private static final Pattern TEXT = Pattern.compile("(\\d{1,9})(ms|s|m|h)");

    @Override
    public Duration convert(String value) {
        Matcher text = TEXT.matcher(value);
        if (!text.matches() || Long.parseLong(text.group(1)) == 0) {
            throw new TypeConversionException("'" + value + "' is not a time. Write it as 500ms, 30s, 5m or 2h");
        }
        long number = Long.parseLong(text.group(1));
        return switch (text.group(2)) {
            case "ms" -> Duration.ofMillis(number);
            case "s" -> Duration.ofSeconds(number);
            case "m" -> Duration.ofMinutes(number);
            default -> Duration.ofHours(number);
        };
    }

    static void requireRate(double rate) {
        if (!(rate >= 0) || Double.isInfinite(rate)) {
            throw new Failure(
                    Failure.MISCONFIGURED, "--rate " + rate + " is not a rate. Write 0 or more changes per second");
        }
    }
}
