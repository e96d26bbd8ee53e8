package io.walroute.lanes;

import io.walroute.change.ShowsNoValues;

/** A route made something else of a change of which columns are hidden: nobody can tell what of them is in there. */
final class UnknownBodyException extends IllegalArgumentException implements ShowsNoValues {
    private static final long serialVersionUID = 1L;

    /** @param table null if the message doesn't say it */
    UnknownBodyException(String lane, Object body, String table) {
        super("lanes:" + lane + " got "
                + (body == null
                        ? "no body"
                        : "a body of type " + body.getClass().getSimpleName())
                + (table == null
                        ? ", of which no header tells the table, and columns are hidden from that lane. "
                        : ", and columns of " + table + " are hidden from that lane. ")
                + "Only of a change event can they be taken out: hand that over and change the body behind the lane"
                + " (from: lanes:" + lane + "), or write ownBody: true there if all that routes make of it may leave");
    }
}
