package io.walroute.service;

import io.walroute.demo.DemoSettings;
import io.walroute.settings.Settings;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** The composition root. */
public final class Service {
    private Service() {}

    public static int run(Settings settings, boolean dev) {
        throw new UnsupportedOperationException("the service is not composed yet");
    }

    public static int demo(Path home, DemoSettings settings, PrintStream out) {
        throw new UnsupportedOperationException("the service is not composed yet");
    }

    public static List<Map<String, Object>> deadLetters(Settings settings) {
        throw new UnsupportedOperationException("the service is not composed yet");
    }
}
