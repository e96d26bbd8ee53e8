package io.walroute.service;

import io.walroute.cli.EntryPoints;
import io.walroute.doctor.DatabaseChecks;
import io.walroute.doctor.Doctor;
import io.walroute.doctor.Doctor.Check;
import io.walroute.doctor.Doctor.Group;
import io.walroute.doctor.LocalChecks;
import io.walroute.doctor.Result;
import io.walroute.doctor.SinkChecks;
import io.walroute.settings.Settings;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** All checks of {@code doctor}. */
public final class Diagnosis implements EntryPoints.Diagnosis {
    private static final Duration TIMEOUT = Duration.ofSeconds(15);

    @Override
    public List<Result> run(Settings settings, boolean serviceRuns) {
        List<Group> groups = new ArrayList<>();
        groups.add(new DatabaseChecks(settings).group());
        groups.add(new Group(List.of(Check.of("gap", () -> gap(settings)))));
        groups.addAll(new SinkChecks(settings).groups());
        groups.addAll(new LocalChecks(settings, serviceRuns).groups());
        groups.add(new Group(List.of(new Check("routes", false, () -> new RoutesCheck(settings).look()))));
        return new Doctor(TIMEOUT).run(groups);
    }

    private static Result gap(Settings settings) throws Exception {
        Optional<EntryPoints.Noted> noted = new SlotCommands().noted(settings);
        String gap = noted.map(EntryPoints.Noted::gap).orElse(null);
        return gap == null
                ? Result.ok("gap", noted.isEmpty() ? "the service never ran here" : "none is open")
                : Result.fail("gap", gap, "walroute reset --accept-gap");
    }
}
