/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/host_addresses.h"

#include <string.h>

#include <criterion/criterion.h>

#define SLOTS 3

/* "abc": three addresses, each a letter; '-' is none. */
static struct client_address address_of(char letter)
{
	struct client_address address = {.len = letter == '-' ? 0 : 4};

	address.bytes[3] = letter == '-' ? 0 : (uint8_t)letter;
	return address;
}

static void assigned(const char *before, const char *answer, char *now_out)
{
	struct host_addresses found = {0};
	struct client_address of_slots[SLOTS];

	for (size_t i = 0; answer[i] != '\0'; i++) {
		struct client_address address = address_of(answer[i]);

		host_addresses_add(&found, &address);
	}
	for (size_t i = 0; i < SLOTS; i++)
		of_slots[i] = address_of(before[i]);
	host_addresses_assign(&found, of_slots, SLOTS);
	for (size_t i = 0; i < SLOTS; i++)
		now_out[i] =
		    of_slots[i].len == 0 ? '-' : (char)of_slots[i].bytes[3];
	now_out[SLOTS] = '\0';
}

Test(host_addresses, what_is_still_there_stays_where_it_is)
{
	static const struct {
		const char *before, *answer, *now;
	} rows[] = {
	    {"---", "a", "a--"},
	    {"---", "abc", "abc"},
	    {"a--", "a", "a--"},
	    {"a--", "b", "b--"},
	    {"a--", "ba", "ab-"},
	    {"abc", "cab", "abc"},
	    {"abc", "bca", "abc"},
	    {"abc", "adc", "adc"},
	    {"abc", "ac", "a-c"},
	    {"a-c", "acd", "adc"},
	    /* The first is never without while another has one. */
	    {"abc", "bc", "cb-"},
	    {"abc", "b", "b--"},
	    {"abc", "xb", "xb-"},
	    /* More than there is room for. */
	    {"---", "abcd", "abc"},
	    {"abc", "dcba", "abc"},
	    {"abc", "dcb", "dbc"},
	    /* Twice the same. */
	    {"---", "aab", "ab-"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char now[SLOTS + 1];

		assigned(rows[i].before, rows[i].answer, now);
		cr_expect_str_eq(now, rows[i].now, "%s + %s: %s, not %s",
		    rows[i].before, rows[i].answer, now, rows[i].now);
	}
}

Test(host_addresses, an_endless_answer_is_cut_off)
{
	struct host_addresses found = {0};

	for (unsigned i = 0; i < 2 * HOST_ADDRESSES_MAX; i++) {
		struct client_address address = {
		    .len = 4, .bytes = {10, 0, (uint8_t)(i >> 8), (uint8_t)i}};

		host_addresses_add(&found, &address);
	}
	cr_assert_eq(found.count, HOST_ADDRESSES_MAX);
}
