package io.walroute.service;

import com.zaxxer.hikari.HikariDataSource;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.walroute.admin.Api;
import io.walroute.admin.ApiAccess;
import io.walroute.admin.Health;
import io.walroute.admin.HealthPaths;
import io.walroute.admin.ManagementToken;
import io.walroute.audit.AuditComponent;
import io.walroute.audit.AuditLog;
import io.walroute.audit.AuditSettings;
import io.walroute.backfill.Backfill;
import io.walroute.backfill.BackfillLog;
import io.walroute.backfill.Backfills;
import io.walroute.cache.CacheSettings;
import io.walroute.cache.MarkerState;
import io.walroute.cache.RowCacheComponent;
import io.walroute.change.Epochs;
import io.walroute.change.Lsn;
import io.walroute.change.Redactions;
import io.walroute.change.SharedHeadersFactory;
import io.walroute.change.Version;
import io.walroute.deadletter.DeadLetterComponent;
import io.walroute.hook.HookComponent;
import io.walroute.hook.HookSettings;
import io.walroute.lanes.LanesComponent;
import io.walroute.notify.NotifyComponent;
import io.walroute.replay.Replay;
import io.walroute.replay.Replays;
import io.walroute.settings.Settings;
import io.walroute.settings.SettingsException;
import io.walroute.source.StopMark;
import io.walroute.source.TextConverter;
import io.walroute.source.WalComponent;
import io.walroute.source.WalConsumer;
import io.walroute.source.WalStatus;
import io.walroute.store.Store;
import io.walroute.tls.TlsFiles;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.sql.SQLException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Properties;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.management.JMException;
import org.apache.camel.CamelContext;
import org.apache.camel.Route;
import org.apache.camel.RoutesBuilder;
import org.apache.camel.cli.connector.DefaultCliConnectorFactory;
import org.apache.camel.component.micrometer.MicrometerConstants;
import org.apache.camel.component.micrometer.eventnotifier.MicrometerRouteEventNotifier;
import org.apache.camel.component.platform.http.main.ManagementHttpServer;
import org.apache.camel.main.BaseMainSupport;
import org.apache.camel.main.Main;
import org.apache.camel.main.MainListenerSupport;
import org.apache.camel.spi.CamelEvent;
import org.apache.camel.spi.CliConnectorFactory;
import org.apache.camel.spi.ManagementStrategy;
import org.apache.camel.support.SimpleEventNotifierSupport;
import org.apache.camel.support.jsse.KeyManagersParameters;
import org.apache.camel.support.jsse.KeyStoreParameters;
import org.apache.camel.support.jsse.SSLContextParameters;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The composition root: makes every part with its settings, binds it into Camel and starts the routes. Nobody but this package
 * knows all components.
 */
