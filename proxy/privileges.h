/* SPDX-License-Identifier: Apache-2.0 */
/* Who the workers run as: mail_owner, when we are root; else the caller. */
#ifndef POSTERN_PROXY_PRIVILEGES_H
#define POSTERN_PROXY_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/configuration.h"

struct privileges {
	char user[64];
	uid_t uid;
	gid_t gid;
	bool change; /* we are root and can become someone else */
};

/* Looks mail_owner up. False when report has an error: no such user, or one
 * with the privileges of root. */
bool privileges_find(struct privileges *privileges,
    const struct settings *settings, struct report *report);

/* In a child: becomes that user, for good. False with errno. */
bool privileges_drop(const struct privileges *privileges);

/* As many descriptors as the hard limit allows. */
void privileges_raise_descriptors(void);

#endif
