package io.walroute.hook;

/**
 * What a receiver answered.
 *
 * @param retryAfter the header as it came; null if absent
 * @param body the body's beginning
 */
record Answer(int status, String retryAfter, byte[] body) {
    boolean delivered() {
        return status >= 200 && status < 300;
    }
}
