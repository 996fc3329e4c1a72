/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/trust_anchors.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <unbound.h>

#define PARAMETER "proxy_dns_trust_anchor_file"
#define LINE_SIZE 4096 /* a key of 16384 bits has 2731 digits */

/* NULL, or what is wrong; *count_out grows. */
static const char *add_line(struct ub_ctx *unbound, char *line, int *count)
{
	size_t len = strcspn(line, ";\r\n");
	int error;

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	line[len] = '\0';
	line += strspn(line, " \t");
	if (line[0] == '\0')
		return NULL;
	(*count)++;
	error = ub_ctx_add_ta(unbound, line);
	return error == 0 ? NULL : ub_strerror(error);
}

const char *trust_anchors_add(struct ub_ctx *unbound, const char *path)
{
	FILE *file = fopen(path, "re");
	const char *why = NULL;
	char line[LINE_SIZE];
	int count = 0;

	if (file == NULL)
		return strerror(errno);
	while (why == NULL && fgets(line, sizeof(line), file) != NULL)
		why = add_line(unbound, line, &count);
	fclose(file);
	if (why == NULL && count == 0)
		why = "it holds none";
	return why;
}

/* libunbound looks at them only when it begins to work, which taking away one
 * of its zones makes it do. */
static const char *try_anchors(const char *path)
{
	struct ub_ctx *unbound = ub_ctx_create();
	const char *why;
	int error;

	if (unbound == NULL)
		return "out of memory";
	why = trust_anchors_add(unbound, path);
	if (why == NULL) {
		error = ub_ctx_zone_remove(unbound, "test.");
		if (error != 0)
			why = "one of its lines is no DS or DNSKEY record";
	}
	ub_ctx_delete(unbound);
	return why;
}

bool trust_anchors_check(const struct settings *settings, struct report *report)
{
	const char *path = settings->proxy_dns_trust_anchor_file;
	const char *why = try_anchors(path);

	if (why == NULL)
		return true;
	report_add(report, REPORT_ERROR, settings_place(settings, PARAMETER),
	    PARAMETER " = %s: %s; DANE needs it, and it must be a file with "
		      "the DS or DNSKEY records of the root zone, such as that "
		      "of Debian's dns-root-data",
	    path, why);
	return false;
}
