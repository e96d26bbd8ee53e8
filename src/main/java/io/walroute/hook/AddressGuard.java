package io.walroute.hook;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Which addresses a webhook may be sent to: public ones by https, and whatever lies in the allowed networks. A URL can
 * be another party's input, and a server inside the network must not be reachable through it (SSRF).
 *
 * <p>Ask with the very address that is connected to: a name may resolve to another one a moment later. IPv6 is decided by
 * what may be reached (global unicast), not by a list of what may not. Immutable.
 */
final class AddressGuard {
    private static final Map<Cidr, String> SPECIAL = special();
    private static final Cidr NAT64 = Cidr.parse("64:ff9b::/96");
    private static final Cidr SIX_TO_FOUR = Cidr.parse("2002::/16");
    private static final Cidr GLOBAL_UNICAST = Cidr.parse("2000::/3");

    /** They give a machine's credentials to whoever asks from it. A network that only contains one doesn't mean it. */
    private static final List<Cidr> METADATA = List.of(
            Cidr.parse("169.254.169.254"),
            Cidr.parse("169.254.170.2"),
            Cidr.parse("169.254.170.23"),
            Cidr.parse("168.63.129.16"),
            Cidr.parse("100.100.100.200"),
            Cidr.parse("192.0.0.192"),
            Cidr.parse("fd00:ec2::254"),
            Cidr.parse("fd00:ec2::23"),
            Cidr.parse("fd20:ce::254"));

    private final List<Cidr> allowed;

    AddressGuard(List<Cidr> allowed) {
        this.allowed = List.copyOf(allowed);
    }

    /**
     * Why the address may not be connected to; empty if it may.
     *
     * @param encrypted whether the connection is https; plain http goes to allowed networks only
     */
    Optional<String> refusal(InetAddress address, boolean encrypted) {
        List<Cidr> within =
                allowed.stream().filter(network -> network.contains(address)).toList();
        boolean metadata = METADATA.stream().anyMatch(each -> each.contains(address));
        if (within.stream().anyMatch(network -> !metadata || network.isOneAddress())) {
            return Optional.empty();
        }
        if (!within.isEmpty()) {
            return Optional.of(address.getHostAddress() + " is a cloud's metadata address, which " + within.get(0)
                    + " doesn't allow along with others");
        }
        if (!encrypted) {
            return Optional.of(
                    "plain http to " + address.getHostAddress() + ", which is in none of the allowed networks");
        }
        return kind(address).map(kind -> address.getHostAddress() + " is " + kind);
    }

    private static Optional<String> kind(InetAddress address) {
        byte[] bytes = address.getAddress();
        for (var each : SPECIAL.entrySet()) {
            if (each.getKey().contains(bytes)) {
                return Optional.of(each.getValue());
            }
        }
        if (!(address instanceof Inet6Address)) {
            return Optional.empty();
        }
        if (NAT64.contains(bytes)) {
            return kind(embedded(bytes, 12)).map(kind -> kind + ", translated");
        }
        if (SIX_TO_FOUR.contains(bytes)) {
            return kind(embedded(bytes, 2)).map(kind -> kind + ", tunnelled");
        }
        if (isIsatap(bytes)) {
            return kind(embedded(bytes, 12)).map(kind -> kind + ", tunnelled");
        }
        return GLOBAL_UNICAST.contains(bytes) ? Optional.empty() : Optional.of("not a public address");
    }

    /** The interface part is 0000:5efe or 0200:5efe and an IPv4 address. */
    private static boolean isIsatap(byte[] bytes) {
        return (bytes[8] & 0xFD) == 0 && bytes[9] == 0 && bytes[10] == 0x5E && (bytes[11] & 0xFF) == 0xFE;
    }

    private static InetAddress embedded(byte[] bytes, int offset) {
        try {
            return InetAddress.getByAddress(Arrays.copyOfRange(bytes, offset, offset + 4));
        } catch (UnknownHostException impossible) {
            throw new IllegalStateException("four bytes are an address", impossible);
        }
    }

    /** IANA's special-purpose registries, and the address at which Azure answers its machines. */
    private static Map<Cidr, String> special() {
        var networks = new LinkedHashMap<Cidr, String>();
        networks.put(Cidr.parse("127.0.0.0/8"), "a loopback address");
        networks.put(Cidr.parse("::1/128"), "a loopback address");
        networks.put(Cidr.parse("0.0.0.0/8"), "an unspecified address");
        networks.put(Cidr.parse("::/128"), "an unspecified address");
        networks.put(Cidr.parse("10.0.0.0/8"), "a private address");
        networks.put(Cidr.parse("172.16.0.0/12"), "a private address");
        networks.put(Cidr.parse("192.168.0.0/16"), "a private address");
        networks.put(Cidr.parse("100.64.0.0/10"), "a carrier's shared address");
        networks.put(Cidr.parse("169.254.0.0/16"), "a link-local address (cloud metadata)");
        networks.put(Cidr.parse("168.63.129.16/32"), "a cloud platform's own address");
        networks.put(Cidr.parse("192.0.0.0/24"), "a reserved address");
        networks.put(Cidr.parse("192.0.2.0/24"), "a documentation address");
        networks.put(Cidr.parse("192.88.99.0/24"), "a reserved address");
        networks.put(Cidr.parse("198.18.0.0/15"), "a benchmark address");
        networks.put(Cidr.parse("198.51.100.0/24"), "a documentation address");
        networks.put(Cidr.parse("203.0.113.0/24"), "a documentation address");
        networks.put(Cidr.parse("224.0.0.0/4"), "a multicast address");
        networks.put(Cidr.parse("240.0.0.0/4"), "a reserved address");
        networks.put(Cidr.parse("fc00::/7"), "a unique-local address");
        networks.put(Cidr.parse("fe80::/10"), "a link-local address");
        networks.put(Cidr.parse("ff00::/8"), "a multicast address");
        networks.put(Cidr.parse("2001::/23"), "a reserved address");
        networks.put(Cidr.parse("2001:db8::/32"), "a documentation address");
        networks.put(Cidr.parse("3fff::/20"), "a documentation address");
        return networks;
    }
}
