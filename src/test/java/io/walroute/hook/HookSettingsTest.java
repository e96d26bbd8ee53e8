package io.walroute.hook;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class HookSettingsTest {
    private static final String SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    private static final String OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private static final Map<String, String> LEAST = Map.of("url", "https://partner.example/hooks", "secret", SECRET);

    @Test
    void url_and_secret_are_enough() {
        assertThat(parse(LEAST))
                .isEqualTo(new HookSettings(
                        "partner",
                        URI.create("https://partner.example/hooks"),
                        List.of(SECRET),
                        List.of(),
                        Duration.ofSeconds(10),
                        32,
                        Map.of(),
                        1,
                        Duration.ofMillis(50),
                        0,
                        Duration.ofSeconds(10)));
    }

    @Test
    void every_key_is_read() {
        Map<String, String> all = Map.of(
                "url", "http://10.0.0.7:8080/hooks?tenant=7",
                "secret", SECRET + " , " + OTHER,
                "allow-networks", "127.0.0.0/8,10.0.0.0/8",
                "timeout", "2500",
                "concurrency", "4",
                "batch-size", "100",
                "batch-delay", "1s",
                "rate", "0.5",
                "circuit-wait", "2m",
                "header.X-Tenant", "seven");
        Set<String> read = new HashSet<>(all.keySet());
        read.remove("header.X-Tenant");
        read.add("header.");

        assertThat(read).as("keys in this test").isEqualTo(HookSettings.KEYS);
        assertThat(parse(all))
                .isEqualTo(new HookSettings(
                        "partner",
                        URI.create("http://10.0.0.7:8080/hooks?tenant=7"),
                        List.of(SECRET, OTHER),
                        List.of("127.0.0.0/8", "10.0.0.0/8"),
                        Duration.ofMillis(2500),
                        4,
                        Map.of("X-Tenant", "seven"),
                        100,
                        Duration.ofSeconds(1),
                        0.5,
                        Duration.ofMinutes(2)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "url||walroute.hook.partner.url is not set. Set it to the receiver's URL, as https://partner.example/hooks",
                "url|ftp://partner.example/x|begins with 'ftp:'. Only https:// and http:// URLs",
                "url|partner.example/x|begins with ':'. Only https:// and http:// URLs",
                "url|https://part ner/x|is not a URL: Illegal character",
                "url|https:///hooks|walroute.hook.partner.url",
                "url|https://2130706433/hooks|has no valid host",
                "url|https://127.1/hooks|has no valid host",
                "url|https://0x7f.0.0.0x1/hooks|has no valid host",
                "url|https://0177.0.0.01/hooks|has no valid host",
                "url|https://127.0.0.1./hooks|has no valid host",
                "url|https://joe:topsecret@partner.example/|holds a user name",
                "url|https://partner.example:70000/|names port 70000",
                "url|https://partner.example/#topsecret|fragment",
                "url|http://partner.example/topsecret|is plain http to partner.example. Use https, or name the receiver's network",
                "url|https://127.0.0.1/|is refused: 127.0.0.1 is a loopback address",
                "url|https://[::1]:8443/|is a loopback address",
                "url|https://[::ffff:169.254.169.254]/|cloud metadata",
                "url|https://192.168.0.1/topsecret|name its network in walroute.hook.partner.allow-networks",
                "secret||walroute.hook.partner.secret is not set. Make one:",
                "secret|topsecret|does not start with whsec_. Expected: whsec_ and 24 to 64 bytes in base64",
                "secret|whsec_topsecret!|is not base64 after whsec_",
                "secret|whsec_dG9wc2VjcmV0|holds 9 bytes",
                "secret|whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw,topsecret|(2. of 2) does not start with whsec_",
                "allow-networks|10.0.0.0/99|'10.0.0.0/99' is not a network. Write it as 10.0.0.0/8",
                "timeout|soon|walroute.hook.partner.timeout=soon is not a time",
                "timeout|0|walroute.hook.partner.timeout=0 is not a time",
                "timeout|25h|at most a day",
                "concurrency|0|walroute.hook.partner.concurrency=0 is not a whole number from 1 to 1000",
                "batch-size|many|walroute.hook.partner.batch-size=many is not a whole number",
                "rate|-1|walroute.hook.partner.rate=-1 is not a number of requests per second",
                "header.Webhook-Id|7|walroute sets Webhook-Id itself",
                "header.two words|7|'two words' is not a header's name",
                "header.X-Key|topsecrét|holds a character that a header can't carry",
                "concurency|3|unknown setting walroute.hook.partner.concurency. Did you mean walroute.hook.partner.concurrency?",
                "colour|red|unknown setting walroute.hook.partner.colour. Known: allow-networks, batch-delay"
            })
    void each_mistake_is_one_line_that_shows_no_secret(String key, String value, String line) {
        var keys = new HashMap<>(LEAST);
        keys.put(key, value == null ? "" : value);
        List<String> problems = new ArrayList<>();

        assertThat(HookSettings.parse("partner", keys, problems)).isNull();
        assertThat(problems)
                .singleElement()
                .asString()
                .contains(line)
                .doesNotContain("topsec")
                .doesNotContain("\n");
    }

    @Test
    void all_mistakes_are_told_at_once() {
        List<String> problems = new ArrayList<>();

        HookSettings.parse("partner", Map.of("rate", "x", "urll", "y"), problems);

        assertThat(problems).hasSize(4);
    }

    @Test
    void its_text_shows_neither_secrets_nor_what_may_hold_one() {
        var settings = parse(Map.of(
                "url", "https://partner.example/token-topsecret?key=topsecret",
                "secret", SECRET,
                "header.Authorization", "Bearer topsecret"));

        assertThat(settings.toString())
                .contains("partner.example", "Authorization")
                .doesNotContain("topsecret")
                .doesNotContain(SECRET.substring(6));
    }

    private static HookSettings parse(Map<String, String> keys) {
        List<String> problems = new ArrayList<>();
        HookSettings settings = HookSettings.parse("partner", keys, problems);
        assertThat(problems).isEmpty();
        return settings;
    }
}
