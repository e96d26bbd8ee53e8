package io.walroute.load;

import io.walroute.settings.Settings;
import io.walroute.slot.TableName;
import java.util.Optional;

/** What entries of the cache are called. */
final class CacheKeys {
    private CacheKeys() {}

    /** What stands before the primary key of each of a table's entries. */
    static String prefix(Settings settings, String table) {
        var of = Optional.ofNullable(settings.tableSettings().get(new TableName("public", table)));
        return of.flatMap(each -> each.cachePrefix()).orElse(settings.cachePrefix()) + table + ":";
    }

    static String encode(String keyValue) {
        return keyValue.replace("%", "%25").replace(":", "%3A");
    }
}
