package io.walroute.bench;

import java.util.List;
import java.util.Map;

/** A replication stream of the JDBC driver's that looks at no column: the limit where pg_recvlogical is missing. */
final class BareStream implements Reader {
    @Override
    public String name() {
        return "pgjdbc-stream";
    }

    @Override
    public String description() {
        return "a replication stream of the JDBC driver's, messages counted, no column decoded";
    }

    @Override
    public Drain drain(Ground ground, int round) throws Exception {
        Tally tally = Tally.read(ground.servers.jdbcUrl(), Ground.SLOT, Ground.PUBLICATION);
        String fault = tally.byKind().equals(ground.tally().byKind()) ? null : "it read " + tally.byKind();
        return new Drain(name(), round, tally.changes(), tally.seconds(), 0, 0, List.of(), Map.of(), fault);
    }
}
