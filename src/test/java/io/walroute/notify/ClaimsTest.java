package io.walroute.notify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class ClaimsTest {
    @Test
    void claims_keep_every_digit_and_cannot_be_changed() throws Exception {
        Claims claims = claims(
                "{\"sub\":\"alice\",\"n\":12,\"wei\":123456789012345678901234567890,\"f\":1.10,\"no\":null,\"roles\":[\"a\",{\"b\":true}]}");

        assertThat(claims.subject()).contains("alice");
        assertThat(claims.get("n")).isEqualTo(12L);
        assertThat(claims.get("wei")).isEqualTo(new BigDecimal("123456789012345678901234567890"));
        assertThat(claims.get("f")).isEqualTo(new BigDecimal("1.10"));
        assertThat(claims.get("no")).isNull();
        assertThat(claims.get("roles")).isEqualTo(List.of("a", Map.of("b", true)));
        assertThatThrownBy(() -> claims.values().put("sub", "bob")).isInstanceOf(UnsupportedOperationException.class);
        assertThatThrownBy(() -> ((List<?>) claims.get("roles")).clear())
                .isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void equal_claims_are_one_key_and_none_are_shown() throws Exception {
        assertThat(claims("{\"sub\":\"alice\",\"a\":1}"))
                .isEqualTo(claims("{\"a\":1,\"sub\":\"alice\"}"))
                .hasSameHashCodeAs(claims("{\"a\":1,\"sub\":\"alice\"}"))
                .isNotEqualTo(claims("{\"sub\":\"alice\",\"a\":2}"));
        assertThat(claims("{\"sub\":\"alice\"}").toString()).doesNotContain("alice");
    }

    @Test
    void a_subject_that_is_no_text_is_none() throws Exception {
        assertThat(claims("{\"sub\":7}").subject()).isEmpty();
        assertThat(claims("{\"sub\":\"\"}").subject()).isEmpty();
        assertThat(Claims.NONE.subject()).isEmpty();
    }

    @Test
    void a_client_tells_of_its_new_claims_and_not_of_equal_ones() throws Exception {
        var client = new Client(new Outbox(2, 100, () -> {}), claims("{\"sub\":\"alice\",\"role\":\"buyer\"}"));
        var former = new ArrayList<Object>();
        client.whenRenewed(claims ->
                former.add(claims.get("role") + " then " + client.claims().get("role")));

        client.renew(claims("{\"sub\":\"alice\",\"role\":\"buyer\"}"));
        client.renew(claims("{\"sub\":\"alice\",\"role\":\"seller\"}"));

        assertThat(former).containsExactly("buyer then seller");
    }

    private static Claims claims(String json) throws Exception {
        return Claims.of(ClientMessage.JSON.readTree(json));
    }
}
