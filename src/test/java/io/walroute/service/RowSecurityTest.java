package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

/** What row-level security on the source means for walroute, as docs/security.md says it, with the role of the README. */
@DisplayNameGeneration(ReplaceUnderscores.class)
class RowSecurityTest {
    private static final Duration SOON = Duration.ofSeconds(20);
    private ServiceRig rig;

    @BeforeEach
    void tableWithAPolicyThatHidesAllButOnesOwnRows() throws Exception {
        rig = new ServiceRig(
                "CREATE TABLE tenants(id int PRIMARY KEY, owner text, big text)",
                "ALTER TABLE tenants ALTER big SET STORAGE EXTERNAL",
                "ALTER TABLE tenants ENABLE ROW LEVEL SECURITY",
                "ALTER TABLE tenants FORCE ROW LEVEL SECURITY",
                "CREATE POLICY own ON tenants USING (owner = current_user)");
    }

    @AfterEach
    void close() throws IOException {
        rig.close();
    }

    private String cached(String key) {
        try (var redis = rig.redis()) {
            return redis.sync().get(key);
        }
    }

    @Test
    void the_stream_has_every_row_whatever_the_policy_says_and_queries_have_only_those_of_the_policy()
            throws Exception {
        rig.startReady();
        rig.db.execute("INSERT INTO tenants VALUES (1, 'somebody', repeat('x', 9000))");
        await().atMost(SOON).until(() -> cached("tenants:1") != null);
        assertThat(rig.audit().toString()).contains("somebody");
        // The column that the next change leaves out could be had from the database only, which doesn't show the row.
        try (var redis = rig.redis()) {
            redis.sync().del("tenants:1");
        }
        rig.db.execute("UPDATE tenants SET owner = 'another'", "INSERT INTO tenants VALUES (2, 'a', 'b')");
        await().atMost(SOON).until(() -> cached("tenants:2") != null);
        assertThat(cached("tenants:1")).isNull();
        assertThat(rig.count("dead_letters")).isZero();
        try (var redis = rig.redis()) {
            redis.sync().flushall();
        }
        assertThat(rig.cli.run("backfill", "--table", "tenants")).isZero();
        assertThat(cached("tenants:2"))
                .as("a backfill reads what the role may see")
                .isNull();
        rig.db.execute("ALTER ROLE " + rig.role + " BYPASSRLS");
        assertThat(rig.cli.run("backfill", "--table", "tenants")).isZero();
        assertThat(cached("tenants:2")).isNotNull();
    }

    @Test
    void a_row_filter_of_the_publication_is_what_keeps_rows_out_of_the_stream() throws Exception {
        rig.db.execute(
                "DROP PUBLICATION grails_publication",
                "ALTER TABLE tenants REPLICA IDENTITY FULL",
                "CREATE PUBLICATION grails_publication FOR TABLE tenants WHERE (owner <> 'hidden')"
                        + " WITH (publish_via_partition_root = true)");
        rig.startReady();
        rig.db.execute("INSERT INTO tenants VALUES (1, 'hidden', 'b'), (2, 'seen', 'b')");
        await().atMost(SOON).until(() -> cached("tenants:2") != null);
        assertThat(cached("tenants:1")).isNull();
        assertThat(rig.audit().toString()).doesNotContain("hidden");
    }
}
