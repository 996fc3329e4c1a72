/* SPDX-License-Identifier: Apache-2.0 */
/* Ticket keys over time, with a clock of the test's. T is an hour. */
#include "tls/ticket_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "tls/fixture.h"

#define T     3600
#define START 1000000

TestSuite(ticket_keys, .init = fixture_init, .fini = fixture_fini);

static struct tls_ticket_key_set copy_of(const struct tls_ticket_keys *keys)
{
	struct tls_ticket_key_set set;

	cr_assert(tls_ticket_keys_copy(keys, &set));
	return set;
}

static bool is_same(
    const struct tls_ticket_key *left, const struct tls_ticket_key *right)
{
	return memcmp(left->name, right->name, sizeof(left->name)) == 0 &&
	       memcmp(left->hmac, right->hmac, sizeof(left->hmac)) == 0 &&
	       memcmp(left->cipher, right->cipher, sizeof(left->cipher)) == 0;
}

static bool has_key(
    const struct tls_ticket_keys *keys, const struct tls_ticket_key *key)
{
	struct tls_ticket_key_set set = copy_of(keys);

	for (size_t i = 0; i < set.key_count; i++)
		if (is_same(&set.keys[i], key))
			return true;
	return false;
}

/* Is it anywhere in the memory, as a whole or its secret halves? */
static bool has_bytes(
    const struct tls_ticket_keys *keys, const uint8_t *bytes, size_t len)
{
	return memmem(keys, sizeof(*keys), bytes, len) != NULL;
}

Test(ticket_keys, rotate_at_half_of_the_lifetime)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_key_set first, second, third;

	cr_expect_eq(copy_of(&keys).key_count, 0);
	cr_assert(tls_ticket_keys_configure(&keys, T, NULL, START));
	first = copy_of(&keys);
	cr_assert_eq(first.key_count, 1);
	cr_expect_eq(first.keys[0].issues_until, START + T / 2);
	cr_expect_eq(first.keys[0].honoured_until, START + T);

	cr_expect_eq(tls_ticket_keys_rotate(&keys, START), T / 2);
	cr_expect_eq(tls_ticket_keys_rotate(&keys, START + T / 2 - 1), 1);
	cr_expect_eq(copy_of(&keys).key_count, 1);

	/* At T/2: a new one issues, the old one goes on opening. */
	cr_expect_eq(tls_ticket_keys_rotate(&keys, START + T / 2), T / 2);
	second = copy_of(&keys);
	cr_assert_eq(second.key_count, 2);
	cr_expect_not(is_same(&second.keys[0], &first.keys[0]));
	cr_expect(is_same(&second.keys[1], &first.keys[0]));

	/* At T: the first one is gone, from all of the memory. */
	cr_expect_eq(tls_ticket_keys_rotate(&keys, START + T - 1), 1);
	cr_expect(has_key(&keys, &first.keys[0]));
	cr_expect(has_bytes(&keys, first.keys[0].cipher, 32));
	cr_expect_eq(tls_ticket_keys_rotate(&keys, START + T), T / 2);
	third = copy_of(&keys);
	cr_assert_eq(third.key_count, 2);
	cr_expect(is_same(&third.keys[1], &second.keys[0]));
	cr_expect_not(has_bytes(&keys, first.keys[0].cipher, 32));
	cr_expect_not(has_bytes(&keys, first.keys[0].hmac, 32));

	tls_ticket_keys_wipe(&keys);
	cr_expect_eq(copy_of(&keys).key_count, 0);
	cr_expect_not(has_bytes(&keys, third.keys[0].cipher, 32));
	cr_expect_not(has_bytes(&keys, third.keys[1].cipher, 32));
}

/* Two days late, as after a laptop's sleep: nothing old is left. */
Test(ticket_keys, rotate_late)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_key_set first, later;

	tls_ticket_keys_configure(&keys, T, NULL, START);
	first = copy_of(&keys);
	tls_ticket_keys_rotate(&keys, START + 48 * T);
	later = copy_of(&keys);
	cr_assert_eq(later.key_count, 1);
	cr_expect_not(has_key(&keys, &first.keys[0]));
	cr_expect_eq(later.keys[0].issues_until, START + 48 * T + T / 2);
}

Test(ticket_keys, lifetimes)
{
	static const struct {
		int64_t asked_s, issues_s, honoured_s;
	} rows[] = {{3600, 1800, 3600}, {120, 60, 120}, {1, 60, 120},
	    {119, 60, 120}, {121, 60, 121}, {8640000, 4320000, 8640000}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_ticket_keys keys = {0};
		struct tls_ticket_key_set set;

		cr_assert(tls_ticket_keys_configure(
		    &keys, rows[i].asked_s, NULL, START));
		set = copy_of(&keys);
		cr_expect_eq(
		    set.keys[0].issues_until - START, rows[i].issues_s);
		cr_expect_eq(
		    set.keys[0].honoured_until - START, rows[i].honoured_s);
	}
}

