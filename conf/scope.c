/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/scope.h"

#include <assert.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *left_, const void *right_)
{
	const struct scope_entry *left = left_, *right = right_;
	size_t len =
	    left->name_len < right->name_len ? left->name_len : right->name_len;
	int order = memcmp(left->name, right->name, len);
	if (order != 0)
		return order;
	return (left->name_len > right->name_len) -
	       (left->name_len < right->name_len);
}

/* Entries are in an arena. */
static void keep(void *entry)
{
	(void)entry;
}

void scope_init(struct scope *scope, const struct scope *outer)
{
	*scope = (struct scope){.outer = outer};
	scope->end = &scope->first;
}

void scope_finish(struct scope *scope)
{
	tdestroy(scope->tree, keep);
	scope->tree = NULL;
	scope->first = NULL;
	scope->end = &scope->first;
}

bool scope_set(struct scope *scope, struct scope_entry *entry)
{
	assert(entry->name_len == strlen(entry->name));
	struct scope_entry **node = tsearch(entry, &scope->tree, compare);
	if (node == NULL) {
		fputs("postern: no memory for the configuration\n", stderr);
		abort();
	}
	if (*node == entry) {
		entry->next = NULL;
		*scope->end = entry;
		scope->end = &entry->next;
		return false;
	}
	struct scope_entry old = **node;
	(*node)->value = entry->value;
	(*node)->place = entry->place;
	entry->value = old.value;
	entry->place = old.place;
	return true;
}

const struct scope_entry *scope_find_here(
    const struct scope *scope, const char *name, size_t name_len)
{
	const struct scope_entry key = {.name = name, .name_len = name_len};
	struct scope_entry *const *node = tfind(&key, &scope->tree, compare);
	return node == NULL ? NULL : *node;
}

const struct scope_entry *scope_find(
    const struct scope *scope, const char *name, size_t name_len)
{
	for (; scope != NULL; scope = scope->outer) {
		const struct scope_entry *entry =
		    scope_find_here(scope, name, name_len);
		if (entry != NULL)
			return entry;
	}
	return NULL;
}
