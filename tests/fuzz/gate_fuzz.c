/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: bytes cut in two are answered like the whole; replies are whole
 * lines, bounded in number by the lines that came; what it keeps is clean. */
#include <stdlib.h>
#include <string.h>

#include "smtp/gate.h"

#define INPUT_SIZE_MAX	 1024
#define ANSWERS_SIZE_MAX (INPUT_SIZE_MAX * 128 + SMTP_EHLO_REPLY_SIZE_MAX)

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static const char offer_reply[] =
    "250-mx\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 AUTH PLAIN\r\n";

struct talk {
	struct smtp_client client;
	struct smtp_policy policy;
	struct smtp_ehlo offer;
	enum smtp_gate_event event; /* of the last step */
	enum smtp_end end;
	size_t used, steps;
	char answers[ANSWERS_SIZE_MAX];
	size_t answers_len;
};

static void expect(bool truth)
{
	if (!truth)
		abort();
}

/* The first byte chooses the settings. */
static void begin(struct talk *talk, uint8_t choice, bool forbid_pipelining)
{
	smtp_client_init(&talk->client);
	talk->policy = (struct smtp_policy){
	    .hostname = "gate.example",
	    .tls_level = (enum smtp_tls_level)(choice % 3),
	    .auth_only = (choice & 4) != 0,
	    .forbid_pipelining = forbid_pipelining,
	    .forbidden_commands = "CONNECT GET POST",
	    .line_size_max = (choice & 8) != 0 ? 512 : 16,
	    .hard_error_limit = (choice & 16) != 0 ? 1000 : 4,
	    .junk_command_limit = 8,
	};
	if ((choice & 32) != 0)
		smtp_client_tls_up(&talk->client);
	smtp_ehlo_parse((const uint8_t *)offer_reply, sizeof(offer_reply) - 1,
	    &talk->offer);
	talk->event = SMTP_GATE_NEED_MORE;
	talk->end = SMTP_END_NONE;
	talk->used = 0;
	talk->steps = 0;
	talk->answers_len = 0;
}

static void check_step(
    const struct talk *talk, const struct smtp_gate_step *step, size_t left)
{
	expect(step->used <= left);
	expect(step->reply_len <= sizeof(step->reply));
	expect(
	    (step->event == SMTP_GATE_CLOSE) == (step->end != SMTP_END_NONE));
	expect(step->event != SMTP_GATE_REPLY || step->used > 0);
	expect(step->event != SMTP_GATE_START_TLS || !talk->client.tls);
	if (step->event == SMTP_GATE_NEED_MORE)
		expect(step->reply_len == 0);
	else if (step->event == SMTP_GATE_BACKEND)
		expect(step->reply_len == 0 && step->used == 0);
	else
		expect(
		    step->reply_len > 5 &&
		    memcmp(step->reply + step->reply_len - 2, "\r\n", 2) == 0);
	/* The name goes to the backend and into the log. */
	expect(memchr(talk->client.helo, '\0', SMTP_HELO_SIZE) != NULL);
	for (const char *at = talk->client.helo; *at != '\0'; at++)
		expect((uint8_t)*at >= ' ' && *at != 0x7f);
}

/* Presents what came so far, from where the gate stopped. */
static void hear(struct talk *talk, const uint8_t *input, size_t input_len)
{
	static struct smtp_gate_step step;
	while (talk->event == SMTP_GATE_NEED_MORE ||
	       talk->event == SMTP_GATE_REPLY) {
		size_t left = input_len - talk->used;
		uint8_t *copy = malloc(left > 0 ? left : 1);
		expect(copy != NULL);
		memcpy(copy, input + talk->used, left);
		smtp_gate_step(&talk->client, &talk->policy, &talk->offer, copy,
		    left, &step);
		free(copy);
		check_step(talk, &step, left);
		talk->event = step.event;
		talk->end = step.end;
		talk->used += step.used;
		expect(talk->answers_len + step.reply_len <=
		       sizeof(talk->answers));
		memcpy(talk->answers + talk->answers_len, step.reply,
		    step.reply_len);
		talk->answers_len += step.reply_len;
		if (step.event == SMTP_GATE_NEED_MORE)
			return;
		/* One answer per line, and one because of errors. */
		talk->steps++;
		expect(talk->steps <= talk->used + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	static struct talk whole, parts;
	if (input_len < 3 || input_len > INPUT_SIZE_MAX)
		return -1;
	uint8_t choice = input[0];
	size_t cut = (size_t)(input[1] << 8 | input[2]) % (input_len - 2);
	input += 3;
	input_len -= 3;

	/* What is pipelined depends on the cut, so here it is allowed. */
	begin(&whole, choice, false);
	hear(&whole, input, input_len);
	begin(&parts, choice, false);
	hear(&parts, input, cut);
	hear(&parts, input, input_len);
	expect(whole.event == parts.event);
	expect(whole.end == parts.end);
	expect(whole.used == parts.used);
	expect(whole.answers_len == parts.answers_len);
	expect(memcmp(whole.answers, parts.answers, whole.answers_len) == 0);
	expect(memcmp(&whole.client.counts, &parts.client.counts,
		   sizeof(whole.client.counts)) == 0);
	expect(strcmp(whole.client.helo, parts.client.helo) == 0);

	begin(&whole, choice, true);
	hear(&whole, input, input_len);
	expect(
	    whole.client.improper == (whole.end == SMTP_END_CLIENT_PIPELINED));
	return 0;
}
