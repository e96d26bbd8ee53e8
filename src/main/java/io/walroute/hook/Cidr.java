package io.walroute.hook;

import io.netty.util.NetUtil;
import java.net.InetAddress;

/** A network as {@code 10.0.0.0/8} or {@code fd00::/8}; a bare address is a network of one. Never asks DNS. */
final class Cidr {
    private final String text;
    private final byte[] network;
    private final int prefixBits;

    private Cidr(String text, byte[] network, int prefixBits) {
        this.text = text;
        this.network = network;
        this.prefixBits = prefixBits;
    }

    /** @throws IllegalArgumentException if the text is no network; the message says how to write one */
    static Cidr parse(String text) {
        String[] parts = text.strip().split("/", -1);
        byte[] network = NetUtil.createByteArrayFromIpAddressString(parts[0]);
        if (network == null || parts.length > 2) {
            throw malformed(text);
        }
        int bits = network.length * 8;
        int prefix = parts.length == 1 ? bits : prefix(text, parts[1], bits);
        return new Cidr(text.strip(), network, prefix);
    }

    private static int prefix(String text, String digits, int bits) {
        if (!digits.matches("[0-9]{1,3}") || Integer.parseInt(digits) > bits) {
            throw malformed(text);
        }
        return Integer.parseInt(digits);
    }

    private static IllegalArgumentException malformed(String text) {
        return new IllegalArgumentException("'" + text + "' is not a network. Write it as 10.0.0.0/8 or fd00::/8");
    }

    /** False for an address of the other family. */
    boolean contains(InetAddress address) {
        return contains(address.getAddress());
    }

    boolean contains(byte[] address) {
        if (address.length != network.length) {
            return false;
        }
        int whole = prefixBits / 8;
        for (int i = 0; i < whole; i++) {
            if (address[i] != network[i]) {
                return false;
            }
        }
        int rest = prefixBits % 8;
        if (rest == 0) {
            return true;
        }
        int mask = 0xFF << (8 - rest) & 0xFF;
        return (address[whole] & mask) == (network[whole] & mask);
    }

    boolean isOneAddress() {
        return prefixBits == network.length * 8;
    }

    @Override
    public String toString() {
        return text;
    }
}
