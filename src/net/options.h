/* options.h - what a listener and a client are told, checked. */
#ifndef NET_OPTIONS_H
#define NET_OPTIONS_H

#include "chute/net.h"

/* *given with every default filled in, and the key copied. */
int net_options_take(struct chute_net_options *ret_options,
                     const struct chute_net_options *given);

/* Wipe the key, and free it. */
void net_options_done(struct chute_net_options *options);

/* What the connections are made with. */
struct chute_conn_options
net_conn_options(const struct chute_net_options *options);

#endif
