package io.walroute.settings;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.walroute.testing.Postgres;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class DatabaseUrlTest {
    @Test
    void a_full_url_is_taken_apart() {
        var url = DatabaseUrl.parse("postgresql://walroute:secret@db.example.com:6543/grails?sslmode=verify-full"
                + "&sslrootcert=/etc/ca%20root.pem&sslcert=c&sslkey=k&application_name=a%26b&connect_timeout=5");

        assertThat(url.host()).isEqualTo("db.example.com");
        assertThat(url.port()).isEqualTo(6543);
        assertThat(url.database()).isEqualTo("grails");
        assertThat(url.user()).isEqualTo("walroute");
        assertThat(url.password()).isEqualTo("secret");
        assertThat(url.jdbcUrl()).isEqualTo("jdbc:postgresql://db.example.com:6543/grails");
        assertThat(url.properties())
                .containsEntry("user", "walroute")
                .containsEntry("password", "secret")
                .containsEntry("sslmode", "verify-full")
                .containsEntry("sslrootcert", "/etc/ca root.pem")
                .containsEntry("sslcert", "c")
                .containsEntry("sslkey", "k")
                .containsEntry("ApplicationName", "a&b")
                .containsEntry("connectTimeout", "5");
    }

    @Test
    void postgres_is_as_good_a_scheme_and_the_port_and_password_may_be_missing() {
        var url = DatabaseUrl.parse("postgres://walroute@localhost/grails");

        assertThat(url.port()).isEqualTo(5432);
        assertThat(url.password()).isNull();
        assertThat(url.properties()).doesNotContainKey("password").containsEntry("ApplicationName", "walroute");
    }

    @Test
    void special_characters_are_percent_encoded_and_a_plus_is_a_plus() {
        var url = DatabaseUrl.parse("postgresql://j%C3%BCrgen:p%40ss%2F%3F%23%25+1:2@localhost/%C3%BC%20%22db%22");

        assertThat(url.user()).isEqualTo("jürgen");
        assertThat(url.password()).isEqualTo("p@ss/?#%+1:2");
        assertThat(url.database()).isEqualTo("ü \"db\"");
        assertThat(url.jdbcUrl()).isEqualTo("jdbc:postgresql://localhost:5432/%C3%BC%20%22db%22");
    }

    @Test
    void an_ipv6_address_stands_in_brackets() {
        var url = DatabaseUrl.parse("postgresql://u:p@[::1]:6000/db");

        assertThat(url.host()).isEqualTo("::1");
        assertThat(url.port()).isEqualTo(6000);
        assertThat(url.jdbcUrl()).isEqualTo("jdbc:postgresql://[::1]:6000/db");
        assertThat(DatabaseUrl.parse("postgresql://u:p@[fe80::2]/db").port()).isEqualTo(5432);
    }

    @Test
    void its_printed_form_has_no_password() {
        assertThat(DatabaseUrl.parse("postgresql://u:secret@h/db?sslpassword=secret")
                        .toString())
                .isEqualTo("postgresql://u@h:5432/db");
    }

    @Test
    void it_connects_to_a_database_of_any_name() throws Exception {
        var server = Postgres.newDatabase();
        server.execute("CREATE DATABASE \"ü \"\"q\"\" 50%\"");
        try {
            var url = DatabaseUrl.parse("postgresql://postgres:postgres@" + server.host() + ":" + server.port()
                    + "/%C3%BC%20%22q%22%2050%25?application_name=x%20y");
            try (var connection = url.connect();
                    var row = connection
                            .createStatement()
                            .executeQuery("SELECT current_database()," + " current_setting('application_name')")) {
                row.next();
                assertThat(row.getString(1)).isEqualTo("ü \"q\" 50%");
                assertThat(row.getString(2)).isEqualTo("x y");
            }
        } finally {
            server.execute("DROP DATABASE \"ü \"\"q\"\" 50%\"");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
            ''                                           | does not begin with postgresql://
            mysql://u:s3cret@h/db                        | does not begin with postgresql://
            jdbc:postgresql://h/db                       | is a JDBC URL
            postgresql://h/db                            | names no user
            postgresql://:s3cret@h/db                    | names no user
            postgresql://u:s3cret@/db                    | names no host
            postgresql://u:s3cret@h                      | names no database
            postgresql://u:s3cret@h/                     | names no database
            postgresql://u:s3cret@h:x/db                 | has a port that is not a number
            postgresql://u:s3cret@h:0/db                 | has a port that is not a number
            postgresql://u:s3cret@h:70000/db             | has a port that is not a number
            postgresql://u:s3cr@et@h/db                  | has more than one @
            postgresql://u:s3cr/et@h/db                  | has a / ? or # before its @
            postgresql://u:s3cr?et@h/db                  | has a / ? or # before its @
            postgresql://u:s3cr#et@h/db                  | has a / ? or # before its @
            postgresql://u:s3cr%zzet@h/db                | has a % in its password
            postgresql://u:s3cret%@h/db                  | has a % in its password
            postgresql://u:s3cret%FF@h/db                | not UTF-8
            postgresql://u:s3cret%00@h/db                | not UTF-8
            postgresql://u:s3cret@h1,h2/db               | names several hosts
            postgresql://u:s3cret@::1/db                 | IPv6 address as [::1]:5432
            postgresql://u:s3cret@[::1/db                | IPv6 address that is not closed
            postgresql://u:s3cret@%2Fvar%2Frun/db        | names a socket's folder
            postgresql://u:s3cret@h/db#s3cret            | has a # after its host
            postgresql://u:s3cret@h/db?sslmod=require    | has the unknown parameter sslmod. Did you mean sslmode?
            postgresql://u:s3cret@h/db?sslmode           | without a value
            postgresql://u:s3cret@h/db?sslmode=on        | has sslmode=on. Expected one of: disable
            postgresql://u:s3cret@h/db?connect_timeout=x | not a number of seconds
            """)
    void a_malformed_url_is_one_clear_line_without_the_password(String url, String line) {
        assertThatThrownBy(() -> DatabaseUrl.parse(url))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(line)
                .hasMessageNotContaining("s3cr")
                .hasMessageNotContaining("\n");
    }
}
