/* SPDX-License-Identifier: Apache-2.0 */
#include "fixture.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct report report;
static char told[65536];
static char directory[] = "/tmp/postern-conf-XXXXXX";

static char letter(enum report_severity severity)
{
	switch (severity) {
	case REPORT_NOTICE:
		return 'N';
	case REPORT_WARNING:
		return 'W';
	case REPORT_ERROR:
		return 'E';
	}
	return '?';
}

struct configuration *fixture_parse(const char *main, const char *master)
{
	const struct configuration_text text = {
	    .directory = "/c",
	    .main = main,
	    .main_len = strlen(main),
	    .master = master,
	    .master_len = strlen(master),
	};
	report_finish(&report);
	report_init(&report);
	return configuration_parse(&text, &report);
}

const struct report *fixture_report(void)
{
	return &report;
}

bool fixture_was_told(const char *message)
{
	for (size_t i = 0; i < report.message_count; i++) {
		const struct report_message *said = &report.messages[i];
		if (message[0] == letter(said->severity) &&
		    strcmp(message + 2, said->text) == 0)
			return true;
	}
	return false;
}

const char *fixture_told(void)
{
	size_t len = 0;
	told[0] = '\0';
	for (size_t i = 0; i < report.message_count; i++) {
		int added = snprintf(told + len, sizeof(told) - len, "%c %s\n",
		    letter(report.messages[i].severity),
		    report.messages[i].text);
		if (added < 0 || (size_t)added >= sizeof(told) - len)
			break;
		len += (size_t)added;
	}
	return told;
}

const char *fixture_directory(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	const char *made = mkdtemp(directory);
	assert(made != NULL);
	return made;
}

void fixture_write(const char *name, const char *text)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", directory, name);
	int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert(descriptor >= 0);
	ssize_t put = write(descriptor, text, strlen(text));
	assert(put == (ssize_t)strlen(text));
	close(descriptor);
}

void fixture_remove(void)
{
	DIR *entries = opendir(directory);
	assert(entries != NULL);
	struct dirent *entry;
	while ((entry = readdir(entries)) != NULL) {
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(entries), entry->d_name, 0);
	}
	closedir(entries);
	rmdir(directory);
}
