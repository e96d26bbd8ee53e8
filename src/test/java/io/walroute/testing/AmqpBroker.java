package io.walroute.testing;

import io.walroute.demo.FreePort;
import java.net.URL;
import java.util.HashMap;
import java.util.Map;
import org.apache.qpid.server.SystemLauncher;

/**
 * A broker that speaks RabbitMQ's protocol, in this JVM and in memory (Apache Qpid). A client can't tell it from RabbitMQ in
 * what walroute uses: topic exchanges, publisher confirms.
 */
public final class AmqpBroker implements AutoCloseable {
    private final int port;
    private final SystemLauncher launcher = new SystemLauncher();

    private AmqpBroker(int port) {
        this.port = port;
    }

    public static AmqpBroker start() throws Exception {
        var broker = new AmqpBroker(FreePort.any());
        broker.launch();
        return broker;
    }

    private void launch() throws Exception {
        URL configuration = AmqpBroker.class.getResource("/amqp-broker.json");
        Map<String, Object> attributes = new HashMap<>();
        attributes.put("type", "Memory");
        attributes.put("initialConfigurationLocation", configuration.toExternalForm());
        attributes.put("startupLoggedToSystemOut", "false");
        attributes.put("context", Map.of("test.amqp.port", Integer.toString(port)));
        launcher.startup(attributes);
    }

    public int port() {
        return port;
    }

    public String url() {
        return url(port);
    }

    /** By way of a proxy. */
    public static String url(int port) {
        return "amqp://walroute:s3cret@127.0.0.1:" + port + "/default";
    }

    @Override
    public void close() {
        launcher.shutdown();
    }
}
