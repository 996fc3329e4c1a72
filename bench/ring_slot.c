/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ring_slot.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_SIZE 16384

/* Over, one way or the other: back to the free ones. */
static void release(struct slot *slot)
{
	struct job *job = slot->job;

	if (slot->state == SLOT_HELD)
		job->held--;
	else if (job->plan->work == DIALOGUE_IDLE)
		job->opening--;
	if (slot->fd >= 0)
		close(slot->fd);
	tls_connection_destroy(&slot->tls);
	slot_return_buffer(slot);
	slot->state = SLOT_FREE;
	slot->next = job->free;
	job->free = slot;
	slot->ring->active--;
}

void slot_fail(
    struct slot *slot, enum load_error error, const char *format, ...)
{
	struct load *load = slot->ring->load;
	struct load_tally *tally = slot->job->tally;
	va_list arguments;

	if (tally->fault[0] == '\0') {
		va_start(arguments, format);
		vsnprintf(
		    tally->fault, sizeof(tally->fault), format, arguments);
		va_end(arguments);
	}
	tally->errors[error]++;
	if (atomic_fetch_add(&load->error_count, 1) >=
	    (uint64_t)load->options->errors_max)
		atomic_store(&load->given_up, true);
	release(slot);
}

/* What the connection brought that outlives it. */
static void keep_ticket(struct slot *slot)
{
	struct tls_ticket *ticket = NULL;

	if (!slot->job->options->resume || slot->tls == NULL)
		return;
	ticket = tls_connection_take_ticket(slot->tls);
	if (ticket == NULL)
		return;
	tls_ticket_destroy(&slot->ticket);
	slot->ticket = ticket;
}

static void end(struct slot *slot)
{
	keep_ticket(slot);
	if (slot->priming && slot->ticket == NULL) {
		slot_fail(slot, LOAD_NOT_RESUMED,
		    "the server gave no session that could be resumed: are "
		    "tickets or a session cache switched on there?");
		return;
	}
	if (slot->priming)
		job_primed(slot);
	release(slot);
}

static bool output_is_left(const struct slot *slot)
{
	return slot->wire.out_len > slot->out_sent;
}

/* Goes on to say close_notify, to close, and to read what still comes, so that
 * no reset overtakes the last octets. */
static void begin_end(struct slot *slot)
{
	slot->state = SLOT_ENDING;
	slot->half_closed = false;
	if (slot->tls != NULL)
		tls_connection_close(slot->tls, &slot->wire);
	if (output_is_left(slot)) {
		slot_arm_send(slot);
		return;
	}
	shutdown(slot->fd, SHUT_WR);
	slot->half_closed = true;
	slot_arm_recv(slot);
}

static void hold(struct slot *slot)
{
	slot_return_buffer(slot);
	slot->state = SLOT_HELD;
	slot->job->opening--;
	slot->job->held++;
	slot_arm_watch(slot);
}

static void count_unit(struct slot *slot)
{
	struct load_tally *tally = slot->job->tally;
	uint64_t now_ns = load_now_ns();

	slot->dialogue.unit_done = false;
	slot->units_left--;
	if (slot->priming)
		return;
	tally->all_units++;
	atomic_fetch_add_explicit(
	    &slot->ring->thread->unit_count, 1, memory_order_relaxed);
	if (slot->ring->phase != LOAD_MEASURE)
		return;
	tally->units++;
	if (slot->job->plan->work == DIALOGUE_RELAY)
		tally->octets += slot->job->plan->message_len;
	histogram_record(&tally->latency, now_ns - slot->unit_ns);
}

/* False when the session is given up. */
static bool count_handshake(struct slot *slot)
{
	struct load_tally *tally = slot->job->tally;
	bool resumed = tls_connection_resumed(slot->tls);

	slot->secured = true;
	if (resumed)
		tally->all_resumed++;
	else
		tally->all_full++;
	if (slot->job->options->resume && !slot->priming && !resumed) {
		slot_fail(slot, LOAD_NOT_RESUMED,
		    "the server did not resume a session");
		return false;
	}
	if (tally->facts.protocol[0] == '\0' && !slot->priming)
		tls_connection_facts(slot->tls, &tally->facts);
	if (slot->ring->phase == LOAD_MEASURE)
		histogram_record(
		    &tally->setup, load_now_ns() - slot->connected_ns);
	dialogue_secured(&slot->dialogue);
	return true;
}

static void fail_tls(struct slot *slot)
{
	slot_fail(
	    slot, LOAD_TLS, "TLS failed: %s", tls_connection_fault(slot->tls));
}

