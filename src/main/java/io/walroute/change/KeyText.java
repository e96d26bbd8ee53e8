package io.walroute.change;

import com.fasterxml.jackson.core.io.NumberOutput;
import java.util.Collection;

/** How a primary key's values become one text without two keys becoming the same. */
final class KeyText {
    private KeyText() {}

    static String of(Collection<?> values) {
        if (values.size() == 1) {
            return encode(text(values.iterator().next()));
        }
        var text = new StringBuilder();
        boolean first = true;
        for (Object value : values) {
            if (first) {
                first = false;
            } else {
                text.append(':');
            }
            text.append(encode(text(value)));
        }
        return text.toString();
    }

    /** As it stands in the JSON, so that a change read back from there has the key it had. */
    static String text(Object value) {
        if (value instanceof Double number) {
            return NumberOutput.toString(number, true);
        } else if (value instanceof Float number) {
            return NumberOutput.toString(number, true);
        }
        return String.valueOf(value);
    }

    private static String encode(String value) {
        if (value.indexOf(':') < 0 && value.indexOf('%') < 0) {
            return value;
        }
        return value.replace("%", "%25").replace(":", "%3A");
    }
}
