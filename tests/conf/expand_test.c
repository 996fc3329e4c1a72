/* SPDX-License-Identifier: Apache-2.0 */
/* Each result was seen with postconf -x of Postfix 3.7.11; the texts of faults
 * are ours. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/expand.h"

static struct arena arena;
static struct scope scope;

static void define(const char *name, const char *value)
{
	struct scope_entry *entry = arena_alloc(&arena, sizeof(*entry));
	entry->name = name;
	entry->name_len = strlen(name);
	entry->value = value;
	entry->place = "main.cf:1";
	scope_set(&scope, entry);
}

static void set_up(void)
{
	arena = (struct arena){0};
	scope_init(&scope, NULL);
	define("e", "");
	define("b", "$e");
	define("a", "v");
	define("compatibility_level", "3.7");
	define("t46", "$t47");
	define("t47", "${t46}");
	define("self", "x$self");
	define("bad", "$(x");
}

static void tear_down(void)
{
	scope_finish(&scope);
	arena_finish(&arena);
}

TestSuite(expand, .init = set_up, .fini = tear_down);

static const struct {
	const char *text, *expanded;
} good[] = {
    {"", ""},
    {"plain text", "plain text"},
    /* Tested is the value as written, and b is not empty as written. */
    {"[${b?x}]", "[x]"},
    {"[${b:y}]", "[]"},
    {"[${a?{x}:{y}}]", "[x]"},
    {"[${e?{x}:{y}}]", "[y]"},
    {"[${ a }]", "[v]"},
    {"[$(a)]", "[v]"},
    {"[$( a )]", "[v]"},
    {"[$a1x ${a}1x]", "[ v1x]"},
    {"[${a ? { x } : {y}}]", "[ x ]"},
    {"[${x: y }]", "[ y ]"},
    {"[${a?{x ${b:{y}}}}]", "[x ]"},
    {"[${a?{x ${e:{y}}}}]", "[x y]"},
    {"[${{1} < {2}?{lt}:{ge}}]", "[lt]"},
    {"[${{2} < {1}?{lt}:{ge}}]", "[ge]"},
    {"[${{2} <= {2}?{le}:{gt}}]", "[le]"},
    {"[${{2} > {2}?{gt}:{le}}]", "[le]"},
    {"[${{2} >= {2}?{ge}:{lt}}]", "[ge]"},
    {"[${{2} != {2}?{ne}:{eq}}]", "[eq]"},
    {"[${{3.10} >level {3.9}?{gt}:{le}}]", "[gt]"},
    {"[${{3.9} <level {3.10}?{lt}:{ge}}]", "[lt]"},
    {"[${{3.9} <=level {3.9}?{le}:{gt}}]", "[le]"},
    {"[${{3.9} >=level {3.10}?{ge}:{lt}}]", "[lt]"},
    {"[${{3.9} !=level {3.9}?{ne}:{eq}}]", "[eq]"},
    {"[${{3} ==level {3.0}?{eq}:{ne}}]", "[eq]"},
    {"[${{3.10.1} >level {3.10}?{gt}:{le}}]", "[gt]"},
    {"[${{3.6} <level {$compatibility_level} ? {no} : {yes}}]", "[no]"},
    {"[${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}]", "[sha256]"},
    {"[${{9} < {10}?{num}:{str}}]", "[num]"},
    {"[${{a9} < {a10}?{num}:{str}}]", "[str]"},
    {"[${{-1} < {0}?{lt}:{ge}}]", "[lt]"},
    {"[${{1} >= {01}?{ge}:{lt}}]", "[ge]"},
    {"[${{$a} == {v}?{eq}}]", "[eq]"},
    {"[${{$a} == {w}?{eq}}]", "[]"},
    {"[${{$a} == {v}}]", "[true]"},
    {"[${{$a} == {w}}]", "[]"},
    {"[${{} == {}?{eq}:{ne}}]", "[eq]"},
    {"[${{a} == {b} : {z}}]", "[z]"},
    {"[${{1}<{2}?a}]", "[a]"},
    {"[${{{x}} == {{x}}?{eq}:{ne}}]", "[eq]"},
    {"[${{} != {x}?yes}]", "[yes]"},
    {"[$$a $$$a]", "[$a $v]"},
    {"[$(a?yes)]", "[yes]"},
    {"[${a?{x}:y}]", "[x]"},
    {"[${e?{x}:y z}]", "[y z]"},
    {"[${x:{y}}]", "[y]"},
    {"[${e?{x}}]", "[]"},
    {"[${a?x)y}]", "[x)y]"},
    {"[$(a?x}y)]", "[x}y]"},
    {"[${a?{x)}}]", "[x)]"},
    {"[${a? {x} : {y} }]", "[x]"},
    {"[${a ?x}]", "[x]"},
    {"[${a?x:y}]", "[x:y]"},
    {"[${a}b}]", "[vb}]"},
    {"[${a?}]", "[]"},
    {"[${a:}]", "[]"},
    {"[$a$e$(x)]", "[v]"},
    {"[${a?{$$}}]", "[$]"},
    {"[${a?$$x}]", "[$x]"},
    /* What is not chosen is not looked at: no fault, no loop. */
    {"[${e?$t46}]", "[]"},
    /* Postfix gives up here; a number is as large as it likes. */
    {"[${{99999999999999999999} > {1}?{x}:{y}}]", "[x]"},
};

