/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/name_channel.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A question under way, with room for the one descriptor that it brings. */
struct parcel {
	struct msghdr message;
	struct iovec bytes;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

/* It points into itself and must stay where it is. */
static void prepare(struct parcel *parcel, struct name_question *question)
{
	*parcel = (struct parcel){
	    .message = {.msg_iov = &parcel->bytes,
		.msg_iovlen = 1,
		.msg_control = parcel->control,
		.msg_controllen = sizeof(parcel->control)},
	    .bytes = {.iov_base = question, .iov_len = sizeof(*question)},
	};
}

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
	struct parcel parcel;
	struct cmsghdr *header;

	if (!channel->is_open)
		return false;
	/* sendmsg only reads it. */
	prepare(&parcel, (struct name_question *)question);
	header = CMSG_FIRSTHDR(&parcel.message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &answer_fd, sizeof(int));
	return sendmsg(channel->asks, &parcel.message,
		   MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(*question);
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
	struct parcel parcel;
	ssize_t len;

	if (!channel->is_open)
		return false;
	prepare(&parcel, question_out);
	len = recvmsg(
	    channel->answers, &parcel.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0)
		return false;
	*answer_fd_out = descriptor_of(&parcel.message);
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
