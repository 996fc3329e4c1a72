/* SPDX-License-Identifier: Apache-2.0 */
/* What a proxy says with XCLIENT: nothing that is kept can end a line, errors
 * are one line, and what we pass on of it is read as the same. */
#include <stdlib.h>
#include <string.h>

#include "smtp/xclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len);

static void expect(bool truth)
{
	if (!truth)
		abort();
}

static void check_text(const char *text)
{
	expect(memchr(text, '\0', SMTP_XCLIENT_VALUE_SIZE) != NULL);
	for (; *text != '\0'; text++)
		expect((uint8_t)*text >= ' ' && *text != 0x7f);
}

/* The values go on to the backend. */
static void pass_on(const struct smtp_xclient *told)
{
	struct smtp_identity identity = {
	    .name = told->name[0] != '\0' ? told->name : NULL,
	    .login = told->login[0] != '\0' ? told->login : NULL,
	    .helo = told->helo,
	    .helo_verb = SMTP_VERB_EHLO,
	};
	uint32_t pending = UINT32_C(1) << SMTP_ATTRIBUTE_NAME |
			   UINT32_C(1) << SMTP_ATTRIBUTE_LOGIN |
			   UINT32_C(1) << SMTP_ATTRIBUTE_HELO;
	char line[SMTP_IDENTITY_LINE_SIZE], error[512];
	static const size_t verb_len = sizeof("XCLIENT ") - 1;
	size_t len;
	while ((len = smtp_xclient_write(
		    &pending, &identity, line, sizeof(line))) > 0) {
		struct smtp_xclient again;
		expect(len <= sizeof(line));
		expect(memchr(line, '\n', len) == line + len - 1);
		expect(smtp_xclient_parse(line + verb_len, len - verb_len - 2,
		    &again, error, sizeof(error)));
		if ((again.given >> SMTP_ATTRIBUTE_NAME & 1) != 0)
			expect(strcmp(again.name, told->name) == 0);
		if ((again.given >> SMTP_ATTRIBUTE_LOGIN & 1) != 0)
			expect(strcmp(again.login, told->login) == 0);
	}
	expect(pending == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_len)
{
	struct smtp_xclient told;
	char error[512];
	/* No line holds these: smtp_line_find. */
	for (size_t i = 0; i < input_len; i++) {
		if (input[i] == '\0' || input[i] == '\n' || input[i] == '\r')
			return 0;
	}
	if (!smtp_xclient_parse(
		(const char *)input, input_len, &told, error, sizeof(error))) {
		expect(memcmp(error, "501 5.5.4 ", 10) == 0);
		expect(strpbrk(error, "\r\n") == NULL);
		return 0;
	}
	check_text(told.name);
	check_text(told.reverse_name);
	check_text(told.helo);
	check_text(told.login);
	pass_on(&told);
	return 0;
}
