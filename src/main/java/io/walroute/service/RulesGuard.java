package io.walroute.service;

import io.walroute.change.Lsn;
import io.walroute.doctor.RuleNames;
import io.walroute.doctor.RuleNames.Problem;
import io.walroute.settings.Settings;
import io.walroute.settings.SettingsException;
import io.walroute.slot.SlotException;
import io.walroute.source.SlotCheck;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets nothing be streamed while a redaction rule names a column that isn't there: what the rule was meant to hide would leave.
 *
 * <p>At the start that is an error. Where the database doesn't answer then, it is looked up before the first stream, and stands in
 * its way. Later streams aren't asked: a column that is dropped while the service runs is no mistyped one.
 */
final class RulesGuard implements SlotCheck {
    private static final Logger LOG = LoggerFactory.getLogger(RulesGuard.class);

    private final Settings settings;
    private final SlotCheck next;
    // The starting thread's, then the source's supervisor's, which that one starts.
    private boolean passed;

    RulesGuard(Settings settings, SlotCheck next) {
        this.settings = settings;
        this.next = next;
        passed = !RuleNames.areThere(settings);
    }

    /** @throws SettingsException if rules name columns that aren't there */
    void checkAtStart() {
        if (passed) {
            return;
        }
        try {
            List<Problem> leaks = leaks();
            if (!leaks.isEmpty()) {
                throw new SettingsException(
                        leaks.stream().map(Problem::toString).toList());
            }
            passed = true;
        } catch (SlotException | SQLException e) {
            LOG.warn(
                    "Whether the columns are there that redaction rules name is looked up when PostgreSQL answers, before"
                            + " anything is sent: {}",
                    StartFailure.line(e));
        }
    }

    /** Those for which nothing must be sent; the others are logged. */
    private List<Problem> leaks() throws SlotException, SQLException {
        try (Connection connection = settings.replicationTarget().connect()) {
            List<Problem> problems = RuleNames.problems(settings, connection);
            problems.stream().filter(problem -> !problem.leaks()).forEach(problem -> LOG.warn("{}", problem));
            return problems.stream().filter(Problem::leaks).toList();
        }
    }

    @Override
    public Optional<Obstacle> check() {
        if (!passed) {
            try {
                List<Problem> leaks = leaks();
                if (!leaks.isEmpty()) {
                    return Optional.of(new Obstacle(false, leaks.get(0).toString()));
                }
                passed = true;
            } catch (SlotException | SQLException e) {
                LOG.debug(
                        "The columns that redaction rules name can't be looked up",
                        e); // what is wrong, the next one says
                Optional<Obstacle> obstacle = next.check();
                return obstacle.isPresent()
                        ? obstacle
                        : Optional.of(new Obstacle(
                                false,
                                "the columns that redaction rules name can't be looked up: " + StartFailure.line(e)));
            }
        }
        return next.check();
    }

    @Override
    public Optional<Obstacle> whileStreaming() {
        return next.whileStreaming();
    }

    @Override
    public void beforeConfirm(Lsn position, Runnable then) {
        next.beforeConfirm(position, then);
    }
}
