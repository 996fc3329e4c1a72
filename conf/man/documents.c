/* SPDX-License-Identifier: Apache-2.0 */
/* Makes documents of conf/parameters.def:
 *   documents main.cf                the conf/main.cf that we ship
 *   documents manual TEMPLATE        postern.cf(5), in scdoc(5): the template,
 *                                    with its line @parameters@ replaced */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/document.h"

static bool print_manual(const char *path)
{
	FILE *template = fopen(path, "re");
	if (template == NULL) {
		fprintf(stderr, "documents: %s: %s\n", path, strerror(errno));
		return false;
	}
	char *line = NULL;
	size_t size = 0;
	while (getline(&line, &size, template) > 0) {
		if (strcmp(line, "@parameters@\n") == 0)
			document_manual(stdout);
		else
			fputs(line, stdout);
	}
	free(line);
	fclose(template);
	return true;
}

int main(int argc, char **argv)
{
	bool is_done = true;
	if (argc == 2 && strcmp(argv[1], "main.cf") == 0)
		document_main_cf(stdout);
	else if (argc == 3 && strcmp(argv[1], "manual") == 0)
		is_done = print_manual(argv[2]);
	else {
		fputs("usage: documents main.cf | manual TEMPLATE\n", stderr);
		is_done = false;
	}
	return is_done && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
