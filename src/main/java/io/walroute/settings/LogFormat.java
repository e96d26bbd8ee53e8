package io.walroute.settings;

/** How log lines are written: for a person, or one JSON object a line. */
public enum LogFormat {
    TEXT,
    JSON
}
