/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "proxy/address.h"

Test(address, families)
{
	static const struct {
		const char *text;
		unsigned families;
	} rows[] = {
	    {"all", ADDRESS_IPV4 | ADDRESS_IPV6},
	    {"ipv4", ADDRESS_IPV4},
	    {"IPv6", ADDRESS_IPV6},
	    {"ipv4, ipv6", ADDRESS_IPV4 | ADDRESS_IPV6},
	    {"ipv6 ipv4", ADDRESS_IPV4 | ADDRESS_IPV6},
	    {"", 0},
	    {"ipv5", 0},
	    {"ipv4 ipv5", 0},
	    {"al", 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(address_families(rows[i].text), rows[i].families,
		    "%s", rows[i].text);
}

Test(address, port)
{
	static const struct {
		const char *text;
		uint16_t port;
	} rows[] = {
	    {"1", 1},
	    {"25", 25},
	    {"65535", 65535},
	    {"0", 0},
	    {"65536", 0},
	    {"99999999999999999999", 0},
	    {"25x", 0},
	    {"-1", 0},
	    {" 25", 0},
	    {"", 0},
	    {"no-such-service", 0},
	    {"smtp", 25},
	    {"submission", 587},
	    {"submissions", 465},
	    {"smtps", 465},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_assert_eq(address_port(rows[i].text), rows[i].port, "%s",
		    rows[i].text);
}

Test(address, numeric_hosts)
{
	static const struct {
		const char *host;
		unsigned families;
		const char *text; /* NULL: none */
	} rows[] = {
	    {"127.0.0.1", ADDRESS_IPV4, "127.0.0.1:25"},
	    {"::1", ADDRESS_IPV6, "[::1]:25"},
	    {"2001:DB8:0::7", ADDRESS_IPV4 | ADDRESS_IPV6, "[2001:db8::7]:25"},
	    {"::1", ADDRESS_IPV4, NULL},
	    {"127.0.0.1", ADDRESS_IPV6, NULL},
	    {"host.invalid", ADDRESS_IPV4, NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service_address address;
		const char *why = "";
		size_t count = address_resolve(
		    rows[i].host, 25, rows[i].families, &address, 1, &why);

		if (rows[i].text == NULL) {
			cr_assert_eq(count, 0);
			cr_assert_gt(strlen(why), 0);
			continue;
		}
		cr_assert_eq(count, 1, "%s: %s", rows[i].host, why);
		cr_assert_str_eq(address.text, rows[i].text);
		cr_assert(address_is_numeric(rows[i].host));
	}
	cr_assert_not(address_is_numeric("localhost"));
}

Test(address, names_of_hosts)
{
	cr_expect(address_is_in_hosts("localhost"));
	cr_expect(address_is_in_hosts("LocalHost"));
	cr_expect_not(address_is_in_hosts("no-such-host.invalid"));
	cr_expect_not(address_is_in_hosts("127.0.0.1"), "an address");
	cr_expect_not(address_is_in_hosts("#"));
}

Test(address, any)
{
	struct service_address address;

	address_any(ADDRESS_IPV4, 25, &address);
	cr_assert_str_eq(address.text, "0.0.0.0:25");
	cr_assert_eq(address.address_len, sizeof(struct sockaddr_in));
	address_any(ADDRESS_IPV6, 587, &address);
	cr_assert_str_eq(address.text, "[::]:587");
	cr_assert_eq(address.address.ss_family, AF_INET6);
	cr_assert_eq(
	    ntohs(((struct sockaddr_in6 *)&address.address)->sin6_port), 587);
}

Test(address, paths)
{
	struct service_address address;
	const struct sockaddr_un *name =
	    (const struct sockaddr_un *)&address.address;
	char path[110];

	cr_assert(address_unix("/spool", "private/lmtp", &address));
	cr_assert_str_eq(name->sun_path, "/spool/private/lmtp");
	cr_assert_str_eq(address.text, "unix:/spool/private/lmtp");
	cr_assert(address_unix("/spool", "/run/x", &address));
	cr_assert_str_eq(name->sun_path, "/run/x");
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[108] = '\0';
	cr_assert_not(address_unix("/spool", path, &address));
	path[107] = '\0';
	cr_assert(address_unix("/spool", path, &address));
}
