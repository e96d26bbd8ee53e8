package io.walroute.service;

import static org.assertj.core.api.Assertions.assertThat;

import io.walroute.change.SharedHeadersFactory;
import java.util.Map;
import org.apache.camel.spi.HeadersMapFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayNameGeneration;
import org.junit.jupiter.api.DisplayNameGenerator.ReplaceUnderscores;
import org.junit.jupiter.api.Test;

@DisplayNameGeneration(ReplaceUnderscores.class)
class HeadersTest {
    private static final String SETTING = "camel.main.case-insensitive-headers";

    private ServiceRig rig;

    @AfterEach
    void stop() throws Exception {
        System.clearProperty(SETTING);
        rig.close();
    }

    @Test
    void copies_of_a_message_share_their_headers() throws Exception {
        rig = new ServiceRig().start();
        assertThat(headersMaps()).isInstanceOf(SharedHeadersFactory.class);
    }

    @Test
    void whoever_wants_names_without_case_gets_them() throws Exception {
        rig = new ServiceRig();
        System.setProperty(SETTING, "true");
        rig.start();
        Map<String, Object> headers = headersMaps().newMap();
        headers.put("Topic", "a");
        assertThat(headers).containsEntry("topic", "a");
    }

    private HeadersMapFactory headersMaps() {
        return rig.service().camelContext().getCamelContextExtension().getHeadersMapFactory();
    }
}
