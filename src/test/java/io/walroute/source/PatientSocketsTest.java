package io.walroute.source;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class PatientSocketsTest {
    @Test
    void only_the_drivers_look_for_a_message_waits_longer() throws Exception {
        try (var server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                var socket = new PatientSockets().createSocket()) {
            socket.connect(new InetSocketAddress(server.getInetAddress(), server.getLocalPort()));
            socket.setSoTimeout(5_000);
            assertThat(socket.getSoTimeout()).isEqualTo(5_000);
            socket.setSoTimeout(0);
            assertThat(socket.getSoTimeout()).isZero();
            socket.setSoTimeout(1);
            assertThat(socket.getSoTimeout()).isBetween(2, 50);
        }
    }
}
