package io.walroute.logging;

import java.io.Console;

/** Whether a person looks at what is printed. */
public final class Terminal {
    private Terminal() {}

    /** A terminal that understands colours, whose user hasn't forbidden them (https://no-color.org). */
    public static boolean hasColours() {
        return isInteractive() && isEmpty(System.getenv("NO_COLOR")) && !"dumb".equals(System.getenv("TERM"));
    }

    /** True if both input and output are a terminal. */
    public static boolean isInteractive() {
        Console console = System.console();
        if (console == null) {
            return false;
        }
        try {
            // From Java 22 on there is always a console, and this method to ask what it is.
            return (Boolean) Console.class.getMethod("isTerminal").invoke(console);
        } catch (ReflectiveOperationException olderJava) {
            return true;
        }
    }

    private static boolean isEmpty(String text) {
        return text == null || text.isEmpty();
    }
}
