package io.walroute.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/** Node's library pg-logical-replication: decodes, and does nothing with it. */
final class NodeReader implements Reader {
    private static final Path SOURCE = Path.of("src/bench/node");

    private final Path folder;
    private final boolean acknowledge;

    /** @param peers where it is installed */
    NodeReader(Path peers, boolean acknowledge) {
        this.folder = peers.resolve("node").toAbsolutePath();
        this.acknowledge = acknowledge;
    }

    @Override
    public String name() {
        return acknowledge ? "node-acknowledged" : "node";
    }

    @Override
    public String description() {
        return "Node's pg-logical-replication 2, decodes only, "
                + (acknowledge ? "acknowledges each message" : "acknowledges nothing");
    }

    @Override
    public String missing() throws Exception {
        Files.createDirectories(folder);
        if (Files.exists(folder.resolve("node_modules/pg-logical-replication/package.json"))) {
            return null;
        }
        Files.copy(SOURCE.resolve("package.json"), folder.resolve("package.json"), StandardCopyOption.REPLACE_EXISTING);
        Progress.say("npm install of pg-logical-replication …");
        try (Child npm = Child.start(
                List.of("npm", "install", "--no-audit", "--no-fund"), Map.of(), folder, folder.resolve("npm.log"))) {
            npm.await(Duration.ofMinutes(5));
            return null;
        } catch (IOException e) {
            return "node and npm are needed ("
                    + e.getMessage().lines().findFirst().orElse("") + ")";
        }
    }

    @Override
    public Drain drain(Ground ground, int round) throws Exception {
        var command = List.of(
                "node",
                SOURCE.resolve("reader.mjs").toAbsolutePath().toString(),
                ground.servers.databaseUrl(),
                Ground.SLOT,
                Ground.PUBLICATION,
                Long.toString(ground.tally().changes()),
                Boolean.toString(acknowledge),
                Long.toString(ground.warmUp()));
        return OneShot.drain(name(), round, command, folder, ground);
    }
}
