/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/flow_backend_dane.h"

#include <stdio.h>
#include <string.h>

#include "proxy/flow_internal.h"
#include "tls/dane.h"

/* As Postfix says it. */
#define LOOKUP_ERROR "TLSA lookup error"

/* An answer as tls/ wants it; it lies in `answer`. */
struct records {
	struct state_dane_answer answer;
	struct tls_dane_record records[STATE_DANE_RECORDS_MAX];
	struct tls_dane dane;
};

static void read_records(const struct flow *flow,
    const struct flow_environment *env, struct records *records)
{
	const struct backend *backend = flow_backend(flow);
	const struct state_dane_answer *answer = &records->answer;

	state_dane_read(
	    &env->state->danes[backend->state_index], &records->answer);
	for (uint32_t i = 0; i < answer->count; i++)
		records->records[i] = (struct tls_dane_record){
		    .usage = answer->records[i].usage,
		    .selector = answer->records[i].selector,
		    .matching = answer->records[i].matching,
		    .data = answer->bytes + answer->records[i].at,
		    .len = answer->records[i].len,
		};
	records->dane = (struct tls_dane){.base_domain = answer->base_domain,
	    .host = backend->host,
	    .records = records->records,
	    .count = answer->count};
}

static void decide_by_records(struct flow *flow, const struct records *records)
{
	const struct backend_dane *dane = &flow_backend(flow)->tls.dane;
	struct flow_backend_tls *tls = &flow->backend_tls;

	tls->level = BACKEND_TLS_ENCRYPT;
	if (tls_dane_usable(dane->client, &records->dane) > 0) {
		tls->must_match = true;
		tls->by_dane = true;
		tls->client = dane->client;
	} else if (dane->is_only) {
		tls->dane_fault = "TLSA records unusable";
	} else {
		tls->client = dane->encrypt;
	}
}

void flow_backend_dane_decide(struct flow *flow, struct flow_environment *env)
{
	struct records records;

	read_records(flow, env, &records);
	switch ((enum state_dane_status)records.answer.status) {
	case STATE_DANE_UNKNOWN:
	case STATE_DANE_FAILED:
		flow->backend_tls.dane_fault = LOOKUP_ERROR;
		break;
	case STATE_DANE_ABSENT:
		if (flow_backend(flow)->tls.dane.is_only)
			flow->backend_tls.dane_fault = "no TLSA records found";
		break;
	case STATE_DANE_PRESENT:
		decide_by_records(flow, &records);
		break;
	}
}

void flow_backend_dane_refuse(struct flow *flow, struct flow_environment *env)
{
	const char *fault = flow->backend_tls.dane_fault;
	const char *port = strrchr(flow_backend(flow)->tls.peer, ':');
	char why[256];

	if (strcmp(fault, LOOKUP_ERROR) == 0)
		snprintf(why, sizeof(why), "4.7.5 %s for %s%s", fault,
		    flow_backend(flow)->host, port != NULL ? port : "");
	else
		snprintf(why, sizeof(why), "4.7.5 %s", fault);
	flow_try_next_backend(flow, env, BACKEND_PHASE_TLS, why);
}

struct tls_session *flow_backend_dane_session(
    const struct flow *flow, const struct flow_environment *env)
{
	struct records records;

	read_records(flow, env, &records);
	return tls_dane_session_create(flow->backend_tls.client, &records.dane);
}
