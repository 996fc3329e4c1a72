/* SPDX-License-Identifier: Apache-2.0 */
/* How strong a key exchange is against who tries to compute its secret. Pure.
 */
#ifndef POSTERN_PROXY_PROBE_STRENGTH_H
#define POSTERN_PROXY_PROBE_STRENGTH_H

#include "tls/facts.h"

struct probe_strength {
	int bits;	  /* of a symmetric key as strong; 0: not known */
	const char *word; /* "weak", "fair", "strong", "none", "unknown"; static
			   */
};

/* NIST SP 800-57 part 1 rev. 5, table 2; RFC 7919, appendix A, for the groups
 * between its rows. Under 112 bits is weak (RFC 9325, 4.3), from 128 on strong.
 * "none" is it without forward secrecy. */
struct probe_strength probe_strength_of(const struct tls_facts *facts);

#endif
