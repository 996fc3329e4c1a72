/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

static void report_unknown(
    const struct settings *settings, struct report *report)
{
	report_add(report, REPORT_ERROR, settings_place(settings, "mail_owner"),
	    "mail_owner = %s: no such user: make it with \"useradd --system "
	    "--no-create-home --shell /usr/sbin/nologin %s\", or name another",
	    settings->mail_owner, settings->mail_owner);
}

bool privileges_find(struct privileges *privileges,
    const struct settings *settings, struct report *report)
{
	const struct passwd *entry;

	*privileges = (struct privileges){.change = geteuid() == 0};
	if (!privileges->change)
		return true;
	entry = getpwnam(settings->mail_owner);
	if (entry == NULL) {
		report_unknown(settings, report);
		return false;
	}
	if (entry->pw_uid == 0) {
		report_add(report, REPORT_ERROR,
		    settings_place(settings, "mail_owner"),
		    "mail_owner = %s: must be a user without the privileges "
		    "of root, of its own for Postern",
		    settings->mail_owner);
		return false;
	}
	snprintf(privileges->user, sizeof(privileges->user), "%s",
	    settings->mail_owner);
	privileges->uid = entry->pw_uid;
	privileges->gid = entry->pw_gid;
	return true;
}

bool privileges_drop(const struct privileges *privileges)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return false;
	if (!privileges->change)
		return true;
	if (initgroups(privileges->user, privileges->gid) != 0 ||
	    setresgid(privileges->gid, privileges->gid, privileges->gid) != 0 ||
	    setresuid(privileges->uid, privileges->uid, privileges->uid) != 0)
		return false;
	/* Were it not for good, an intruder could go back. */
	if (setuid(0) == 0 || geteuid() != privileges->uid) {
		errno = EPERM;
		return false;
	}
	return true;
}

void privileges_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	/* Without it the workers go on with fewer. */
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
