package io.walroute.bench;

/** One part of the bench, which sets up and takes down all it needs. */
interface Part {
    Section run() throws Exception;
}
