package io.walroute.testing;

import io.walroute.demo.PostgresServer;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Map;
import java.util.zip.ZipFile;

/** PostgreSQL versions other than the shared server's: the build copies their packages into {@code target/postgresql}. */
public enum PostgresVersion {
    V14,
    V15,
    V16,
    V17;

    /** @param folder empty or missing; the caller removes it after closing the server */
    public PostgresServer start(Path folder, Map<String, String> settings) throws IOException {
        return PostgresServer.start(folder, settings, binaries());
    }

    private InputStream binaries() throws IOException {
        Path jar = Path.of("target", "postgresql", name().substring(1) + ".jar");
        try (var zip = new ZipFile(jar.toFile())) {
            var entry = zip.stream()
                    .filter(e -> e.getName().endsWith(".txz"))
                    .findFirst()
                    .orElseThrow();
            return new ByteArrayInputStream(zip.getInputStream(entry).readAllBytes());
        }
    }
}
