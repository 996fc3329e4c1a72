/* SPDX-License-Identifier: Apache-2.0 */
/* What a STRING or LIST may hold, where not just anything will do. Pure. */
#ifndef POSTERN_CONF_CHECK_H
#define POSTERN_CONF_CHECK_H

/* NULL when the expanded value will do for the parameter; else what it must be,
 * to go behind "must be". */
const char *check_text(const char *name, const char *value);

#endif
