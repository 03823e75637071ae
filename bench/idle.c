/* idle.c - what a getter takes of a processor while nothing comes. */
#include <stdio.h>
#include <stdlib.h>

#include "crew.h"
#include "measure.h"

#define SETTLE 0.3 /* seconds until it has stopped to hope */

struct job {
    const struct peer *peer;
    size_t len;
    void *channel;
};

static void work(struct crew *crew, int i, void *arg)
{
    const struct job *job = arg;
    char *buf = malloc(job->len);

    if (!buf)
        die("idle", "out of memory");
    if (job->peer->attach)
        job->peer->attach(job->channel, GETTER, i);
    crew_meet(crew);
    job->peer->get(job->channel, buf, job->len);
    die("idle", "something came");
}

bool measure_idle(const struct peer *peer, size_t len, double seconds)
{
    struct shape shape = {len, slots_for(len), 1, 1};
    struct job job = {peer, len, channel_open(peer, &shape)};
    int cpu = ANY_CPU;
    struct crew crew;

    if (!job.channel)
        return true;
    crew_start(&crew, 1, &cpu, work, &job);
    crew_await(&crew);
    crew_release(&crew);
    crew_watch(&crew, SETTLE);
    double used = crew_cpu(&crew, 0), begin = now();
    crew_watch(&crew, seconds);
    used = crew_cpu(&crew, 0) - used;
    printf("{\"idle_percent\": %.4f}\n", used / (now() - begin) * 100);
    crew_kill(&crew);
    peer->close(job.channel);
    return true;
}
