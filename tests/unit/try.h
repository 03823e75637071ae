/* try.h - calls that a fault loop may have refused.
 *
 *     TRY(chute_queue_new(&q, NULL));
 *
 * The call is made once more if it fails, and has to work then. It may fail only
 * because of the fault, and not with what means "come again", unless that is
 * what the system itself says (too many processes).
 */
#ifndef TRY_H
#define TRY_H

#include <errno.h>
#include <string.h>

#include "chute.h"
#include "test.h"

/* Whether r is no failure; if it is one, it has to be one that may be. */
static inline bool tried(const char *file, int line, const char *text, int r)
{
    if (r >= 0)
        return true;
    if (!fault_fired())
        harness_fail("%s:%d: %s: %s, and nothing was refused", file, line, text,
                     chute_errname(r));
    if (r == -EINTR || r == -EAGAIN || r == -ETIMEDOUT)
        harness_fail("%s:%d: %s: %s tells to come again", file, line, text,
                     chute_errname(r));
    return false;
}

#define passed(r) tried(__FILE__, __LINE__, #r, r)

#define TRY(call)                                                              \
    do {                                                                       \
        if (!tried(__FILE__, __LINE__, #call, call)) {                         \
            int again_ = (call);                                               \
            if (again_ < 0)                                                    \
                harness_fail("%s:%d: %s: %s, once more", __FILE__, __LINE__,   \
                             #call, chute_errname(again_));                    \
        }                                                                      \
    } while (0)

#endif
