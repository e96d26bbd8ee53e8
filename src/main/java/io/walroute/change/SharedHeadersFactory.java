package io.walroute.change;

import java.util.Map;
import org.apache.camel.spi.HeadersMapFactory;

/** Makes every message's headers {@link SharedHeaders}; to be given to a Camel context before it starts. */
public final class SharedHeadersFactory implements HeadersMapFactory {
    @Override
    public Map<String, Object> newMap() {
        return new SharedHeaders();
    }

    @Override
    public Map<String, Object> newMap(Map<String, Object> map) {
        return new SharedHeaders(map);
    }

    @Override
    public boolean isInstanceOf(Map<String, Object> map) {
        return map instanceof SharedHeaders;
    }

    @Override
    public boolean isCaseInsensitive() {
        return false;
    }
}
