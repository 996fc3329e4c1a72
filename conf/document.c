/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/document.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "conf/arena.h"
#include "conf/parameter.h"

#define WIDTH 78 /* of a line of main.cf */

struct document {
	FILE *out;
	struct arena arena;
	void (*group)(struct document *document, const char *title);
	void (*row)(struct document *document,
	    const struct settings_parameter *parameter);
};

/* What to show where the default is empty, computed, or not there. */
static const struct {
	const char *name, *example;
} examples[] = {
    {"mydomain", "example.com"},
    {"myhostname", "mail.example.com"},
    {"proxy_backend", "inet:127.0.0.1:10025"},
};

static const char *example_of(const struct settings_parameter *parameter)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
		if (strcmp(examples[i].name, parameter->name) == 0)
			return examples[i].example;
	}
	return NULL;
}

/* Its help, and what its values must be, as sentences. */
static const char *text_of(
    struct document *document, const struct settings_parameter *parameter)
{
	const char *allowed = parameter_allowed(&document->arena, parameter);
	if (allowed == NULL)
		return parameter->help;
	return arena_printf(&document->arena, "%s %c%s.", parameter->help,
	    toupper((unsigned char)allowed[0]), allowed + 1);
}

static void print_wrapped(FILE *out, const char *text)
{
	size_t column = 1;
	fputc('#', out);
	while (*text != '\0') {
		size_t len = strcspn(text, " ");
		if (column + 1 + len > WIDTH) {
			fputs("\n#", out);
			column = 1;
		}
		column += (size_t)fprintf(out, " %.*s", (int)len, text);
		text += len + (text[len] == ' ');
	}
	fputc('\n', out);
}

static void main_cf_group(struct document *document, const char *title)
{
	fprintf(document->out, "\n# ---- %s ----\n", title);
}

static void main_cf_row(
    struct document *document, const struct settings_parameter *parameter)
{
	const char *example = example_of(parameter);
	const char *value = example == NULL ? parameter->default_ : example;
	fputc('\n', document->out);
	print_wrapped(document->out, text_of(document, parameter));
	fprintf(document->out, "#%s =%s%s\n", parameter->name,
	    *value == '\0' ? "" : " ", value);
}

/* What scdoc would take for markup. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("\\_*<>[]", *text) != NULL)
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void manual_group(struct document *document, const char *title)
{
	fprintf(document->out, "## %s\n\n", title);
}

static void manual_row(
    struct document *document, const struct settings_parameter *parameter)
{
	FILE *out = document->out;
	const char *example = example_of(parameter);
	fputc('*', out);
	print_escaped(out, parameter->name);
	fprintf(out, "* (%s: ", example == NULL ? "default" : "example");
	print_escaped(out, example != NULL ? example
			   : *parameter->default_ == '\0'
			       ? "empty"
			       : parameter->default_);
	fputs(")\n\t", out);
	print_escaped(out, text_of(document, parameter));
	fputs("\n\n", out);
}

static void print_row(struct document *document, const char *name)
{
	const struct settings_parameter *parameter = parameter_find(name);
	assert(parameter != NULL);
	document->row(document, parameter);
}

static void print_all(struct document *document)
{
#define GROUP(title)		   document->group(document, title);
#define BOOL(name, default_, help) print_row(document, #name);
#define INT(name, default_, minimum, maximum, unit, help) \
	print_row(document, #name);
#define TIME(name, default_, minimum, maximum, help) print_row(document, #name);
#define MILLISECONDS(name, default_, minimum, maximum, help) \
	print_row(document, #name);
#define ENUM(name, default_, words, help) print_row(document, #name);
#define STRING(name, default_, help)	  print_row(document, #name);
#define LIST(name, default_, help)	  print_row(document, #name);
#include "conf/parameters.def"
}

void document_main_cf(FILE *out)
{
	struct document document = {
	    .out = out, .group = main_cf_group, .row = main_cf_row};
	fputs("# Postern's settings, in the language of Postfix's main.cf.\n"
	      "#\n"
	      "# A line that begins with # is a comment. Each parameter below "
	      "stands behind\n"
	      "# one, with its default: remove the # and change the value. "
	      "Only proxy_backend\n"
	      "# has no default; and TLS needs a certificate, best in\n"
	      "# smtpd_tls_chain_files.\n"
	      "#\n"
	      "# Values may use others ($myhostname). What is set for one "
	      "listener alone is\n"
	      "# set in master.cf, with -o. See postern.cf(5); `postern check` "
	      "tells what is\n"
	      "# wrong, `postern conf -n` what is set here.\n",
	    out);
	print_all(&document);
	arena_finish(&document.arena);
}

void document_manual(FILE *out)
{
	struct document document = {
	    .out = out, .group = manual_group, .row = manual_row};
	print_all(&document);
	arena_finish(&document.arena);
}
