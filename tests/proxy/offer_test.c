/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/offer.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

static struct service service[2];
static struct services services = {.services = service, .count = 2};
static struct state *state;
static struct offers offers;

static void init(void)
{
	state = aligned_alloc(STATE_PAGE_SIZE, sizeof(*state));
	cr_assert_not_null(state);
	memset(state, 0, sizeof(*state));
	service[0].backend_count = 2;
	service[0].backends[0] =
	    (struct backend){.kind = BACKEND_SOCKET, .state_index = 3};
	service[0].backends[1] =
	    (struct backend){.kind = BACKEND_SOCKET, .state_index = 5};
	service[1].backend_count = 1;
	service[1].backends[0] = (struct backend){.kind = BACKEND_SINK};
	cr_assert(offers_init(&offers, &services));
}

static void fini(void)
{
	offers_finish(&offers);
	free(state);
}

TestSuite(offer, .init = init, .fini = fini);

static void publish(int index, const struct smtp_ehlo *ehlo)
{
	const struct state_probe probe = {.ehlo = ehlo, .rise = 1, .fall = 1};

	state_backend_publish(&state->backends[index], &probe);
}

static void found(int index, const char *reply)
{
	struct smtp_ehlo ehlo;

	smtp_ehlo_parse((const uint8_t *)reply, strlen(reply), &ehlo);
	publish(index, &ehlo);
}

static const struct offer *get(size_t index)
{
	return offers_get(&offers, &services, index, state);
}

static bool offers_keyword(enum smtp_keyword keyword)
{
	return smtp_ehlo_has(&get(0)->ehlo, keyword);
}

Test(offer, before_any_health_check_there_is_none)
{
	cr_assert_not(get(0)->reached);
}

Test(offer, it_is_that_of_the_backends_that_were_reached)
{
	found(5, "250-b\r\n250-CHUNKING\r\n250 DSN\r\n");
	cr_assert(get(0)->reached);
	cr_assert(offers_keyword(SMTP_KEYWORD_CHUNKING));
	cr_assert(offers_keyword(SMTP_KEYWORD_DSN));
}

Test(offer, it_is_what_all_of_them_can_do)
{
	found(3, "250-a\r\n250-SIZE 2000\r\n250 DSN\r\n");
	found(5, "250-b\r\n250-CHUNKING\r\n250-SIZE 1000\r\n250 DSN\r\n");
	cr_assert(offers_keyword(SMTP_KEYWORD_DSN));
	cr_assert_not(offers_keyword(SMTP_KEYWORD_CHUNKING));
	cr_assert_eq(smtp_ehlo_size(&get(0)->ehlo), 1000);
}

Test(offer, it_follows_each_health_check)
{
	found(3, "250-a\r\n250 DSN\r\n");
	cr_assert(offers_keyword(SMTP_KEYWORD_DSN));
	found(3, "250-a\r\n250 CHUNKING\r\n");
	cr_assert_not(offers_keyword(SMTP_KEYWORD_DSN));
	cr_assert(offers_keyword(SMTP_KEYWORD_CHUNKING));
	found(5, "250 b\r\n");
	cr_assert_not(offers_keyword(SMTP_KEYWORD_CHUNKING));
	cr_assert(get(0)->reached);
}

/* It may be back before a client comes to need it. */
Test(offer, one_that_is_down_now_keeps_its_word)
{
	found(3, "250-a\r\n250 DSN\r\n");
	publish(3, NULL);
	cr_assert(get(0)->reached);
	cr_assert(offers_keyword(SMTP_KEYWORD_DSN));
	cr_assert_not(offers_backend_up(&service[0].backends[0], state));
	found(3, "250-a\r\n250 DSN\r\n");
	cr_assert(offers_backend_up(&service[0].backends[0], state));
}

Test(offer, the_sink_needs_no_health_check)
{
	cr_assert(get(1)->reached);
	cr_assert(smtp_ehlo_has(&get(1)->ehlo, SMTP_KEYWORD_CHUNKING));
	cr_assert(smtp_ehlo_has(&get(1)->ehlo, SMTP_KEYWORD_SMTPUTF8));
	cr_assert_eq(smtp_ehlo_size(&get(1)->ehlo), 1073741824);
	cr_assert(offers_backend_up(&service[1].backends[0], state));
}

Test(offer, it_is_computed_only_when_something_changed)
{
	const struct offer *offer;

	found(3, "250-a\r\n250 DSN\r\n");
	offer = get(0);
	((struct offer *)(uintptr_t)offer)->ehlo.keywords = 0;
	cr_assert_eq(get(0)->ehlo.keywords, 0);
	found(4, "250-other\r\n250 DSN\r\n");
	cr_assert_eq(get(0)->ehlo.keywords, 0, "it is none of ours");
	found(5, "250-b\r\n250 DSN\r\n");
	cr_assert(offers_keyword(SMTP_KEYWORD_DSN));
}

Test(offer, a_service_that_is_none_is_a_bug, .signal = SIGABRT)
{
	get(2);
}
