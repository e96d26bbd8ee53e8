package io.walroute.bench;

import io.walroute.change.ChangeEvent;
import io.walroute.change.Lsn;
import io.walroute.change.Operation;
import io.walroute.change.RawJson;
import io.walroute.change.Version;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Changes of the marketplace's listings as the stream gives them: all columns, before and after, and encoded already. */
final class SampleChanges {
    private static final Instant TIME = Instant.parse("2026-01-31T12:00:00.123456Z");

    private SampleChanges() {}

    /** An update of a price. As in the service, where the audit log comes first, its JSON is there. */
    static ChangeEvent listing(long number, long rows) {
        long id = 1 + number % rows;
        Map<String, Object> former = row(id, number);
        Map<String, Object> row = new LinkedHashMap<>(former);
        row.put("price_wei", "1" + String.format("%018d", number));
        row.put("updated_at", "2026-01-31T12:00:00.123456Z");
        ChangeEvent event = ChangeEvent.builder(
                        Operation.UPDATE,
                        "public",
                        "listings",
                        TIME,
                        new Version(1, new Lsn(0x17D5A48 + number * 300), 0))
                .xid(7000 + number)
                .key("id", id)
                .oldRow(former)
                .newRow(row)
                .changedColumns(List.of("price_wei", "updated_at"))
                .build();
        event.toJson();
        return event;
    }

    private static Map<String, Object> row(long id, long number) {
        var row = new LinkedHashMap<String, Object>();
        row.put("id", id);
        row.put("token_id", "6" + String.format("%076d", id));
        row.put("ens_name", "name-" + id + ".eth");
        row.put("seller_address", "0x" + String.format("%040x", id % 997));
        row.put("price_wei", "1000000000000000000");
        row.put("currency", "ETH");
        row.put("status", "active");
        row.put("expires_at", "2026-03-01T00:00:00.000000Z");
        row.put("metadata", new RawJson("{\"image\":\"ipfs://" + number + "\",\"tags\":[\"3-letter\",\"word\"]}"));
        row.put("created_at", "2026-01-30T08:00:00.000000Z");
        row.put("updated_at", "2026-01-30T08:00:00.000000Z");
        return row;
    }
}
