package io.walroute.admin;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;
import java.util.Set;

/** What proves that a caller may change something: set by the user, or made by the service in a file that only its user may read. */
public final class ManagementToken {
    private static final int BYTES = 32;
    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

    private final String value;
    private final String place;

    private ManagementToken(String value, String place) {
        this.value = value;
        this.place = place;
    }

    public static ManagementToken ofSetting(String value) {
        return new ManagementToken(value, "what walroute.management.token says");
    }

    /**
     * Reads the file; empty if there is none.
     *
     * @throws IOException if it can't be read or holds none; the message is one line
     */
    public static Optional<ManagementToken> read(Path file) throws IOException {
        String text;
        try {
            text = Files.readString(file).strip();
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (java.nio.file.AccessDeniedException e) {
            throw new IOException(
                    file + " with the token can't be read by this user. Run the command as the user that runs"
                            + " the service, or set walroute.management.token for both",
                    e);
        }
        if (!text.matches("[\\x21-\\x7e]{16,512}")) {
            throw new IOException(file + " holds no token. Delete it and restart the service, which makes a new one");
        }
        return Optional.of(new ManagementToken(text, "in " + file));
    }

    /** Reads the file, and makes it first if there is none. */
    public static ManagementToken readOrMake(Path file) throws IOException {
        Optional<ManagementToken> found = read(file);
        if (found.isEmpty()) {
            make(file);
            found = read(file);
        }
        forOwnerOnly(file);
        return found.orElseThrow(() -> new IOException(file + " was deleted while it was made"));
    }

    /** Written beside it and renamed, so that nobody ever reads half a token, or one that others may read. */
    private static void make(Path file) throws IOException {
        Files.createDirectories(file.toAbsolutePath().getParent());
        byte[] random = new byte[BYTES];
        new SecureRandom().nextBytes(random);
        Path written = Files.createTempFile(file.toAbsolutePath().getParent(), "management", ".token", ownerOnly(file));
        try {
            Files.write(written, (HexFormat.of().formatHex(random) + "\n").getBytes(StandardCharsets.US_ASCII));
            Files.move(written, file);
        } catch (FileAlreadyExistsException e) {
            // Another instance was first: its token is the one.
        } finally {
            Files.deleteIfExists(written);
        }
    }

    private static FileAttribute<?>[] ownerOnly(Path file) {
        return isPosix(file)
                ? new FileAttribute<?>[] {PosixFilePermissions.asFileAttribute(OWNER_ONLY)}
                : new FileAttribute<?>[0];
    }

    private static void forOwnerOnly(Path file) throws IOException {
        if (isPosix(file) && !OWNER_ONLY.containsAll(Files.getPosixFilePermissions(file))) {
            Files.setPosixFilePermissions(file, OWNER_ONLY);
        }
    }

    private static boolean isPosix(Path file) {
        return file.getFileSystem().supportedFileAttributeViews().contains("posix");
    }

    public String value() {
        return value;
    }

    /** Where it is, as it goes on after "it is"; never what it is. */
    public String place() {
        return place;
    }

    @Override
    public String toString() {
        return "the token " + place;
    }
}
