package io.walroute.hook;

import static io.walroute.hook.HookRig.change;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.walroute.testing.Receiver;
import io.walroute.testing.Receiver.Request;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Requests as a receiver gets them, verified by code that isn't ours (the npm packages standardwebhooks and svix) and by the
 * samples in docs/verify. What a machine lacks is skipped; the Java sample never is.
 */
@DisplayNameGeneration(ReplaceUnderscores.class)
class VerificationTest {
    private static final String OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    private static final String UNKNOWN = "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
    private static final Map<String, String> VERSIONS = Map.of("standardwebhooks", "1.1.1", "svix", "1.99.1");
    private static final ObjectMapper JSON = new ObjectMapper();

    private static final List<Case> CASES = new ArrayList<>();

    /** One request, perhaps changed on its way, and whether it is to be taken for genuine. */
    private record Case(
            String what, String secret, Map<String, String> headers, byte[] body, Instant now, boolean valid) {
        String line() throws IOException {
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("secret", secret);
            line.put("headers", headers);
            line.put("body", Base64.getEncoder().encodeToString(body));
            line.put("now", now.toEpochMilli());
            return JSON.writeValueAsString(line);
        }
    }

    @TempDir
    static Path folder;

    @BeforeAll
    static void receive() {
        try (var receiver = Receiver.start()) {
            try (var rig = HookRig.to(receiver.url(), "secret", OTHER + "," + HookRig.SECRET)) {
                rig.attempt(change(1));
                rig.attempt(change(2).toBuilder()
                        .newRow(new LinkedHashMap<>(Map.of("id", 2L, "ens_name", "Бürgermeister 🦊.eth \u2028")))
                        .build());
            }
            try (var rig = HookRig.to(receiver.url(), "batch-size", "2", "batch-delay", "5s")) {
                var first = rig.start(change(3));
                rig.start(change(4)).join();
                first.join();
            }
            List<Request> requests = receiver.requests();
            cases("a change", requests.get(0), HookRig.SECRET, OTHER);
            cases("a change in other scripts", requests.get(1), HookRig.SECRET, OTHER);
            cases("a batch", requests.get(2), HookRig.SECRET);
        }
    }

    private static void cases(String what, Request request, String... secrets) {
        Instant now = Instant.now();
        Map<String, String> headers = new TreeMap<>();
        request.headers().forEach((name, value) -> headers.put(name.toLowerCase(java.util.Locale.ROOT), value));
        for (String secret : secrets) {
            CASES.add(new Case(what + " by each secret", secret, headers, request.body(), now, true));
        }
        CASES.add(new Case(what + " by another secret", UNKNOWN, headers, request.body(), now, false));
        byte[] longer = java.util.Arrays.copyOf(request.body(), request.body().length + 1);
        longer[longer.length - 1] = ' ';
        CASES.add(new Case(what + " with a space more", secrets[0], headers, longer, now, false));
        byte[] changed = request.body().clone();
        changed[changed.length / 2] ^= 1;
        CASES.add(new Case(what + " with a bit turned", secrets[0], headers, changed, now, false));
        for (String header : List.of(WebhookSignature.ID, WebhookSignature.TIMESTAMP, WebhookSignature.SIGNATURE)) {
            Map<String, String> without = new TreeMap<>(headers);
            without.remove(header);
            CASES.add(new Case(what + " without " + header, secrets[0], without, request.body(), now, false));
        }
        Map<String, String> otherId = new TreeMap<>(headers);
        otherId.put(WebhookSignature.ID, "another");
        CASES.add(new Case(what + " under another id", secrets[0], otherId, request.body(), now, false));
        Map<String, String> later = new TreeMap<>(headers);
        later.merge(WebhookSignature.TIMESTAMP, "", (t, none) -> Long.toString(Long.parseLong(t) - 1));
        CASES.add(new Case(what + " with another time", secrets[0], later, request.body(), now, false));
        // Of the npm packages the clock can't be set: an old request has to be signed as one.
        long old = now.getEpochSecond() - 3600;
        Map<String, String> aged = new TreeMap<>(headers);
        aged.put(WebhookSignature.TIMESTAMP, Long.toString(old));
        aged.put(
                WebhookSignature.SIGNATURE,
                WebhookSignature.sign(secrets[0], headers.get(WebhookSignature.ID), old, request.body()));
        CASES.add(new Case(what + " an hour old", secrets[0], aged, request.body(), now, false));
    }

