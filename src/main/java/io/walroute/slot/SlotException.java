package io.walroute.slot;

import io.walroute.slot.Finding.Fault;
import java.sql.SQLException;

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

    /** Of a statement about a slot. @param what wasn't done, as {@code advanced} */
    static SlotException of(SQLException e, String slot, String what) {
        Fault fault = "42501".equals(e.getSQLState())
                ? Fault.PERMISSION
                : "55006".equals(e.getSQLState()) ? Fault.SLOT_ACTIVE : Fault.STATEMENT_FAILED;
        return new SlotException(
                Finding.of(
                        fault,
                        "The replication slot " + slot + " could not be " + what + ": " + ConnectFailure.line(e)),
                e);
    }

    public Finding finding() {
        return finding;
    }
}
