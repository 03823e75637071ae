/* measure.h - the three things that are measured. */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include "bench.h"

/* Each prints one line of JSON; the result is false if messages were lost, torn
 * or came twice. */

/* Messages a second, and what one takes of the processors. */
bool measure_rate(const struct peer *peer, const struct shape *shape,
                  double seconds);

/* From putting a message until it is back; place is "other", "same" or "free":
 * on which processor the other process is. */
bool measure_trip(const struct peer *peer, size_t len, const char *place,
                  double seconds);

/* What a getter takes of a processor while nothing comes. */
bool measure_idle(const struct peer *peer, size_t len, double seconds);

/* Open a channel; NULL if it cannot be, which is then the result. */
void *channel_open(const struct peer *peer, const struct shape *shape);

/* As a channel of about 16 MiB has room, but 1024 at most, and at least 16. */
size_t slots_for(size_t len);

/* NULL if the peer can do this; otherwise why not. */
const char *peer_refuses(const struct peer *peer, const struct shape *shape);

#endif /* BENCH_MEASURE_H */
