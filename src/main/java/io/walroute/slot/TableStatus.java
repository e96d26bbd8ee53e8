package io.walroute.slot;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * One table as it should be followed and as it is.
 *
 * @param exists whether there is such a table
 * @param wanted whether walroute.tables names it
 * @param published whether its changes get into the WAL stream
 * @param replicaIdentity as set now, {@code mixed} where partitions differ; null without table
 * @param wantedIdentity as the settings want it; null if they leave it alone
 * @param identityIsRight whether it is as wanted
 * @param hasKey whether it has a primary key
 * @param frozen PostgreSQL refuses its UPDATEs and DELETEs
 */
public record TableStatus(
        TableName name,
        boolean exists,
        boolean wanted,
        boolean published,
        String replicaIdentity,
        String wantedIdentity,
        boolean identityIsRight,
        boolean hasKey,
        boolean frozen) {

    static TableStatus read(
            Connection connection, TableName name, boolean wanted, boolean published, ReplicaIdentity identity)
            throws SQLException {
        String wantedIdentity = identity == null ? null : identity.toString();
        Optional<TableInfo> root = TableInfo.find(connection, name);
        if (root.isEmpty()) {
            return new TableStatus(name, false, wanted, published, null, wantedIdentity, false, false, false);
        }
        List<TableInfo> parts = root.get().isPartitioned()
                ? TableInfo.withPartitions(connection, name).stream()
                        .filter(each -> !each.isPartitioned())
                        .toList()
                : List.of(root.get());
        // The names of indexes differ from partition to partition; setup sees to them by the root's.
        boolean right = identity == null
                || parts.stream()
                        .allMatch(each -> root.get().isPartitioned() && identity.kind() == ReplicaIdentity.Kind.INDEX
                                ? each.replicaIdentity() == identity.kind().letter()
                                : each.has(identity));
        return new TableStatus(
                name,
                true,
                wanted,
                published,
                identity(root.get(), parts),
                wantedIdentity,
                right,
                root.get().hasPrimaryKey(),
                published && parts.stream().anyMatch(TableInfo::isFrozenByPublishing));
    }

    private static String identity(TableInfo root, List<TableInfo> parts) {
        Set<String> all = new LinkedHashSet<>();
        for (TableInfo each : parts.isEmpty() ? List.of(root) : parts) {
            all.add(
                    each.replicaIdentity() == 'i' && !root.isPartitioned()
                            ? "index:" + each.identityIndex()
                            : word(each.replicaIdentity()));
        }
        return all.size() == 1 ? all.iterator().next() : "mixed";
    }

    private static String word(char letter) {
        return switch (letter) {
            case 'f' -> "full";
            case 'n' -> "nothing";
            case 'i' -> "index";
            default -> "default";
        };
    }
}
