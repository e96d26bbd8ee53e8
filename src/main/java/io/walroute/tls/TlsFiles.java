package io.walroute.tls;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * The certificate and private key of a server, from files: two of PEM, or one of PKCS12 with its password.
 *
 * @param setting what the settings' keys begin with, as {@code walroute.notify.tls}
 * @param certificate the certificate and those that lead to its root, as PEM; or PKCS12 with the key in it
 * @param key null for PKCS12
 * @param password of PKCS12; null for PEM
 */
public record TlsFiles(String setting, Path certificate, Path key, String password) {
    private static final Pattern PEM = Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([^-]+)-----END \\1-----");
    private static final String ALIAS = "server";
    private static final char[] IN_MEMORY = "memory".toCharArray();

    /** What stands before a PKCS1 key to make it PKCS8: version 0, the algorithm rsaEncryption without parameters. */
    private static final byte[] RSA_ALGORITHM = {
        0x02,
        0x01,
        0x00,
        0x30,
        0x0d,
        0x06,
        0x09,
        0x2a,
        (byte) 0x86,
        0x48,
        (byte) 0x86,
        (byte) 0xf7,
        0x0d,
        0x01,
        0x01,
        0x01,
        0x05,
        0x00
    };

    /** For the server, with the password {@link #keyPassword}. @throws IllegalArgumentException of one line */
    public KeyStore keyStore() {
        try {
            return key == null ? pkcs12() : pem();
        } catch (IOException | GeneralSecurityException | RuntimeException e) {
            throw e instanceof Unusable unusable ? unusable : unusable(certificate, "can't be used: " + line(e));
        }
    }

    public static char[] keyPassword() {
        return IN_MEMORY.clone();
    }

    /** @throws IllegalArgumentException if the files can't be used; the message is one line */
    public KeyManagerFactory keyManagers() {
        KeyStore store = keyStore();
        try {
            var factory = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            factory.init(store, IN_MEMORY);
            return factory;
        } catch (GeneralSecurityException e) {
            throw unusable(certificate, "can't be used: " + line(e));
        }
    }

    /**
     * For a client that reads the same files: it trusts the server with just this certificate, by whatever name or address it
     * is called.
     *
     * @throws IllegalArgumentException if the files can't be used; the message is one line
     */
    public SSLContext trustingItsOwn() {
        KeyStore store = keyStore();
        try {
            var context = SSLContext.getInstance("TLS");
            context.init(null, new TrustManager[] {new Pinned(store.getCertificate(ALIAS))}, null);
            return context;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every Java platform has TLS, and a store in memory is readable", e);
        }
    }

    private static final class Pinned extends X509ExtendedTrustManager {
        private final Certificate own;

        Pinned(Certificate own) {
            this.own = own;
        }

