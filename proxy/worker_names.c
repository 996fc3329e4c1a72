/* SPDX-License-Identifier: Apache-2.0 */
/* Names of clients: a worker looks into its cache and asks control; control
 * asks DNS. A session never waits for longer than RESOLVER_LIMIT_MS, whatever
 * becomes of control. */
#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/worker_internal.h"

/* Questions of this worker that have no answer yet. Beyond it clients have no
 * name: a flood of them must not keep the others waiting. */
#define OPEN_MAX 512
/* Answered ones stay in line behind one that is not. */
#define LINE_SIZE 4096
/* Questions that control takes in one turn. */
#define TAKEN_AT_ONCE 64

enum { WATCH_ANSWER, WATCH_QUESTIONS, WATCH_RESOLVER };

struct waiting {
	struct op who; /* slot and generation of the connection */
	int64_t until_ms;
	bool is_open;
};

struct worker_names {
	/* Of a worker. */
	struct client_name_cache *cache;
	int receive_fd, answer_fd;	/* the latter goes with each question */
	struct name_answer answer;	/* the kernel writes to it */
	struct waiting line[LINE_SIZE]; /* by number, modulo its size */
	uint64_t first, next;		/* numbers: those in line */
	uint32_t open_count;
	/* Of control. */
	struct resolver *resolver;
	unsigned armed; /* bit of WATCH_… */
};

/* What control has to do for a question. */
struct errand {
	struct name_answer answer;
	int answer_fd;
};

static const struct client_name failed = {.status = CLIENT_NAME_FAILED};

static const struct name_channel *channel_of(const struct worker *worker)
{
	return &worker->options->services->shared->names;
}