public final class Service implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Service.class);
    private static final int MOST_LOOKED_AT = 100;

    private static final Pattern COMMAND = Pattern.compile("walroute [a-z]+( source| --[a-z-]+)?");
    /** Receivers that routes of the repository send to, each with its lane; without settings of theirs these are off. */
    static final Map<String, String> READY_RECEIVERS = Map.of("marketplace", "hook", "invalidation", "invalidation");

    private static final String STOP_MARK = "stopped_within";

    private final Settings settings;
    private final Main main = new Main();
    private final PrometheusMeterRegistry meters = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final Health health = new Health();
    private final TableRoute tableRoute = new TableRoute();
    private final LanesComponent lanes = new LanesComponent();
    private final WalComponent wal = new WalComponent();
    private final List<String> off = new ArrayList<>();
    private Store store;
    private SlotGuard guard;
    private Skipping skipping;
    private HikariDataSource database;
    private RowCacheComponent cache;
    private NotifyComponent notify;
    private HookComponent hook;
    private DistributionSinks distribution;
    private DeadLetterComponent deadLetters;
    private Api api;
    private WalWatch walWatch;
    private volatile Housekeeping housekeeping;
    private ServiceMeters serviceMeters;
    private Operations operations;
    private ServiceBean bean;
    private volatile Replays replays;
    private volatile Backfills backfills;
    private Warming warming;

    private Service(Settings settings) {
        this.settings = settings;
    }

    /**
     * Starts all routes and returns once they run; changes flow as soon as the source has its slot.
     *
     * @param reload whether a route is reloaded when its file is saved
     * @throws SettingsException if settings can't be used
     * @throws ServiceException if something else is in the way; nothing is left running
     */
    public static Service start(Settings settings, boolean reload) {
        var service = new Service(settings);
        try {
            service.start(reload);
            return service;
        } catch (RuntimeException | Error e) {
            service.close();
            throw e;
        }
    }

    private void start(boolean reload) {
        checkRoutesFolder();
        checkPort("WEBSOCKET_PORT", settings.notifyHost(), settings.websocketPort());
        checkPort("MANAGEMENT_PORT", settings.managementHost(), settings.managementPort());
        openStore();
        guardSlot();
        walWatch = new WalWatch(
                settings.replicationTarget(),
                settings.slotWarnBefore(),
                (at, slot) -> serviceMeters.slotSeen(at, slot));
        database = Databases.pool(settings.databaseUrl());
        bindSource();
        bindSinks();
        lanes.setDisabled(String.join(",", off));
        Optional<Redactions> redactions = settings.redactions();
        redactions.ifPresent(all -> main.bind("redactions", all)); // the components find it there
        lanes.setRedactions(redactions.orElse(null));
        lanes.setMaxEventBytes(settings.maxEventBytes());
        lanes.setRefusedUri("dead-letter:lane");
        main.bind("lanes", lanes);
        var audit = new AuditComponent(new AuditSettings(settings.auditKeep()), store);
        audit.setUnsettledFrom(() -> housekeeping == null ? Lsn.ZERO : housekeeping.settledUpTo());
        main.bind("audit", audit);
        deadLetters = new DeadLetterComponent(store);
        // Two instances that redrive from one store would overtake each other: only the one with the slot may.
        deadLetters.setRedriving(this::isStreaming);
        deadLetters.setSinkProblem(this::problemOfSink);
        deadLetters.setSchedules(settings.redriveSchedules());
        deadLetters.setRedactions(redactions.orElse(null));
        main.bind("dead-letter", deadLetters);
        main.bind("store", store);
        main.bind("walroute", database);
        main.bind("tableRoute", tableRoute);
        main.bind(
                "forgetTableRoutes",
                new ForgetTableRoutes()); // Camel finds it; added after the start, it would hear nothing
        main.bind("context", new ContextBean(redactions));
        main.bind(MicrometerConstants.METRICS_REGISTRY_NAME, meters);
        describeHealth();
        main.bind("cli-connector", cliConnector(reload));
        serviceMeters = new ServiceMeters(meters, store, this::walConsumer, () -> Optional.ofNullable(backfills));
        configureCamel(reload);
        startCamel();
    }

    // ---------------------------------------------------------------- parts

    private void openStore() {
        try {
            store = Store.open(new Store.Settings(settings.auditUrl()));
        } catch (SQLException e) {
            throw new ServiceException("walroute.audit.url: the audit log can't be opened: " + StartFailure.line(e), e);
        }
    }

    private void guardSlot() {
        try {
            var audit = new AuditLog(store);
            guard = new SlotGuard(
                    settings.replicationTarget(),
                    store,
                    () -> audit.last().map(last -> last.event().version()),
                    this::goOn,
                    meters);
            skipping = new Skipping(
                    store, settings.replicationTarget(), settings.databaseUrl().toString(), guard::confirmed);
        } catch (SQLException e) {
            throw new ServiceException(
                    "walroute.audit.url: the slot's record can't be read: " + StartFailure.line(e), e);
        }
    }

    /** Before each stream. A gap that was accepted meanwhile, perhaps by another process, is told before what comes behind it. */
    private void goOn(Epochs epochs) {
        wal.setEpochs(epochs);
        if (notify != null) {
            notify.lookIntoLog();
        }
    }

    private void bindSource() {
        var url = settings.databaseUrl();
        var c = wal.getConfiguration();
        c.setDatabaseHostname(url.host());
        c.setDatabasePort(url.port());
        c.setDatabaseDbname(url.database());
        c.setDatabaseUser(url.user());
        // Debezium insists on one, but who logs in by a client certificate is never asked for it.
        c.setDatabasePassword(url.password() == null ? "none" : url.password());
        url.properties().forEach((name, value) -> {
            switch (name) {
                case "user", "password" -> {}
                case "sslmode" -> c.setDatabaseSslmode(value);
                case "sslrootcert" -> c.setDatabaseSslrootcert(value);
                case "sslcert" -> c.setDatabaseSslcert(value);
                case "sslkey" -> c.setDatabaseSslkey(value);
                case "sslpassword" -> c.setDatabaseSslpassword(value);
                case "options" ->
                    c.getAdditionalProperties().put("driver.options", TextConverter.DRIVER_OPTIONS + " " + value);
                default -> c.getAdditionalProperties().put("driver." + name, value);
            }
        });
        c.setSlotName(settings.replicationSlot());
        c.setPublicationName(settings.publicationName());
        c.setPollIntervalMs(settings.pollInterval().toMillis());
        var rules = new RulesGuard(settings, guard);
        rules.checkAtStart();
        wal.setSlotCheck(rules);
        wal.setSkips(skipping);
        wal.setStopMarks(new StopMark.Keeper() {
            @Override
            public StopMark last() throws SQLException {
                String text = store.meta(STOP_MARK);
                return text == null ? null : StopMark.parse(text);
            }

            @Override
            public void keep(StopMark mark) throws SQLException {
                store.setMeta(STOP_MARK, mark.toText());
            }
        });
        wal.setEndpointDefaults(endpoint -> {
            endpoint.setMaxInFlight(settings.maxInFlight());
            endpoint.setMaxInFlightBytes(settings.maxInFlightBytes());
            endpoint.setDrainTimeout(settings.drainTimeout().toMillis());
            endpoint.setWalHeartbeat(settings.heartbeatInterval().toMillis());
            endpoint.setWalSenderTimeout(settings.walSenderTimeout().toMillis());
            endpoint.setExcludeTables(ownTables());
        });
        main.bind("wal", wal);
    }

    /** walroute's own tables, if they lie in the database that is followed: following them would never end. */
    private String ownTables() {
        if (store.isSqlite()
                || !settings.auditUrl()
                        .split("\\?", 2)[0]
                        .equals(settings.databaseUrl().jdbcUrl())) {
            return "";
        }
        return "public.audit_log,public.audit_key_changes,public.dead_letters,public.dead_letter_notices,public.frames,public.walroute_meta,public.replays,"
                + BackfillLog.TABLE + "," + SlotLog.TABLES + "," + SkipLog.TABLE;
    }

    private void bindSinks() {
        if (settings.redisUrl().isPresent()) {
            cache = new RowCacheComponent(cacheSettings());
            var rows = new DatabaseRows(database);
            cache.setRowSource((schema, table, key) -> {
                try {
                    return rows.read(schema, table, key);
                } catch (SQLException e) {
                    throw new IllegalStateException("the row can't be read: " + StartFailure.line(e), e);
                }
            });
            cache.setIdentity(settings.cacheIdentity());
            main.bind("row-cache", cache);
        } else {
            switchOff("cache", "REDIS_URL is not set");
        }
        if (settings.websocketPort().isPresent()) {
            notify = new NotifyComponent(NotifyComposition.settings(settings));
            main.bind("notify", notify);
        } else {
            switchOff("notify", "WEBSOCKET_PORT is off");
        }
        hook = new HookComponent(hookSettings());
        main.bind("hook", hook);
        if (!settings.hooks().containsKey("marketplace")) {
            switchOff("hook", "WEBHOOK_URL is not set");
        }
        if (!settings.hooks().containsKey("invalidation")) {
            switchOff("invalidation", "walroute.hook.invalidation.url is not set");
        }
        bindDistribution();
    }

    private void bindDistribution() {
        distribution = new DistributionSinks(settings.distribution(), CacheSettings.ssl(cacheCaFile()));
        distribution.bind(main);
        List<String> without = DistributionSinks.NAMES.stream()
                .filter(sink -> !distribution.isOn(sink))
                .toList();
        off.addAll(without);
        if (!without.isEmpty()) {
            LOG.info("The routes of {} are off: no walroute.distribute.SINK.tables is set", String.join(", ", without));
        }
    }

    private void switchOff(String sink, String why) {
        off.add(sink);
        LOG.info("The routes of {} are off: {}", sink, why);
    }

    private CacheSettings cacheSettings() {
        Map<String, CacheSettings.TableSettings> tables = new LinkedHashMap<>();
        settings.tableSettings().forEach((table, of) -> {
            if (of.cacheTtl().isPresent() || of.cachePrefix().isPresent()) {
                tables.put(
                        table.toString(),
                        new CacheSettings.TableSettings(
                                of.cachePrefix().orElse(null), of.cacheTtl().orElse(null)));
            }
        });
        try {
            return new CacheSettings(
                    settings.redisUrl().orElseThrow(),
                    settings.cachePrefix(),
                    tables,
                    CacheSettings.DEFAULT_COMMAND_TIMEOUT,
                    CacheSettings.DEFAULT_PIPELINE_SIZE,
                    cacheCaFile());
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of("REDIS_URL: " + e.getMessage()));
        }
    }

    /** Read now: a file that can't be would otherwise look like a Redis that is away. */
    private Path cacheCaFile() {
        Path file = settings.cacheCaFile().orElse(null);
        if (file == null) {
            return null;
        }
        try (var pem = Files.newInputStream(file)) {
            if (!CertificateFactory.getInstance("X.509")
                    .generateCertificates(pem)
                    .isEmpty()) {
                return file;
            }
        } catch (IOException | CertificateException e) {
            LOG.debug("{} can't be read", file, e);
        }
        throw new SettingsException(List.of("walroute.cache.ca-file=" + file + " holds no certificate that can be read."
                + " Name a PEM file with one or more of BEGIN CERTIFICATE"));
    }

    private Map<String, HookSettings> hookSettings() {
        List<String> problems = new ArrayList<>();
        Map<String, HookSettings> receivers = new LinkedHashMap<>();
        settings.hooks().forEach((name, keys) -> {
            HookSettings receiver = HookSettings.parse(name, keys, problems);
            if (receiver != null) {
                receivers.put(name, receiver);
            }
        });
        if (!problems.isEmpty()) {
            throw new SettingsException(problems);
        }
        return receivers;
    }

    // ---------------------------------------------------------------- checks

    private void checkRoutesFolder() {
        Path routes = settings.routes();
        if (!Files.isDirectory(routes)) {
            throw new ServiceException("The folder " + routes
                    + " with the routes is missing. Start walroute where it is, or name its parent with --home");
        }
        try (Stream<Path> files = Files.list(routes)) {
            if (files.noneMatch(file -> file.toString().endsWith(".camel.yaml"))) {
                throw new ServiceException("The folder " + routes + " holds no route: no file ends in .camel.yaml");
            }
        } catch (IOException e) {
            throw new ServiceException("The folder " + routes + " can't be read: " + StartFailure.line(e), e);
        }
    }

    private static void checkPort(String setting, String host, OptionalInt port) {
        if (port.isEmpty() || port.getAsInt() == 0) {
            return;
        }
        try (var socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(InetAddress.getByName(host), port.getAsInt()));
        } catch (IOException e) {
            throw new ServiceException(
                    setting + "=" + port.getAsInt() + ": the port is taken (" + StartFailure.line(e)
                            + "). Stop what uses it, or set " + setting + " to another one or to off",
                    e);
        }
    }

    // ---------------------------------------------------------------- Camel

    /** For {@code camel get} and the like. Whoever deletes its file ends the process: not for production. */
    private static CliConnectorFactory cliConnector(boolean dev) {
        var factory = new DefaultCliConnectorFactory();
        factory.setEnabled(dev);
        factory.setRuntime("walroute");
        factory.setRuntimeStartClass("io.walroute.Walroute");
        return factory;
    }

    private void configureCamel(boolean reload) {
        var p = new Properties();
        p.setProperty("camel.main.name", "walroute");
        p.setProperty("camel.main.routes-include-pattern", "file:" + settings.routes() + "/*.camel.yaml");
        p.setProperty("camel.main.auto-configuration-log-summary", "false");
        p.setProperty("camel.main.startup-summary-level", "Off");
        p.setProperty("camel.main.shutdown-log-inflight-exchanges-on-timeout", "false");
        p.setProperty(
                "camel.main.shutdown-timeout",
                Long.toString(settings.drainTimeout().toSeconds() + 1));
        p.setProperty("camel.main.jmx-management-statistics-level", "RoutesOnly");
        p.setProperty("camel.main.stream-caching-enabled", "false"); // bodies are change events
        shareHeaders(p);
        p.setProperty("camel.main.uuid-generator", "simple"); // nobody outside this process sees an exchange's id
        for (String sink : List.of("cache", "notify", "hook", "invalidation")) {
            p.setProperty("walroute." + sink + ".enabled", Boolean.toString(!off.contains(sink)));
        }
        for (String sink : DistributionSinks.NAMES) {
            p.setProperty("walroute." + sink + ".enabled", Boolean.toString(distribution.isOn(sink)));
        }
        distribution.describe(p);
        p.setProperty("walroute.invalidation.off", Boolean.toString(off.contains("invalidation")));
        p.setProperty("walroute.notify.off", Boolean.toString(off.contains("notify")));
        configureHealth(p);
        configureManagement(p);
        if (reload) {
            p.setProperty("camel.main.routes-reload-enabled", "true");
            p.setProperty(
                    "camel.main.routes-reload-directory", settings.routes().toString());
            p.setProperty("camel.main.routes-reload-pattern", "*.camel.yaml");
            // Default: true, and then routes in Java never come back.
            p.setProperty("camel.main.routes-reload-remove-all-routes", "false");
            p.setProperty("camel.main.dev-console-enabled", "true"); // what camel get shows
            p.setProperty("camel.trace.standby", "true"); // Hawtio may switch it on
        }
        settings.camel().forEach(p::setProperty);
        main.setDefaultPropertyPlaceholderLocation("false");
        main.setInitialProperties(p);
        ServiceLoader.load(RoutesBuilder.class).forEach(main.configure()::addRoutesBuilder);
    }

    /** Each hand-over copies a change's headers: maps that share what they can, not sorted ones that fold case. */
    private void shareHeaders(Properties p) {
        p.setProperty("camel.main.case-insensitive-headers", "false");
        main.addMainListener(new MainListenerSupport() {
            @Override
            public void afterConfigure(BaseMainSupport of) {
                CamelContext camel = of.getCamelContext();
                if (!camel.isCaseInsensitiveHeaders()) { // somebody may have set it otherwise
                    camel.getCamelContextExtension().setHeadersMapFactory(new SharedHeadersFactory());
                }
            }
        });
    }

    /** Camel's own checks of routes and consumers say less than ours, and are DOWN for what an operator paused. */
    private static void configureHealth(Properties p) {
        p.setProperty("camel.health.routes-enabled", "false");
        p.setProperty("camel.health.consumers-enabled", "false");
        p.setProperty("camel.health.exposure-level", "full"); // default: of what is UP, JMX shows the first only
    }

    private void configureManagement(Properties p) {
        if (settings.managementPort().isEmpty()) {
            return;
        }
        boolean loopback = isLoopback(settings.managementHost());
        p.setProperty("camel.management.enabled", "true");
        p.setProperty("camel.management.host", settings.managementHost());
        p.setProperty(
                "camel.management.port",
                Integer.toString(settings.managementPort().getAsInt()));
        settings.managementTls().ifPresent(tls -> {
            SSLContextParameters parameters = managementTls(tls);
            main.addMainListener(new MainListenerSupport() {
                @Override
                public void beforeConfigure(BaseMainSupport of) {
                    of.getCamelContext().setSSLContextParameters(parameters);
                }
            });
            p.setProperty("camel.management.use-global-ssl-context-parameters", "true");
        });
        p.setProperty("camel.management.health-check-enabled", "false"); // HealthPaths answers
        p.setProperty("camel.management.jolokia-enabled", Boolean.toString(loopback));
        p.setProperty("camel.management.jolokia-path", "/observe/jolokia");
        // Whatever a request asks for, traces stay in here. Camel hands Jolokia no settings: it takes them from the
        // system's.
        System.setProperty("jolokia.allowErrorDetails", "false");
        p.setProperty("camel.management.metrics-enabled", "true");
        p.setProperty("camel.metrics.enabled", "true");
        p.setProperty("camel.metrics.path", "/observe/metrics");
        p.setProperty("camel.metrics.binders", "jvm-memory,jvm-gc,processor,uptime");
        // Both cost as much for each change as routing it does; JMX counts routes, walroute's own meters count changes.
        p.setProperty("camel.metrics.enable-exchange-event-notifier", "false");
        p.setProperty("camel.metrics.enable-route-policy", "false");
        if (!loopback) {
            LOG.info(
                    "Jolokia is off: the management port is bound to {}, where anybody could reach it",
                    settings.managementHost());
        }
    }

    /** Camel's global one, which nothing but the management port uses. */
    private static SSLContextParameters managementTls(TlsFiles files) {
        var keys = new KeyManagersParameters();
        var store = new KeyStoreParameters();
        try {
            store.setKeyStore(files.keyStore());
        } catch (IllegalArgumentException e) {
            throw new SettingsException(List.of(e.getMessage()));
        }
        keys.setKeyStore(store);
        keys.setKeyPassword(new String(TlsFiles.keyPassword()));
        var tls = new SSLContextParameters();
        tls.setKeyManagers(keys);
        return tls;
    }

    static boolean isLoopback(String host) {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (IOException e) {
            return false;
        }
    }

    /** Camel's meters of routes ask for every event, and look at those of routes: five were made for each change to be dropped. */
    private static void leaveExchangesAlone(ManagementStrategy management) {
        management.getEventNotifiers().stream()
                .filter(MicrometerRouteEventNotifier.class::isInstance)
                .forEach(each -> ((MicrometerRouteEventNotifier) each).setIgnoreExchangeEvents(true));
    }

    private void startCamel() {
        try {
            guard.start();
            walWatch.start();
            main.start();
            CamelContext camel = main.getCamelContext();
            leaveExchangesAlone(camel.getManagementStrategy());
            if (notify != null) {
                camel.getComponent(
                        "notify"); // routes name topics as they come: without this, the first change would start it
            }
            var replayRoutes = new ReplayRoutes(camel);
            replays = new Replays(store, new AuditLog(store), replayRoutes, replayRoutes, this::isStreaming);
            if (cache != null) {
                backfills = backfills(camel);
            }
            operations = new Operations(camel, lanes, hook);
            registerCalls();
            openBean();
            var server = camel.hasService(ManagementHttpServer.class);
            if (server != null) {
                Optional<ManagementToken> token = managementToken();
                boolean loopback = isLoopback(settings.managementHost());
                var access = new ApiAccess(
                        loopback, settings.managementHost(), token, Set.copyOf(settings.managementAllowOrigins()));
                new HealthPaths(health, access).mount(server.getRouter());
                api.mount(server.getRouter(), access);
            }
            housekeeping = new Housekeeping(
                    settings, database, store, guard::epochs, Optional.ofNullable(cache), this::oldestRead);
            housekeeping.start();
            replays.resume();
            if (backfills != null) {
                backfills.start();
                warming = new Warming(settings.snapshot(), backfills, cache, this::isStreaming);
                warming.start();
            }
            serviceMeters.start();
            health.started();
        } catch (SettingsException e) {
            throw e;
        } catch (Exception e) {
            Optional<String> wrongRule = StartFailure.wrongRule(e);
            if (wrongRule.isPresent()) {
                throw new SettingsException(List.of(wrongRule.get()));
            }
            throw StartFailure.of(e, settings);
        }
    }

    private Backfills backfills(CamelContext camel) throws Exception {
        var routes = new BackfillRoutes(camel, ownTables());
        return new Backfills(
                store,
                database,
                settings.publicationName(),
                routes,
                new BackfillCache(cache),
                new BackfillStream(database, settings.replicationSlot(), guard::epochs, store),
                routes::leadToCache,
                () -> isStreaming() && cache.problem().isEmpty());
    }

    private Optional<Version> oldestRead() throws SQLException {
        return backfills == null ? Optional.empty() : backfills.floor();
    }

    private void openBean() throws JMException {
        bean = new ServiceBean(
                settings.replicationSlot(),
                serviceMeters,
                operations,
                deadLetterApi(),
                () -> deadLetters.standing().stream()
                        .map(count -> count.sink() + " " + count.state().name().toLowerCase(java.util.Locale.ROOT) + " "
                                + count.letters())
                        .toList(),
                replays,
                api);
        bean.open();
    }

    private void registerCalls() {
        api = new Api();
        deadLetterApi().register(api);
        operations.register(api);
        new ReplayApi(replays, this::isStreaming).register(api);
        new BackfillApi(Optional.ofNullable(backfills), this::isStreaming).register(api);
        skipping.register(api);
        api.get("/status", request -> status().toMap());
        new MetricsApi(
                        main.getCamelContext(),
                        serviceMeters,
                        meters,
                        deadLetters,
                        settings.replicationSlot(),
                        operations)
                .register(api);
    }

    private DeadLetterApi deadLetterApi() {
        return new DeadLetterApi(
                deadLetters,
                settings.redactions(),
                new KnownNames(main.getCamelContext(), lanes, off, database, settings.publicationName()));
    }

    private ServiceStatus status() {
        return new ServiceStatus(settings, main.getCamelContext(), health, walWatch::figures, this::walStatus)
                .sinks(off, this::circuits, deadLetters::standing, this::problemToShow)
                .paused(operations == null ? Map.of() : operations.pausedLanes())
                .with("gap", () -> guard.openGap())
                .with("replays", () -> replays == null ? List.of() : underWay(replays.list(MOST_LOOKED_AT)))
                .with("backfills", () -> backfills == null ? List.of() : underWay(backfills))
                .with("skips", skipping::shown);
    }

    /** Those that are under way; else the one that ended last, as long as that is news. */
    private static List<Map<String, Object>> underWay(List<Replay> all) {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Replay each : all) {
            if (each.state() == Replay.State.RUNNING
                    || shown.isEmpty() && ServiceStatus.isNews(each.updatedAt(), Instant.now())) {
                shown.add(each.toJson());
            }
        }
        return shown;
    }

    private static List<Map<String, Object>> underWay(Backfills backfills) throws SQLException {
        List<Map<String, Object>> shown = new ArrayList<>();
        for (Backfill each : backfills.list(MOST_LOOKED_AT)) {
            if (!each.state().isEnd() || shown.isEmpty() && ServiceStatus.isNews(each.endedAt(), Instant.now())) {
                shown.add(backfills.toJson(each));
            }
        }
        return shown;
    }

    /** By sink: {@code closed}, {@code open} or {@code half_open}. */
    private Map<String, String> circuits() {
        Map<String, String> circuits = new LinkedHashMap<>();
        if (cache != null) {
            circuits.put("cache", cache.circuit());
        }
        hook.circuits()
                .forEach((name, state) -> circuits.put(
                        READY_RECEIVERS.getOrDefault(name, "hook:" + name),
                        state.name().toLowerCase(java.util.Locale.ROOT)));
        return circuits;
    }

    /** Empty: the service runs, but nothing can be changed by its API. */
    private Optional<ManagementToken> managementToken() {
        if (settings.managementToken().isPresent()) {
            return settings.managementToken().map(ManagementToken::ofSetting);
        }
        try {
            return Optional.of(ManagementToken.readOrMake(settings.managementTokenFile()));
        } catch (IOException e) {
            LOG.warn(
                    "Calls of /api that need the token are refused, since there is none: {}. Set"
                            + " walroute.management.token",
                    StartFailure.line(e));
            return Optional.empty();
        }
    }

    /** Of those sinks that can tell without being tried. */
    private Optional<String> problemOfSink(String sink) {
        return switch (sink) {
            case "cache" -> cache == null ? Optional.empty() : cache.problem();
            case "notify" -> notify == null ? Optional.empty() : notify.problem();
            default -> Optional.empty();
        };
    }

    /** Beside those also receivers, which only an attempt can tell to be back. */
    private Optional<String> problemToShow(String sink) {
        String receiver = READY_RECEIVERS.entrySet().stream()
                .filter(each -> each.getValue().equals(sink))
                .map(Map.Entry::getKey)
                .findFirst()
                .orElse(sink.startsWith("hook:") ? sink.substring("hook:".length()) : null);
        return receiver == null ? problemOfSink(sink) : hook.problem(receiver);
    }

    private final class ForgetTableRoutes extends SimpleEventNotifierSupport {
        @Override
        public void notify(CamelEvent event) {
            if (event instanceof CamelEvent.RouteEvent) {
                tableRoute.forget();
            }
        }
    }

    // ---------------------------------------------------------------- health

    private void describeHealth() {
        health.add("wal", this::walHealth);
        health.add("wal-budget", walWatch::health);
        health.add(
                "audit",
                () -> part("audit", store.problem(), Health.Status.DOWN, "walroute doctor", "writes reach " + store));
        if (cache != null) {
            health.add("cache", this::cacheHealth);
        }
        if (notify != null) {
            health.add(
                    "notify",
                    () -> sink("notify", notify.problem(), "walroute doctor", "WebSocket clients can connect"));
        }
        health.add(
                "hook",
                () -> sink(
                        "hook",
                        hook.degraded(),
                        "walroute dead-letters list --sink hook",
                        "receivers take what is sent"));
        health.add(
                "dead-letters",
                () -> sink(
                        "dead-letters",
                        deadLetters.problem(),
                        "walroute dead-letters list",
                        "nothing is dead, nor parked for long"));
        main.bind("health", health); // where Camel finds it, for JMX
    }

    private static Health.Check sink(String name, Optional<String> problem, String command, String well) {
        return part(name, problem, Health.Status.DEGRADED, command, well);
    }

    private static Health.Check part(
            String name, Optional<String> problem, Health.Status ifAny, String command, String well) {
        return problem.map(line -> new Health.Check(name, ifAny, line, command, Map.of()))
                .orElseGet(() -> Health.Check.up(name, well, Map.of()));
    }

    /** An emptied cache takes changes all the same: that rows are missing is said, but nothing is parked for it. */
    private Health.Check cacheHealth() {
        Health.Check answers = sink("cache", cache.problem(), "walroute doctor", "Redis answers");
        MarkerState marker = cache.lastMarkerState();
        if (answers.status() != Health.Status.UP || !marker.needsBackfill()) {
            return answers;
        }
        boolean foreign = marker == MarkerState.FOREIGN;
        return new Health.Check(
                "cache",
                foreign ? Health.Status.DEGRADED : Health.Status.UP,
                foreign
                        ? "Redis was filled by another service or slot, whose rows may stand in the way. Give this one"
                                + " a Redis of its own, or empty it"
                        : "Redis answers, but it was emptied or is new: rows are missing until they change. Run:"
                                + " walroute backfill",
                foreign ? "walroute doctor" : "walroute backfill",
                Map.of("backfill", "needed"));
    }

    private Health.Check walHealth() {
        Optional<WalStatus> found = walStatus();
        if (found.isEmpty()) {
            return new Health.Check(
                    "wal",
                    Health.Status.DOWN,
                    "no route reads from wal:. Is routes/router.camel.yaml there?",
                    "walroute doctor",
                    Map.of());
        }
        WalStatus status = found.get();
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("state", status.state().name());
        details.put("since", status.since().toString());
        details.put("slot", settings.replicationSlot());
        details.put("restarts", status.restarts());
        details.put("in_flight", status.held());
        details.put("in_flight_bytes", status.heldBytes());
        details.put("received", status.received());
        if (status.state() == WalStatus.State.STREAMING) {
            return Health.Check.up("wal", status.message(), details);
        }
        return new Health.Check("wal", Health.Status.DOWN, status.message(), walCommand(status), details);
    }

    /** The one that the message names, if it does. */
    private static String walCommand(WalStatus status) {
        Matcher named = COMMAND.matcher(status.message());
        if (named.find()) {
            return named.group();
        }
        return status.state() == WalStatus.State.DOWN ? "walroute doctor" : "walroute status";
    }

    /** Where the source stands; empty if no route reads from it. */
    public Optional<WalStatus> walStatus() {
        return walConsumer().map(WalConsumer::status);
    }

    private Optional<WalConsumer> walConsumer() {
        CamelContext camel = main.getCamelContext();
        if (camel == null) {
            return Optional.empty();
        }
        for (Route route : camel.getRoutes()) {
            if (route.getConsumer() instanceof WalConsumer consumer) {
                return Optional.of(consumer);
            }
        }
        return Optional.empty();
    }

    private boolean isStreaming() {
        return walStatus()
                .filter(status -> status.state() == WalStatus.State.STREAMING)
                .isPresent();
    }

    /** Existing rows sent to the cache; null without a cache. */
    public Backfills backfills() {
        return backfills;
    }

    /** Past changes sent again. */
    public Replays replays() {
        return replays;
    }

    public Health health() {
        return health;
    }

    public MeterRegistry meters() {
        return meters;
    }

    public CamelContext camelContext() {
        return main.getCamelContext();
    }

    /** The port that WebSocket clients connect to; empty if they can't. */
    public OptionalInt websocketPort() {
        return notify == null ? OptionalInt.empty() : OptionalInt.of(notify.port());
    }

    // ---------------------------------------------------------------- end

    /** Takes no further changes, finishes those in flight, and ends. May be called more than once. */
    @Override
    public void close() {
        if (api != null) {
            api.close();
        }
        if (bean != null) {
            bean.close();
        }
        if (serviceMeters != null) {
            serviceMeters.close();
        }
        if (housekeeping != null) {
            housekeeping.close();
        }
        if (replays != null) {
            replays.close();
        }
        if (warming != null) {
            warming.close();
        }
        if (backfills != null) {
            backfills.close();
        }
        giveReceiversHalfOfTheTime();
        try {
            main.stop();
        } finally {
            if (guard != null) {
                guard.close();
            }
            if (walWatch != null) {
                walWatch.close();
            }
            if (distribution != null) {
                distribution.close();
            }
            if (database != null) {
                closeWithin(database, Duration.ofSeconds(2));
            }
            // Last: what was in flight until now may still be written into it.
            if (store != null) {
                store.close();
            }
            meters.close();
        }
    }

    /** The pool waits for a connection that is being made, however dead the server is that it is made to. */
    private static void closeWithin(HikariDataSource pool, Duration time) {
        var closing = new Thread(pool::close, "database-close");
        closing.setDaemon(true);
        closing.start();
        try {
            closing.join(time.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /**
     * What a receiver hasn't answered by then is parked, in the other half. Left in the lane, it would hold back the slot, and
     * what others have taken since would come again.
     */
    private void giveReceiversHalfOfTheTime() {
        if (hook != null) {
            long half = settings.drainTimeout().toMillis() / 2;
            CompletableFuture.delayedExecutor(half, TimeUnit.MILLISECONDS).execute(hook::giveUp);
        }
    }
}