/* A reload that changes nothing keeps the keys; a lifetime that became shorter
 * holds for the tickets that are out; none ends them all. */
Test(ticket_keys, reload)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_key_set before, after;

	tls_ticket_keys_configure(&keys, T, NULL, START);
	tls_ticket_keys_rotate(&keys, START + T / 2);
	before = copy_of(&keys);
	cr_assert(tls_ticket_keys_configure(&keys, T, NULL, START + T - 9));
	after = copy_of(&keys);
	cr_expect_eq(memcmp(&before, &after, sizeof(after)), 0);

	cr_assert(
	    tls_ticket_keys_configure(&keys, 2 * T / 3, NULL, START + T - 9));
	after = copy_of(&keys);
	cr_assert_eq(after.key_count, 1);
	cr_expect(is_same(&after.keys[0], &before.keys[0]));
	cr_expect_eq(after.keys[0].honoured_until, START + T / 2 + 2 * T / 3);

	cr_assert(tls_ticket_keys_configure(&keys, 0, NULL, START + T));
	cr_expect_eq(copy_of(&keys).key_count, 0);
	cr_expect_not(has_bytes(&keys, before.keys[0].cipher, 32));
	cr_expect_eq(
	    tls_ticket_keys_rotate(&keys, START + T), TLS_TICKET_KEY_FOR_EVER);
	cr_expect_eq(copy_of(&keys).key_count, 0);
}

Test(ticket_keys, age_of_the_one_that_issues)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_files files = {.count = 1};

	cr_expect_eq(tls_ticket_keys_age(&keys, START), TLS_TICKET_KEY_NONE);
	tls_ticket_keys_configure(&keys, T, NULL, START);
	cr_expect_eq(tls_ticket_keys_age(&keys, START + 5), 5);
	tls_ticket_keys_rotate(&keys, START + T / 2);
	cr_expect_eq(tls_ticket_keys_age(&keys, START + T / 2 + 7), 7);
	files.keys[0] = (struct tls_ticket_key){
	    .name = "file",
	    .made_at = TLS_TICKET_KEY_MADE_UNKNOWN,
	    .issues_until = TLS_TICKET_KEY_FOR_EVER,
	    .honoured_until = TLS_TICKET_KEY_FOR_EVER,
	};
	tls_ticket_keys_configure(&keys, T, &files, START + T);
	cr_expect_eq(tls_ticket_keys_age(&keys, START + T), -1);
}

Test(ticket_keys, window)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_files files = {.count = 1};

	cr_expect_eq(tls_ticket_keys_window(&keys, START), 0);
	tls_ticket_keys_configure(&keys, T, NULL, START);
	cr_expect_eq(tls_ticket_keys_window(&keys, START), 0);
	cr_expect_eq(tls_ticket_keys_window(&keys, START + 5), 5);
	tls_ticket_keys_rotate(&keys, START + T / 2);
	cr_expect_eq(
	    tls_ticket_keys_window(&keys, START + T / 2 + 7), T / 2 + 7);
	tls_ticket_keys_rotate(&keys, START + T);
	cr_expect_eq(tls_ticket_keys_window(&keys, START + T), T / 2);
	files.keys[0] = (struct tls_ticket_key){
	    .name = "file",
	    .made_at = TLS_TICKET_KEY_MADE_UNKNOWN,
	    .issues_until = TLS_TICKET_KEY_FOR_EVER,
	    .honoured_until = TLS_TICKET_KEY_FOR_EVER,
	};
	tls_ticket_keys_configure(&keys, T, &files, START + T);
	cr_expect_eq(tls_ticket_keys_window(&keys, START + T), -1);
}

/* Writes a file of one repeated byte for the name, the HMAC key and the cipher
 * key. */
static const char *key_file(const char *name, const char bytes[4])
{
	const char *path = fixture_path(name);
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	for (int i = 0; i < 80; i++)
		fputc(bytes[i < 16 ? 0 : i < 48 ? 1 : 2], file);
	fclose(file);
	cr_assert_eq(chmod(path, 0600), 0);
	return path;
}

static bool read_files(struct tls_ticket_files *files, const char *format,
    const char *first, const char *second)
{
	char names[1024];

	fixture_findings[0] = '\0';
	snprintf(names, sizeof(names), "%s%s%s", first, format, second);
	return tls_ticket_files_read(
	    names, "proxy_tls_ticket_key_files", &fixture_report, files);
}

