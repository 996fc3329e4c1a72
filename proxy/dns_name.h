/* SPDX-License-Identifier: Apache-2.0 */
/* Names as DNS has them and as we may write them. A PTR record holds whatever
 * the owner of an address likes, such as "evil CR LF MAIL FROM:<…>"
 * (CVE-2026-28753): what is no host name goes no further than this. Pure. */
#ifndef POSTERN_PROXY_DNS_NAME_H
#define POSTERN_PROXY_DNS_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 1035, 2.3.4: 255 octets on the wire are at most 253 in text. */
#define DNS_NAME_SIZE 256

/* Reads a name from the data of a record, not compressed (RFC 1035, 3.1), as
 * text in lower case without the last dot. False when it is no host name, as
 * Postfix sees it: labels of letters, digits, '_' and '-', which is neither
 * first nor last, of at most 63 octets, and not digits alone. */
bool dns_name_read(
    const uint8_t *data, size_t data_len, char out[DNS_NAME_SIZE]);

/* Whether text is such a name; it may end with a dot. */
bool dns_name_is_host(const char *text);

/* The name whose PTR record names an address (4 or 16 octets):
 * "1.2.0.192.in-addr.arpa", or nibbles below ip6.arpa (RFC 3596, 2.5). */
void dns_name_reverse(
    const uint8_t *address, size_t address_len, char out[DNS_NAME_SIZE]);

#endif
