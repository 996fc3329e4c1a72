/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/name_channel.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union descriptor_message {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool name_channel_open(struct name_channel *channel)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
		return false;
	*channel = (struct name_channel){
	    .is_open = true,
	    .asks = ends[0],
	    .answers = ends[1],
	};
	return true;
}

void name_channel_close(struct name_channel *channel)
{
	if (!channel->is_open)
		return;
	close(channel->asks);
	close(channel->answers);
	channel->is_open = false;
}

bool name_channel_ask(const struct name_channel *channel,
    const struct name_question *question, int answer_fd)
{
	struct iovec bytes = {
	    .iov_base = (void *)question,
	    .iov_len = sizeof(*question),
	};
	union descriptor_message descriptor = {0};
	struct msghdr message = {
	    .msg_iov = &bytes,
	    .msg_iovlen = 1,
	    .msg_control = &descriptor,
	    .msg_controllen = sizeof(descriptor),
	};

	if (!channel->is_open)
		return false;
	descriptor.header = (struct cmsghdr){
	    .cmsg_level = SOL_SOCKET,
	    .cmsg_type = SCM_RIGHTS,
	    .cmsg_len = CMSG_LEN(sizeof(int)),
	};
	memcpy(CMSG_DATA(&descriptor.header), &answer_fd, sizeof(int));
	return sendmsg(channel->asks, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	       (ssize_t)sizeof(*question);
}

/* There is room for one: the kernel drops what else may come. */
static int descriptor_of(struct msghdr *message)
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);
	int fd = -1;

	if (header != NULL && header->cmsg_level == SOL_SOCKET &&
	    header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

bool name_channel_take(const struct name_channel *channel,
    struct name_question *question_out, int *answer_fd_out)
{
	struct iovec bytes = {
	    .iov_base = question_out,
	    .iov_len = sizeof(*question_out),
	};
	union descriptor_message descriptor = {0};
	struct msghdr message = {
	    .msg_iov = &bytes,
	    .msg_iovlen = 1,
	    .msg_control = &descriptor,
	    .msg_controllen = sizeof(descriptor),
	};
	ssize_t len;

	if (!channel->is_open)
		return false;
	len = recvmsg(
	    channel->answers, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0)
		return false;
	*answer_fd_out = descriptor_of(&message);
	/* A worker that strangers took over may write what it likes. */
	if (len != (ssize_t)sizeof(*question_out) ||
	    (question_out->address.len != 4 && question_out->address.len != 16))
		*question_out = (struct name_question){0};
	return true;
}

void name_channel_answer(int answer_fd, const struct name_answer *answer)
{
	(void)!send(
	    answer_fd, answer, sizeof(*answer), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool name_answer_is_sound(const struct name_answer *answer, int32_t len)
{
	return len == (int32_t)sizeof(*answer) &&
	       (answer->address.len == 4 || answer->address.len == 16) &&
	       answer->name.status <= CLIENT_NAME_CONFIRMED &&
	       memchr(answer->name.text, '\0', sizeof(answer->name.text)) !=
		   NULL;
}
