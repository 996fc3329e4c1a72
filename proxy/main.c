/* SPDX-License-Identifier: Apache-2.0 */
/* postern: a TLS-terminating proxy in front of mail servers. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "proxy/command_line.h"
#include "proxy/verb.h"

/* A daemon leaves the directory that it was started in, and what `check` finds
 * must hold for it. */
static bool leave_directory(struct command_line *line, char *path, size_t size)
{
	char here[PATH_MAX] = "";
	int len;

	if (line->directory[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return false;
	len = snprintf(path, size, "%s%s%s", here, here[0] == '\0' ? "" : "/",
	    line->directory);
	line->directory = path;
	return len > 0 && (size_t)len < size && chdir("/") == 0;
}

int main(int argc, char **argv)
{
	struct command_line line;
	char directory[PATH_MAX];
	char why[512];

	if (!command_line_parse(argc, argv, &line, why, sizeof(why))) {
		fprintf(stderr, "postern: fatal: %s\n", why);
		return EX_USAGE;
	}
	/* These have files to write or to read, and the names are the
	 * caller's. */
	if (line.verb != VERB_DHPARAM && line.verb != VERB_REPORT &&
	    line.verb != VERB_PROBE &&
	    !leave_directory(&line, directory, sizeof(directory))) {
		fprintf(stderr,
		    "postern: fatal: the name of the directory is too long\n");
		return EX_USAGE;
	}
	/* What must be private is created with a mode that says so. */
	umask(022);
	return verb_run(&line);
}