        private void check(X509Certificate[] chain) throws CertificateException {
            if (chain.length == 0 || !chain[0].equals(own)) {
                throw new CertificateException("the server has another certificate than the settings name");
            }
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            check(chain);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            check(chain);
        }

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) throws CertificateException {
            check(chain);
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, Socket socket)
                throws CertificateException {
            throw new CertificateException("for servers only");
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type, SSLEngine engine)
                throws CertificateException {
            throw new CertificateException("for servers only");
        }

        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) throws CertificateException {
            throw new CertificateException("for servers only");
        }

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    private KeyStore pkcs12() throws IOException, GeneralSecurityException {
        if (Files.readString(certificate, StandardCharsets.ISO_8859_1).contains("-----BEGIN")) {
            throw unusable(certificate, "is PEM, so its private key is needed too: set " + setting + ".key");
        }
        if (password == null) {
            throw new Unusable(
                    setting + ".password is not set. PKCS12 needs the password; PEM needs " + setting + ".key");
        }
        KeyStore file = KeyStore.getInstance("PKCS12");
        try (var in = Files.newInputStream(certificate)) {
            file.load(in, password.toCharArray());
        } catch (IOException e) {
            boolean wrong = e.getCause() instanceof java.security.UnrecoverableKeyException;
            throw unusable(
                    certificate,
                    wrong ? "has another password than " + setting + ".password says" : "is no PKCS12 file");
        }
        for (String alias : Collections.list(file.aliases())) {
            if (file.isKeyEntry(alias)) {
                PrivateKey found = (PrivateKey) file.getKey(alias, password.toCharArray());
                return inMemory(found, file.getCertificateChain(alias));
            }
        }
        throw unusable(certificate, "holds no private key");
    }

    private KeyStore pem() throws IOException, GeneralSecurityException {
        List<? extends Certificate> chain;
        try {
            chain = List.copyOf(CertificateFactory.getInstance("X.509")
                    .generateCertificates(new ByteArrayInputStream(Files.readAllBytes(certificate))));
        } catch (CertificateException e) {
            throw unusable(certificate, "holds no certificate as PEM");
        }
        if (chain.isEmpty()) {
            throw unusable(certificate, "holds no certificate as PEM");
        }
        PrivateKey found = privateKey();
        if (!belongTogether(found, chain.get(0))) {
            throw unusable(key, "is not the key of the first certificate in " + certificate);
        }
        return inMemory(found, chain.toArray(Certificate[]::new));
    }

    private PrivateKey privateKey() throws IOException {
        Matcher parts = PEM.matcher(Files.readString(key, StandardCharsets.ISO_8859_1));
        while (parts.find()) {
            String kind = parts.group(1);
            if (kind.equals("PRIVATE KEY")) {
                return pkcs8(Base64.getMimeDecoder().decode(parts.group(2)));
            }
            if (kind.equals("RSA PRIVATE KEY") && !parts.group(2).contains("ENCRYPTED")) {
                return pkcs8(fromPkcs1(Base64.getMimeDecoder().decode(parts.group(2))));
            }
            if (kind.endsWith("PRIVATE KEY")) {
                throw unusable(
                        key,
                        "holds a key of the form " + kind + ", which is not read here. Convert it: openssl pkcs8 -topk8"
                                + " -nodes -in KEY.pem -out NEW.pem (with a password: use PKCS12)");
            }
        }
        throw unusable(key, "holds no private key as PEM");
    }

    private PrivateKey pkcs8(byte[] der) {
        for (String algorithm : List.of("RSA", "EC", "Ed25519")) {
            try {
                return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(der));
            } catch (GeneralSecurityException e) {
                // Of another algorithm, or of none: told below.
            }
        }
        throw unusable(key, "holds a private key that is neither RSA, EC nor Ed25519");
    }

    private static byte[] fromPkcs1(byte[] der) {
        var content = new ByteArrayOutputStream();
        content.writeBytes(RSA_ALGORITHM);
        content.writeBytes(tagged(0x04, der));
        return tagged(0x30, content.toByteArray());
    }

    private static byte[] tagged(int tag, byte[] content) {
        var der = new ByteArrayOutputStream();
        der.write(tag);
        der.write(0x83); // the length follows in three bytes
        der.write(content.length >> 16);
        der.write(content.length >> 8);
        der.write(content.length);
        der.writeBytes(content);
        return der.toByteArray();
    }

    private static boolean belongTogether(PrivateKey key, Certificate certificate) throws GeneralSecurityException {
        String algorithm =
                switch (key.getAlgorithm()) {
                    case "RSA" -> "SHA256withRSA";
                    case "EC" -> "SHA256withECDSA";
                    default -> "Ed25519";
                };
        byte[] any = {1, 2, 3};
        try {
            Signature signing = Signature.getInstance(algorithm);
            signing.initSign(key);
            signing.update(any);
            Signature checking = Signature.getInstance(algorithm);
            checking.initVerify(certificate.getPublicKey());
            checking.update(any);
            return checking.verify(signing.sign());
        } catch (java.security.InvalidKeyException | java.security.SignatureException e) {
            return false;
        }
    }

    private static KeyStore inMemory(PrivateKey key, Certificate[] chain) throws GeneralSecurityException, IOException {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        store.setKeyEntry(ALIAS, key, IN_MEMORY, chain);
        return store;
    }

    private static final class Unusable extends IllegalArgumentException {
        private static final long serialVersionUID = 1;

        Unusable(String message) {
            super(message);
        }
    }

    private Unusable unusable(Path file, String why) {
        return new Unusable(setting + (file.equals(key) ? ".key" : ".certificate") + ": the file " + file + " " + why);
    }

    private static String line(Exception e) {
        return e instanceof java.nio.file.NoSuchFileException missing
                ? missing.getFile() + " does not exist"
                : e instanceof java.nio.file.FileSystemException refused
                        ? refused.getFile() + " may not be read"
                        : e.getClass().getSimpleName();
    }

    @Override
    public String toString() {
        return "TlsFiles[" + certificate + (key == null ? "" : ", " + key) + "]";
    }
}
