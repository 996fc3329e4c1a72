/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of clients by address, as mynetworks is one (reference 4.4): addresses
 * and nets, "/file" with more of them, "type:table" whose keys are addresses;
 * "!" in front makes an exception. The first element that holds decides. All is
 * read when the list is opened. Host names are not looked up, and an error. */
#ifndef POSTERN_CONF_MATCH_LIST_H
#define POSTERN_CONF_MATCH_LIST_H

#include <stdbool.h>

#include "conf/report.h"

struct match_list; /* opaque */

/* An empty text makes a list that holds nobody. What is wrong is told in report
 * with "PLACE: " in front, as by table_open; NULL when that was an error. */
struct match_list *match_list_open(
    const char *text, const char *place, struct report *report);

/* Accepts NULL inside; sets it to NULL. */
void match_list_close(struct match_list **list);

/* The address in numbers, "192.0.2.1" or "2001:db8::1"; what is none is in no
 * list. A table that cannot tell counts as one that has not got it. */
bool match_list_holds(const struct match_list *list, const char *address);

#endif
