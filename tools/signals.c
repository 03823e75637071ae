/* signals.c - to be interrupted between two messages, never within one.
 *
 * A tool that is killed between a get and the print has lost a message. So a
 * signal only leaves its number here; queues are opened CHUTE_INTERRUPTIBLE, and
 * every loop looks between two calls.
 *
 * Writing goes on after a signal, so that a message is written whole; reading
 * does not, for there may be nothing to read for hours. A verb does one of both.
 *
 * A signal that comes just before a call sleeps would go unnoticed until the
 * next: so the handler has an alarm come a second later, and every second from
 * then on. A second signal kills, for those who cannot wait.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "tool.h"

static volatile sig_atomic_t came;

static void on_alarm(int number)
{
    (void)number;
    alarm(1);
}

static void on_signal(int number)
{
    came = number;
    alarm(1);
}

void signals_begin(bool writes)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, old;

    action.sa_flags = (int)SA_RESETHAND | (writes ? SA_RESTART : 0);
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        sigaction(numbers[i], NULL, &old);
        if (old.sa_handler != SIG_IGN) /* nohup(1), and a shell's & */
            sigaction(numbers[i], &action, NULL);
    }
    action.sa_handler = on_alarm;
    action.sa_flags = writes ? SA_RESTART : 0;
    sigaction(SIGALRM, &action, NULL);
}

int signals_status(void)
{
    return came ? 128 + came : 0;
}
