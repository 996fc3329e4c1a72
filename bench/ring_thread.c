/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/ring_slot.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE_SIZE    4096
#define BATCH_SIZE    256
#define SCAN_EVERY_NS UINT64_C(100000000)
#define WAIT_MAX_NS   UINT64_C(20000000)
#define NS_PER_S      UINT64_C(1000000000)

const char *load_error_name(enum load_error error)
{
	static const char *const names[LOAD_ERROR_COUNT] = {"not_connected",
	    "closed", "timed_out", "tls", "answer", "not_resumed"};

	return names[error];
}

uint64_t load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

long load_share(const struct load_thread *thread, long total)
{
	long thread_count = thread->load->options->threads;

	return total / thread_count + (thread->number < total % thread_count);
}

bool job_is_open_loop(const struct job *job)
{
	return job->options->rate_per_s > 0;
}

/* When the next unit of an open loop should begin. */
static uint64_t due_ns(const struct ring_thread *ring, const struct job *job)
{
	double first =
	    (double)ring->thread->number / (double)ring->load->options->threads;

	return ring->load->begun_ns +
	       (uint64_t)llround(
		   ((double)job->due_count + first) * job->due_every_ns);
}

bool job_take_unit(struct slot *slot)
{
	struct ring_thread *ring = slot->ring;
	struct job *job = slot->job;

	if (ring->phase == LOAD_PRIME || ring->phase == LOAD_DRAIN ||
	    job->units_left == 0)
		return false;
	slot->unit_ns = load_now_ns();
	if (job_is_open_loop(job)) {
		uint64_t intended_ns = due_ns(ring, job);

		if (intended_ns > slot->unit_ns)
			return false;
		slot->unit_ns = intended_ns;
		job->due_count++;
	}
	if (job->units_left > 0)
		job->units_left--;
	slot->unit_assigned = true;
	return true;
}

void job_primed(struct slot *slot)
{
	slot->priming = false;
	atomic_fetch_sub(&slot->ring->thread->unprimed, 1);
}

static struct slot *pop(struct slot **list)
{
	struct slot *slot = *list;

	*list = slot->next;
	return slot;
}

static void step_idle(struct ring_thread *ring, struct job *job)
{
	long target =
	    load_share(ring->thread, atomic_load(&ring->load->hold_target));
	long opening_max = load_share(ring->thread, job->options->connections);

	while (ring->phase != LOAD_DRAIN && job->free != NULL &&
	       job->held + job->opening < target &&
	       job->opening < (opening_max > 0 ? opening_max : 1) &&
	       !atomic_load(&ring->load->given_up))
		slot_start(pop(&job->free));
	atomic_store(&ring->thread->held, job->held);
}

/* Each slot makes a session of its own, to resume it again and again. */
static void step_prime(struct ring_thread *ring, struct job *job)
{
	struct slot *primed = NULL;

	while (job->free != NULL && !atomic_load(&ring->load->given_up)) {
		struct slot *slot = pop(&job->free);

		if (slot->ticket != NULL) {
			slot->next = primed;
			primed = slot;
			continue;
		}
		slot->priming = true;
		slot_start(slot);
	}
	while (primed != NULL) {
		struct slot *slot = pop(&primed);

		slot->next = job->free;
		job->free = slot;
	}
}

static void step_job(struct ring_thread *ring, struct job *job)
{
	if (job->plan->work == DIALOGUE_IDLE) {
		step_idle(ring, job);
		return;
	}
	if (ring->phase == LOAD_PRIME) {
		if (job->options->resume)
			step_prime(ring, job);
		return;
	}
	while (job->ready != NULL) {
		struct slot *slot = job->ready;

		if (!job_take_unit(slot) && ring->phase != LOAD_DRAIN &&
		    job->units_left != 0)
			break;
		pop(&job->ready);
		if (!slot->unit_assigned)
			slot->units_left = 0; /* says QUIT */
		slot->progress_ns = ring->now_ns;
		slot_talk(slot);
	}
	while (job->free != NULL && job_take_unit(job->free))
		slot_start(pop(&job->free));
}

