/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxy/listen.h"
#include "proxy/state.h"

/* Generations of a reload or two, which may have no address in common. */
#define GROUPS_MAX ((size_t)4 * STATE_LISTENERS_MAX)

struct group {
	struct service_address address;
	int *fds; /* worker's index -> socket; of a unix socket only fds[0] */
	size_t fd_count;
	size_t listening; /* fds[] before it listen */
	size_t wanted;	  /* fds[] from it on are to go */
	bool narrowed;	  /* the kernel picks among the wanted only */
	bool deaf;	  /* a TCP address that is to go takes no new calls */
	bool unlinked;	  /* a unix socket that is to go has lost its name */
};

struct sockets {
	size_t group_count;
	struct group groups[GROUPS_MAX];
};

static bool is_unix(const struct service_address *address)
{
	return address->address.ss_family == AF_UNIX;
}

static struct group *find_group(struct sockets *sockets, const char *text)
{
	for (size_t i = 0; i < sockets->group_count; i++)
		if (!sockets->groups[i].unlinked &&
		    strcmp(sockets->groups[i].address.text, text) == 0)
			return &sockets->groups[i];
	return NULL;
}

static struct group *find_or_add_group(
    struct sockets *sockets, const struct service_address *address)
{
	struct group *group = find_group(sockets, address->text);

	if (group != NULL || sockets->group_count == GROUPS_MAX)
		return group;
	group = &sockets->groups[sockets->group_count++];
	*group = (struct group){.address = *address};
	return group;
}

static void close_last(struct group *group)
{
	int fd = group->fds[--group->fd_count];

	if (group->listening > group->fd_count)
		group->listening = group->fd_count;
	listen_close(fd);
}

static void unlink_path(struct group *group)
{
	const struct sockaddr_un *name =
	    (const struct sockaddr_un *)&group->address.address;

	if (!is_unix(&group->address) || group->unlinked)
		return;
	unlink(name->sun_path);
	group->unlinked = true;
}

/* Takes back what sockets_bind did before it failed. */
static void close_unheard(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->group_count; i++) {
		struct group *group = &sockets->groups[i];

		if (group->listening == 0 && group->fd_count != 0)
			unlink_path(group);
		while (group->fd_count > group->listening)
			close_last(group);
	}
}

static void remove_empty_groups(struct sockets *sockets)
{
	size_t kept = 0;

	for (size_t i = 0; i < sockets->group_count; i++) {
		if (sockets->groups[i].fd_count == 0)
			free(sockets->groups[i].fds);
		else
			sockets->groups[kept++] = sockets->groups[i];
	}
	sockets->group_count = kept;
}

static const char *remedy_for(int cause, const struct service_address *address)
{
	if (cause == EADDRINUSE)
		return "; stop the program that has it, or choose another "
		       "port";
	if (cause == EACCES && !is_unix(address))
		return "; ports below 1024 need root";
	if (cause == EADDRNOTAVAIL)
		return "; it must be an address of this machine";
	if (cause == EMFILE)
		return "; raise the limit of open files";
	return "";
}

static void report_failure(const struct service *service,
    const struct service_address *address, int cause, struct report *report)
{
	report_add(report, REPORT_ERROR, service->listener->place,
	    "cannot listen on %s: %s%s", address->text, strerror(cause),
	    remedy_for(cause, address));
}

static bool bind_group(struct sockets *sockets,
    const struct service_address *address, size_t worker_count)
{
	struct group *group = find_or_add_group(sockets, address);
	size_t needed = is_unix(address) ? 1 : worker_count;
	int *fds;
	int fd;

	errno = ENOMEM;
	if (group == NULL)
		return false;
	if (group->fd_count >= needed)
		return true;
	fds = realloc(group->fds, needed * sizeof(*fds));
	if (fds == NULL)
		return false;
	group->fds = fds;
	/* A group that is ours already listens, and may grow. */
	if (group->fd_count == 0 && !listen_is_free(address))
		return false;
	while (group->fd_count < needed) {
		fd = listen_bind(address);
		if (fd == -1)
			return false;
		group->fds[group->fd_count++] = fd;
	}
	return true;
}

/* How many of the group's sockets these services need. */
static size_t count_wanted(const struct group *group,
    const struct services *services, size_t worker_count)
{
	if (services == NULL || group->unlinked)
		return 0;
	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->address_count; j++)
			if (strcmp(service->addresses[j].text,
				group->address.text) == 0)
				return is_unix(&group->address) ? 1
								: worker_count;
	}
	return 0;
}