Test(ticket_keys, files)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_files files;
	struct tls_ticket_key_set drawn, set;
	const char *a = key_file("a", "AHC"), *b = key_file("b", "Bhc");

	/* From keys of memory to those of files: the former go on opening. */
	tls_ticket_keys_configure(&keys, T, NULL, START);
	drawn = copy_of(&keys);
	cr_assert(read_files(&files, ", ", a, b));
	cr_expect_str_eq(fixture_findings, "");
	cr_assert_eq(files.count, 2);
	cr_expect_eq(memcmp(files.keys[0].name, "AAAAAAAAAAAAAAAA", 16), 0);
	cr_expect_eq(files.keys[0].hmac[0], 'H');
	cr_expect_eq(files.keys[0].hmac[31], 'H');
	cr_expect_eq(files.keys[0].cipher[0], 'C');
	cr_expect_eq(files.keys[0].cipher[31], 'C');
	cr_assert(tls_ticket_keys_configure(&keys, T, &files, START + 100));
	set = copy_of(&keys);
	cr_assert_eq(set.key_count, 3);
	cr_expect_eq(set.keys[0].name[0], 'A');
	cr_expect_eq(set.keys[1].name[0], 'B');
	cr_expect(is_same(&set.keys[2], &drawn.keys[0]));
	cr_expect_eq(set.keys[2].honoured_until, START + 100 + T / 2);
	/* They do not rotate; the drawn one goes in its time. */
	cr_expect_eq(tls_ticket_keys_rotate(&keys, START + 100), T / 2);
	cr_expect_gt(
	    tls_ticket_keys_rotate(&keys, START + 100 + T / 2), 100 * T);
	cr_expect_eq(copy_of(&keys).key_count, 2);
	cr_expect_eq(tls_ticket_keys_window(&keys, START + 100 * T), -1);
	tls_ticket_files_finish(&files);

	/* The first file is replaced: what it held is honoured for T/2. */
	a = key_file("a", "DHE");
	cr_assert(read_files(&files, " ", a, b));
	tls_ticket_keys_configure(&keys, T, &files, START + 2 * T);
	set = copy_of(&keys);
	cr_assert_eq(set.key_count, 3);
	cr_expect_eq(set.keys[0].name[0], 'D');
	cr_expect_eq(set.keys[1].name[0], 'B');
	cr_expect_eq(set.keys[2].name[0], 'A');
	cr_expect_eq(set.keys[2].honoured_until, START + 2 * T + T / 2);
	tls_ticket_keys_rotate(&keys, START + 2 * T + T / 2);
	cr_expect_eq(copy_of(&keys).key_count, 2);
	tls_ticket_files_finish(&files);
	cr_expect_eq(files.count, 0);
	cr_expect_eq(files.keys[0].cipher[0], 0);

	/* And back to keys of memory. */
	cr_assert(read_files(&files, "", "", ""));
	cr_expect_eq(files.count, 0);
	tls_ticket_keys_configure(&keys, T, &files, START + 3 * T);
	set = copy_of(&keys);
	cr_assert_eq(set.key_count, 3);
	cr_expect_eq(set.keys[0].made_at, START + 3 * T);
	tls_ticket_keys_rotate(&keys, START + 3 * T + T / 2);
	set = copy_of(&keys);
	cr_expect_eq(set.key_count, 2);
	cr_expect_neq(set.keys[1].name[0], 'D');
}

/* However often they are replaced, there is room for what issues. */
Test(ticket_keys, many_files)
{
	struct tls_ticket_keys keys = {0};
	char bytes[4] = "0xy";
	char name[8] = "k0";

	for (char i = 0; i < 40; i++) {
		struct tls_ticket_files files;

		bytes[0] = (char)('0' + i);
		bytes[2] = (char)('1' + i);
		cr_assert(read_files(&files, "", key_file(name, bytes), ""));
		tls_ticket_keys_configure(&keys, T, &files, START + i);
		cr_expect_eq(copy_of(&keys).keys[0].name[0], '0' + i);
		cr_expect_leq(copy_of(&keys).key_count, TLS_TICKET_KEYS_MAX);
	}
}

#define MUST_BE                                                              \
	"; must be a file of 80 random bytes that only its owner can read, " \
	"as \"openssl rand -out FILE 80\" makes it\n"

