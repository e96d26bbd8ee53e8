package io.walroute.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Changes a second, or {@code max} (as good as 0) for no limit. */
final class RateConverter implements ITypeConverter<Double> {
    @Override
    public Double convert(String value) {
        if (value.equals("max")) {
            return 0.0;
        }
        try {
            return Double.valueOf(value);
        } catch (NumberFormatException e) {
            throw new TypeConversionException("'" + value + "' is not a rate. Write changes per second, or max");
        }
    }
}
