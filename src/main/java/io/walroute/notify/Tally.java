package io.walroute.notify;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.concurrent.ConcurrentHashMap;

/** How many each has open, up to a limit. Safe to use from any thread. */
final class Tally {
    private final int limit;
    private final ConcurrentHashMap<String, Integer> open = new ConcurrentHashMap<>();

    Tally(int limit) {
        this.limit = limit;
    }

    /** @return false if it has as many as it may */
    boolean take(String who) {
        boolean[] taken = new boolean[1];
        open.compute(who, (same, count) -> {
            int now = count == null ? 0 : count;
            taken[0] = now < limit;
            return taken[0] ? Integer.valueOf(now + 1) : count;
        });
        return taken[0];
    }

    void release(String who) {
        open.computeIfPresent(who, (same, count) -> count == 1 ? null : count - 1);
    }

    int size() {
        return open.size();
    }

    /** One who has an IPv6 address has its whole /64 network. */
    static String key(InetAddress address) {
        byte[] bytes = address.getAddress();
        return HexFormat.of().formatHex(address instanceof Inet6Address ? Arrays.copyOf(bytes, 8) : bytes);
    }
}
