/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/settings.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "conf/check.h"
#include "conf/expand.h"
#include "conf/lines.h"
#include "conf/parameter.h"
#include "conf/settings_build.h"
#include "conf/value.h"

/* Of a value, in a message. */
#define SHOWN_LEN_MAX 200

struct settings_in_scope {
	struct settings settings; /* first: settings_place looks around it */
	const struct scope *scope;
};

/* One parameter on its way into the struct. */
struct work {
	struct arena *arena;
	struct report *report;
	const struct settings_parameter *parameter;
	const struct scope_entry *entry;
	const char *text; /* the value, expanded */
	void *field;
};

/* What Postfix understands too. */
static const struct {
	const char *name, *value, *meaning;
	bool is_warned;
} synonyms[] = {
    {"smtpd_tls_security_level", "fingerprint", "encrypt", true},
    {"smtpd_tls_security_level", "verify", "encrypt", true},
    {"smtpd_tls_security_level", "secure", "encrypt", true},
};

static void tell(
    const struct work *work, enum report_severity severity, const char *what)
{
	const struct scope_entry *entry = work->entry;
	bool is_expanded = strcmp(entry->value, work->text) != 0;
	report_add(work->report, severity, entry->place,
	    "%s = %.*s%s%.*s%s: %s", entry->name, SHOWN_LEN_MAX, entry->value,
	    is_expanded ? " (" : "", is_expanded ? SHOWN_LEN_MAX : 0,
	    work->text, is_expanded ? ")" : "", what);
}

static void tell_must_be(const struct work *work, const char *allowed)
{
	tell(work, REPORT_ERROR,
	    arena_printf(work->arena, "must be %s", allowed));
}

static void tell_allowed(const struct work *work)
{
	tell_must_be(work, parameter_allowed(work->arena, work->parameter));
}

static bool is_in_range(const struct work *work, int64_t value)
{
	return value >= work->parameter->minimum &&
	       value <= work->parameter->maximum;
}

static void set_bool(struct work *work)
{
	if (!value_bool(work->text, work->field))
		tell_allowed(work);
}

static void set_integer(struct work *work)
{
	int64_t value;
	if (!value_integer(work->text, &value) || !is_in_range(work, value)) {
		tell_allowed(work);
		return;
	}
	memcpy(work->field, &value, sizeof(value));
}

static void set_time(struct work *work)
{
	struct value_time time;
	char unit = value_default_unit(work->parameter->default_);
	if (!value_seconds(work->text, unit, &time) ||
	    !is_in_range(work, time.count)) {
		tell_allowed(work);
		return;
	}
	memcpy(work->field, &time.count, sizeof(time.count));
	if (*time.tail != '\0')
		tell(work, REPORT_WARNING,
		    arena_printf(work->arena,
			"read as %.*s, as Postfix does: must be a number and "
			"one of s m h d w",
			(int)(time.tail - work->text), work->text));
}

static void set_milliseconds(struct work *work)
{
	struct value_time time;
	if (!value_milliseconds(work->text, &time) || *time.tail != '\0' ||
	    !is_in_range(work, time.count)) {
		tell_allowed(work);
		return;
	}
	memcpy(work->field, &time.count, sizeof(time.count));
}

static const char *synonym(const struct work *work)
{
	for (size_t i = 0; i < sizeof(synonyms) / sizeof(*synonyms); i++) {
		if (strcmp(synonyms[i].name, work->parameter->name) != 0 ||
		    value_word(work->text, synonyms[i].value) != 0)
			continue;
		if (synonyms[i].is_warned)
			tell(work, REPORT_WARNING,
			    arena_printf(work->arena,
				"is no level for a server: %s is used",
				synonyms[i].meaning));
		return synonyms[i].meaning;
	}
	return work->text;
}

static void set_enum(struct work *work)
{
	int index = value_word(synonym(work), work->parameter->words);
	if (index < 0) {
		tell_allowed(work);
		return;
	}
	memcpy(work->field, &index, sizeof(index));
}

static bool is_balanced(const char *list)
{
	const char *element;
	size_t len;
	while (settings_list_next(&list, &element, &len))
		;
	return len != SIZE_MAX;
}

static void set_text(struct work *work)
{
	memcpy(work->field, &work->text, sizeof(work->text));
	if (work->parameter->type == SETTINGS_LIST &&
	    !is_balanced(work->text)) {
		tell_must_be(work, "a list in which each '{' has its '}'");
		return;
	}
	const char *allowed = check_text(work->parameter->name, work->text);
	if (allowed != NULL)
		tell_must_be(work, allowed);
}

