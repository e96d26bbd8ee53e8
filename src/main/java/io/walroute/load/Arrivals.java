package io.walroute.load;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;

/** Finds the transactions behind what a sink sent, by the change's xid. Any thread. */
final class Arrivals {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Traffic traffic;
    private final Sink sink;

    Arrivals(Traffic traffic, Sink sink) {
        this.traffic = traffic;
        this.sink = sink;
    }

    /** A webhook's body: one change, or an array of them. */
    void webhook(String body) {
        long now = System.nanoTime();
        try {
            JsonNode sent = JSON.readTree(body);
            if (sent.isArray()) {
                sent.forEach(each -> change(each.path("data").path("xid").asLong(), now));
            } else {
                change(sent.path("data").path("xid").asLong(), now);
            }
        } catch (JsonProcessingException notOurs) {
            sink.arrived(now);
        }
    }

    void change(long xid, long now) {
        sink.arrived(now);
        Transactions.Entry transaction = traffic.transactions().find(xid);
        if (transaction != null) {
            sink.seen(transaction, now);
        }
    }
}
