/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/name_channel.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <criterion/criterion.h>

static struct name_channel channel;
static int ends[2];

static void init(void)
{
	cr_assert(name_channel_open(&channel));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
}

static void fini(void)
{
	name_channel_close(&channel);
	cr_assert_not(channel.is_open);
	name_channel_close(&channel);
	close(ends[0]);
	close(ends[1]);
}

TestSuite(name_channel, .init = init, .fini = fini);

static const struct name_question question = {
    .id = 7,
    .asked_ms = 1000,
    .address = {.len = 4, .bytes = {192, 0, 2, 1}},
};

Test(name_channel, an_answer_goes_where_the_question_came_from)
{
	struct name_answer answer = {.id = 7, .name.text = "mx.example.test"};
	struct name_answer heard;
	struct name_question taken;
	int fd = -1;

	answer.address = question.address;
	cr_assert_not(name_channel_take(&channel, &taken, &fd));
	cr_assert(name_channel_ask(&channel, &question, ends[1]));
	cr_assert(name_channel_take(&channel, &taken, &fd));
	cr_assert_eq(taken.id, 7);
	cr_assert_eq(taken.address.len, 4);
	cr_assert_neq(fd, -1);
	name_channel_answer(fd, &answer);
	close(fd);
	cr_assert_eq(
	    recv(ends[0], &heard, sizeof(heard), MSG_DONTWAIT), sizeof(heard));
	cr_assert(name_answer_is_sound(&heard, sizeof(heard)));
	cr_assert_str_eq(heard.name.text, "mx.example.test");
	cr_assert_not(name_channel_take(&channel, &taken, &fd));
}

/* Nobody takes them: control is gone. */
Test(name_channel, there_is_an_end_of_what_can_wait)
{
	int count = 0;

	while (
	    count < 1000000 && name_channel_ask(&channel, &question, ends[1]))
		count++;
	cr_assert_gt(count, 16);
	cr_assert_lt(count, 1000000);
}

Test(name_channel, what_is_no_question_has_no_address)
{
	struct name_question bad = question;
	struct name_question taken;
	int fd = 0;

	bad.address.len = 200;
	cr_assert(name_channel_ask(&channel, &bad, ends[1]));
	cr_assert(name_channel_take(&channel, &taken, &fd));
	cr_assert_eq(taken.address.len, 0);
	close(fd);
	cr_assert_eq(send(channel.asks, "short", 5, 0), 5);
	cr_assert(name_channel_take(&channel, &taken, &fd));
	cr_assert_eq(taken.address.len, 0);
	cr_assert_eq(fd, -1);
}

Test(name_channel, an_asker_that_is_gone_costs_nothing)
{
	struct name_answer answer = {.id = 7};
	struct name_question taken;
	int fd = -1;

	cr_assert(name_channel_ask(&channel, &question, ends[1]));
	close(ends[0]);
	cr_assert(name_channel_take(&channel, &taken, &fd));
	name_channel_answer(fd, &answer);
	close(fd);
	ends[0] = dup(ends[1]);
}

Test(name_channel, what_is_not_an_answer)
{
	struct name_answer answer = {.address = {.len = 16}};
	int32_t len = sizeof(answer);

	cr_assert(name_answer_is_sound(&answer, len));
	cr_assert_not(name_answer_is_sound(&answer, len - 1));
	cr_assert_not(name_answer_is_sound(&answer, -11));
	answer.address.len = 5;
	cr_assert_not(name_answer_is_sound(&answer, len));
	answer.address.len = 4;
	answer.name.status =
	    (enum client_name_status)(CLIENT_NAME_CONFIRMED + 1);
	cr_assert_not(name_answer_is_sound(&answer, len));
	answer.name.status = CLIENT_NAME_CONFIRMED;
	memset(answer.name.text, 'a', sizeof(answer.name.text));
	cr_assert_not(name_answer_is_sound(&answer, len));
}

Test(name_channel, none_is_open)
{
	struct name_channel none = {0};
	struct name_question taken;
	int fd;

	cr_assert_not(name_channel_ask(&none, &question, ends[1]));
	cr_assert_not(name_channel_take(&none, &taken, &fd));
	name_channel_close(&none);
}
