package io.walroute.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class FaultProxyTest {
    private ServerSocket server;
    private FaultProxy proxy;
    private Socket client;
    private Socket accepted;

    @BeforeEach
    void connect() throws IOException {
        server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
        proxy = new FaultProxy(server.getLocalPort());
        client = new Socket(InetAddress.getLoopbackAddress(), proxy.port());
        accepted = server.accept();
        client.setSoTimeout(300);
        accepted.setSoTimeout(300);
    }

    @AfterEach
    void close() throws IOException {
        proxy.close();
        client.close();
        accepted.close();
        server.close();
    }

    @Test
    void a_black_hole_holds_both_directions_and_loses_nothing_when_it_heals() throws IOException {
        client.getOutputStream().write(1);
        assertThat(accepted.getInputStream().read()).isEqualTo(1);
        proxy.blackHole();
        client.getOutputStream().write(2);
        accepted.getOutputStream().write(3);
        assertThatThrownBy(() -> accepted.getInputStream().read()).isInstanceOf(SocketTimeoutException.class);
        assertThatThrownBy(() -> client.getInputStream().read()).isInstanceOf(SocketTimeoutException.class);
        proxy.heal();
        assertThat(accepted.getInputStream().read()).isEqualTo(2);
        assertThat(client.getInputStream().read()).isEqualTo(3);
    }

    @Test
    void one_direction_alone_can_be_held() throws IOException {
        proxy.holdToServer();
        accepted.getOutputStream().write(3);
        client.getOutputStream().write(2);
        assertThat(client.getInputStream().read()).isEqualTo(3);
        assertThatThrownBy(() -> accepted.getInputStream().read()).isInstanceOf(SocketTimeoutException.class);
    }

    @Test
    void a_cut_resets_connections_and_refuses_new_ones_until_it_heals() throws IOException {
        proxy.cut();
        assertThatThrownBy(() -> client.getInputStream().read())
                .isInstanceOf(IOException.class)
                .isNotInstanceOf(SocketTimeoutException.class);
        assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), proxy.port()))
                .isInstanceOf(IOException.class);
        proxy.heal();
        try (var again = new Socket(InetAddress.getLoopbackAddress(), proxy.port());
                var other = server.accept()) {
            again.getOutputStream().write(9);
            assertThat(other.getInputStream().read()).isEqualTo(9);
        }
    }
}
