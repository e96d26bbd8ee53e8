package io.walroute.hook;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.util.List;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class AddressGuardTest {
    private static final AddressGuard PUBLIC_ONLY = new AddressGuard(List.of());

    @ParameterizedTest
    @ValueSource(
            strings = {
                "8.8.8.8", "1.1.1.1", "93.184.216.34", "11.0.0.1", "172.15.255.255", "172.32.0.1", "100.63.255.255",
                "100.128.0.1", "169.253.1.1", "192.167.1.1", "192.169.1.1", "198.17.1.1", "198.20.0.1",
                        "223.255.255.255",
                "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "64:ff9b::808:808", "2002:808:808::1"
            })
    void a_public_address_may_be_reached_by_https_and_not_by_http(String address) throws Exception {
        assertThat(PUBLIC_ONLY.refusal(InetAddress.getByName(address), true)).isEmpty();
        assertThat(PUBLIC_ONLY.refusal(InetAddress.getByName(address), false)).isPresent();
    }

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1, loopback",
        "127.255.255.254, loopback",
        "::1, loopback",
        "0.0.0.0, unspecified",
        "0.1.2.3, unspecified",
        "::, unspecified",
        "10.0.0.1, private",
        "172.16.0.1, private",
        "172.31.255.255, private",
        "192.168.1.1, private",
        "100.64.0.1, carrier",
        "100.127.255.255, carrier",
        "100.100.100.200, carrier",
        "169.254.169.254, metadata",
        "169.254.170.2, metadata",
        "168.63.129.16, cloud platform",
        "192.0.0.192, reserved",
        "192.0.2.1, documentation",
        "198.18.0.1, benchmark",
        "198.51.100.7, documentation",
        "203.0.113.7, documentation",
        "224.0.0.1, multicast",
        "239.255.255.250, multicast",
        "240.0.0.1, reserved",
        "255.255.255.255, reserved",
        "fc00::1, unique-local",
        "fd00:ec2::254, unique-local",
        "fe80::1, link-local",
        "fec0::1, not a public",
        "ff02::1, multicast",
        "::ffff:127.0.0.1, loopback",
        "::ffff:10.0.0.1, private",
        "::127.0.0.1, not a public",
        "::ffff:0:127.0.0.1, not a public",
        "64:ff9b::127.0.0.1, translated",
        "64:ff9b::a9fe:a9fe, translated",
        "64:ff9b:1::1, not a public",
        "2002:7f00:1::1, tunnelled",
        "2002:a00:1::, tunnelled",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2, reserved",
        "2001:db8::1, documentation",
        "3fff::1, documentation",
        "100::1, not a public",
        "5f00::1, not a public",
        "4000::1, not a public",
        "2a00:1450::5efe:a9fe:a9fe, tunnelled",
        "2a00:1450::200:5efe:10.0.0.1, tunnelled"
    })
    void an_address_inside_is_refused_however_it_is_written(String address, String kind) throws Exception {
        assertThat(PUBLIC_ONLY.refusal(InetAddress.getByName(address), true))
                .get()
                .asString()
                .contains(kind);
    }

    @Test
    void the_raw_bytes_of_a_mapped_address_are_refused_too() throws Exception {
        byte[] mapped = NetUtil.createByteArrayFromIpAddressString("::ffff:169.254.169.254");

        assertThat(PUBLIC_ONLY.refusal(InetAddress.getByAddress(mapped), true)).isPresent();
    }

    @Test
    void an_allowed_network_may_be_reached_by_http_and_only_that_one() throws Exception {
        var guard = new AddressGuard(List.of(Cidr.parse("10.1.0.0/20"), Cidr.parse("fd00:7::/33")));

        assertThat(guard.refusal(InetAddress.getByName("10.1.15.255"), false)).isEmpty();
        assertThat(guard.refusal(InetAddress.getByName("10.1.16.0"), false)).isPresent();
        assertThat(guard.refusal(InetAddress.getByName("10.1.16.0"), true)).isPresent();
        assertThat(guard.refusal(InetAddress.getByName("fd00:7:7fff::1"), false))
                .isEmpty();
        assertThat(guard.refusal(InetAddress.getByName("fd00:7:8000::1"), true)).isPresent();
    }

    @ParameterizedTest
    @CsvSource({
        "169.254.169.254, 0.0.0.0/0",
        "169.254.169.254, 169.254.0.0/16",
        "100.100.100.200, 100.64.0.0/10",
        "168.63.129.16, 168.63.129.0/24",
        "192.0.0.192, 192.0.0.0/24",
        "fd00:ec2::254, fd00::/8",
        "fd20:ce::254, ::/0"
    })
    void a_metadata_address_is_refused_inside_a_wider_network_and_allowed_by_its_own_name(
            String address, String network) throws Exception {
        var inet = InetAddress.getByName(address);

        for (boolean encrypted : new boolean[] {true, false}) {
            assertThat(new AddressGuard(List.of(Cidr.parse(network))).refusal(inet, encrypted))
                    .get()
                    .asString()
                    .contains("metadata");
            assertThat(new AddressGuard(List.of(Cidr.parse(address))).refusal(inet, encrypted))
                    .isEmpty();
        }
    }

    @Test
    void a_bare_address_is_a_network_of_one() throws Exception {
        var guard = new AddressGuard(List.of(Cidr.parse("127.0.0.1")));

        assertThat(guard.refusal(InetAddress.getByName("127.0.0.1"), false)).isEmpty();
        assertThat(guard.refusal(InetAddress.getByName("127.0.0.2"), false)).isPresent();
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "localhost", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/8/8", "fd00::/129", "10.0.0.0/x"})
    void what_is_no_network_is_an_error_that_shows_the_form(String text) {
        assertThatThrownBy(() -> Cidr.parse(text))
                .hasMessage("'" + text + "' is not a network. Write it as 10.0.0.0/8 or fd00::/8");
    }
}