    @AfterAll
    static void forget() {
        CASES.clear();
    }

    @Test
    void the_java_sample_takes_what_is_genuine_and_nothing_else() throws Exception {
        Path source = Path.of("docs/verify/VerifyWebhook.java");
        int compiled =
                ToolProvider.getSystemJavaCompiler().run(null, null, null, "-d", folder.toString(), source.toString());
        assertThat(compiled).isZero();
        try (var loader = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
            Method verify = loader.loadClass("VerifyWebhook")
                    .getMethod(
                            "verify",
                            String.class,
                            String.class,
                            String.class,
                            String.class,
                            byte[].class,
                            Instant.class);
            for (Case each : CASES) {
                Object valid = verify.invoke(
                        null,
                        each.secret(),
                        each.headers().get(WebhookSignature.ID),
                        each.headers().get(WebhookSignature.TIMESTAMP),
                        each.headers().get(WebhookSignature.SIGNATURE),
                        each.body(),
                        each.now());
                assertThat(valid).as(each.what()).isEqualTo(each.valid());
            }
        }
    }

    @Test
    void the_javascript_sample_takes_what_is_genuine_and_nothing_else() throws Exception {
        assumeTrue(runs("node", "--version"), "there is no node");
        compare(run("node", check("check.mjs"), absolute("docs/verify/verify.mjs")));
    }

    /** From its imports on; what stands above them says how to call it. */
    @Test
    void the_javascript_sample_stands_in_the_readme_as_it_is() throws IOException {
        String sample = Files.readString(Path.of("docs/verify/verify.mjs"));
        String code = sample.substring(sample.indexOf("\nimport ") + 1);
        assertThat(Files.readString(Path.of("README.md"))).contains("\n```js\n" + code + "```\n");
        assertThat(code).contains("export function verify(");
    }

    @Test
    void the_python_sample_takes_what_is_genuine_and_nothing_else() throws Exception {
        assumeTrue(runs("python3", "--version"), "there is no python3");
        compare(run("python3", check("check.py"), absolute("docs/verify/verify.py")));
    }

    /** Give -Dwalroute.npm=FOLDER where they are installed (npm install standardwebhooks svix); else npm is asked for them. */
    @ParameterizedTest
    @ValueSource(strings = {"standardwebhooks", "svix"})
    void receivers_own_libraries_take_what_is_genuine_and_nothing_else(String library) throws Exception {
        assumeTrue(runs("node", "--version"), "there is no node");
        Path installed = Path.of(System.getProperty("walroute.npm", folder.toString()));
        if (!Files.isDirectory(installed.resolve("node_modules").resolve(library))) {
            assumeTrue(
                    runs(
                            "npm",
                            "install",
                            "--prefix",
                            installed.toString(),
                            "--no-audit",
                            "--no-fund",
                            "--ignore-scripts",
                            "--fetch-retries=0",
                            "--fetch-timeout=10000",
                            library + "@" + VERSIONS.get(library)),
                    "npm can't install " + library);
        }
        compare(run("node", check("check.mjs"), library, installed.toString()));
    }

    private static void compare(List<String> verdicts) {
        assertThat(verdicts).hasSameSizeAs(CASES);
        for (int i = 0; i < verdicts.size(); i++) {
            assertThat(verdicts.get(i))
                    .as(CASES.get(i).what())
                    .isEqualTo(CASES.get(i).valid() ? "ok" : "refused");
        }
    }

    private static String check(String script) throws Exception {
        return Path.of(VerificationTest.class.getResource("/verify/" + script).toURI())
                .toString();
    }

    private static String absolute(String file) {
        return Path.of(file).toAbsolutePath().toString();
    }

    private static boolean runs(String... command) throws InterruptedException {
        try {
            Process process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
            process.getOutputStream().close();
            if (!process.waitFor(60, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return false;
            }
            return process.exitValue() == 0;
        } catch (IOException missing) {
            return false;
        }
    }

    private static List<String> run(String... command) throws Exception {
        File requests = Files.createTempFile(folder, "requests", ".jsonl").toFile();
        var lines = new StringBuilder();
        for (Case each : CASES) {
            lines.append(each.line()).append('\n');
        }
        Files.writeString(requests.toPath(), lines);
        Process process = new ProcessBuilder(command)
                .redirectInput(requests)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).isZero();
        return out.lines().toList();
    }
}
