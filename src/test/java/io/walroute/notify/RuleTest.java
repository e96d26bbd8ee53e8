package io.walroute.notify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.core.JsonProcessingException;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@DisplayNameGeneration(ReplaceUnderscores.class)
class RuleTest {
    private static final String CLAIMS = "{'sub':'alice','address':'0xA','level':3,'staff':false,'none':null,"
            + "'addresses':['0xA','0xC'],'org':{'id':7},'https://example.com/role':'admin'}";

    private static boolean allows(String rule, String event) {
        return allows(rule, event, CLAIMS);
    }

    private static boolean allows(String rule, String event, String claims) {
        try {
            Rule parsed = Rule.parse(rule);
            var of = Claims.of(ClientMessage.JSON.readTree(claims.replace('\'', '"')));
            String frame = "{'type':'event','event':" + event + ",'context':{'seller':'0xA'}}";
            return parsed.allows(Columns.ofFrame(frame.replace('\'', '"')), parsed.group(of));
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }

    private static String inserted(String row) {
        return "{'operation':'INSERT','key':{'id':1},'old':null,'new':" + row + "}";
    }

    private static final String ROW = inserted("{'id':1,'seller':'0xA','price':'70.00','rank':3,'sold':false,"
            + "'buyer':null,'watchers':['alice','bob'],'org':7,'role':'admin'}");

    @ParameterizedTest
    @ValueSource(
            strings = {
                "new.seller == claims.address",
                "claims.address == new.seller",
                "new.seller != '0xB'",
                "new.seller in claims.addresses",
                "new.seller in ['0xB', '0xA']",
                "new.seller not in ['0xB']",
                "claims.sub in new.watchers",
                "new.rank == claims.level",
                "new.price == 70",
                "new.org == claims.org.id",
                "new.role == claims.\"https://example.com/role\"",
                "new.buyer == null",
                "new.seller != null",
                "claims.none == null",
                "new.sold == claims.staff",
                "not new.sold == true",
                "key.id == 1 and context.seller == '0xA'",
                "new.nothing == 1 or new.rank == 3",
                "(new.rank == 1 or new.rank == 3) and not (new.rank == 2 or false)",
                "true",
            })
    void what_holds_is_allowed(String rule) {
        assertThat(allows(rule, ROW)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "new.seller == 'claims.address'",
                "new.seller == claims.sub",
                "new.seller != claims.address",
                "false",
                // What isn't there is neither equal nor unequal.
                "new.nothing == claims.nothing",
                "new.nothing != claims.address",
                "not new.nothing == '0xA'",
                "not (new.nothing == '0xA' and new.rank == 3)",
                "not (new.nothing == '0xA' or new.rank == 4)",
                "new.seller != claims.nothing",
                "not new.seller in claims.nothing",
                "new.seller not in claims.nothing",
                "new.nothing not in ['x']",
                "new.nothing == null",
                "new.nothing != null",
                "claims.nothing == null",
                "claims.org.nothing.at.all == claims.nothing",
                // Nor is null.
                "new.buyer == claims.none",
                "new.buyer != claims.address",
                "new.buyer not in claims.addresses",
                "claims.none not in ['x']",
                // Nor are things of different kinds.
                "new.sold == 'false'",
                "new.sold != 'true'",
                "new.seller != 3",
                "new.seller != claims.org",
                "new.seller == claims.addresses",
                "new.watchers != claims.sub",
                "new.seller not in claims.sub",
                "old.seller == 'x'",
            })
    void what_does_not_hold_or_cannot_be_told_is_not_allowed(String rule) {
        assertThat(allows(rule, ROW)).isFalse();
    }

    @Test
    void a_rule_that_speaks_of_one_image_must_hold_for_both() {
        String rule = "new.seller == claims.address";
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xA'},'new':{'seller':'0xA'}}"))
                .isTrue();
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xA'},'new':{'seller':'0xB'}}"))
                .isFalse();
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xB'},'new':{'seller':'0xA'}}"))
                .isFalse();
        assertThat(allows(rule, "{'key':{},'old':{'id':1},'new':{'seller':'0xA'}}"))
                .isFalse();
        assertThat(allows(rule, "{'key':{},'old':{},'new':{'seller':'0xA'}}")).isFalse();
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xA'},'new':null}")).isTrue();
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xB'},'new':null}")).isFalse();
        assertThat(allows("old.seller == claims.address", "{'key':{},'old':null,'new':{'seller':'0xB'}}"))
                .isFalse();
        assertThat(allows(rule, "{'operation':'TRUNCATE','key':null,'old':null,'new':null}"))
                .isFalse();
        assertThat(allows("not " + rule, "{'key':null,'old':null,'new':null}")).isFalse();
        assertThat(allows("claims.level == 3 or " + rule, "{'key':null,'old':null,'new':null}"))
                .isTrue();
    }

    @Test
    void a_rule_that_speaks_of_both_images_is_taken_as_written() {
        String rule = "new.seller == claims.address or old.seller == claims.address";
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xB'},'new':{'seller':'0xA'}}"))
                .isTrue();
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xA'},'new':{'seller':'0xB'}}"))
                .isTrue();
        assertThat(allows(rule, "{'key':{},'old':null,'new':{'seller':'0xA'}}")).isTrue();
        assertThat(allows(rule, "{'key':{},'old':{'seller':'0xB'},'new':{'seller':'0xC'}}"))
                .isFalse();
    }

    @Test
    void a_redacted_column_is_as_one_that_is_not_there() {
        String masked = "{'key':{'id':'***'},'old':null,'new':{'seller':'***'},'redacted_columns':['id','seller']}";
        assertThat(allows("new.seller == claims.address", masked, "{'address':'***'}"))
                .isFalse();
        assertThat(allows("new.seller != 'x'", masked)).isFalse();
        assertThat(allows("key.id == '***'", masked)).isFalse();
    }

    @Test
    void clients_of_equal_named_claims_are_one_group() throws Exception {
        Rule rule = Rule.parse("new.a == claims.sub or claims.org.id == 7 or new.b == claims.sub");
        var first =
                Claims.of(ClientMessage.JSON.readTree("{\"sub\":\"a\",\"org\":{\"id\":7},\"exp\":1,\"jti\":\"x\"}"));
        var second =
                Claims.of(ClientMessage.JSON.readTree("{\"sub\":\"a\",\"org\":{\"id\":7},\"exp\":2,\"jti\":\"y\"}"));
        assertThat(rule.group(first)).hasSize(2).isEqualTo(rule.group(second));
        assertThat(rule.group(first)).isNotEqualTo(rule.group(Claims.NONE));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "seller == claims.address",
                "new == claims.address",
                "new.a.b == 1",
                "new.a = 1",
                "new.a == 1 and",
                "new.a == 1 new.b == 2",
                "new.a == 1 && new.b == 2",
                "(new.a == 1",
                "new.a == 1)",
                "new.a",
                "new.a < 3",
                "new.a in 'x'",
                "new.a in 1.5",
                "new.a in []",
                "new.a in [new.b]",
                "new.a == 'open",
                "new.a == 1x",
                "T(java.lang.Runtime).getRuntime()",
                "new.a == #{1}",
            })
    void what_is_no_rule_is_refused_in_one_line(String text) {
        assertThatThrownBy(() -> Rule.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .extracting(Throwable::getMessage)
                .asString()
                .doesNotContain("\n")
                .contains(". ");
    }

    @Test
    void deep_nesting_is_refused_and_not_a_stack_overflow() {
        assertThatThrownBy(() -> Rule.parse("(".repeat(1900) + "true" + ")".repeat(1900)))
                .hasMessageContaining("deeper than 50");
    }

    @Test
    void the_topics_own_rule_counts_then_that_of_the_longest_pattern() {
        var rules = java.util.Map.of("*", "1", "listings.*", "2", "listings.created", "3");
        assertThat(TopicPolicies.of(rules, "listings.created")).isEqualTo("3");
        assertThat(TopicPolicies.of(rules, "listings.removed")).isEqualTo("2");
        assertThat(TopicPolicies.of(rules, "offers")).isEqualTo("1");
        assertThat(TopicPolicies.of(java.util.Map.of("a", "1"), "offers")).isNull();
    }
}
