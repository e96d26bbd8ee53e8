package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.awaitility.Awaitility.await;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.AppenderBase;
import io.lettuce.core.AclSetuserArgs;
import io.walroute.testing.Receiver;
import io.walroute.testing.TestCa;
import io.walroute.tls.TlsFiles;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import javax.management.MBeanAttributeInfo;
import javax.management.ObjectName;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/** Recognizable secrets in every setting that may hold one; then everything that the service says is searched for them. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class SecretsTest {
    private static final Duration SOON = Duration.ofSeconds(30);
    private static final String DATABASE = "sEcretDatabase1";
    private static final String REDIS = "sEcretRedis2";
    private static final String WEBHOOK = Base64.getEncoder().encodeToString("sEcretWebhookKey3aaaaaaaa".getBytes());
    private static final String URL_TOKEN = "sEcretInUrl4";
    private static final String HEADER = "sEcretHeader5";
    private static final String TOKEN = "sEcretManagementToken6";
    private static final String SALT = "sEcretRedactionSalt7";
    private static final String AUDIT = "sEcretAudit8";
    private static final String JWT = "sEcretOfJwts9";
    private static final String NOTIFY_TLS = "sEcretNotifyTls10";
    private static final String MANAGEMENT_TLS = "sEcretManagementTls11";
    private static final String RABBITMQ = "sEcretRabbitMq12";
    private static final String STREAM = "sEcretStreamRedis13";

    private final Listener said = new Listener();
    private ServiceRig rig;
    private HttpClient management;
    private String role;
    private String auditRole;

    /** What was said, by where. */
    private static final class Listener extends AppenderBase<ILoggingEvent> {
        final Queue<String> lines = new ConcurrentLinkedQueue<>();

        @Override
        protected void append(ILoggingEvent event) {
            add(
                    "log " + event.getLoggerName(),
                    event.getFormattedMessage()
                            + (event.getThrowableProxy() == null
                                    ? ""
                                    : "\n" + ThrowableProxyUtil.asString(event.getThrowableProxy()))
                            + event.getMDCPropertyMap());
        }

        void add(String where, Object what) {
            lines.add(where + ": " + what);
        }
    }

    @BeforeEach
    void secretsEverywhere() throws Exception {
        said.start();
        ((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).addAppender(said);
        rig = new ServiceRig();
        role = "secret_" + rig.db.name();
        auditRole = "audit_" + rig.db.name();
        rig.db.execute(
                "CREATE ROLE " + role + " LOGIN REPLICATION PASSWORD '" + DATABASE + "'",
                "GRANT SELECT ON ALL TABLES IN SCHEMA public TO " + role,
                "CREATE ROLE " + auditRole + " LOGIN PASSWORD '" + AUDIT + "'",
                "GRANT CREATE ON SCHEMA public TO " + auditRole);
        try (var redis = rig.redis()) {
            for (String[] user : new String[][] {{"walroute", REDIS}, {"streams", STREAM}}) {
                redis.sync()
                        .aclSetuser(
                                user[0],
                                AclSetuserArgs.Builder.on()
                                        .addPassword(user[1])
                                        .keyPattern("*")
                                        .allCommands());
            }
        }
        Map<String, String> e = rig.environment;
        e.put("DATABASE_URL", rig.db.url().replace("postgres:postgres@", role + ":" + DATABASE + "@"));
        e.put("REDIS_URL", rig.redis.url().replace("redis://", "redis://walroute:" + REDIS + "@"));
        e.put("WEBHOOK_URL", rig.receiver.url() + "&key=" + URL_TOKEN);
        e.put("WEBHOOK_SECRET", "whsec_" + WEBHOOK);
        e.put("WALROUTE_HOOK_MARKETPLACE_HEADER_X_API_KEY", HEADER);
        e.put("WALROUTE_MANAGEMENT_TOKEN", TOKEN);
        e.put("WALROUTE_REDACT_SALT", SALT);
        e.put("WALROUTE_TABLES_LISTINGS_REDACT_SELLER_ADDRESS", "hash");
        e.put(
                "WALROUTE_AUDIT_URL",
                "jdbc:postgresql://" + rig.db.host() + ":" + rig.db.port() + "/" + rig.db.name() + "?user=" + auditRole
                        + "&password=" + AUDIT);
        e.put("WALROUTE_NOTIFY_JWT_SECRET", JWT + "a".repeat(32));
        e.put("WALROUTE_DISTRIBUTE_REDIS_STREAM_TABLES", "listings");
        e.put("WALROUTE_DISTRIBUTE_REDIS_URL", rig.redis.url().replace("redis://", "redis://streams:" + STREAM + "@"));
        e.put("WALROUTE_DISTRIBUTE_RABBITMQ_TABLES", "listings"); // nobody answers there
        e.put(
                "WALROUTE_DISTRIBUTE_RABBITMQ_URL",
                "amqp://walroute:" + RABBITMQ + "@127.0.0.1:" + ServiceRig.freePort() + "/default");
        var server = new TestCa(rig.folder, "secrets").issue("localhost", "ip:127.0.0.1");
        for (String[] port : new String[][] {{"NOTIFY", NOTIFY_TLS}, {"MANAGEMENT", MANAGEMENT_TLS}}) {
            Path store = server.pkcs12(rig.folder.resolve(port[0] + ".p12"), port[1]);
            e.put("WALROUTE_" + port[0] + "_TLS_CERTIFICATE", store.toString());
            e.put("WALROUTE_" + port[0] + "_TLS_PASSWORD", port[1]);
            management = HttpClient.newBuilder()
                    .sslContext(new TlsFiles("test", store, null, port[1]).trustingItsOwn())
                    .build();
        }
    }

    private HttpResponse<String> management(String path) throws Exception {
        return management.send(
                HttpRequest.newBuilder(URI.create("https://127.0.0.1:" + rig.managementPort + path))
                        .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    @AfterEach
    void close() throws IOException {
        ((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).detachAppender(said);
        rig.stop();
        rig.db.execute("DROP OWNED BY " + role + ", " + auditRole + " CASCADE", "DROP ROLE " + role + ", " + auditRole);
        rig.close();
    }

    private void assertThatNothingSaidHoldsASecret() {
        Map<String, String> secrets = new LinkedHashMap<>();
        for (String secret : List.of(
                DATABASE,
                REDIS,
                WEBHOOK,
                URL_TOKEN,
                HEADER,
                TOKEN,
                SALT,
                AUDIT,
                JWT,
                NOTIFY_TLS,
                MANAGEMENT_TLS,
                RABBITMQ,
                STREAM)) {
            said.lines.stream()
                    .filter(line -> line.contains(secret))
                    .findFirst()
                    .ifPresent(line -> secrets.put(secret, line.substring(0, Math.min(2_000, line.length()))));
        }
        assertThat(said.lines).hasSizeGreaterThan(50);
        assertThat(secrets).as("secrets that were said, and where").isEmpty();
    }

    private void ask() throws Exception {
        for (String path : new String[] {
            "/observe/health",
            "/observe/health/live",
            "/observe/health/ready",
            "/observe/metrics",
            "/observe/jolokia/list",
            "/api/status",
            "/api/dead-letters",
            "/api/dead-letters/1",
            "/api/replays",
            "/api/backfill",
            "/api/skips",
            "/api/routes",
            "/api/metrics/lag",
            "/api/metrics/stats",
            "/api/metrics/errors",
            "/api/metrics/handlers",
            "/api/nothing"
        }) {
            var answer = management(path);
            assertThat(answer.body().contains("is no call of this version"))
                    .as(path + " is a call")
                    .isEqualTo(path.equals("/api/nothing"));
            said.add(path, answer.statusCode() + " " + answer.headers().map() + answer.body());
        }
        for (String[] command : new String[][] {
            {"status"},
            {"status", "--json"},
            {"doctor"},
            {"doctor", "--json"},
            {"setup", "--dry-run"},
            {"dead-letters", "list"},
            {"dead-letters", "show", "1"},
            {"metrics", "errors"}
        }) {
            rig.cli.run(command);
            said.add(String.join(" ", command), rig.cli.out() + rig.cli.err());
        }
        attributes();
        try (var c = rig.db.connect();
                var s = c.createStatement();
                var rows = s.executeQuery("SELECT l::text FROM dead_letters l")) {
            while (rows.next()) {
                said.add("dead_letters", rows.getString(1));
            }
        }
    }

    /** Every attribute of every MBean of this JVM. */
    private void attributes() {
        var server = ManagementFactory.getPlatformMBeanServer();
        for (ObjectName name : server.queryNames(null, null)) {
            try {
                for (MBeanAttributeInfo attribute : server.getMBeanInfo(name).getAttributes()) {
                    if (attribute.isReadable()) {
                        said.add("JMX " + name + " " + attribute.getName(), value(name, attribute.getName()));
                    }
                }
            } catch (javax.management.JMException | RuntimeException gone) {
                said.add("JMX " + name, gone);
            }
        }
    }

    private static String value(ObjectName name, String attribute) {
        try {
            Object value = ManagementFactory.getPlatformMBeanServer().getAttribute(name, attribute);
            return value instanceof Object[] array ? Arrays.deepToString(array) : String.valueOf(value);
        } catch (javax.management.JMException | RuntimeException e) {
            return e.toString();
        }
    }

    @Test
    void neither_while_all_is_well_nor_while_each_connection_is_refused_is_a_secret_said() throws Exception {
        rig.startReady();
        rig.db.execute("INSERT INTO listings(id, seller_address) VALUES (1, 'a')");
        await().atMost(SOON).until(() -> !rig.receiver.requests().isEmpty());
        assertThat(rig.receiver.requests().get(0).uri()).contains(URL_TOKEN);
        assertThat(rig.receiver.requests().get(0).header("x-api-key")).isEqualTo(HEADER);
        ask();

        // A receiver that says what it was given.
        rig.receiver.otherwise(request -> Receiver.Answer.status(400)
                .body("no tenant for key " + request.header("x-api-key") + " at " + request.uri()));
        rig.db.execute("INSERT INTO listings(id) VALUES (2)");
        await().atMost(SOON)
                .until(() -> !"0".equals(rig.db.query("SELECT count(*) FROM dead_letters WHERE sink = 'hook'")));
        try (var redis = rig.redis()) {
            for (String user : new String[] {"walroute", "streams"}) {
                redis.sync().aclSetuser(user, AclSetuserArgs.Builder.resetpass().addPassword("another"));
                redis.sync().clientKill(io.lettuce.core.KillArgs.Builder.user(user));
            }
        }
        rig.db.execute(
                "INSERT INTO listings(id) VALUES (3)",
                "ALTER ROLE " + role + " PASSWORD 'another'",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + role + "'");
        await().atMost(SOON).until(() -> {
            String health = management("/observe/health").body();
            return health.contains("Redis at")
                    && !rig.service().health().report().isReady();
        });
        ask();
        rig.db.execute(
                "ALTER ROLE " + auditRole + " PASSWORD 'another'",
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + auditRole + "'");
        rig.cli.run("dead-letters", "list");
        said.add("dead-letters list without its database", rig.cli.out() + rig.cli.err());
        rig.stop();
        assertThatNothingSaidHoldsASecret();
    }

    @Test
    void a_start_that_fails_at_each_secret_does_not_say_it() throws Exception {
        for (String[] wrong : new String[][] {
            {"DATABASE_URL", "postgresql://" + role + ":" + DATABASE + "@localhost:99999/" + rig.db.name()},
            {"DATABASE_URL", "postgresql://" + role + ":" + DATABASE + "#x@localhost/" + rig.db.name()},
            {"REDIS_URL", "redis://walroute:" + REDIS + "@:x"},
            {"WEBHOOK_SECRET", WEBHOOK},
            {"WEBHOOK_URL", "https://user:" + URL_TOKEN + "@ /?key=" + URL_TOKEN},
            {"WALROUTE_AUDIT_URL", rig.environment.get("WALROUTE_AUDIT_URL").replace(AUDIT, AUDIT + "x")},
            {"WALROUTE_MANAGEMENT_TOKEN", TOKEN + " " + TOKEN},
            {"WALROUTE_REDACT_SALT", SALT + " " + SALT},
            {"WALROUTE_HOOK_MARKETPLACE_HEADER_X_API_KEY", HEADER + "\n" + HEADER},
            {"WALROUTE_NOTIFY_JWT_SECRET", JWT},
            {"WALROUTE_NOTIFY_TLS_PASSWORD", NOTIFY_TLS + "x"},
            {"WALROUTE_MANAGEMENT_TLS_PASSWORD", MANAGEMENT_TLS + "x"},
            {"WALROUTE_DISTRIBUTE_RABBITMQ_URL", "amqp://walroute:" + RABBITMQ + "@:x"},
            {"WALROUTE_DISTRIBUTE_REDIS_URL", "redis://streams:" + STREAM + "@:x"}
        }) {
            String right = rig.environment.put(wrong[0], wrong[1]);
            Throwable refused = catchThrowable(() -> rig.start());
            assertThat(refused).as(wrong[0]).isNotNull();
            var trace = new java.io.StringWriter();
            refused.printStackTrace(new java.io.PrintWriter(trace));
            said.add("start with " + wrong[0], trace);
            rig.environment.put(wrong[0], right);
        }
        attributes();
        assertThatNothingSaidHoldsASecret();
    }
}
