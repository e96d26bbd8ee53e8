package io.walroute.notify;

import io.walroute.store.Store;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What a test has opened, to be closed in the opposite order. */
final class Opened implements AutoCloseable {
    private final List<AutoCloseable> all = new ArrayList<>();

    void add(AutoCloseable one) {
        all.add(one);
    }

    /** A component with its store in a folder. */
    Service service(Path folder, NotifySettings settings) throws Exception {
        Store store = Store.open(new Store.Settings("jdbc:sqlite:" + folder.resolve("walroute.db")));
        add(store);
        var service = new Service(store, settings);
        add(service);
        return service;
    }

    WsClient client(Service service, String... headers) {
        WsClient client = WsClient.connect(service.port(), headers);
        add(client);
        return client;
    }

    WsClient authorized(Service service, String token) {
        return client(service, "Authorization", "Bearer " + token);
    }

    @Override
    public void close() throws Exception {
        for (int i = all.size() - 1; i >= 0; i--) {
            all.get(i).close();
        }
        all.clear();
    }
}
