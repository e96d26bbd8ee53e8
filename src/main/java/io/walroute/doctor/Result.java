package io.walroute.doctor;

/**
 * What one check found.
 *
 * @param check its name
 * @param message one line: the thing and the value found
 * @param fix what to run or to set, in one line; null where there is nothing to mend
 */
public record Result(String check, Level level, String message, String fix) {
    /** In order of gravity. */
    public enum Level {
        OK,
        /** Works, and may not for ever or not as promised. */
        WARN,
        /** Doesn't work. */
        FAIL
    }

    public static Result ok(String check, String message) {
        return new Result(check, Level.OK, message, null);
    }

    public static Result warn(String check, String message, String fix) {
        return new Result(check, Level.WARN, message, fix);
    }

    public static Result fail(String check, String message, String fix) {
        return new Result(check, Level.FAIL, message, fix);
    }
}
