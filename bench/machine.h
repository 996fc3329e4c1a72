/* SPDX-License-Identifier: Apache-2.0 */
/* On what a figure was measured. */
#ifndef POSTERN_BENCH_MACHINE_H
#define POSTERN_BENCH_MACHINE_H

#define MACHINE_TEXT_SIZE 128

struct machine {
	char processor[MACHINE_TEXT_SIZE];
	long processor_count; /* on which this process may run */
	char kernel[MACHINE_TEXT_SIZE];
	char architecture[MACHINE_TEXT_SIZE];
};

void machine_read(struct machine *machine_out);

#endif
