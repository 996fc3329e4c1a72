/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/client_name.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

static struct client_name_cache *cache;

static void init(void)
{
	cache = client_name_cache_create();
	cr_assert_not_null(cache);
}

static void fini(void)
{
	client_name_cache_destroy(&cache);
	cr_assert_null(cache);
}

TestSuite(client_name, .init = init, .fini = fini);

static struct client_address address_of(const char *text)
{
	struct sockaddr_in6 peer = {.sin6_family = AF_INET6};
	struct sockaddr_in *ipv4 = (void *)&peer;
	struct client_address address;

	if (inet_pton(AF_INET, text, &ipv4->sin_addr) == 1) {
		peer.sin6_family = AF_INET;
	} else {
		peer = (struct sockaddr_in6){.sin6_family = AF_INET6};
		cr_assert_eq(inet_pton(AF_INET6, text, &peer.sin6_addr), 1);
	}
	client_address_read(&peer, &address);
	return address;
}

static void put(const char *address, const char *text, uint32_t ttl_s)
{
	struct client_name name = {
	    .status = CLIENT_NAME_CONFIRMED,
	    .ttl_s = ttl_s,
	};
	struct client_address key = address_of(address);

	snprintf(name.text, sizeof(name.text), "%s", text);
	client_name_cache_put(cache, &key, &name, 1000);
}

static const char *find(const char *address, int64_t now_ms)
{
	struct client_address key = address_of(address);
	const struct client_name *name =
	    client_name_cache_find(cache, &key, now_ms);

	return name == NULL ? "" : name->text;
}

Test(client_name, what_is_mapped_is_ipv4)
{
	struct client_address plain = address_of("192.0.2.1");
	struct client_address mapped = address_of("::ffff:192.0.2.1");
	struct client_address other = address_of("2001:db8::1");
	struct sockaddr_in6 none = {0};
	struct client_address nobody;

	cr_assert_eq(plain.len, 4);
	cr_assert_eq(mapped.len, 4);
	cr_assert_eq(other.len, 16);
	cr_assert(client_address_equals(&plain, mapped.bytes, mapped.len));
	cr_assert_not(client_address_equals(&plain, other.bytes, 4));
	cr_assert_not(client_address_equals(&plain, plain.bytes, 16));
	client_address_read(&none, &nobody);
	cr_assert_eq(nobody.len, 0);
}

Test(client_name, it_is_kept_as_long_as_its_ttl)
{
	cr_assert_str_eq(find("192.0.2.1", 1000), "");
	put("192.0.2.1", "mx.example.test", 60);
	cr_assert_str_eq(find("192.0.2.1", 1000), "mx.example.test");
	cr_assert_str_eq(find("192.0.2.1", 60999), "mx.example.test");
	cr_assert_str_eq(find("192.0.2.1", 61000), "");
	cr_assert_str_eq(find("192.0.2.2", 1000), "");
	put("192.0.2.1", "never.example.test", 0);
	cr_assert_str_eq(find("192.0.2.1", 1000), "");
}

/* A TTL of years must not keep a name that has changed. */
Test(client_name, it_is_not_kept_longer_than_a_day)
{
	put("192.0.2.1", "mx.example.test", UINT32_MAX);
	cr_assert_str_eq(find("192.0.2.1", 1000 + 86399999), "mx.example.test");
	cr_assert_str_eq(find("192.0.2.1", 1000 + 86400000), "");
}

/* As many as may come: each is found at once, and never another's name. */
Test(client_name, nobody_gets_the_name_of_another)
{
	char address[32];
	unsigned kept = 0;

	for (unsigned i = 0; i < 65536; i++) {
		snprintf(
		    address, sizeof(address), "10.0.%u.%u", i >> 8, i & 255);
		put(address, address, 60);
		cr_assert_str_eq(find(address, 1000), address);
	}
	for (unsigned i = 0; i < 65536; i++) {
		snprintf(
		    address, sizeof(address), "10.0.%u.%u", i >> 8, i & 255);
		if (find(address, 1000)[0] == '\0')
			continue;
		cr_assert_str_eq(find(address, 1000), address);
		kept++;
	}
	cr_assert_gt(kept, 1000);
	cr_assert_leq(kept, 2048);
}

Test(client_name, four_octets_are_not_sixteen)
{
	put("1.2.3.4", "ipv4.example.test", 60);
	put("102:304::", "ipv6.example.test", 60);
	cr_assert_str_neq(find("1.2.3.4", 1000), "ipv6.example.test");
	cr_assert_str_eq(find("102:304::", 1000), "ipv6.example.test");
}
