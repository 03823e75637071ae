/* processor-linux.c - giving up the processor. */
#include <sched.h>

#include "plat/plat.h"

void plat_yield(void)
{
    sched_yield();
}