static void set_field(struct work *work)
{
	switch (work->parameter->type) {
	case SETTINGS_BOOL:
		set_bool(work);
		return;
	case SETTINGS_INT:
		set_integer(work);
		return;
	case SETTINGS_TIME:
		set_time(work);
		return;
	case SETTINGS_MILLISECONDS:
		set_milliseconds(work);
		return;
	case SETTINGS_ENUM:
		set_enum(work);
		return;
	case SETTINGS_STRING:
	case SETTINGS_LIST:
		set_text(work);
		return;
	}
	assert(false);
}

/* A macro's value is shown where it stands, not where it is used. */
static void tell_raw(const struct work *work, enum report_severity severity,
    const struct scope_entry *entry, const char *what)
{
	if (entry == NULL)
		entry = work->entry;
	report_add(work->report, severity, entry->place, "%s = %.*s: %s",
	    entry->name, SHOWN_LEN_MAX, entry->value, what);
}

/* False, told, when it has a fault; work->text is then empty. */
static bool expand(struct work *work, const struct scope *scope)
{
	struct expand_result result =
	    expand_text(work->arena, scope, work->entry->value);
	work->text = result.text == NULL ? "" : result.text;
	if (result.text == NULL)
		tell_raw(work, REPORT_ERROR, result.culprit, result.fault);
	else if (result.undefined != NULL)
		tell_raw(work, REPORT_WARNING, result.undefined_in,
		    arena_printf(work->arena,
			"$%.100s has no value here and counts as empty",
			result.undefined));
	return result.text != NULL;
}

const struct settings *settings_build(
    struct arena *arena, const struct scope *scope, struct report *report)
{
	size_t count;
	const struct settings_parameter *parameters =
	    settings_parameters(&count);
	struct settings_in_scope *built = arena_alloc(arena, sizeof(*built));
	built->scope = scope;
	for (size_t i = 0; i < count; i++) {
		const char *name = parameters[i].name;
		struct work work = {
		    .arena = arena,
		    .report = report,
		    .parameter = &parameters[i],
		    .entry = scope_find(scope, name, strlen(name)),
		    .field = (char *)&built->settings + parameters[i].offset,
		};
		assert(work.entry != NULL);
		bool is_text = parameters[i].type == SETTINGS_STRING ||
			       parameters[i].type == SETTINGS_LIST;
		if (expand(&work, scope))
			set_field(&work);
		else if (is_text)
			memcpy(work.field, &work.text, sizeof(work.text));
	}
	return &built->settings;
}

const char *settings_place(const struct settings *settings, const char *name)
{
	const struct settings_in_scope *built =
	    (const struct settings_in_scope *)settings;
	const struct scope_entry *entry =
	    scope_find(built->scope, name, strlen(name));
	assert(entry != NULL);
	return entry->place;
}

int settings_syslog_facility(const struct settings *settings)
{
	/* <syslog.h> has four facilities of no name between ftp and local0. */
	const int ftp = LOG_FTP >> 3, local0 = LOG_LOCAL0 >> 3;
	int facility = settings->syslog_facility;
	if (facility > ftp)
		facility += local0 - ftp - 1;
	return facility << 3;
}

static bool is_separator(char byte)
{
	return byte != '\0' && strchr(", \t\r\n", byte) != NULL;
}

bool settings_list_next(
    const char **cursor, const char **element_out, size_t *len_out)
{
	const char *start = *cursor;
	while (is_separator(*start))
		start++;
	const char *end = start;
	const char *group_end = NULL; /* behind the first brace's partner */
	size_t level = 0;
	for (; *end != '\0' && (level > 0 || !is_separator(*end)); end++) {
		if (*end == '{')
			level++;
		if (*end == '}' && level > 0 && --level == 0 &&
		    group_end == NULL)
			group_end = end + 1;
	}
	*cursor = end;
	*len_out = level > 0 ? SIZE_MAX : (size_t)(end - start);
	if (level > 0 || start == end)
		return false;
	if (*start == '{' && group_end == end) {
		start++;
		end--;
		while (start < end && lines_is_blank(*start))
			start++;
		while (start < end && lines_is_blank(end[-1]))
			end--;
	}
	*element_out = start;
	*len_out = (size_t)(end - start);
	return true;
}
