package io.walroute.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.Socket;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ServersTest {
    @Test
    void the_tests_postgresql_decodes_logically() {
        assertThat(Postgres.newDatabase().query("SHOW wal_level")).isEqualTo("logical");
    }

    @Test
    void the_tests_redis_answers() throws Exception {
        try (var socket = new Socket("127.0.0.1", Redis.shared().port())) {
            socket.getOutputStream().write("PING\r\n".getBytes());
            assertThat(new String(socket.getInputStream().readNBytes(7))).isEqualTo("+PONG\r\n");
        }
    }
}