Test(ticket_keys, wrong_files)
{
	const char *good = key_file("good", "abc");
	const char *same = key_file("same", "xbc");
	const char *zero = key_file("zero", "a\0c");
	const char *open = key_file("open", "ABC");
	const char *small = fixture_text("small", "short");
	const char *names[9];
	const struct {
		const char *first, *second, *finding;
	} rows[] = {
	    {"/nonexistent", "", "\"/nonexistent\": No such file or directory"},
	    {small, "", "does not have 80 bytes" MUST_BE},
	    {open, "", "every user can read or write it" MUST_BE},
	    {zero, "", "holds zeros in place of a key" MUST_BE},
	    {good, same, "holds the key of a file before it" MUST_BE},
	    {good, good, "holds the key of a file before it" MUST_BE},
	    {"/dev/null", "", "is not a regular file" MUST_BE},
	};
	char all[2048] = "";

	chmod(open, 0604);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_ticket_files files;

		cr_expect_not(
		    read_files(&files, " ", rows[i].first, rows[i].second));
		cr_expect_not_null(strstr(fixture_findings, rows[i].finding),
		    "%s", fixture_findings);
		cr_expect_eq(strncmp(fixture_findings,
				 "error proxy_tls_ticket_key_files: \"", 35),
		    0);
		cr_expect_eq(files.count, 0);
	}
	for (char i = 0; i < 9; i++) {
		char name[] = {'n', (char)('0' + i), '\0'};
		char bytes[] = {(char)('a' + i), 'h', (char)('A' + i), '\0'};

		names[(int)i] = key_file(name, bytes);
		strcat(all, names[(int)i]);
		strcat(all, " ");
	}
	{
		struct tls_ticket_files files;

		cr_expect_not(read_files(&files, "", all, ""));
		cr_expect_str_eq(fixture_findings,
		    "error proxy_tls_ticket_key_files: names more than 8 "
		    "files; must name the one that issues, and those before "
		    "it that still open\n");
	}
}

/* The writer may die in the middle of it. */
Test(ticket_keys, unfinished)
{
	struct tls_ticket_keys keys = {0};
	struct tls_ticket_key_set set;

	tls_ticket_keys_configure(&keys, T, NULL, START);
	atomic_fetch_add(&keys.version, 1);
	memset(&set, 0xff, sizeof(set));
	cr_expect_not(tls_ticket_keys_copy(&keys, &set));
	cr_expect_eq(set.key_count, 0);
	/* The next one mends it. */
	cr_assert(tls_ticket_keys_configure(&keys, T, NULL, START + 1));
	cr_expect(tls_ticket_keys_copy(&keys, &set));
	cr_expect_eq(set.key_count, 1);
}

/* Other processes see whole sets, while one is written after the other: each of
 * these has the same byte all over. */
static int read_until_done(
    const struct tls_ticket_keys *keys, const atomic_bool *is_done)
{
	unsigned seen = 0;

	while (!atomic_load(is_done) || seen == 0) {
		struct tls_ticket_key_set set;
		const struct tls_ticket_key *key = &set.keys[0];

		if (!tls_ticket_keys_copy(keys, &set))
			continue;
		for (size_t i = 0; i < sizeof(key->cipher); i++)
			if (key->cipher[i] != key->name[0] ||
			    key->hmac[i] != key->name[0])
				return 1;
		seen++;
	}
	return 0;
}

Test(ticket_keys, are_read_whole)
{
	struct {
		struct tls_ticket_keys keys;
		atomic_bool is_done;
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t child;

	cr_assert_neq(shared, MAP_FAILED);
	for (int round = 0; round < 20000; round++) {
		struct tls_ticket_files files = {.count = 1};
		struct tls_ticket_key *key = &files.keys[0];

		key->issues_until = TLS_TICKET_KEY_FOR_EVER;
		key->honoured_until = TLS_TICKET_KEY_FOR_EVER;
		memset(key->name, round % 251 + 1, sizeof(key->name));
		memset(key->hmac, round % 251 + 1, sizeof(key->hmac));
		memset(key->cipher, round % 251 + 1, sizeof(key->cipher));
		tls_ticket_keys_configure(&shared->keys, T, &files, START);
		if (round > 0)
			continue;
		child = fork();
		if (child == 0)
			_exit(read_until_done(&shared->keys, &shared->is_done));
	}
	atomic_store(&shared->is_done, true);
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_expect(WIFEXITED(status));
	cr_expect_eq(WEXITSTATUS(status), 0);
	munmap(shared, sizeof(*shared));
}

Test(ticket_keys, clock_goes_on)
{
	int64_t now = tls_ticket_keys_now();

	cr_expect_geq(now, 0);
	cr_expect_leq(tls_ticket_keys_now() - now, 2);
}
