/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static void read_processor(char text[MACHINE_TEXT_SIZE])
{
	FILE *file = fopen("/proc/cpuinfo", "r");
	char line[512];

	snprintf(text, MACHINE_TEXT_SIZE, "unknown");
	if (file == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *colon = strstr(line, ": ");

		if (strncmp(line, "model name", 10) != 0 || colon == NULL)
			continue;
		snprintf(text, MACHINE_TEXT_SIZE, "%.*s",
		    (int)strcspn(colon + 2, "\n"), colon + 2);
		break;
	}
	fclose(file);
}

void machine_read(struct machine *machine_out)
{
	struct utsname name;
	cpu_set_t processors;

	memset(machine_out, 0, sizeof(*machine_out));
	read_processor(machine_out->processor);
	if (sched_getaffinity(0, sizeof(processors), &processors) == 0)
		machine_out->processor_count = CPU_COUNT(&processors);
	if (uname(&name) != 0)
		return;
	snprintf(machine_out->kernel, MACHINE_TEXT_SIZE, "%s %s", name.sysname,
	    name.release);
	snprintf(
	    machine_out->architecture, MACHINE_TEXT_SIZE, "%s", name.machine);
}
