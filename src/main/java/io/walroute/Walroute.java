package io.walroute;

public final class Walroute {
    private Walroute() {}

    public static void main(String[] args) {}
}
