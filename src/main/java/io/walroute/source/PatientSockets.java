package io.walroute.source;

import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import javax.net.SocketFactory;

/**
 * Sockets on which the driver waits for the next message instead of looking for it now and then. Its only way to ask whether there
 * is one blocks for a millisecond ({@code PGStream.hasMessagePending}); the engine asks five times and then sleeps for its poll
 * interval. Here each question blocks for up to {@value #PATIENCE_MS} ms and is answered at once when something comes.
 */
public final class PatientSockets extends SocketFactory {
    private static final int LOOK_MS = 1;
    /** Meanwhile the driver lets nobody else use the connection, and the slot is moved through it. */
    private static final int PATIENCE_MS = 5;

    @Override
    public Socket createSocket() {
        return new Socket() {
            @Override
            public synchronized void setSoTimeout(int millis) throws SocketException {
                super.setSoTimeout(millis == LOOK_MS ? PATIENCE_MS : millis);
            }
        };
    }

    @Override
    public Socket createSocket(String host, int port) throws IOException {
        throw new IOException("the driver connects by itself");
    }

    @Override
    public Socket createSocket(String host, int port, InetAddress local, int localPort) throws IOException {
        return createSocket(host, port);
    }

    @Override
    public Socket createSocket(InetAddress host, int port) throws IOException {
        return createSocket(host.getHostName(), port);
    }

    @Override
    public Socket createSocket(InetAddress host, int port, InetAddress local, int localPort) throws IOException {
        return createSocket(host.getHostName(), port);
    }
}