static bool init_worker(struct worker_names *names)
{
	int ends[2];

	names->cache = client_name_cache_create();
	if (names->cache == NULL ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	names->receive_fd = ends[0];
	names->answer_fd = ends[1];
	return true;
}

static void init_control(struct worker *worker, struct worker_names *names)
{
	const char *why;

	names->resolver = resolver_create(worker->settings, &why);
	if (names->resolver == NULL)
		log_line(worker->options->log, LOG_LEVEL_WARNING, NULL,
		    "clients have no names, since DNS cannot be asked: %s",
		    why);
}

void worker_names_init(struct worker *worker)
{
	struct worker_names *names = calloc(1, sizeof(*names));

	if (names == NULL)
		return;
	names->receive_fd = names->answer_fd = -1;
	worker->names = names;
	if (worker->options->is_control)
		init_control(worker, names);
	else if (!init_worker(names))
		worker_names_finish(worker);
}

void worker_names_finish(struct worker *worker)
{
	struct worker_names *names = worker->names;

	if (names == NULL)
		return;
	resolver_destroy(&names->resolver);
	client_name_cache_destroy(&names->cache);
	if (names->receive_fd != -1)
		close(names->receive_fd);
	if (names->answer_fd != -1)
		close(names->answer_fd);
	free(names);
	worker->names = NULL;
}

struct resolver *worker_names_resolver(const struct worker *worker)
{
	return worker->names != NULL ? worker->names->resolver : NULL;
}

static struct waiting *in_line(struct worker_names *names, uint64_t number)
{
	return &names->line[number % LINE_SIZE];
}

/* True when it is under way. */
static bool ask(
    struct worker *worker, struct op who, const struct client_address *address)
{
	struct worker_names *names = worker->names;
	struct name_question question = {
	    .id = names->next,
	    .asked_ms = worker->env.now_ms,
	    .address = *address,
	};

	if (names->open_count == OPEN_MAX ||
	    names->next - names->first == LINE_SIZE ||
	    !name_channel_ask(channel_of(worker), &question, names->answer_fd))
		return false;
	*in_line(names, names->next++) = (struct waiting){
	    .who = who,
	    .until_ms = worker->env.now_ms + RESOLVER_LIMIT_MS,
	    .is_open = true,
	};
	names->open_count++;
	return true;
}

bool worker_names_find(struct worker *worker, struct connection *connection)
{
	struct worker_names *names = worker->names;
	const struct client_name *name = NULL;
	struct client_address address;
	struct op who = {
	    .slot = connection_slot(&worker->connections, connection),
	    .generation = connection->generation,
	};

	client_address_read(&connection->flow.peer, &address);
	if (names != NULL)
		name = client_name_cache_find(
		    names->cache, &address, worker->env.now_ms);
	if (name == NULL && names != NULL && ask(worker, who, &address))
		return false;
	flow_named(
	    &connection->flow, &worker->env, name != NULL ? name : &failed);
	return true;
}

/* Its answer is there, or does not come. */
static void settle(struct worker *worker, struct waiting *waiting,
    const struct client_name *name)
{
	struct connection *connection =
	    connection_find(&worker->connections, waiting->who);

	waiting->is_open = false;
	worker->names->open_count--;
	if (connection == NULL || connection->flow.state == FLOW_CLOSED)
		return;
	flow_named(&connection->flow, &worker->env, name);
	worker_advance(worker, connection);
}

static void take_answer(struct worker *worker, int32_t len)
{
	struct worker_names *names = worker->names;
	const struct name_answer *answer = &names->answer;

	if (!name_answer_is_sound(answer, len))
		return;
	client_name_cache_put(
	    names->cache, &answer->address, &answer->name, worker->env.now_ms);
	if (answer->id < names->first || answer->id >= names->next ||
	    !in_line(names, answer->id)->is_open)
		return; /* too late: for the next one then */
	settle(worker, in_line(names, answer->id), &answer->name);
}

static void run_worker(struct worker *worker)
{
	struct worker_names *names = worker->names;
	struct op op = {.kind = OP_NAME, .slot = WATCH_ANSWER};

	while (names->first < names->next) {
		struct waiting *oldest = in_line(names, names->first);

		if (oldest->is_open && worker->env.now_ms < oldest->until_ms)
			break;
		names->first++;
		if (oldest->is_open)
			settle(worker, oldest, &failed);
	}
	if ((names->armed >> WATCH_ANSWER & 1) == 0 &&
	    ring_receive_into(&worker->ring, names->receive_fd, &names->answer,
		sizeof(names->answer), op))
		names->armed |= 1u << WATCH_ANSWER;
}

static void run_errand(void *argument, const struct client_name *name)
{
	struct errand *errand = argument;

	errand->answer.name = *name;
	name_channel_answer(errand->answer_fd, &errand->answer);
	close(errand->answer_fd);
	free(errand);
}

static void begin_errand(
    struct worker *worker, const struct name_question *question, int answer_fd)
{
	struct resolver *resolver = worker->names->resolver;
	struct errand *errand = malloc(sizeof(*errand));
	struct resolver_question asked = {
	    .address = question->address,
	    .argument = errand,
	    .done = run_errand,
	};

	if (errand == NULL) {
		close(answer_fd);
		return;
	}
	*errand = (struct errand){
	    .answer = {.id = question->id, .address = question->address},
	    .answer_fd = answer_fd,
	};
	if (resolver == NULL ||
	    !resolver_ask(resolver, &asked, worker->env.now_ms))
		run_errand(errand, &failed);
}

static void take_questions(struct worker *worker)
{
	int64_t oldest_ms = worker->env.now_ms - RESOLVER_LIMIT_MS;
	struct name_question question;
	int answer_fd;

	for (int i = 0; i < TAKEN_AT_ONCE; i++) {
		if (!name_channel_take(
			channel_of(worker), &question, &answer_fd))
			return;
		if (answer_fd == -1)
			continue;
		/* Nobody waits any more: there was no control for a while. */
		if (question.address.len == 0 || question.asked_ms < oldest_ms)
			close(answer_fd);
		else
			begin_errand(worker, &question, answer_fd);
	}
}

static void watch(struct worker *worker, unsigned which, int fd)
{
	struct op op = {.kind = OP_NAME, .slot = which};

	if ((worker->names->armed >> which & 1) == 0 &&
	    ring_watch(&worker->ring, fd, op))
		worker->names->armed |= 1u << which;
}

static void run_control(struct worker *worker)
{
	struct worker_names *names = worker->names;

	take_questions(worker);
	watch(worker, WATCH_QUESTIONS, channel_of(worker)->answers);
	if (names->resolver == NULL)
		return;
	resolver_run(names->resolver, worker->env.now_ms);
	watch(worker, WATCH_RESOLVER, resolver_fd(names->resolver));
}

void worker_names_run(struct worker *worker)
{
	if (worker->names == NULL)
		return;
	if (worker->options->is_control)
		run_control(worker);
	else
		run_worker(worker);
}

void worker_names_completed(struct worker *worker, struct op op, int32_t result)
{
	worker->names->armed &= ~(1u << op.slot);
	if (op.slot == WATCH_ANSWER)
		take_answer(worker, result);
}

int64_t worker_names_next_ms(const struct worker *worker)
{
	struct worker_names *names = worker->names;

	if (names == NULL)
		return DEADLINE_NONE;
	if (names->resolver != NULL)
		return resolver_next_ms(names->resolver);
	return names->first < names->next
		   ? in_line(names, names->first)->until_ms
		   : DEADLINE_NONE;
}
