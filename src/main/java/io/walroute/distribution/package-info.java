/** Sinks that pass changes on to others: NOTIFY, Redis Streams and channels, RabbitMQ. All of them off by default. */
package io.walroute.distribution;
