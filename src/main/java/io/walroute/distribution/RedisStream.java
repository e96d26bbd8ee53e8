package io.walroute.distribution;

import io.walroute.change.ChangeEvent;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.camel.Exchange;
import org.apache.camel.InvalidPayloadException;
import org.apache.camel.Processor;
import org.springframework.data.redis.connection.RedisStreamCommands.XAddOptions;
import org.springframework.data.redis.connection.stream.StreamRecords;
import org.springframework.data.redis.core.StringRedisTemplate;

/**
 * The bean {@code redisStream}: adds a change to a stream that Redis keeps about as long as told ({@code XADD … MAXLEN ~}).
 * camel-spring-redis has no XADD, hence this on the template that its PUBLISH uses. Blocks until Redis has answered.
 */
public final class RedisStream implements Processor {
    private final StringRedisTemplate redis;
    private final String key;
    private final XAddOptions options;

    public RedisStream(StringRedisTemplate redis, String key, long maxLength) {
        this.redis = redis;
        this.key = key;
        options = XAddOptions.maxlen(maxLength).approximateTrimming(true);
    }

    @Override
    public void process(Exchange exchange) throws InvalidPayloadException {
        var event = exchange.getMessage().getMandatoryBody(ChangeEvent.class);
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("id", event.id());
        fields.put("operation", event.operation().name());
        fields.put("table", event.qualifiedTable());
        fields.put("event", event.toString());
        redis.opsForStream().add(StreamRecords.string(fields).withStreamKey(key), options);
    }
}