/* All of the group's sockets are wanted, perhaps again. */
static void welcome(struct group *group)
{
	if (group->deaf)
		for (size_t i = 0; i < group->fd_count; i++)
			(void)listen_hear(group->fds[i]);
	group->deaf = false;
	/* Whether it works or not: all of them are accepted on. */
	if (group->narrowed)
		(void)listen_widen(group->fds[0]);
	group->narrowed = false;
}

/* Where the kernel refuses one of these, those are reset who call in the moment
 * in which the socket is closed. */
static void turn_away(struct group *group)
{
	if (group->wanted != 0) {
		group->narrowed =
		    listen_narrow(group->fds[0], (uint32_t)group->wanted);
	} else if (is_unix(&group->address)) {
		unlink_path(group);
	} else if (!group->deaf) {
		group->deaf = true;
		for (size_t i = 0; i < group->fd_count; i++)
			(void)listen_deafen(group->fds[i]);
	}
}

struct sockets *sockets_create(void)
{
	return calloc(1, sizeof(struct sockets));
}

void sockets_destroy(struct sockets **sockets)
{
	if (*sockets == NULL)
		return;
	for (size_t i = 0; i < (*sockets)->group_count; i++) {
		struct group *group = &(*sockets)->groups[i];

		unlink_path(group);
		while (group->fd_count != 0)
			close_last(group);
		free(group->fds);
	}
	free(*sockets);
	*sockets = NULL;
}

bool sockets_bind(struct sockets *sockets, const struct services *services,
    size_t worker_count, struct report *report)
{
	bool done = true;

	for (size_t i = 0; i < services->count; i++) {
		const struct service *service = &services->services[i];

		for (size_t j = 0; j < service->address_count; j++) {
			if (bind_group(
				sockets, &service->addresses[j], worker_count))
				continue;
			report_failure(
			    service, &service->addresses[j], errno, report);
			done = false;
		}
	}
	if (!done) {
		close_unheard(sockets);
		remove_empty_groups(sockets);
	}
	return done;
}

bool sockets_listen(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->group_count; i++) {
		struct group *group = &sockets->groups[i];

		while (group->listening < group->fd_count) {
			if (!listen_start(group->fds[group->listening]))
				return false;
			group->listening++;
		}
	}
	return true;
}

void sockets_want(struct sockets *sockets, const struct services *services,
    size_t worker_count)
{
	for (size_t i = 0; i < sockets->group_count; i++) {
		struct group *group = &sockets->groups[i];

		group->wanted = count_wanted(group, services, worker_count);
		if (group->wanted >= group->fd_count)
			welcome(group);
		else
			turn_away(group);
	}
}

int sockets_find(
    const struct sockets *sockets, const char *address_text, size_t worker)
{
	for (size_t i = 0; i < sockets->group_count; i++) {
		const struct group *group = &sockets->groups[i];

		if (group->unlinked ||
		    strcmp(group->address.text, address_text) != 0)
			continue;
		if (is_unix(&group->address))
			worker = 0;
		return worker < group->fd_count ? group->fds[worker] : -1;
	}
	return -1;
}

bool sockets_is_wanted(const struct sockets *sockets, int fd)
{
	for (size_t i = 0; i < sockets->group_count; i++) {
		const struct group *group = &sockets->groups[i];

		for (size_t j = 0; j < group->wanted && j < group->fd_count;
		     j++)
			if (group->fds[j] == fd)
				return true;
	}
	return false;
}

bool sockets_close_unwanted(struct sockets *sockets,
    bool (*is_accepted)(const void *argument, int fd), const void *argument)
{
	bool done = true;

	for (size_t i = 0; i < sockets->group_count; i++) {
		struct group *group = &sockets->groups[i];

		/* The last first: closing one moves the kernel's last into its
		 * place, and the wanted would no longer be the first. */
		while (group->fd_count > group->wanted &&
		       !is_accepted(argument, group->fds[group->fd_count - 1]))
			close_last(group);
		if (group->fd_count > group->wanted)
			done = false;
		else if (group->fd_count != 0)
			welcome(group);
	}
	remove_empty_groups(sockets);
	return done;
}
