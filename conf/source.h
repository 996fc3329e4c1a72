/* SPDX-License-Identifier: Apache-2.0 */
/* main.cf and master.cf as written, cut into names, values and services, over
 * the defaults. Nothing is checked against the parameters yet. */
#ifndef POSTERN_CONF_SOURCE_H
#define POSTERN_CONF_SOURCE_H

#include <stdbool.h>

#include "conf/arena.h"
#include "conf/configuration.h"
#include "conf/scope.h"
#include "conf/master_cf.h"
#include "conf/report.h"

struct source {
	struct arena arena;
	const char *directory;
	const char *main_file, *master_file; /* paths, for messages */
	struct scope defaults; /* one for each parameter, and stress */
	struct scope main;     /* in `defaults` */
	struct service *services;
	/* Both files were there to be parsed, whatever is wrong in them. */
	bool is_complete;
};

/* What is wrong is told in report; what is not is there. */
struct source *source_read(const char *directory, struct report *report);

struct source *source_parse(
    const struct configuration_text *text, struct report *report);

/* Accepts NULL inside; sets it to NULL. */
void source_destroy(struct source **source);

#endif
