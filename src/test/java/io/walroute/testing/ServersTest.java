package io.walroute.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.Socket;
import java.sql.DriverManager;
import java.time.Duration;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ServersTest {
    @Test
    void the_tests_postgresql_decodes_logically_and_checks_passwords() {
        Postgres.Database database = Postgres.newDatabase();
        assertThat(database.query("SHOW wal_level")).isEqualTo("logical");
        assertThat(database.query("SHOW server_version_num")).startsWith("18");
        assertThat(database.query("SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = '"
                        + database.name() + "'"))
                .isEqualTo("UTF8");
        String wrong = database.jdbcUrl().replace("password=postgres", "password=wrong");
        assertThatThrownBy(() -> DriverManager.getConnection(wrong)).hasMessageContaining("password");
    }

    @Test
    void the_tests_redis_answers() throws Exception {
        assertThat(ping(Redis.shared())).isEqualTo("+PONG");
    }

    @Test
    void a_redis_comes_again_on_its_port() throws Exception {
        int port;
        try (Redis first = Redis.start()) {
            port = first.port();
            assertThat(ping(first)).isEqualTo("+PONG");
        }
        try (Redis second = Redis.start(port)) {
            assertThat(ping(second)).isEqualTo("+PONG");
        }
    }

    @Test
    void the_choice_of_servers_can_be_forced_and_takes_no_time() {
        assertThat(Containers.choose("embedded")).isFalse();
        assertThat(Containers.choose("containers")).isTrue();
        assertThatThrownBy(() -> Containers.choose("embeded")).hasMessageContaining("walroute.test.servers=embeded");
        long begin = System.nanoTime();
        boolean containers = Containers.choose("auto");
        Duration taken = Duration.ofNanos(System.nanoTime() - begin);
        System.out.println("containers " + containers + ", found out in " + taken.toMillis() + " ms");
        assertThat(containers || taken.compareTo(Duration.ofSeconds(1)) < 0)
                .as("without an engine the check takes less than a second")
                .isTrue();
    }

    private static String ping(Redis redis) throws Exception {
        try (var socket = new Socket("127.0.0.1", redis.port())) {
            socket.getOutputStream().write("PING\r\n".getBytes());
            return new String(socket.getInputStream().readNBytes(5));
        }
    }
}
