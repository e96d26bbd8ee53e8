package io.walroute.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** PostgreSQL's own client, writing what it gets to /dev/null: the limit that no reader passes. */
final class RecvLogical implements Reader {
    @Override
    public String name() {
        return "pg_recvlogical";
    }

    @Override
    public String description() {
        return "pg_recvlogical to /dev/null: PostgreSQL's own decoding, the limit; its start and end are in the time";
    }

    @Override
    public String missing() {
        return binary().isPresent() ? null : "pg_recvlogical is not in the PATH: install postgresql-client";
    }

    private static Optional<Path> binary() {
        return Stream.of(System.getenv("PATH").split(":"))
                .map(folder -> Path.of(folder, "pg_recvlogical"))
                .filter(Files::isExecutable)
                .findFirst();
    }

    @Override
    public Drain drain(Ground ground, int round) throws Exception {
        Path log = ground.folder().resolve("pg_recvlogical.log");
        var command = List.of(
                binary().orElseThrow().toString(),
                "-d",
                ground.servers.databaseUrl(),
                "-S",
                Ground.SLOT,
                "--start",
                "--no-loop",
                "-F",
                "0",
                "-o",
                "proto_version=1",
                "-o",
                "publication_names=" + Ground.PUBLICATION,
                "-E",
                ground.endLsn(),
                "-f",
                "/dev/null");
        long begin = System.nanoTime();
        try (Child child = Child.start(command, Map.of(), null, log)) {
            child.await(Duration.ofMinutes(30));
            double seconds = (System.nanoTime() - begin) / 1e9;
            return new Drain(name(), round, ground.tally().changes(), seconds, 0, 0, List.of(), Map.of(), null);
        }
    }
}