Test(expand, gives_what_postconf_gives)
{
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		struct expand_result result =
		    expand_text(&arena, &scope, good[i].text);
		cr_assert_not_null(
		    result.text, "%s: %s", good[i].text, result.fault);
		cr_expect_str_eq(result.text, good[i].expanded, "%s: %s",
		    good[i].text, result.text);
	}
}

static const struct {
	const char *text, *fault, *culprit;
} faults[] = {
    {"[${a?{x}{z}}]", "needs ':' or '}' at \"{z}\"", NULL},
    {"[${a?{x}:{y}:{z}}]", "needs '}' at \":{z}\"", NULL},
    {"[$a$]", "needs a name behind '$' (write $$ for one '$')", NULL},
    {"[$-]", "needs a name behind '$' (write $$ for one '$')", NULL},
    {"[${}]", "needs a name behind '$' (write $$ for one '$')", NULL},
    {"[${a-b}]", "needs '?', ':' or the end behind the name \"a\"", NULL},
    {"[${a!b}]", "needs '?', ':' or the end behind the name \"a\"", NULL},
    {"[${a?{x}:{y}]", "has no '}' for \"${a?{x}:{y}]\"", NULL},
    {"[$(a", "has no ')' for \"$(a\"", NULL},
    {"[$(a?{x)})]", "has no '}' for the '{' in \"{x\"", NULL},
    {"[${{1} = {1}?{x}:{y}}]",
	"needs ==, !=, <, <=, >= or > at \"= {1}?{x}:{y}\"", NULL},
    {"[${{a}{b}}]", "needs ==, !=, <, <=, >= or > at \"{b}\"", NULL},
    {"[${{$x} ? {x} : {y}}]", "needs ==, !=, <, <=, >= or > at \"? {x} : {y}\"",
	NULL},
    {"[${{1} == 1?{x}:{y}}]", "needs {text} to compare with at \"1?{x}:{y}\"",
	NULL},
    {"[${{1} == {1} x}]", "needs '?' or ':' at \"x\"", NULL},
    {"[${{3.x} ==level {3.0}?{eq}:{ne}}]",
	"compares \"3.x\" as a level: must be numbers and dots, such as 3.7",
	NULL},
    {"[${{3} ==level {}?{eq}:{ne}}]",
	"compares \"\" as a level: must be numbers and dots, such as 3.7",
	NULL},
    {"$t46", "refers to itself: t47 -> t46 -> t47", "t47"},
    {"${a?{$self}}", "refers to itself: self -> self", "self"},
    {"x $bad", "has no ')' for \"$(x\"", "bad"},
};

