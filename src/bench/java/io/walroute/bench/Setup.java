package io.walroute.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** What figures depend on beside the program. */
final class Setup {
    private Setup() {}

    static Map<String, Object> of(BenchOptions options) throws IOException {
        Map<String, Object> setup = new LinkedHashMap<>();
        setup.put("walroute", commit());
        setup.put("cores", Runtime.getRuntime().availableProcessors());
        setup.put("processor", processor());
        var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
        setup.put("memory", Section.whole(system.getTotalMemorySize() / 1e9) + " GB");
        setup.put("system", System.getProperty("os.name") + " " + System.getProperty("os.version"));
        setup.put("Java", System.getProperty("java.vm.version"));
        setup.put("heap", "-Xmx256m" + (options.jvm().isEmpty() ? "" : " " + String.join(" ", options.jvm())));
        setup.put("load before", Section.hundredths(system.getSystemLoadAverage()));
        return setup;
    }

    private static String processor() throws IOException {
        Path file = Path.of("/proc/cpuinfo");
        return !Files.exists(file)
                ? System.getProperty("os.arch")
                : Files.readAllLines(file).stream()
                        .filter(line -> line.startsWith("model name"))
                        .map(line -> line.substring(line.indexOf(':') + 1).strip())
                        .findFirst()
                        .orElse(System.getProperty("os.arch"));
    }

    private static String commit() throws IOException {
        try (Child git = Child.start(
                java.util.List.of("git", "describe", "--always", "--dirty"),
                Map.of(),
                null,
                Files.createTempFile("walroute-bench", ".log"))) {
            git.await(java.time.Duration.ofSeconds(10));
            return git.output().strip();
        } catch (IOException | InterruptedException noGit) {
            return "unknown";
        }
    }
}
