/** What servers of different packages need of TLS. Knows nobody. */
package io.walroute.tls;
