package io.walroute.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.walroute.admin.ApiAccess.Call;
import io.walroute.admin.ApiAccess.Refusal;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Base64;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may call the API, and where the token comes from. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class ApiAccessTest {
    private static final String TOKEN = "0123456789abcdef";
    private static final String RIGHT = "Bearer " + TOKEN;
    private static final String JSON = "application/json";

    private final ApiAccess local =
            new ApiAccess(true, "127.0.0.1", Optional.of(ManagementToken.ofSetting(TOKEN)), Set.of());
    private final ApiAccess open =
            new ApiAccess(false, "0.0.0.0", Optional.of(ManagementToken.ofSetting(TOKEN)), Set.of());

    @TempDir
    Path folder;

    private static int status(Optional<Refusal> refusal) {
        return refusal.map(Refusal::status).orElse(200);
    }

    private static Call get(String host, String authorization) {
        return new Call(false, host, host, null, null, authorization, null);
    }

    private static Call post(String authorization, String contentType) {
        return new Call(true, "127.0.0.1", "127.0.0.1:9876", null, null, authorization, contentType);
    }

    @Test
    void on_loopback_whoever_is_on_this_machine_may_look_and_only_with_the_token_change() {
        assertThat(status(local.check(get("127.0.0.1", null)))).isEqualTo(200);
        assertThat(status(local.check(post(null, JSON)))).isEqualTo(401);
        assertThat(status(local.check(post(RIGHT, JSON)))).isEqualTo(200);
        assertThat(status(local.check(post("bearer  " + TOKEN, JSON + "; charset=utf-8"))))
                .isEqualTo(200);
    }

    @Test
    void many_wrong_tokens_are_refused_sooner_and_lock_nobody_out_who_has_the_right_one() {
        for (int i = 0; i < 20; i++) {
            assertThat(status(local.check(post("Bearer wrong" + i, JSON)))).isEqualTo(401);
        }
        assertThat(status(local.check(post("Bearer wrong", JSON)))).isEqualTo(429);
        assertThat(status(local.check(post(RIGHT, JSON)))).isEqualTo(200);
    }

    @ParameterizedTest
    @CsvSource({"dumpRoutesAsXml, false", "dumpAllTracedMessagesAsJSon, true", "dumpTracedMessagesAsXml, true"})
    void traces_hold_what_routes_see_and_need_the_token(String operation, boolean changes) {
        byte[] body = "{\"type\":\"exec\",\"mbean\":\"a:b=c\",\"operation\":\"%s\"}"
                .formatted(operation)
                .getBytes(StandardCharsets.UTF_8);
        assertThat(JolokiaAccess.postChanges(body)).contains(changes);
    }

    @Test
    void bound_to_anything_else_every_call_needs_the_token() {
        assertThat(status(open.check(get("walroute.example.com", null)))).isEqualTo(401);
        assertThat(status(open.check(get("walroute.example.com", RIGHT)))).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "Bearer 0123456789abcdeF",
                "Bearer 0123456789abcde",
                "Bearer",
                "Bearer ",
                "Basic 0123456789abcdef",
                "0123456789abcdef",
                ""
            })
    void a_wrong_token_is_refused_even_where_none_is_needed(String authorization) {
        assertThat(status(local.check(post(authorization, JSON)))).isEqualTo(401);
        assertThat(status(local.check(get("localhost", authorization)))).isEqualTo(401);
        assertThat(local.check(post(authorization, JSON)).orElseThrow().message())
                .doesNotContain(TOKEN);
    }

    @Test
    void without_a_token_nobody_has_it() {
        var none = new ApiAccess(true, "127.0.0.1", Optional.empty(), Set.of());
        assertThat(status(none.check(post("Bearer ", JSON)))).isEqualTo(401);
        assertThat(status(none.check(post("Bearer null", JSON)))).isEqualTo(401);
    }

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1, 200",
        "localhost, 200",
        "LocalHost, 200",
        "[::1], 200",
        "127.9.8.7, 200",
        "evil.example.com, 403",
        "127.0.0.1.evil.example.com, 403",
        "localhost.evil.example.com, 403",
        "10.0.0.1, 403",
        ", 403"
    })
    void a_name_that_leads_here_by_another_ones_dns_is_refused(String host, int status) {
        assertThat(status(local.check(get(host, null)))).isEqualTo(status);
    }

    @ParameterizedTest
    @CsvSource({
        "http://127.0.0.1:9876, same-origin, 200",
        "http://127.0.0.1:9876, , 200",
        ", none, 200",
        "http://127.0.0.1:3000, , 403",
        "https://evil.example.com, cross-site, 403",
        "null, , 403",
        ", cross-site, 403",
        ", same-site, 403"
    })
    void pages_of_other_sites_may_not_even_with_the_token(String origin, String site, int status) {
        var call = new Call(true, "127.0.0.1", "127.0.0.1:9876", origin, site, RIGHT, JSON);
        assertThat(status(local.check(call))).isEqualTo(status);
    }

    @Test
    void the_page_of_an_allowed_origin_may_look_and_with_the_token_change_and_no_other_page() {
        var hawtio = new ApiAccess(
                true, "127.0.0.1", Optional.of(ManagementToken.ofSetting(TOKEN)), Set.of("http://localhost:8080"));
        for (String site : new String[] {null, "same-origin", "cross-site"}) {
            assertThat(status(hawtio.checkOrigin(page("http://localhost:8080", site, null))))
                    .isEqualTo(200);
            assertThat(status(hawtio.check(page("http://localhost:8080", site, null))))
                    .isEqualTo(401);
            assertThat(status(hawtio.check(page("http://localhost:8080", site, RIGHT))))
                    .isEqualTo(200);
            assertThat(status(hawtio.check(page("http://localhost:8081", site, RIGHT))))
                    .isEqualTo(403);
        }
        assertThat(hawtio.checkOrigin(page("http://localhost:80", null, null))
                        .orElseThrow()
                        .message())
                .contains("walroute.management.allow-origins");
    }

    private static Call page(String origin, String site, String authorization) {
        return new Call(true, "127.0.0.1", "127.0.0.1:9876", origin, site, authorization, JSON);
    }

    private static String basic(String pair) {
        return "Basic " + Base64.getEncoder().encodeToString(pair.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    @Test
    void the_token_may_come_as_the_password_of_any_user() {
        assertThat(status(local.check(post(basic("hawtio:" + TOKEN), JSON)))).isEqualTo(200);
        assertThat(status(open.check(get("walroute.example.com", basic(":" + TOKEN)))))
                .isEqualTo(200);
        for (String wrong : new String[] {
            basic(TOKEN), basic(TOKEN + ":"), basic("hawtio:" + TOKEN + "x"), basic("a:b:" + TOKEN), "Basic =", "Basic"
        }) {
            assertThat(status(local.check(post(wrong, JSON)))).as(wrong).isEqualTo(401);
        }
    }

    @Test
    void a_caller_with_the_token_may_change_fifty_things_at_once_and_then_ten_a_second() {
        for (int i = 0; i < 50; i++) {
            assertThat(status(local.check(post(RIGHT, JSON)))).isEqualTo(200);
        }
        int let = 0;
        while (let < 1_000 && status(local.check(post(RIGHT, JSON))) == 200) {
            let++;
        }
        assertThat(let).as("more at once").isLessThan(1_000);
        assertThat(status(local.check(get("localhost", null)))).as("a look").isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(strings = {"text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""})
    void what_a_form_could_send_is_no_change(String contentType) {
        assertThat(status(local.check(post(RIGHT, contentType)))).isEqualTo(415);
        assertThat(status(local.check(post(RIGHT, null)))).isEqualTo(415);
    }

    @Test
    void the_token_is_made_once_and_only_its_owner_may_read_it() throws Exception {
        Path file = folder.resolve("data/management.token");
        assertThat(ManagementToken.read(file)).isEmpty();
        ManagementToken made = ManagementToken.readOrMake(file);

        assertThat(made.value()).matches("[0-9a-f]{64}");
        assertThat(made).hasToString("the token in " + file);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
        assertThat(ManagementToken.readOrMake(file).value()).isEqualTo(made.value());
        assertThat(ManagementToken.read(file).orElseThrow().value()).isEqualTo(made.value());
        assertThat(file.getParent()).isDirectoryContaining(each -> each.equals(file));
        try (var files = Files.list(file.getParent())) {
            assertThat(files).hasSize(1);
        }

        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-r--r--"));
        ManagementToken.readOrMake(file);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
                .isEqualTo("rw-------");
    }

    @Test
    void a_file_without_a_token_is_no_token() throws IOException {
        Path file = Files.writeString(folder.resolve("management.token"), "\n");
        assertThatThrownBy(() -> ManagementToken.readOrMake(file))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("holds no token. Delete it and restart the service");
    }
}
