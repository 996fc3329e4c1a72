/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/phrase.h"

#include <stdarg.h>
#include <stdio.h>

struct tls_phrase tls_phrase_begin(char *text, size_t size)
{
	if (size > 0)
		text[0] = '\0';
	return (struct tls_phrase){.text = text, .size = size};
}

void tls_phrase_add(struct tls_phrase *phrase, const char *format, ...)
{
	va_list arguments;
	int len;

	if (phrase->len + 1 >= phrase->size)
		return;
	va_start(arguments, format);
	len = vsnprintf(phrase->text + phrase->len, phrase->size - phrase->len,
	    format, arguments);
	va_end(arguments);
	if (len > 0)
		phrase->len += (size_t)len;
	if (phrase->len >= phrase->size)
		phrase->len = phrase->size - 1;
}

void tls_phrase_add_algorithm(struct tls_phrase *phrase, const char *role,
    const char *digest_role, const struct tls_algorithm *algorithm)
{
	if (algorithm->name[0] == '\0')
		return;
	tls_phrase_add(phrase, " %s %s", role, algorithm->name);
	if (algorithm->curve[0] != '\0')
		tls_phrase_add(phrase, " (%s)", algorithm->curve);
	else if (algorithm->bits > 0)
		tls_phrase_add(phrase, " (%d bits)", algorithm->bits);
	if (digest_role != NULL && algorithm->digest[0] != '\0')
		tls_phrase_add(
		    phrase, " %s %s", digest_role, algorithm->digest);
}
