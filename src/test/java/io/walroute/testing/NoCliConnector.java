package io.walroute.testing;

import org.apache.camel.cli.connector.DefaultCliConnectorFactory;

/** What contexts without a connector of their own find: none. Camel's own ends all contexts of the JVM with the first. */
public final class NoCliConnector extends DefaultCliConnectorFactory {
    @Override
    public boolean isEnabled() {
        return false;
    }
}