/* Held sessions end abruptly: nobody measures that. */
static void let_go(struct ring_thread *ring)
{
	for (size_t i = 0; i < ring->load->options->job_count; i++)
		for (long j = 0; j < ring->jobs[i].slot_count; j++)
			if (ring->jobs[i].slots[j].state == SLOT_HELD)
				shutdown(ring->jobs[i].slots[j].fd, SHUT_RDWR);
}

static void begin_measurement(struct ring_thread *ring)
{
	for (size_t i = 0; i < ring->load->options->job_count; i++) {
		struct load_tally *tally = ring->jobs[i].tally;

		tally->units = 0;
		tally->octets = 0;
		memset(&tally->latency, 0, sizeof(tally->latency));
		memset(&tally->setup, 0, sizeof(tally->setup));
	}
}

static void see_phase(struct ring_thread *ring)
{
	enum load_phase phase =
	    (enum load_phase)atomic_load(&ring->load->phase);

	if (atomic_load(&ring->load->given_up))
		phase = LOAD_DRAIN;
	if (phase == ring->phase)
		return;
	if (phase == LOAD_MEASURE)
		begin_measurement(ring);
	ring->phase = phase;
	if (phase == LOAD_DRAIN)
		let_go(ring);
}

static void scan_for_timeouts(struct ring_thread *ring)
{
	uint64_t limit_ns =
	    (uint64_t)(ring->load->options->timeout_s * (double)NS_PER_S);

	ring->scanned_ns = ring->now_ns;
	for (size_t i = 0; i < ring->load->options->job_count; i++)
		for (long j = 0; j < ring->jobs[i].slot_count; j++) {
			struct slot *slot = &ring->jobs[i].slots[j];

			if (slot->state == SLOT_FREE ||
			    slot->state == SLOT_READY ||
			    slot->state == SLOT_HELD || slot->timed_out ||
			    ring->now_ns < slot->progress_ns + limit_ns)
				continue;
			slot->timed_out = true;
			slot_cancel(slot);
		}
}

/* Is there still something that this thread may have to begin? */
static bool is_exhausted(const struct ring_thread *ring)
{
	if (ring->phase == LOAD_DRAIN)
		return true;
	if (ring->phase == LOAD_PRIME)
		return false;
	for (size_t i = 0; i < ring->load->options->job_count; i++)
		if (ring->jobs[i].units_left != 0)
			return false;
	return true;
}

static uint64_t wait_ns(const struct ring_thread *ring)
{
	uint64_t wait = WAIT_MAX_NS;

	for (size_t i = 0; i < ring->load->options->job_count; i++) {
		const struct job *job = &ring->jobs[i];
		uint64_t due;

		if (!job_is_open_loop(job) || job->units_left == 0 ||
		    (job->free == NULL && job->ready == NULL))
			continue;
		due = due_ns(ring, job);
		if (due <= ring->now_ns)
			return 1;
		if (due - ring->now_ns < wait)
			wait = due - ring->now_ns;
	}
	return wait;
}

static void wait_for_completions(struct ring_thread *ring)
{
	struct io_uring_cqe *cqes[BATCH_SIZE];
	uint64_t wait = wait_ns(ring);
	struct __kernel_timespec timeout = {
	    .tv_sec = (long long)(wait / NS_PER_S),
	    .tv_nsec = (long long)(wait % NS_PER_S),
	};
	unsigned count;

	io_uring_submit_and_wait_timeout(&ring->ring, cqes, 1, &timeout, NULL);
	ring->now_ns = load_now_ns();
	see_phase(ring);
	while ((count = io_uring_peek_batch_cqe(
		    &ring->ring, cqes, BATCH_SIZE)) > 0) {
		for (unsigned i = 0; i < count; i++) {
			struct slot *slot = io_uring_cqe_get_data(cqes[i]);

			if (slot != NULL)
				slot_completed(slot, cqes[i]->res);
		}
		io_uring_cq_advance(&ring->ring, count);
	}
}

