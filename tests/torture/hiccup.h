/* hiccup.h - whether the machine stood still. See hiccup.c. */
#ifndef HICCUP_H
#define HICCUP_H

#include <stdint.h>

/* Watch, from here to the end of the process, the processors that the caller may
 * run on. */
void hiccup_watch(void);

/* The longest hiccup of any of them, in ns, since the last call. */
int64_t hiccup_longest(void);

#endif
