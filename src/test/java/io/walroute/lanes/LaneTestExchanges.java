package io.walroute.lanes;

import io.walroute.change.ChangeProperties;
import io.walroute.change.RedriveTurn;
import java.util.Map;
import org.apache.camel.Exchange;

/** What the dead letters do to exchanges. */
final class LaneTestExchanges {
    private LaneTestExchanges() {}

    static void deadLettered(Exchange exchange) {
        exchange.setProperty(ChangeProperties.PARKED, true);
    }

    /** @param left how many others of the key the dead letters know at its turn */
    static Map<String, Object> redrive(int left) {
        return redrive(new RedriveTurn.Answer(true, left > 0, left > 0));
    }

    static Map<String, Object> redrive(RedriveTurn.Answer answer) {
        RedriveTurn turn = asker -> asker.accept(answer);
        return Map.of(ChangeProperties.REDRIVE, true, ChangeProperties.REDRIVE_TURN, turn);
    }
}
