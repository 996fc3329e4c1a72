/* SPDX-License-Identifier: Apache-2.0 */
/* A key, a byte FF, and a list of inline tables, in any shape. No result is
 * found that was not announced, the same question has the same answer, and
 * there is a table exactly when nothing was wrong. No files are read. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "conf/match_list.h"
#include "conf/table.h"

static bool is_announced(
    const char *result, const char *const *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (results[i] == result)
			return true;
	return false;
}

static void check_table(
    struct table *table, const char *key, struct report *report)
{
	char buffer[32], again_buffer[32];
	const char *result, *again;
	const char *const *results;
	size_t count;
	bool is_known = table_results(table, report, &results, &count);
	enum table_answer answer =
	    table_find(table, key, &result, buffer, sizeof(buffer));
	assert(table_find(table, key, &again, again_buffer,
		   sizeof(again_buffer)) == answer);
	assert((result != NULL) == (answer == TABLE_FOUND));
	if (result == NULL)
		return;
	assert(strcmp(result, again) == 0);
	if (result == buffer) {
		assert(!is_known);
		assert(memchr(buffer, '\0', sizeof(buffer)) != NULL);
		return;
	}
	assert(is_announced(result, results, count));
	assert(*result != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report report;
	char *key = malloc(size + 1);
	char *text = malloc(size + 1);
	const uint8_t *split = size == 0 ? NULL : memchr(data, 0xff, size);
	size_t key_len = split == NULL ? size : (size_t)(split - data);
	size_t behind = key_len + (split != NULL);
	assert(key != NULL);
	assert(text != NULL);
	memcpy(key, data, key_len);
	key[key_len] = '\0';
	memcpy(text, data + behind, size - behind);
	text[size - behind] = '\0';
	/* Whatever begins with a slash, or has it behind a colon, is a file. */
	bool names_file = text[0] == '/' || strstr(text, ":/") != NULL ||
			  strstr(text, " /") != NULL ||
			  strpbrk(text, ",\t\r\n!") != NULL;
	report_init(&report);
	struct table *table =
	    strstr(text, ":/") != NULL ? NULL : table_open(text, "p", &report);
	if (strstr(text, ":/") == NULL)
		assert((table == NULL) == (report.error_count > 0));
	if (table != NULL)
		check_table(table, key, &report);
	table_close(&table);
	report_finish(&report);

	report_init(&report);
	struct match_list *list =
	    names_file ? NULL : match_list_open(text, "p", &report);
	if (!names_file)
		assert((list == NULL) == (report.error_count > 0));
	if (list != NULL && match_list_holds(list, key))
		assert(strpbrk(key, ".:") != NULL);
	match_list_close(&list);
	assert(list == NULL);
	report_finish(&report);
	free(key);
	free(text);
	return 0;
}
