package io.walroute.change;

public interface PgType {
    Object convert(String text);

    static PgType of(String name) {
        return switch (name) {
            case "int4", "int8", "int2" -> Long::valueOf;
            default -> t -> t;
        };
    }
}
