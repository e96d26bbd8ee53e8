package io.walroute.hook;

import io.netty.util.NetUtil;
import io.vertx.core.Future;
import io.vertx.core.WorkerExecutor;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;

/**
 * The addresses of one host, asked for off the event loop. Attempts that come while a question is open share its answer,
 * so that a DNS server that hangs holds one thread. Used on one event loop.
 */
final class HostLookup {
    /** Blocks; as {@link InetAddress#getAllByName}. */
    interface Resolver {
        InetAddress[] resolve(String host) throws UnknownHostException;
    }

    private final String host;
    private final Resolver resolver;
    private final WorkerExecutor workers;
    private final List<InetAddress> literal;
    private Future<List<InetAddress>> open;

    HostLookup(String host, Resolver resolver, WorkerExecutor workers) {
        this.host = host;
        this.resolver = resolver;
        this.workers = workers;
        byte[] address = NetUtil.createByteArrayFromIpAddressString(host);
        try {
            literal = address == null ? null : List.of(InetAddress.getByAddress(address));
        } catch (UnknownHostException impossible) {
            throw new IllegalStateException("Netty parsed it", impossible);
        }
    }

    Future<List<InetAddress>> addresses() {
        if (literal != null) {
            return Future.succeededFuture(literal);
        }
        if (open == null) {
            Future<List<InetAddress>> asked = workers.executeBlocking(() -> List.of(resolver.resolve(host)), false);
            open = asked;
            // Nothing is remembered here: the JVM has a DNS cache, with time limits that an operator can set.
            // An answer that is already there forgets the question before this method returns.
            asked.onComplete(answered -> open = null);
            return asked;
        }
        return open;
    }
}
