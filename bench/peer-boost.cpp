/* peer-boost.cpp - Boost.Interprocess's message_queue, all of one priority. */
#include <string>

#include <unistd.h>

#include <boost/interprocess/ipc/message_queue.hpp>

#include "bench.h"

using boost::interprocess::create_only;
using boost::interprocess::interprocess_exception;
using boost::interprocess::message_queue;

static const char *open_boost(void **ret_channel, const struct shape *shape)
{
    std::string name = "bench-" + std::to_string(getpid());

    try {
        *ret_channel = new message_queue(create_only, name.c_str(),
                                         shape->n_slots, shape->len);
    } catch (interprocess_exception &e) {
        die("boost", e.what());
    }
    message_queue::remove(name.c_str()); /* its memory stays mapped */
    return nullptr;
}

static void close_boost(void *channel)
{
    delete static_cast<message_queue *>(channel);
}

static void put(void *channel, const char *data, size_t len)
{
    static_cast<message_queue *>(channel)->send(data, len, 0);
}

static size_t get(void *channel, char *buf, size_t cap)
{
    message_queue::size_type len = 0;
    unsigned priority = 0;

    static_cast<message_queue *>(channel)->receive(buf, cap, len, priority);
    return len;
}

static struct peer make()
{
    struct peer p = {};

    p.name = "boost";
    p.open = open_boost;
    p.put = put;
    p.get = get;
    p.close = close_boost;
    return p;
}

static const struct peer boost_peer = make();
PEER(boost_peer);
