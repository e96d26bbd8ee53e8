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
}
