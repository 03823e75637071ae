/* address.h - addresses as text. See address.c. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define ADDRESS_TEXT_MAX 128 /* of any address, with its NUL */

struct address {
    struct sockaddr_storage where;
    socklen_t len;
};

#define ADDRESSES_MAX 8

/* All that a text may mean, in the order to try them: one for most, several for
 * a host's name. How many; CHUTE_EINVAL; -ENAMETOOLONG; what getaddrinfo(3)
 * says, as an errno value. */
int address_parse(const char *text,
                  struct address ret_addresses[ADDRESSES_MAX]);

/* The text of an address, "" for an AF_UNIX socket without one. */
void address_print(const struct address *address,
                   char ret_text[ADDRESS_TEXT_MAX]);

/* The path of an AF_UNIX address, or NULL. Borrowed. */
const char *address_path(const struct address *address);

#endif