static void loop(struct ring_thread *ring)
{
	for (;;) {
		ring->now_ns = load_now_ns();
		see_phase(ring);
		for (size_t i = 0; i < ring->load->options->job_count; i++)
			step_job(ring, &ring->jobs[i]);
		if (ring->active == 0 && is_exhausted(ring))
			return;
		wait_for_completions(ring);
		if (ring->now_ns - ring->scanned_ns > SCAN_EVERY_NS)
			scan_for_timeouts(ring);
	}
}

static bool init_job(struct ring_thread *ring, size_t number)
{
	const struct options *options = ring->load->options;
	struct job *job = &ring->jobs[number];
	bool is_idle;

	job->options = &options->jobs[number];
	job->plan = &ring->load->plans[number];
	job->tally = &ring->thread->tallies[number];
	is_idle = job->plan->work == DIALOGUE_IDLE;
	job->slot_count = load_share(ring->thread,
	    is_idle ? options->sessions.values[options->sessions.count - 1]
		    : job->options->connections);
	job->units_left =
	    options->count > 0 ? load_share(ring->thread, options->count) : -1;
	if (is_idle || job->slot_count == 0)
		job->units_left = is_idle ? -1 : 0;
	/* The threads take turns in the schedule of an open loop. */
	if (job_is_open_loop(job))
		job->due_every_ns = (double)NS_PER_S *
				    (double)options->threads /
				    job->options->rate_per_s;
	job->slots = calloc((size_t)job->slot_count + 1, sizeof(*job->slots));
	if (job->slots == NULL)
		return false;
	for (long i = job->slot_count - 1; i >= 0; i--) {
		job->slots[i].ring = ring;
		job->slots[i].job = job;
		job->slots[i].next = job->free;
		job->free = &job->slots[i];
	}
	return true;
}

static bool init(struct ring_thread *ring)
{
	struct io_uring_params parameters = {
	    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
		     IORING_SETUP_CQSIZE,
	    .cq_entries = 4 * QUEUE_SIZE,
	};
	int status;

	status =
	    io_uring_queue_init_params(QUEUE_SIZE, &ring->ring, &parameters);
	if (status == -EINVAL) /* Linux before 6.1 */
		status = io_uring_queue_init(QUEUE_SIZE, &ring->ring, 0);
	if (status < 0) {
		snprintf(ring->thread->fault, sizeof(ring->thread->fault),
		    "no io_uring: %s; is /proc/sys/kernel/io_uring_disabled "
		    "set, or a seccomp filter of a container?",
		    strerror(-status));
		return false;
	}
	for (size_t i = 0; i < ring->load->options->job_count; i++)
		if (!init_job(ring, i)) {
			snprintf(ring->thread->fault,
			    sizeof(ring->thread->fault),
			    "no memory for so many connections");
			io_uring_queue_exit(&ring->ring);
			return false;
		}
	return true;
}

static void finish(struct ring_thread *ring)
{
	for (size_t i = 0; i < ring->load->options->job_count; i++) {
		for (long j = 0; j < ring->jobs[i].slot_count; j++)
			tls_ticket_destroy(&ring->jobs[i].slots[j].ticket);
		free(ring->jobs[i].slots);
	}
	while (ring->buffers != NULL) {
		struct ring_buffer *next = ring->buffers->next;

		free(ring->buffers);
		ring->buffers = next;
	}
}

static void pin(const struct load_thread *thread)
{
	const struct options_list *cpus = &thread->load->options->cpus;
	cpu_set_t set;

	if (cpus->count == 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(cpus->values[(size_t)thread->number % cpus->count], &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

void *load_thread_run(void *argument)
{
	struct load_thread *thread = argument;
	struct ring_thread *ring = calloc(1, sizeof(*ring));

	if (ring == NULL) {
		snprintf(thread->fault, sizeof(thread->fault),
		    "no memory for a thread");
		atomic_store(&thread->done, true);
		return NULL;
	}
	ring->thread = thread;
	ring->load = thread->load;
	pin(thread);
	if (init(ring)) {
		loop(ring);
		io_uring_queue_exit(&ring->ring);
		finish(ring);
	}
	free(ring);
	atomic_store(&thread->done, true);
	return NULL;
}
