package io.walroute.demo;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;

/** Removes a folder with everything in it. */
public final class TemporaryFolder {
    private static final Duration LIMIT = Duration.ofSeconds(3);

    private TemporaryFolder() {}

    /** Whoever has been closed a moment ago may still make or remove files in it: tried again for a while. */
    public static void delete(Path folder) throws IOException {
        long giveUp = System.nanoTime() + LIMIT.toNanos();
        while (Files.exists(folder)) {
            try {
                deleteOnce(folder);
            } catch (IOException e) {
                if (System.nanoTime() > giveUp) {
                    throw e;
                }
            }
        }
    }

    private static void deleteOnce(Path folder) throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
                if (e instanceof NoSuchFileException) {
                    return FileVisitResult.CONTINUE;
                }
                throw e;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path directory, IOException e) throws IOException {
                Files.deleteIfExists(directory);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
