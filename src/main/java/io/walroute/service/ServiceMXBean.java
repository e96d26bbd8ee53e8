package io.walroute.service;

import java.util.List;

/** The service in JMX, as {@code io.walroute:type=Service,slot="…"}: the verbs of {@code /api}, for Hawtio and JConsole. */
public interface ServiceMXBean {
    String getState();

    String getStateMessage();

    /** -1 if it is not known. */
    long getLagBytes();

    /** -1 if it is not known. */
    double getLagSeconds();

    int getInFlight();

    long getStreamRestarts();

    /** One line for each sink and state, as {@code hook parked 3}. */
    List<String> getDeadLetters();

    /** The newest replays, one line each. */
    List<String> getReplays() throws Exception;

    List<String> getPausedRoutes();

    String pauseSource() throws Exception;

    String resumeSource() throws Exception;

    String pauseRoute(String id) throws Exception;

    String resumeRoute(String id) throws Exception;

    /** Sends what stands in a sink's dead letters again at once, dead ones too; says how many that are. */
    String redrive(String sink) throws Exception;

    /** Deletes what stands in a sink's dead letters for good; the reason is written down. */
    String discard(String sink, String reason) throws Exception;

    /** Begins a replay; the request is the JSON of POST {@code /api/replays}. */
    String replay(String request) throws Exception;

    String cancelReplay(long id) throws Exception;

    /** Begins a backfill of a table, of all if it is empty; the condition may be empty. */
    String backfill(String table, String where) throws Exception;

    String cancelBackfill(long id) throws Exception;

    /** Any look that {@code /api} has, as {@code /status} or {@code /dead-letters?sink=hook}. */
    String get(String path) throws Exception;

    /** Anything else that {@code /api} does, as {@code /source/pause}; the body is a JSON object or empty. */
    String post(String path, String body) throws Exception;
}
