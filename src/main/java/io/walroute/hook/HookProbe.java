package io.walroute.hook;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnknownHostException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

/** Looks at a receiver without sending anything: its name, whether its address is allowed, its port, its certificate. */
public final class HookProbe {
    private HookProbe() {}

    /**
     * @param address where the connection went
     * @param certificateEnds null without TLS
     */
    public record Answer(String address, Instant certificateEnds) {}

    /** What is wrong; the message is one line without the URL's path, which may hold a secret. */
    public static final class Refused extends IOException {
        Refused(String message, Throwable cause) {
            super(message, cause);
        }
    }

    /** Blocks: for the name as long as the resolver does, then for at most the timeout for each step. */
    public static Answer look(HookSettings receiver, Duration timeout) throws Refused {
        InetAddress[] addresses = resolve(receiver.host());
        for (InetAddress address : addresses) {
            Optional<String> refusal = receiver.guard().refusal(address, receiver.encrypted());
            if (refusal.isPresent()) {
                throw new Refused("its address is not allowed: " + refusal.get(), null);
            }
        }
        InetAddress address = addresses[0];
        try (var socket = new Socket()) {
            socket.connect(new InetSocketAddress(address, receiver.port()), (int) timeout.toMillis());
            socket.setSoTimeout((int) timeout.toMillis());
            return new Answer(address.getHostAddress(), receiver.encrypted() ? handshake(socket, receiver) : null);
        } catch (javax.net.ssl.SSLException e) {
            throw new Refused("no TLS connection: " + line(e), e);
        } catch (IOException e) {
            throw new Refused(
                    "no connection to " + address.getHostAddress() + " port " + receiver.port() + ": " + line(e), e);
        }
    }

    private static InetAddress[] resolve(String host) throws Refused {
        try {
            return InetAddress.getAllByName(host);
        } catch (UnknownHostException e) {
            throw new Refused("the name " + host + " is not known", e);
        }
    }

    private static Instant handshake(Socket socket, HookSettings receiver) throws IOException {
        var factory = (SSLSocketFactory) SSLSocketFactory.getDefault();
        try (var tls = (SSLSocket) factory.createSocket(socket, receiver.host(), receiver.port(), true)) {
            SSLParameters parameters = tls.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            tls.setSSLParameters(parameters);
            tls.startHandshake();
            return ((X509Certificate) tls.getSession().getPeerCertificates()[0])
                    .getNotAfter()
                    .toInstant();
        }
    }

    private static String line(IOException e) {
        return String.valueOf(e.getMessage()).strip().replaceAll("[\\s\\p{Cntrl}]+", " ");
    }
}
