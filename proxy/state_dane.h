/* SPDX-License-Identifier: Apache-2.0 */
/* What DNS says of the certificate of each backend (TLSA), as control found it
 * out. Control writes it; workers, which never ask DNS, read it. */
#ifndef POSTERN_PROXY_STATE_DANE_H
#define POSTERN_PROXY_STATE_DANE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* As much as a server has good reason to say; what is beyond is left out, which
 * control tells in the log. */
#define STATE_DANE_RECORDS_MAX 16
#define STATE_DANE_BYTES_MAX   4096
#define STATE_DANE_NAME_SIZE   256

enum state_dane_status {
	STATE_DANE_UNKNOWN, /* not asked yet */
	STATE_DANE_FAILED,  /* DNS has no answer, or none to believe */
	STATE_DANE_ABSENT,  /* there is none, or it is not signed */
	STATE_DANE_PRESENT, /* signed records, of whatever use */
};

struct state_dane_record {
	uint8_t usage, selector, matching, unused;
	uint16_t at, len; /* in bytes[] */
};

struct state_dane_answer {
	uint32_t status; /* enum state_dane_status */
	uint32_t count;
	struct state_dane_record records[STATE_DANE_RECORDS_MAX];
	char base_domain[STATE_DANE_NAME_SIZE]; /* whose records they are */
	uint8_t bytes[STATE_DANE_BYTES_MAX];
};

struct state_dane {
	_Alignas(64) _Atomic uint32_t sequence; /* seqlock: odd while written */
	struct state_dane_answer answer;
};

void state_dane_publish(
    struct state_dane *dane, const struct state_dane_answer *answer);

/* A consistent copy; STATE_DANE_UNKNOWN while there is none. What it says of
 * records is within bounds. */
void state_dane_read(
    const struct state_dane *dane, struct state_dane_answer *copy_out);

/* The entry is for another backend from now on. Also mends what a writer that
 * died left half written. */
void state_dane_forget(struct state_dane *dane);

#endif
