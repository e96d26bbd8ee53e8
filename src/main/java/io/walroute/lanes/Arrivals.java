package io.walroute.lanes;

import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Deliveries in the order of their arrival; one is taken out at the same small cost wherever it stands, without a hash or an
 * object of its own. A delivery may be in one of these, once.
 *
 * <p>Not thread-safe: the lane calls under its lock, and changes nothing while it iterates.
 */
final class Arrivals implements Iterable<Delivery> {
    private Delivery first;
    private Delivery last;
    private int size;

    void add(Delivery delivery) {
        delivery.isHeld = true;
        delivery.arrivedBefore = last;
        if (last == null) {
            first = delivery;
        } else {
            last.arrivedAfter = delivery;
        }
        last = delivery;
        size++;
    }

    /** Returns false if it isn't in here. */
    boolean remove(Delivery delivery) {
        if (!delivery.isHeld) {
            return false;
        }
        delivery.isHeld = false;
        if (delivery.arrivedBefore == null) {
            first = delivery.arrivedAfter;
        } else {
            delivery.arrivedBefore.arrivedAfter = delivery.arrivedAfter;
        }
        if (delivery.arrivedAfter == null) {
            last = delivery.arrivedBefore;
        } else {
            delivery.arrivedAfter.arrivedBefore = delivery.arrivedBefore;
        }
        delivery.arrivedBefore = null;
        delivery.arrivedAfter = null;
        size--;
        return true;
    }

    int size() {
        return size;
    }

    boolean isEmpty() {
        return size == 0;
    }

    /** Null if there is none. */
    Delivery oldest() {
        return first;
    }

    Stream<Delivery> stream() {
        return StreamSupport.stream(spliterator(), false);
    }

    @Override
    public Iterator<Delivery> iterator() {
        return new Iterator<>() {
            private Delivery next = first;

            @Override
            public boolean hasNext() {
                return next != null;
            }

            @Override
            public Delivery next() {
                if (next == null) {
                    throw new NoSuchElementException();
                }
                Delivery current = next;
                next = current.arrivedAfter;
                return current;
            }
        };
    }
}
