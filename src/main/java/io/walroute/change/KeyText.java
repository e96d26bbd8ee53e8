package io.walroute.change;

import java.util.Collection;

/** How a primary key's values become one text without two keys becoming the same. */
final class KeyText {
    private KeyText() {}

    static String of(Collection<?> values) {
        if (values.size() == 1) {
            return encode(String.valueOf(values.iterator().next()));
        }
        var text = new StringBuilder();
        boolean first = true;
        for (Object value : values) {
            if (first) {
                first = false;
            } else {
                text.append(':');
            }
            text.append(encode(String.valueOf(value)));
        }
        return text.toString();
    }

    private static String encode(String value) {
        if (value.indexOf(':') < 0 && value.indexOf('%') < 0) {
            return value;
        }
        return value.replace("%", "%25").replace(":", "%3A");
    }
}
