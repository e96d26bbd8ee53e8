package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.vertx.core.http.HttpClientOptions;
import io.walroute.testing.Receiver;
import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The guard where it counts: between the name's resolution and the connection. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class HookAddressTest {
    private final Receiver receiver = Receiver.start();
    private HookRig rig;

    @AfterEach
    void close() {
        rig.close();
        receiver.close();
    }

    @Test
    void a_name_that_resolves_to_loopback_stops_the_start() {
        rig = HookRig.to(URI.create("https://localhost:" + receiver.port()), "allow-networks", "");

        assertThatThrownBy(() -> rig.attempt(change(1)))
                .rootCause()
                .hasMessageContaining("hook:partner was not sent: localhost is refused: ")
                .hasMessageContaining("is a loopback address. "
                        + "If you mean it, name its network in walroute.hook.partner.allow-networks");
        assertThat(receiver.connections()).isZero();
    }

    @Test
    void a_name_that_turns_to_loopback_later_is_not_connected_to() {
        var turned = new AtomicBoolean();
        rig = HookRig.to(
                URI.create("https://partner.example:" + receiver.port()),
                host -> {
                    if (turned.get()) {
                        return new InetAddress[] {InetAddress.getByName("127.0.0.1")};
                    }
                    throw new UnknownHostException(host);
                },
                new HttpClientOptions(),
                "allow-networks",
                "");
        assertThat(rig.attempt(change(1))).hasMessageContaining("unknown");

        turned.set(true);

        assertThat(rig.attempt(change(2)))
                .hasMessageContaining("partner.example is refused: 127.0.0.1 is a loopback address");
        assertThat(receiver.connections()).isZero();
        assertThat(rig.attempts("refused")).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "169.254.169.254",
                "::ffff:169.254.169.254",
                "64:ff9b::a9fe:a9fe",
                "2002:a9fe:a9fe::1",
                "fd00:ec2::254",
                "10.0.0.1",
                "::1",
                "0.0.0.0"
            })
    void a_name_server_that_answers_with_an_address_inside_reaches_nothing(String address) throws Exception {
        // As bytes: InetAddress would turn a mapped one into IPv4 at once.
        var told = InetAddress.getByAddress(
                "partner.example", io.netty.util.NetUtil.createByteArrayFromIpAddressString(address));
        var asked = new java.util.concurrent.atomic.AtomicInteger();
        rig = HookRig.to(
                URI.create("https://partner.example:" + receiver.port()),
                host -> {
                    // The start sees a public address, each attempt the other one: DNS rebinding.
                    return new InetAddress[] {
                        asked.getAndIncrement() == 0 ? InetAddress.getByName("93.184.216.34") : told
                    };
                },
                new HttpClientOptions(),
                "allow-networks",
                "");

        assertThat(rig.attempt(change(1))).hasMessageContaining("was not sent: partner.example is refused");
        assertThat(asked).hasValueGreaterThan(1);
        assertThat(receiver.connections()).isZero();
        assertThat(rig.attempts("refused")).isEqualTo(1);
    }

    @Test
    void plain_http_goes_only_where_the_name_resolves_into_an_allowed_network() {
        var turned = new AtomicBoolean();
        rig = HookRig.to(
                URI.create("http://partner.example:" + receiver.port() + "/hooks"),
                host -> new InetAddress[] {InetAddress.getByName(turned.get() ? "93.184.216.34" : "127.0.0.1")},
                new HttpClientOptions());

        assertThat(rig.attempt(change(1))).isNull();
        assertThat(receiver.requests().get(0).header("host")).isEqualTo("partner.example:" + receiver.port());

        turned.set(true);
        assertThat(rig.attempt(change(2)))
                .hasMessageContaining("plain http to 93.184.216.34, which is in none of the allowed networks");
    }

    @Test
    void of_several_addresses_only_permitted_ones_are_tried_and_the_next_if_one_is_dead() {
        rig = HookRig.to(
                URI.create("http://partner.example:" + receiver.port()),
                host -> new InetAddress[] {
                    InetAddress.getByName("10.0.0.1"),
                    // Nothing listens there: the receiver is bound to 127.0.0.1.
                    InetAddress.getByName("127.0.0.9"),
                    InetAddress.getByName("127.0.0.1")
                },
                new HttpClientOptions());

        assertThat(rig.attempt(change(1))).isNull();
    }

    @Test
    void a_name_server_that_hangs_ends_with_the_attempts_time_limit() {
        rig = HookRig.to(
                URI.create("https://partner.example"),
                host -> {
                    try {
                        Thread.sleep(60_000);
                    } catch (InterruptedException stopped) {
                        Thread.currentThread().interrupt();
                    }
                    throw new UnknownHostException(host);
                },
                new HttpClientOptions(),
                "timeout",
                "200ms");

        assertThat(rig.attempt(change(1))).hasMessageContaining("timed out");
    }
}
