/* pipe-fds.h - a bare pipe(2), for tests that wait on descriptors. */
#ifndef PIPE_FDS_H
#define PIPE_FDS_H

#include <fcntl.h>
#include <unistd.h>

#include "test.h"

struct pipe_fds {
    int out;
    int in;
};

static inline struct pipe_fds new_pipe(void)
{
    int fds[2];

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    return (struct pipe_fds){fds[0], fds[1]};
}

static inline void close_pipe(struct pipe_fds p)
{
    close(p.out);
    close(p.in);
}

#endif
