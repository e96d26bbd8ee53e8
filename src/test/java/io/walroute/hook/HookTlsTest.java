package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;

import io.vertx.core.http.HttpClientOptions;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.net.PfxOptions;
import io.walroute.testing.Receiver;
import java.net.InetAddress;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Connecting to a checked address must not weaken the check of the name. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HookTlsTest {
    @TempDir
    static Path folder;

    private static PfxOptions identity;
    private Receiver receiver;
    private HookRig rig;

    @BeforeAll
    static void makeCertificate() throws Exception {
        Path store = folder.resolve("partner.p12");
        var keytool = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "partner",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=partner.example",
                        "-ext",
                        "SAN=dns:partner.example",
                        "-storetype",
                        "PKCS12",
                        "-keystore",
                        store.toString(),
                        "-storepass",
                        "changeit"))
                .inheritIO()
                .start();
        assertThat(keytool.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(keytool.exitValue()).isZero();
        identity = new PfxOptions().setPath(store.toString()).setPassword("changeit");
    }

    @BeforeEach
    void start() {
        receiver = Receiver.start(new HttpServerOptions().setSsl(true).setKeyCertOptions(identity));
    }

    @AfterEach
    void close() {
        rig.close();
        receiver.close();
    }

    private HookRig rig(String host, HttpClientOptions options) {
        rig = HookRig.to(
                URI.create("https://" + host + ":" + receiver.port() + "/hooks"),
                asked -> new InetAddress[] {InetAddress.getByName("127.0.0.1")},
                options);
        return rig;
    }

    private static HttpClientOptions trusting() {
        return new HttpClientOptions().setTrustOptions(identity);
    }

    @Test
    void the_certificate_is_checked_against_the_name_though_an_address_is_connected_to() {
        assertThat(rig("partner.example", trusting()).attempt(change(1))).isNull();
        assertThat(receiver.requests().get(0).header("host")).isEqualTo("partner.example:" + receiver.port());
    }

    @Test
    void a_certificate_for_another_name_is_a_failure() {
        assertThat(rig("other.example", trusting()).attempt(change(1)).getMessage())
                .startsWith("hook:partner could not agree on TLS with other.example:" + receiver.port() + ": ")
                .contains("No subject alternative DNS name matching other.example")
                .doesNotContain("\n");
        assertThat(receiver.requests()).isEmpty();
    }

    @Test
    void a_certificate_that_nobody_trusts_is_a_failure() {
        assertThat(rig("partner.example", new HttpClientOptions())
                        .attempt(change(1))
                        .getMessage())
                .startsWith("hook:partner could not agree on TLS with partner.example:" + receiver.port() + ": ")
                .contains("certification path")
                .doesNotContain("\n");
        assertThat(receiver.requests()).isEmpty();
    }
}