Test(expand, says_what_is_wrong_and_in_which_value)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		struct expand_result result =
		    expand_text(&arena, &scope, faults[i].text);
		cr_assert_null(result.text, "%s", faults[i].text);
		cr_expect_str_eq(result.fault, faults[i].fault, "%s: %s",
		    faults[i].text, result.fault);
		const char *culprit =
		    result.culprit == NULL ? "" : result.culprit->name;
		const char *expected =
		    faults[i].culprit == NULL ? "" : faults[i].culprit;
		cr_expect_str_eq(
		    culprit, expected, "%s: %s", faults[i].text, culprit);
	}
}

Test(expand, names_what_has_no_value)
{
	static const struct {
		const char *text, *undefined;
	} rows[] = {
	    {"$nobody $a", "nobody"},
	    {"${ nobody }", "nobody"},
	    {"${nobody?x}${nobody:y}", NULL},
	    {"$e", NULL},
	    {"${e?$nobody}", NULL},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct expand_result result =
		    expand_text(&arena, &scope, rows[i].text);
		cr_assert_not_null(result.text);
		if (rows[i].undefined == NULL)
			cr_expect_null(result.undefined, "%s", rows[i].text);
		else
			cr_expect_str_eq(result.undefined, rows[i].undefined);
	}
}

/* A chain of n names, each of which holds the next. */
static void define_chain(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		define(arena_printf(&arena, "n%u", i),
		    arena_printf(&arena, "$n%u", i + 1));
	define(arena_printf(&arena, "n%u", count), "end");
}

Test(expand, goes_a_hundred_levels_deep)
{
	define_chain(120);
	cr_expect_str_eq(expand_text(&arena, &scope, "$n21").text, "end");
	struct expand_result result = expand_text(&arena, &scope, "$n20");
	cr_assert_null(result.text);
	cr_expect_str_eq(result.fault, "is nested deeper than 100 levels");
}

/* Text within text, of one value, is no loop. */
Test(expand, tells_depth_from_a_loop)
{
	char text[1000] = "";
	for (int i = 0; i < 101; i++)
		strcat(text, "${a?{");
	for (int i = 0; i < 101; i++)
		strcat(text, "}}");
	define("deep", text);
	struct expand_result result = expand_text(&arena, &scope, "$deep");
	cr_assert_null(result.text);
	cr_expect_str_eq(result.fault, "is nested deeper than 100 levels");
	cr_expect_str_eq(result.culprit->name, "deep");
}

/* 2^26 expansions of nothing, and one of 2^20 bytes. */
Test(expand, bounds_work_and_size)
{
	define("z0", "");
	define("s0", "0123456789abcdef0123456789abcdef");
	for (unsigned i = 1; i <= 26; i++) {
		define(arena_printf(&arena, "z%u", i),
		    arena_printf(&arena, "$z%u$z%u", i - 1, i - 1));
		define(arena_printf(&arena, "s%u", i),
		    arena_printf(&arena, "$s%u$s%u", i - 1, i - 1));
	}
	struct expand_result result = expand_text(&arena, &scope, "$z26");
	cr_assert_null(result.text);
	cr_expect_str_eq(result.fault, "uses more than 10000 macros");
	cr_expect_eq(strlen(expand_text(&arena, &scope, "$s11").text), 65536);
	result = expand_text(&arena, &scope, "$s11.");
	cr_assert_null(result.text);
	cr_expect_str_eq(result.fault, "expands to more than 65536 bytes");
}

Test(expand, finds_references)
{
	static const struct {
		const char *text, *names;
	} rows[] = {
	    {"", ""},
	    {"a b", ""},
	    {"$a$$b${c}$(d) ${ e ?{$f}:{x${g:$h}}}", "a c d e f g h "},
	    {"${{$a} <level {${b}} ? {$c}}", "a b c "},
	    {"$", ""},
	    {"${", ""},
	    {"$$$$a", ""},
	    {"$-$a", "a "},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		char found[100] = "";
		const char *cursor = rows[i].text, *name;
		size_t len;
		while (expand_next_reference(&cursor, &name, &len)) {
			strncat(found, name, len);
			strcat(found, " ");
		}
		cr_expect_str_eq(
		    found, rows[i].names, "%s: %s", rows[i].text, found);
	}
}
