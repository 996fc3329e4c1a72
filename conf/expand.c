/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/expand.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/compare.h"
#include "conf/lines.h"

/* Bytes of the text under expansion: from `at` to `end`. */
struct span {
	const char *at, *end;
};

/* One expansion. */
struct work {
	struct arena *arena;
	const struct scope *scope;
	FILE *out;
	size_t out_len; /* operands of comparisons included */
	unsigned steps, depth;
	/* The entries whose values we are in; NULL for text behind ? or :. */
	const struct scope_entry *within[EXPAND_DEPTH_MAX];
	struct expand_result result;
};

/* What stands in ${…} before the texts. */
struct subject {
	bool is_true; /* the name has a value, or the comparison holds */
	const struct scope_entry *entry;
};

static bool expand_span(struct work *work, struct span span);

static bool is_name_byte(char byte)
{
	return isalnum((unsigned char)byte) || byte == '_';
}

static void skip_blanks(struct span *span)
{
	while (span->at < span->end && lines_is_blank(*span->at))
		span->at++;
}

static struct span take_name(struct span *span)
{
	struct span name = {span->at, span->at};
	while (name.end < span->end && is_name_byte(*name.end))
		name.end++;
	span->at = name.end;
	return name;
}

/* NULL: the text itself. */
static const struct scope_entry *innermost(const struct work *work)
{
	const struct scope_entry *entry = NULL;
	for (unsigned i = work->depth; i > 0 && entry == NULL; i--)
		entry = work->within[i - 1];
	return entry;
}

