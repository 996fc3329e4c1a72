/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that are made of parameters.def: conf/main.cf as we ship it,
 * and the parameters' part of postern.cf(5). For the build and the tests; the
 * program does not need it. */
#ifndef POSTERN_CONF_DOCUMENT_H
#define POSTERN_CONF_DOCUMENT_H

#include <stdio.h>

/* Every parameter behind '#', with its default, and why one would change it. */
void document_main_cf(FILE *out);

/* Every parameter in scdoc(5), in sections. */
void document_manual(FILE *out);

#endif
