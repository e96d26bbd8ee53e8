package io.walroute.change;

import java.util.Arrays;

/**
 * A row's JSON object within a longer text, without its closing bracket. A change's row is wanted by the audit log, in its
 * event, and by the cache, with its version: whoever comes second copies what is written.
 *
 * @param begin where the opening bracket stands
 * @param end behind the last member
 */
record WrittenRow(byte[] text, int begin, int end) {
    int length() {
        return end - begin;
    }

    /** @param object a JSON object that isn't empty, whose members come behind the row's own */
    byte[] with(byte[] object) {
        boolean empty = length() == 1;
        int at = empty ? 1 : length() + 1;
        byte[] both = Arrays.copyOfRange(text, begin, begin + at + object.length - 1);
        if (!empty) {
            both[at - 1] = ',';
        }
        System.arraycopy(object, 1, both, at, object.length - 1);
        return both;
    }
}