static bool fault(struct work *work, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Always false, which is what the caller returns. The first fault counts. */
static bool fault(struct work *work, const char *format, ...)
{
	if (work->result.fault != NULL)
		return false;
	char text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	work->result.fault = arena_printf(work->arena, "%s", text);
	work->result.culprit = innermost(work);
	return false;
}

/* A few bytes for a message. */
static int shown_len(struct span span)
{
	size_t len = (size_t)(span.end - span.at);
	return len > 60 ? 60 : (int)len;
}

/* "a -> b -> a": the innermost entry, back to where it was last entered. */
static bool fault_loop(struct work *work)
{
	const struct scope_entry *last = innermost(work);
	unsigned end = work->depth;
	while (end > 0 && work->within[end - 1] != last)
		end--;
	unsigned start = end > 0 ? end - 1 : 0;
	while (start > 0 && work->within[start - 1] != last)
		start--;
	if (last == NULL || start == 0)
		return fault(
		    work, "is nested deeper than %d levels", EXPAND_DEPTH_MAX);
	char loop[400];
	size_t len = 0;
	for (unsigned i = start - 1; i + 1 < end && len < sizeof(loop); i++) {
		const struct scope_entry *entry = work->within[i];
		if (entry != NULL)
			len += (size_t)snprintf(loop + len, sizeof(loop) - len,
			    "%s -> ", entry->name);
	}
	return fault(work, "refers to itself: %s%s", loop, last->name);
}

static bool enter(struct work *work, const struct scope_entry *entry)
{
	if (work->depth == EXPAND_DEPTH_MAX)
		return fault_loop(work);
	work->within[work->depth++] = entry;
	return true;
}

static void leave(struct work *work)
{
	work->depth--;
}

static bool put(struct work *work, const char *text, size_t len)
{
	work->out_len += len;
	if (work->out_len > EXPAND_SIZE_MAX)
		return fault(
		    work, "expands to more than %d bytes", EXPAND_SIZE_MAX);
	fwrite(text, 1, len, work->out);
	return true;
}

static bool expand_within(
    struct work *work, const struct scope_entry *entry, struct span span)
{
	if (!enter(work, entry))
		return false;
	bool is_good = expand_span(work, span);
	leave(work);
	return is_good;
}

static bool put_value(struct work *work, const struct scope_entry *entry)
{
	struct span value = {entry->value, entry->value + strlen(entry->value)};
	return expand_within(work, entry, value);
}

/* Expands the operand of a comparison aside. */
static const char *operand_text(struct work *work, struct span span)
{
	FILE *outer = work->out;
	char *text = NULL;
	size_t size = 0;
	work->out = open_memstream(&text, &size);
	if (work->out == NULL) {
		work->out = outer;
		fault(work, "no memory to expand it");
		return NULL;
	}
	bool is_good = expand_within(work, NULL, span);
	fclose(work->out);
	work->out = outer;
	const char *copy = is_good ? arena_copy(work->arena, text, size) : NULL;
	free(text);
	return copy;
}

/* At an opening brace: its content, and span->at behind the closing one. */
static bool take_braced(
    struct work *work, struct span *span, struct span *content_out)
{
	assert(*span->at == '{');
	unsigned level = 0;
	for (const char *at = span->at; at < span->end; at++) {
		if (*at == '{')
			level++;
		if (*at == '}' && --level == 0) {
			*content_out = (struct span){span->at + 1, at};
			span->at = at + 1;
			return true;
		}
	}
	return fault(work, "has no '}' for the '{' in \"%.*s\"",
	    shown_len(*span), span->at);
}

static bool compare(struct work *work, const struct compare_operator *operation,
    struct span left, struct span right, bool *is_true_out)
{
	const char *left_text = operand_text(work, left);
	if (left_text == NULL)
		return false;
	const char *right_text = operand_text(work, right);
	if (right_text == NULL)
		return false;
	enum compare_result result =
	    compare_texts(operation, left_text, right_text);
	*is_true_out = result == COMPARE_TRUE;
	if (result == COMPARE_TRUE || result == COMPARE_FALSE)
		return true;
	return fault(work,
	    "compares \"%.60s\" as a level: must be numbers and dots, such "
	    "as 3.7",
	    result == COMPARE_BAD_LEFT ? left_text : right_text);
}

/* {left} operator {right} */
static bool take_comparison(
    struct work *work, struct span *span, struct subject *subject_out)
{
	struct span left, right;
	size_t used;
	if (!take_braced(work, span, &left))
		return false;
	skip_blanks(span);
	const struct compare_operator *operation =
	    compare_find(span->at, (size_t)(span->end - span->at), &used);
	if (operation == NULL)
		return fault(work, "needs ==, !=, <, <=, >= or > at \"%.*s\"",
		    shown_len(*span), span->at);
	span->at += used;
	skip_blanks(span);
	if (span->at == span->end || *span->at != '{')
		return fault(work, "needs {text} to compare with at \"%.*s\"",
		    shown_len(*span), span->at);
	if (!take_braced(work, span, &right))
		return false;
	return compare(work, operation, left, right, &subject_out->is_true);
}

static bool take_named(
    struct work *work, struct span *span, struct subject *subject_out)
{
	struct span name = take_name(span);
	skip_blanks(span);
	bool is_end = span->at == span->end;
	if (name.at == name.end)
		return fault(
		    work, "needs a name behind '$' (write $$ for one '$')");
	if (!is_end && *span->at != '?' && *span->at != ':')
		return fault(work,
		    "needs '?', ':' or the end behind the name \"%.*s\"",
		    shown_len(name), name.at);
	const struct scope_entry *entry =
	    scope_find(work->scope, name.at, (size_t)(name.end - name.at));
	*subject_out = (struct subject){
	    .is_true = entry != NULL && *entry->value != '\0',
	    .entry = entry,
	};
	if (is_end && entry == NULL && work->result.undefined == NULL) {
		work->result.undefined = arena_copy(
		    work->arena, name.at, (size_t)(name.end - name.at));
		work->result.undefined_in = innermost(work);
	}
	return true;
}

/* Behind ? or : — {text}, or text to the end. */
static bool take_text(
    struct work *work, struct span *span, struct span *text_out)
{
	struct span ahead = *span;
	skip_blanks(&ahead);
	if (ahead.at == ahead.end || *ahead.at != '{') {
		*text_out = *span;
		span->at = span->end;
		return true;
	}
	*span = ahead;
	if (!take_braced(work, span, text_out))
		return false;
	skip_blanks(span);
	return true;
}

/* The part behind the subject: nothing, ?text, :text, ?{text}:text. */
static bool take_texts(struct work *work, struct span span, bool is_true)
{
	struct span chosen = {NULL, NULL}, text = {NULL, NULL};
	bool is_braced = true; /* so another text may follow */
	if (*span.at == '?') {
		span.at++;
		if (!take_text(work, &span, &text))
			return false;
		is_braced = span.at < span.end;
		if (is_true)
			chosen = text;
		if (is_braced && *span.at != ':')
			return fault(work, "needs ':' or '}' at \"%.*s\"",
			    shown_len(span), span.at);
	}
	if (is_braced) {
		span.at++;
		if (!take_text(work, &span, &text))
			return false;
		if (!is_true)
			chosen = text;
	}
	if (span.at != span.end)
		return fault(
		    work, "needs '}' at \"%.*s\"", shown_len(span), span.at);
	return chosen.at == NULL || expand_within(work, NULL, chosen);
}

/* What stands between ${ and }, or $( and ). */
static bool expand_macro(struct work *work, struct span span)
{
	struct subject subject = {0};
	skip_blanks(&span);
	bool is_comparison = span.at < span.end && *span.at == '{';
	bool is_good = is_comparison ? take_comparison(work, &span, &subject)
				     : take_named(work, &span, &subject);
	if (!is_good)
		return false;
	skip_blanks(&span);
	if (span.at == span.end && is_comparison)
		return !subject.is_true || put(work, "true", 4);
	if (span.at == span.end)
		return subject.entry == NULL || put_value(work, subject.entry);
	if (*span.at != '?' && *span.at != ':')
		return fault(work, "needs '?' or ':' at \"%.*s\"",
		    shown_len(span), span.at);
	return take_texts(work, span, subject.is_true);
}

/* Behind '$': the macro, and span->at behind it. Within ${…} only braces are
 * counted, within $(…) only parentheses. */
static bool take_macro(
    struct work *work, struct span *span, struct span *macro_out)
{
	if (span->at == span->end || (*span->at != '{' && *span->at != '(')) {
		*macro_out = take_name(span);
		return true;
	}
	const char open = *span->at, close = open == '{' ? '}' : ')';
	unsigned level = 0;
	for (const char *at = span->at; at < span->end; at++) {
		if (*at == open)
			level++;
		if (*at == close && --level == 0) {
			*macro_out = (struct span){span->at + 1, at};
			span->at = at + 1;
			return true;
		}
	}
	return fault(work, "has no '%c' for \"$%.*s\"", close, shown_len(*span),
	    span->at);
}

static bool expand_span(struct work *work, struct span span)
{
	while (span.at < span.end) {
		size_t left = (size_t)(span.end - span.at);
		const char *dollar = memchr(span.at, '$', left);
		const char *end = dollar == NULL ? span.end : dollar;
		if (!put(work, span.at, (size_t)(end - span.at)))
			return false;
		if (dollar == NULL)
			return true;
		span.at = dollar + 1;
		if (span.at < span.end && *span.at == '$') {
			span.at++;
			if (!put(work, "$", 1))
				return false;
			continue;
		}
		if (++work->steps > EXPAND_STEPS_MAX)
			return fault(
			    work, "uses more than %d macros", EXPAND_STEPS_MAX);
		struct span macro = {NULL, NULL};
		if (!take_macro(work, &span, &macro) ||
		    !expand_macro(work, macro))
			return false;
	}
	return true;
}

struct expand_result expand_text(
    struct arena *arena, const struct scope *scope, const char *text)
{
	struct work work = {.arena = arena, .scope = scope};
	char *out = NULL;
	size_t size = 0;
	work.out = open_memstream(&out, &size);
	if (work.out == NULL) {
		fault(&work, "no memory to expand it");
		return work.result;
	}
	struct span span = {text, text + strlen(text)};
	bool is_good = expand_span(&work, span);
	if (fclose(work.out) != 0)
		is_good = fault(&work, "no memory to expand it");
	if (is_good)
		work.result.text = arena_copy(arena, out, size);
	free(out);
	return work.result;
}

bool expand_next_reference(
    const char **cursor, const char **name_out, size_t *len_out)
{
	const char *at = *cursor;
	while ((at = strchr(at, '$')) != NULL) {
		at++;
		if (*at == '$') {
			at++;
			continue;
		}
		if (*at == '{' || *at == '(')
			at++;
		while (lines_is_blank(*at))
			at++;
		const char *end = at;
		while (is_name_byte(*end))
			end++;
		*cursor = end;
		*name_out = at;
		*len_out = (size_t)(end - at);
		if (end > at)
			return true;
		at = end;
	}
	*cursor += strlen(*cursor);
	return false;
}
