package io.walroute.settings;

import java.util.Optional;

/**
 * What stands under {@code walroute.distribute.}
 *
 * @param pgNotify tables whose changes are sent on by NOTIFY; empty: off, as for the others
 * @param redisUrl of stream and channels
 * @param rabbitmqUrl empty although {@code rabbitmq} is not: the user forgot it
 */
public record DistributionSettings(
        Optional<TableSelection> pgNotify,
        String pgNotifyChannel,
        Optional<TableSelection> redisStream,
        String redisStreamKey,
        int redisStreamMaxLength,
        Optional<TableSelection> redisPubsub,
        String redisPubsubChannel,
        Optional<String> redisUrl,
        Optional<TableSelection> rabbitmq,
        Optional<String> rabbitmqUrl,
        String rabbitmqExchange) {

    /** Without the URLs: they may hold passwords. */
    @Override
    public String toString() {
        return "DistributionSettings[pgNotify=" + pgNotify + ", redisStream=" + redisStream + ", redisPubsub="
                + redisPubsub + ", rabbitmq=" + rabbitmq + "]";
    }
}
