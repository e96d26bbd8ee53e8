package io.walroute.faults;

import static net.bytebuddy.matcher.ElementMatchers.any;
import static net.bytebuddy.matcher.ElementMatchers.isDeclaredBy;
import static net.bytebuddy.matcher.ElementMatchers.nameStartsWith;
import static net.bytebuddy.matcher.ElementMatchers.named;
import static net.bytebuddy.matcher.ElementMatchers.takesArguments;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.instrument.Instrumentation;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.jar.Attributes;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import net.bytebuddy.agent.builder.AgentBuilder;
import net.bytebuddy.asm.MemberSubstitution;

/**
 * Lets a process's wall clock jump: what walroute's own classes read of it is the machine's, moved by the seconds that the file
 * named in {@code CLOCK_OFFSET_FILE} holds. Monotonic time ({@code nanoTime}) goes on as it does when a real clock is set.
 */
public final class ClockAgent {
    private static volatile Duration offset = Duration.ZERO;
    private static volatile long asked = System.nanoTime() - 1_000_000_000;

    private ClockAgent() {}

    /** Called by the JVM. */
    public static void premain(String arguments, Instrumentation instrumentation) throws NoSuchMethodException {
        var now = ClockAgent.class.getMethod("now");
        var millis = ClockAgent.class.getMethod("currentTimeMillis");
        new AgentBuilder.Default()
                .type(nameStartsWith("io.walroute.").and(type -> !type.getName().equals(ClockAgent.class.getName())))
                .transform((builder, type, loader, module, domain) -> builder.visit(MemberSubstitution.relaxed()
                                .method(named("now")
                                        .and(isDeclaredBy(Instant.class))
                                        .and(takesArguments(0)))
                                .replaceWith(now)
                                .on(any()))
                        .visit(MemberSubstitution.relaxed()
                                .method(named("currentTimeMillis").and(isDeclaredBy(System.class)))
                                .replaceWith(millis)
                                .on(any())))
                .installOn(instrumentation);
    }

    public static Instant now() {
        return Instant.now().plus(offset());
    }

    public static long currentTimeMillis() {
        return System.currentTimeMillis() + offset().toMillis();
    }

    private static Duration offset() {
        long time = System.nanoTime();
        if (time - asked > 20_000_000) {
            asked = time;
            offset = read();
        }
        return offset;
    }

    private static Duration read() {
        String file = System.getenv("CLOCK_OFFSET_FILE");
        try {
            return file != null && Files.exists(Path.of(file))
                    ? Duration.ofSeconds(
                            Long.parseLong(Files.readString(Path.of(file)).strip()))
                    : Duration.ZERO;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The options that put this class into a process's way. */
    static List<String> jvmOptions(Path folder) throws IOException {
        Path jar = folder.resolve("clock-agent.jar");
        if (!Files.exists(jar)) {
            var manifest = new Manifest();
            manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
            manifest.getMainAttributes().put(new Attributes.Name("Premain-Class"), ClockAgent.class.getName());
            new JarOutputStream(Files.newOutputStream(jar), manifest).close();
        }
        return List.of("-javaagent:" + jar);
    }
}
