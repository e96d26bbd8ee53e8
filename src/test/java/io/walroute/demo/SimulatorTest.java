package io.walroute.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.testing.Postgres;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class SimulatorTest {
    private static final Simulator.ProgressListener QUIET = progress -> {};
    /** Every row without the columns that hold times. */
    private static final List<String> CONTENTS = List.of(
            "SELECT md5(string_agg((id, token_id, ens_name, seller_address, price_wei, status, metadata)::text, '|' ORDER BY id)) FROM listings",
            "SELECT md5(string_agg((id, listing_id, buyer_address, amount_wei, status)::text, '|' ORDER BY id)) FROM offers",
            "SELECT md5(string_agg((token_id, name, owner_address)::text, '|' ORDER BY token_id)) FROM ens_names",
            "SELECT md5(string_agg((id, event_type, token_id, payload - 'expires_at')::text, '|' ORDER BY id)) FROM opensea_events");

    @Test
    void the_same_seed_makes_the_same_rows() throws Exception {
        Postgres.Database one = marketplace();
        Postgres.Database two = marketplace();
        Postgres.Database other = marketplace();
        Simulator.run(settings(one, 3000, 7, 1), QUIET);
        Simulator.run(settings(two, 3000, 7, 1), QUIET);
        Simulator.run(settings(other, 3000, 8, 1), QUIET);
        assertThat(contents(two)).isEqualTo(contents(one)).doesNotContain((String) null);
        assertThat(contents(other)).isNotEqualTo(contents(one));
    }

    @Test
    void it_commits_exactly_the_changes_it_was_asked_for_and_reports() throws Exception {
        Postgres.Database database = marketplace();
        String slot = "s_" + database.name();
        database.execute("SELECT pg_create_logical_replication_slot('" + slot + "', 'test_decoding')");

        Simulator.Progress progress = Simulator.run(settings(database, 10_001, 3, 4), QUIET);

        assertThat(progress.changes()).isEqualTo(10_001);
        assertThat(progress.rollbacks()).isPositive();
        long decoded = Long.parseLong(database.query("SELECT count(*) FILTER (WHERE data LIKE 'table %') FROM "
                + "pg_logical_slot_get_changes('" + slot + "', NULL, NULL)"));
        database.execute("SELECT pg_drop_replication_slot('" + slot + "')");
        assertThat(decoded).as("changes that PostgreSQL itself decodes").isEqualTo(10_001);
        assertThat(progress.byKind().keySet())
                .contains(
                        "listings.INSERT",
                        "listings.UPDATE",
                        "listings.DELETE",
                        "offers.INSERT",
                        "offers.UPDATE",
                        "offers.DELETE",
                        "ens_names.INSERT",
                        "ens_names.UPDATE",
                        "opensea_events.INSERT");
        for (String table : Marketplace.TABLES) {
            long expected = progress.byKind().getOrDefault(table + ".INSERT", 0L)
                    - progress.byKind().getOrDefault(table + ".DELETE", 0L);
            assertThat(rows(database, table)).as(table).isEqualTo(expected);
        }
    }

    @Test
    void offers_belong_to_listings_and_events_come_in_every_type() throws Exception {
        Postgres.Database database = marketplace();
        Simulator.run(settings(database, 8000, 5, 3), QUIET);
        assertThat(
                        database.query(
                                "SELECT count(*) FROM offers o WHERE NOT EXISTS (SELECT FROM listings l WHERE l.id = o.listing_id)"))
                .isEqualTo("0");
        assertThat(database.query(
                        "SELECT string_agg(DISTINCT event_type, ' ' ORDER BY event_type) FROM opensea_events"))
                .isEqualTo("cancel listing sale transfer");
        assertThat(database.query("SELECT count(*) > 0 FROM listings WHERE pg_column_size(metadata) > 3000"))
                .as("metadata that is stored out of line")
                .isEqualTo("t");
        assertThat(database.query("SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM listings"))
                .isEqualTo("active cancelled sold");
    }

    @Test
    void the_rate_is_kept_and_the_duration_too() throws Exception {
        Postgres.Database database = marketplace();
        var settings = new SimulatorSettings(database.jdbcUrl(), 400, Duration.ofSeconds(4), 0, 1, 3);
        Simulator.Progress progress = Simulator.run(settings, QUIET);
        assertThat(progress.elapsed()).isBetween(Duration.ofSeconds(4), Duration.ofSeconds(10));
        assertThat(progress.changes()).as("400 a second for 4 s").isBetween(800L, 1900L);
    }

    @Test
    void it_stops_when_told() throws Exception {
        Postgres.Database database = marketplace();
        var simulator = new Simulator(SimulatorSettings.of(database.jdbcUrl(), 50));
        var running = new CountDownLatch(1);
        var run = CompletableFuture.supplyAsync(() -> {
            try {
                return simulator.run(progress -> running.countDown());
            } catch (SQLException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        running.await();
        simulator.stop();
        assertThat(run.get(10, TimeUnit.SECONDS).changes()).isPositive();
    }

    @Test
    void a_second_run_on_the_same_tables_meets_no_constraint() throws Exception {
        Postgres.Database database = marketplace();
        Simulator.run(settings(database, 1000, 9, 2), QUIET);
        assertThat(Simulator.run(settings(database, 1000, 9, 2), QUIET).changes())
                .isEqualTo(1000);
    }

    @Test
    void a_backlog_holds_exactly_as_many_mixed_changes_and_is_made_fast() throws Exception {
        Postgres.Database database = marketplace();
        String slot = "b_" + database.name();
        database.execute("SELECT pg_create_logical_replication_slot('" + slot + "', 'test_decoding')");
        long begin = System.nanoTime();
        try (var connection = database.connect()) {
            Simulator.backlog(connection, 40_007, 1);
        }
        double seconds = (System.nanoTime() - begin) / 1e9;
        System.out.printf("backlog: 40007 changes in %.1f s, %.0f/s%n", seconds, 40_007 / seconds);
        String kinds = database.query("""
                SELECT string_agg(kind || '=' || n, ' ' ORDER BY kind) FROM (
                  SELECT regexp_replace(data, '^table public\\.(\\w+): (\\w+):.*$', '\\1.\\2') kind, count(*) n
                  FROM pg_logical_slot_get_changes('%s', NULL, NULL) WHERE data LIKE 'table %%' GROUP BY 1) k""".formatted(slot));
        database.execute("SELECT pg_drop_replication_slot('" + slot + "')");
        System.out.println(kinds);
        assertThat(Stream.of(kinds.split(" "))
                        .mapToLong(k -> Long.parseLong(k.split("=")[1]))
                        .sum())
                .isEqualTo(40_007);
        assertThat(kinds).contains("listings.DELETE", "offers.UPDATE", "ens_names.UPDATE", "opensea_events.INSERT");
        assertThat(seconds).as("far from 400,000 in ten minutes").isLessThan(60);
    }

    @Test
    void a_pace_makes_up_for_a_short_stall_but_not_for_a_long_one() {
        var pace = new Pace(100, 0);
        assertThat(pace.waitAfter(50, 0)).isEqualTo(500_000_000);
        assertThat(pace.waitAfter(50, 1_500_000_000)).as("half a second late").isZero();
        assertThat(pace.waitAfter(100, 1_500_000_000)).isEqualTo(500_000_000);
        assertThat(pace.waitAfter(1, 100_000_000_000L)).isZero();
        assertThat(pace.waitAfter(300, 100_000_000_000L))
                .as("two seconds made up for")
                .isEqualTo(1_000_000_000);
    }

    private static Postgres.Database marketplace() {
        Postgres.Database database = Postgres.newDatabase();
        database.execute(Marketplace.schema());
        return database;
    }

    private static SimulatorSettings settings(Postgres.Database database, long changes, long seed, int connections) {
        return new SimulatorSettings(database.jdbcUrl(), 0, null, changes, seed, connections);
    }

    private static List<String> contents(Postgres.Database database) {
        return CONTENTS.stream().map(database::query).toList();
    }

    private static long rows(Postgres.Database database, String table) {
        return Long.parseLong(database.query("SELECT count(*) FROM " + table));
    }
}
