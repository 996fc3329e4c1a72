/* SPDX-License-Identifier: Apache-2.0 */
/* How workers ask the control process for the names of clients. One pair of
 * sockets for all, which the master makes before the first fork and keeps: it
 * outlives any control process, and a new one finds the questions that wait.
 * Each question brings along the descriptor for its answer, so nobody keeps a
 * list of who may ask, over reloads of workers or of control. */
#ifndef POSTERN_PROXY_NAME_CHANNEL_H
#define POSTERN_PROXY_NAME_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "proxy/client_name.h"

struct name_channel {
	bool is_open;
	int asks;    /* workers write to it */
	int answers; /* control reads from it */
};

struct name_question {
	uint64_t id;	  /* the asker's */
	int64_t asked_ms; /* CLOCK_MONOTONIC */
	struct client_address address;
};

struct name_answer {
	uint64_t id;
	struct client_address address;
	struct client_name name;
};

/* False with errno. */
bool name_channel_open(struct name_channel *channel);
void name_channel_close(struct name_channel *channel);

/* In a worker. False when too many questions wait already. */
bool name_channel_ask(const struct name_channel *channel,
    const struct name_question *question, int answer_fd);

/* In control: the next question. False when none waits. *answer_fd_out is the
 * caller's, and -1 where none came with it. */
bool name_channel_take(const struct name_channel *channel,
    struct name_question *question_out, int *answer_fd_out);

/* Never blocks: an asker that does not read gets nothing. */
void name_channel_answer(int answer_fd, const struct name_answer *answer);

/* Whether what was received can be an answer. */
bool name_answer_is_sound(const struct name_answer *answer, int32_t len);

#endif
