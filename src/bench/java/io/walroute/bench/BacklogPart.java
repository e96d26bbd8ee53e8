package io.walroute.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Every reader on the same backlog, in turn, several rounds. */
final class BacklogPart {
    private final BenchOptions options;
    private final List<Drain> drains = new ArrayList<>();
    private boolean sound = true;

    BacklogPart(BenchOptions options) {
        this.options = options;
    }

    /** @return whether every reader's sink held what it should */
    boolean run() throws Exception {
        List<Reader> readers = readers();
        try (Ground ground = Ground.marketplace(options.changes)) {
            for (int round = 1; round <= options.rounds; round++) {
                for (Reader reader : readers) {
                    turn(ground, reader, round);
                }
            }
        }
        return sound;
    }

    private void turn(Ground ground, Reader reader, int round) throws Exception {
        Progress.say("round " + round + " of " + options.rounds + ": " + reader.name() + " …");
        ground.emptyRedis();
        ground.offer();
        try {
            Drain drain = reader.drain(ground, round);
            drains.add(drain);
            sound &= drain.fault() == null;
            Progress.say(drain.line());
        } catch (IOException e) {
            sound = false;
            Progress.say(reader.name() + " FAILED: " + e.getMessage());
        }
        ground.withdraw();
    }

    private List<Reader> readers() throws Exception {
        List<Reader> all = new ArrayList<>(List.of(new RecvLogical(), new BareStream()));
        all.addAll(WalrouteReader.all(options.jvm()));
        List<Reader> here = new ArrayList<>();
        for (Reader reader : options.readers.isEmpty() ? all : named(all)) {
            String missing = reader.missing();
            if (missing == null) {
                here.add(reader);
            } else {
                Progress.say(reader.name() + " is left out: " + missing);
            }
        }
        return here;
    }

    private List<Reader> named(List<Reader> all) {
        List<Reader> wanted = new ArrayList<>();
        for (String name : options.readers) {
            wanted.add(all.stream()
                    .filter(each -> each.name().equals(name))
                    .findFirst()
                    .orElseThrow(() -> new IllegalArgumentException("--readers " + name + " is none of "
                            + all.stream().map(Reader::name).toList())));
        }
        return wanted;
    }
}
