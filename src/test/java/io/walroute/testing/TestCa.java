package io.walroute.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A certificate authority of a test's own, made with the JDK's keytool: PEM files in a folder. */
public final class TestCa {
    private static final String PASSWORD = "changeit";

    private final Path folder;
    private final String name;

    /** One certificate with its key. */
    public record Identity(Path certificate, Path key, Path pkcs12, Path pkcs8) {
        /** The same in a store of its own, with another password. */
        public Path pkcs12(Path file, String password) throws GeneralSecurityException, IOException {
            KeyStore keys = load(pkcs12);
            var other = KeyStore.getInstance("PKCS12");
            other.load(null, null);
            other.setKeyEntry(
                    "user",
                    keys.getKey("user", PASSWORD.toCharArray()),
                    password.toCharArray(),
                    keys.getCertificateChain("user"));
            try (var out = Files.newOutputStream(file)) {
                other.store(out, password.toCharArray());
            }
            return file;
        }
    }

    public TestCa(Path folder, String name) throws Exception {
        this.folder = folder;
        this.name = name;
        keytool(
                "-genkeypair",
                "-alias",
                "ca",
                "-dname",
                "CN=" + name,
                "-ext",
                "bc:c=ca:true",
                "-ext",
                "ku:c=keyCertSign",
                "-keystore",
                store("ca"));
        pem(
                folder.resolve(name + "-ca.pem"),
                "CERTIFICATE",
                keyStore("ca").getCertificate("ca").getEncoded());
    }

    public Path certificate() {
        return folder.resolve(name + "-ca.pem");
    }

    /** @param san as keytool has it: {@code ip:127.0.0.1,dns:localhost}; null for a client */
    public Identity issue(String commonName, String san) throws Exception {
        String id = commonName.replaceAll("\\W", "_");
        keytool("-genkeypair", "-alias", "user", "-dname", "CN=" + commonName, "-keystore", store(id));
        Path request = folder.resolve(name + id + ".csr");
        keytool("-certreq", "-alias", "user", "-keystore", store(id), "-file", request.toString());
        Path signed = folder.resolve(name + id + "-signed.pem");
        List<String> sign = new ArrayList<>(List.of(
                "-gencert",
                "-alias",
                "ca",
                "-keystore",
                store("ca"),
                "-rfc",
                "-infile",
                request.toString(),
                "-outfile",
                signed.toString()));
        if (san != null) {
            sign.addAll(List.of("-ext", "san=" + san));
        }
        keytool(sign.toArray(String[]::new));
        keytool(
                "-importcert",
                "-noprompt",
                "-alias",
                "ca",
                "-keystore",
                store(id),
                "-file",
                certificate().toString());
        keytool("-importcert", "-noprompt", "-alias", "user", "-keystore", store(id), "-file", signed.toString());
        KeyStore keys = keyStore(id);
        byte[] key = keys.getKey("user", PASSWORD.toCharArray()).getEncoded();
        Path certificate = pem(
                folder.resolve(name + id + ".crt"),
                "CERTIFICATE",
                keys.getCertificate("user").getEncoded());
        Path pkcs8 = Files.write(folder.resolve(name + id + ".pk8"), key);
        keytool("-delete", "-alias", "ca", "-keystore", store(id));
        return new Identity(
                certificate, pem(folder.resolve(name + id + ".key"), "PRIVATE KEY", key), Path.of(store(id)), pkcs8);
    }

    private String store(String id) {
        return folder.resolve(name + id + ".p12").toString();
    }

    private KeyStore keyStore(String id) throws GeneralSecurityException, IOException {
        return load(Path.of(store(id)));
    }

    private static KeyStore load(Path store) throws GeneralSecurityException, IOException {
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (var in = Files.newInputStream(store)) {
            keys.load(in, PASSWORD.toCharArray());
        }
        return keys;
    }

    private static Path pem(Path file, String what, byte[] der) throws IOException {
        String text = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        return Files.writeString(file, "-----BEGIN " + what + "-----\n" + text + "\n-----END " + what + "-----\n");
    }

    private static void keytool(String... arguments) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
        command.addAll(List.of(arguments));
        command.addAll(List.of("-storepass", PASSWORD, "-storetype", "PKCS12"));
        if (arguments[0].equals("-genkeypair")) {
            command.addAll(List.of("-keyalg", "EC", "-groupname", "secp256r1", "-validity", "365"));
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes());
        if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
            throw new IllegalStateException(String.join(" ", command) + ": " + said);
        }
    }
}
