package io.walroute.notify;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.UnknownHostException;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** Whose connections count together: as the WebSocket server asks it for each address that connects. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class TallyTest {
    private final Tally tally = new Tally(2);

    private boolean takes(String address) throws UnknownHostException {
        return tally.take(Tally.key(InetAddress.getByName(address)));
    }

    @Test
    void one_who_has_a_64_network_of_ipv6_can_not_pass_the_limit_by_changing_the_address_within_it() throws Exception {
        assertThat(takes("2001:db8:1:2::1")).isTrue();
        assertThat(takes("2001:db8:1:2:ffff:ffff:ffff:ffff")).isTrue();
        assertThat(takes("2001:db8:1:2:0:5efe::7")).isFalse();
        assertThat(takes("2001:db8:1:3::1")).as("the network beside it").isTrue();
        tally.release(Tally.key(InetAddress.getByName("2001:db8:1:2::aaaa")));
        assertThat(takes("2001:db8:1:2::1")).isTrue();
    }

    @Test
    void an_ipv4_address_counts_by_itself_written_as_ipv6_too() throws Exception {
        assertThat(takes("192.0.2.1")).isTrue();
        assertThat(takes("::ffff:192.0.2.1")).isTrue();
        assertThat(takes("192.0.2.1")).isFalse();
        assertThat(takes("192.0.2.2")).isTrue();
    }
}