/* True when TLS stands. */
static bool shake(struct slot *slot)
{
	if (slot->tls == NULL)
		slot->tls = tls_connection_create(slot->ring->load->tls,
		    slot->job->options->resume ? slot->ticket : NULL);
	if (slot->tls == NULL) {
		slot_fail(slot, LOAD_TLS, "no memory for a TLS session");
		return false;
	}
	switch (tls_connection_handshake(slot->tls, &slot->wire)) {
	case TLS_CLIENT_OK:
		return count_handshake(slot);
	case TLS_CLIENT_NEED_INPUT:
		return false;
	case TLS_CLIENT_CLOSED:
	case TLS_CLIENT_FAILED:
		fail_tls(slot);
		return false;
	}
	return false;
}

static void closed_early(struct slot *slot)
{
	slot_fail(slot, LOAD_CLOSED,
	    "the server closed the connection early%s%s",
	    slot->dialogue.reply.text_len > 0 ? "; its last words were: " : "",
	    slot->dialogue.reply.text);
}

/* Takes in all that was received. */
static void absorb(struct slot *slot, size_t received_len)
{
	char text[TEXT_SIZE];
	size_t len;

	slot->wire.in_len = received_len;
	slot->wire.in_used = 0;
	if (slot->tls == NULL) {
		slot->wire.in_used = received_len;
		dialogue_input(&slot->dialogue, (const char *)slot->buffer->in,
		    received_len);
		return;
	}
	if (!slot->secured && !shake(slot))
		return;
	for (;;) {
		switch (tls_connection_read(
		    slot->tls, &slot->wire, text, sizeof(text), &len)) {
		case TLS_CLIENT_OK:
			dialogue_input(&slot->dialogue, text, len);
			continue;
		case TLS_CLIENT_NEED_INPUT:
			return;
		case TLS_CLIENT_CLOSED:
			if (dialogue_wants(&slot->dialogue) !=
			    DIALOGUE_WANT_END)
				closed_early(slot);
			return;
		case TLS_CLIENT_FAILED:
			fail_tls(slot);
			return;
		}
	}
}

/* Puts what the dialogue has to say into the buffer. False: it is full. */
static bool fill(struct slot *slot)
{
	struct tls_client_wire *wire = &slot->wire;
	const char *data;
	size_t len = dialogue_output(&slot->dialogue, &data);
	size_t used;

	if (wire->out_size - wire->out_len < TLS_CLIENT_RECORD_SIZE)
		return false;
	if (slot->tls == NULL) {
		used = wire->out_size - wire->out_len;
		if (used > len)
			used = len;
		memcpy(wire->out + wire->out_len, data, used);
		wire->out_len += used;
	} else if (tls_connection_write(slot->tls, wire, data, len, &used) !=
		   TLS_CLIENT_OK) {
		return false;
	}
	dialogue_sent(&slot->dialogue, used);
	return true;
}

/* False when the session waits until one is due, or ends. */
static bool next_unit(struct slot *slot)
{
	if (slot->dialogue.unit_done)
		count_unit(slot);
	if (!slot->unit_assigned &&
	    (slot->units_left <= 0 || !job_take_unit(slot))) {
		if (slot->units_left > 0 && job_is_open_loop(slot->job) &&
		    slot->ring->phase != LOAD_DRAIN &&
		    slot->job->units_left != 0) {
			slot->state = SLOT_READY;
			slot->next = slot->job->ready;
			slot->job->ready = slot;
			return false;
		}
		dialogue_finish(&slot->dialogue);
		return true;
	}
	slot->unit_assigned = false;
	if (!job_is_open_loop(slot->job))
		slot->unit_ns = load_now_ns();
	dialogue_begin_unit(&slot->dialogue);
	return true;
}

/* True when there is more to do at once. */
static bool handshake_goes_on(struct slot *slot)
{
	if (shake(slot))
		return true;
	if (slot->state == SLOT_FREE)
		return false;
	if (output_is_left(slot))
		slot_arm_send(slot);
	else
		slot_arm_recv(slot);
	return false;
}

static void fill_or_send(struct slot *slot, bool *again)
{
	*again = fill(slot);
	if (*again)
		return;
	if (output_is_left(slot))
		slot_arm_send(slot);
	else
		fail_tls(slot);
}

/* What the dialogue wants that is not to say something. */
static bool follow(struct slot *slot)
{
	switch (dialogue_wants(&slot->dialogue)) {
	case DIALOGUE_WANT_SEND:
		return true;
	case DIALOGUE_WANT_INPUT:
		if (output_is_left(slot))
			slot_arm_send(slot);
		else
			slot_arm_recv(slot);
		return false;
	case DIALOGUE_WANT_TLS:
		return handshake_goes_on(slot);
	case DIALOGUE_WANT_UNIT:
		return next_unit(slot);
	case DIALOGUE_WANT_NOTHING:
		if (output_is_left(slot))
			slot_arm_send(slot);
		else
			hold(slot);
		return false;
	case DIALOGUE_WANT_END:
		if (slot->dialogue.unit_done)
			count_unit(slot);
		begin_end(slot);
		return false;
	case DIALOGUE_FAILED:
		slot_fail(slot, LOAD_ANSWER, "%s", slot->dialogue.fault);
		return false;
	}
	return false;
}

