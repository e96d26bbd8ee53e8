package io.walroute.demo;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * How to run PostgreSQL, which refuses to run as root, when this JVM does: in a user namespace of its own where the kernel
 * allows that (it doesn't in a plain Docker container), otherwise as {@code nobody}, who then owns the folder.
 */
enum Unprivileged {
    NOT_ROOT(),
    USER_NAMESPACE("unshare", "-U"),
    SETPRIV("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    RUNUSER("runuser", "-u", "nobody", "--");

    private final List<String> prefix;

    Unprivileged(String... prefix) {
        this.prefix = List.of(prefix);
    }

    static Unprivileged detect() throws IOException {
        if (!"root".equals(System.getProperty("user.name")) || !Files.isExecutable(Path.of("/bin/sh"))) {
            return NOT_ROOT;
        }
        for (Unprivileged way : List.of(USER_NAMESPACE, SETPRIV, RUNUSER)) {
            var test = way.command("sh", "-c", "test \"$(id -u)\" != 0");
            if (Commands.succeeds(test.toArray(String[]::new))) {
                return way;
            }
        }
        throw new IOException(
                "PostgreSQL refuses to run as root, and neither unshare, setpriv nor runuser can change that"
                        + " here: start as another user");
    }

    List<String> command(String... words) {
        List<String> command = new ArrayList<>(prefix);
        command.addAll(List.of(words));
        return command;
    }

    /** Lets the server's user own the folder, where that is another user. */
    void own(Path folder) throws IOException {
        if (this == NOT_ROOT || this == USER_NAMESPACE) {
            return;
        }
        UserPrincipal nobody =
                folder.getFileSystem().getUserPrincipalLookupService().lookupPrincipalByName("nobody");
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                if (!Files.isSymbolicLink(file)) {
                    Files.setOwner(file, nobody);
                }
            }
        }
    }
}
