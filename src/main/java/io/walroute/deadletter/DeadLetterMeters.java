package io.walroute.deadletter;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.MultiGauge;
import io.micrometer.core.instrument.MultiGauge.Row;
import io.micrometer.core.instrument.Tags;
import java.util.List;

/** What becomes of dead letters, by sink. */
final class DeadLetterMeters {
    private final MeterRegistry registry;
    private final MultiGauge letters;

    DeadLetterMeters(MeterRegistry registry) {
        this.registry = registry;
        letters = MultiGauge.builder("walroute.dead.letters")
                .description("Deliveries that did not get through, per sink: parked (sent again) or dead")
                .register(registry);
    }

    void standing(List<DeadLetters.Count> counts) {
        letters.register(
                counts.stream()
                        .<Row<?>>map(count -> Row.of(
                                Tags.of(
                                        "sink",
                                        count.sink(),
                                        "state",
                                        count.state().text()),
                                count.letters()))
                        .toList(),
                true);
    }

    /** So that they are there, as 0, before anything happens. */
    void expect(String sink) {
        dead(sink);
        for (DeadLetters.Outcome outcome : DeadLetters.Outcome.values()) {
            redrivenCounter(sink, outcome);
        }
        discardedCounter(sink);
    }

    /** One that came through no lane; what lanes hand over they count themselves, under the same name. */
    void parked(String sink) {
        counter("walroute.parked", "Changes that went into the dead letters instead of the sink", sink)
                .increment();
    }

    void redriven(String sink, DeadLetters.Outcome outcome) {
        if (outcome == DeadLetters.Outcome.DEAD) {
            dead(sink).increment();
        }
        redrivenCounter(sink, outcome).increment();
    }

    void discarded(String sink) {
        discardedCounter(sink).increment();
    }

    private Counter dead(String sink) {
        return counter("walroute.dead", "Parked changes that had their last attempt", sink);
    }

    private Counter discardedCounter(String sink) {
        return counter("walroute.discarded", "Dead letters that an operator deleted", sink);
    }

    private Counter redrivenCounter(String sink, DeadLetters.Outcome outcome) {
        return Counter.builder("walroute.redriven")
                .description("Parked changes that were sent again, by what became of them")
                .tag("sink", sink)
                .tag("outcome", outcome.name().toLowerCase(java.util.Locale.ROOT))
                .register(registry);
    }

    private Counter counter(String name, String description, String sink) {
        return Counter.builder(name).description(description).tag("sink", sink).register(registry);
    }
}
