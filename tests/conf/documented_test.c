/* SPDX-License-Identifier: Apache-2.0 */
/* Every parameter is in the conf/main.cf that we ship and in postern.cf(5), and
 * both shipped files work. SOURCE_ROOT is where the project is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/document.h"
#include "fixture.h"

/* To be freed. */
static char *file_text(const char *name)
{
	char path[1000];
	const char *root = getenv("SOURCE_ROOT");
	snprintf(
	    path, sizeof(path), "%s/conf/%s", root == NULL ? "." : root, name);
	FILE *file = fopen(path, "re");
	cr_assert_not_null(file, "%s: set SOURCE_ROOT", path);
	char *text = NULL;
	size_t size = 0;
	cr_assert_geq(getdelim(&text, &size, '\0', file), 0);
	fclose(file);
	return text;
}

static char *document_text(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	cr_assert_not_null(out);
	print(out);
	fclose(out);
	return text;
}

Test(documented, main_cf_has_every_parameter)
{
	size_t count;
	const struct settings_parameter *parameters =
	    settings_parameters(&count);
	char *text = file_text("main.cf");
	for (size_t i = 0; i < count; i++) {
		char line[100];
		snprintf(line, sizeof(line), "\n#%s =", parameters[i].name);
		cr_expect_not_null(
		    strstr(text, line), "%s", parameters[i].name);
	}
	free(text);
}

Test(documented, main_cf_is_made_of_the_table)
{
	char *shipped = file_text("main.cf");
	char *made = document_text(document_main_cf);
	cr_expect_str_eq(
	    shipped, made, "run BUILD/conf/documents main.cf >conf/main.cf");
	free(shipped);
	free(made);
}

/* Of the name, without what scdoc wants in front of '_'. */
static void remove_escapes(char *text)
{
	char *to = text;
	for (const char *from = text; *from != '\0'; from++) {
		if (*from == '\\' && from[1] != '\0')
			from++;
		*to++ = *from;
	}
	*to = '\0';
}

Test(documented, the_manual_has_every_parameter_and_its_help)
{
	size_t count;
	const struct settings_parameter *parameters =
	    settings_parameters(&count);
	char *text = document_text(document_manual);
	char *template = file_text("man/postern.cf.5.scd.in");
	cr_expect_not_null(strstr(template, "\n@parameters@\n"));
	remove_escapes(text);
	for (size_t i = 0; i < count; i++) {
		char line[100];
		snprintf(line, sizeof(line), "*%s* (", parameters[i].name);
		const char *at = strstr(text, line);
		cr_assert_not_null(at, "%s", parameters[i].name);
		cr_expect_not_null(strstr(at, parameters[i].help));
		cr_expect_gt(strlen(parameters[i].help), 20);
	}
	free(text);
	free(template);
}

/* '#' taken away from each "#name = value" line. */
static void uncomment(char *text)
{
	char *to = text;
	bool is_line_start = true;
	for (const char *from = text; *from != '\0'; from++) {
		bool is_hash = is_line_start && *from == '#' &&
			       from[1] >= 'a' && from[1] <= 'z';
		is_line_start = *from == '\n';
		if (!is_hash)
			*to++ = *from;
	}
	*to = '\0';
}

Test(documented, the_shipped_files_want_no_more_than_a_backend)
{
	char *main = file_text("main.cf"), *master = file_text("master.cf");
	cr_expect_null(fixture_parse(main, master));
	cr_expect_eq(fixture_report()->message_count, 1, "%s", fixture_told());
	cr_expect_not_null(strstr(
	    fixture_told(), "E /c/main.cf: proxy_backend = : must name"));
	uncomment(main);
	struct configuration *configuration = fixture_parse(main, master);
	cr_assert_not_null(configuration, "%s", fixture_told());
	/* config_directory is the one that it would be. */
	cr_expect_eq(fixture_report()->message_count, 1, "%s", fixture_told());
	cr_assert_eq(configuration->listener_count, 3);
	const struct listener *listeners = configuration->listeners;
	cr_expect_str_eq(listeners[0].port, "25");
	cr_expect_eq(
	    listeners[0].settings->smtpd_tls_security_level, SETTINGS_TLS_MAY);
	cr_expect_str_eq(listeners[1].port, "587");
	cr_expect_eq(listeners[1].settings->smtpd_tls_security_level,
	    SETTINGS_TLS_ENCRYPT);
	cr_expect_str_eq(listeners[2].port, "465");
	cr_expect(listeners[2].settings->smtpd_tls_wrappermode);
	configuration_destroy(&configuration);
	free(main);
	free(master);
}

/* The examples behind '#' are good, too. */
Test(documented, the_shipped_examples_work)
{
	char *master = file_text("master.cf");
	for (char *at = strstr(master, "\n#"); at != NULL;
	     at = strstr(at + 1, "\n#")) {
		bool is_example =
		    at[2] != ' ' || strncmp(at + 2, "  -o", 4) == 0;
		if (is_example && at[2] != '\n')
			at[1] = '\n';
	}
	/* The second submission line is instead of the first. */
	char *first = strstr(master, "\nsubmission ");
	cr_assert_not_null(first);
	memcpy(first, "\n1587      ", 11);
	struct configuration *configuration =
	    fixture_parse(FIXTURE_MAIN, master);
	cr_assert_not_null(configuration, "%s", fixture_told());
	cr_expect_eq(configuration->listener_count, 7);
	cr_expect_eq(fixture_report()->message_count, 0, "%s", fixture_told());
	configuration_destroy(&configuration);
	free(master);
}