void slot_talk(struct slot *slot)
{
	bool again = true;

	slot->state = SLOT_TALKING;
	while (again) {
		if (dialogue_wants(&slot->dialogue) == DIALOGUE_WANT_SEND)
			fill_or_send(slot, &again);
		else
			again = follow(slot);
	}
}

void slot_start(struct slot *slot)
{
	struct job *job = slot->job;

	dialogue_init(&slot->dialogue, job->plan);
	slot->units_left = job->plan->work == DIALOGUE_HANDSHAKE
			       ? 1
			       : slot->ring->load->options->messages;
	slot->timed_out = false;
	slot->secured = false;
	slot->connected_ns = load_now_ns();
	slot->progress_ns = slot->connected_ns;
	slot->state = SLOT_CONNECTING;
	slot->ring->active++;
	if (job->plan->work == DIALOGUE_IDLE)
		job->opening++;
	if (!slot_open(slot)) {
		slot->fd = -1;
		slot_fail(
		    slot, LOAD_NOT_CONNECTED, "no socket: %s", strerror(errno));
		return;
	}
	if (!slot_borrow_buffer(slot)) {
		slot_fail(slot, LOAD_NOT_CONNECTED, "no memory for a session");
		return;
	}
	slot_arm_connect(slot);
}

static void completed_talk(struct slot *slot, int result)
{
	if (result < 0 || (result == 0 && !output_is_left(slot))) {
		if (result < 0 && result != -ECONNRESET && result != -EPIPE)
			slot_fail(slot, LOAD_CLOSED, "the connection broke: %s",
			    strerror(-result));
		else
			closed_early(slot);
		return;
	}
	if (output_is_left(slot)) {
		slot->out_sent += (size_t)result;
		if (output_is_left(slot)) {
			slot_arm_send(slot);
			return;
		}
		slot->wire.out_len = 0;
		slot->out_sent = 0;
	} else {
		absorb(slot, (size_t)result);
	}
	if (slot->state == SLOT_TALKING)
		slot_talk(slot);
}

/* Whatever else came is of no interest any more. */
static void look_for_ticket(struct slot *slot, size_t received_len)
{
	char text[TEXT_SIZE];
	size_t len;

	slot->wire.in_len = received_len;
	slot->wire.in_used = 0;
	while (tls_connection_read(slot->tls, &slot->wire, text, sizeof(text),
		   &len) == TLS_CLIENT_OK)
		continue;
}

static void completed_end(struct slot *slot, int result)
{
	if (!slot->half_closed && result > 0) {
		slot->out_sent += (size_t)result;
		if (output_is_left(slot)) {
			slot_arm_send(slot);
			return;
		}
		shutdown(slot->fd, SHUT_WR);
		slot->half_closed = true;
		slot_arm_recv(slot);
		return;
	}
	/* The work is done; whether it ends with FIN or with RST is the
	 * server's affair. */
	if (result <= 0) {
		end(slot);
		return;
	}
	if (slot->job->options->resume && slot->tls != NULL)
		look_for_ticket(slot, (size_t)result);
	slot_arm_recv(slot);
}

static void completed_watch(struct slot *slot)
{
	if (slot->ring->phase == LOAD_DRAIN) {
		release(slot);
		return;
	}
	slot_fail(slot, LOAD_CLOSED, "the server closed a held session");
}

void slot_completed(struct slot *slot, int result)
{
	slot->progress_ns = slot->ring->now_ns;
	if (result >= 0)
		slot->timed_out = false;
	if (slot->timed_out) {
		slot_fail(slot, LOAD_TIMED_OUT,
		    "the server did nothing for %.3g s",
		    slot->ring->load->options->timeout_s);
		return;
	}
	switch (slot->state) {
	case SLOT_CONNECTING:
		if (result == 0)
			slot->job->tally->all_sessions++;
		if (result < 0)
			slot_fail(slot, LOAD_NOT_CONNECTED, "no connection: %s",
			    strerror(-result));
		else
			slot_talk(slot);
		return;
	case SLOT_TALKING:
		completed_talk(slot, result);
		return;
	case SLOT_ENDING:
		completed_end(slot, result);
		return;
	case SLOT_HELD:
		completed_watch(slot);
		return;
	case SLOT_FREE:
	case SLOT_READY:
		/* Nothing is under way then. */
		assert(slot->state != SLOT_FREE);
		assert(slot->state != SLOT_READY);
		return;
	}
}
