/* SPDX-License-Identifier: Apache-2.0 */
/* master.pid in the runtime directory. The master holds a lock on it for as
 * long as it lives, so a file that a killed master left behind misleads nobody.
 */
#ifndef POSTERN_PROXY_PID_FILE_H
#define POSTERN_PROXY_PID_FILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "conf/report.h"

/* Makes the runtime directory if it is not there. False when report has an
 * error: it cannot be made, or it is not ours alone to write. */
bool pid_file_check_directory(const char *directory, struct report *report);

/* Writes our process id. The descriptor with the lock; -1 when report has an
 * error, also when another master runs. A child must close it. */
int pid_file_take(const char *directory, struct report *report);

/* At the end of the master. */
void pid_file_remove(const char *directory);

/* The master that runs now; 0 when none does. */
pid_t pid_file_master(const char *directory);

#endif
