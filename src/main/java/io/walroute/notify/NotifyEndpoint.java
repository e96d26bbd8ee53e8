package io.walroute.notify;

import org.apache.camel.Category;
import org.apache.camel.Consumer;
import org.apache.camel.Processor;
import org.apache.camel.Producer;
import org.apache.camel.api.management.ManagedAttribute;
import org.apache.camel.api.management.ManagedResource;
import org.apache.camel.spi.UriEndpoint;
import org.apache.camel.spi.UriPath;
import org.apache.camel.support.DefaultEndpoint;

/** {@code notify:TOPIC}. Cheap to make: routes that compute the topic make one for each. */
@ManagedResource(description = "Topic of WebSocket notifications")
@UriEndpoint(
        firstVersion = "0.1.0",
        scheme = "notify",
        title = "Notify",
        syntax = "notify:topic",
        producerOnly = true,
        category = {Category.HTTP})
public class NotifyEndpoint extends DefaultEndpoint {
    @UriPath(description = "The topic that clients subscribe to, as listings.created")
    private final String topic;

    NotifyEndpoint(String uri, NotifyComponent component, String topic) {
        super(uri, component);
        if (topic.isEmpty() || topic.endsWith("*") || topic.length() > ClientMessage.MAX_NAME_LENGTH) {
            throw new IllegalArgumentException("'" + topic + "' is not a topic: 1 to " + ClientMessage.MAX_NAME_LENGTH
                    + " characters that don't end in *. Write notify:listings.created, for example");
        }
        this.topic = topic;
    }

    @ManagedAttribute(description = "The topic's name")
    public String getTopic() {
        return topic;
    }

    @Override
    public NotifyComponent getComponent() {
        return (NotifyComponent) super.getComponent();
    }

    @Override
    public Producer createProducer() {
        return new NotifyProducer(this);
    }

    @Override
    public Consumer createConsumer(Processor processor) {
        throw new UnsupportedOperationException("notify: can't begin a route. Use it as to: notify:" + topic);
    }
}
