package io.walroute.slot;

/** A finding that ends what was being done. */
public final class SlotException extends Exception {
    private final transient Finding finding;

    SlotException(Finding finding) {
        this(finding, null);
    }

    SlotException(Finding finding, Throwable cause) {
        super(finding.line(), cause);
        this.finding = finding;
    }

    public Finding finding() {
        return finding;
    }
}
