/* alarms.h - signals that keep coming: no wait begins too late to meet one. */
#ifndef ALARMS_H
#define ALARMS_H

#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#include "test.h"

static inline void on_alarm(int signal)
{
    (void)signal;
}

/* A SIGALRM every 3 ms, that does not restart a call; or no more of them. */
static inline void alarm_often(bool yes)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, yes ? 3000 : 0}, {0, yes ? 3000 : 0}};

    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    CHECK_OK(setitimer(ITIMER_REAL, &often, NULL));
}

#endif
