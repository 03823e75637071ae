/* say.c - talk, which goes to stderr and begins with who talks.
 *
 * A complaint says what happened and what to do. Progress is one line that
 * overwrites itself, on a terminal only, and is wiped before anything else is
 * said.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

#define PATIENCE_NS UINT64_C(1000000000)
#define STEP_NS     UINT64_C(200000000)

static const char *verb;
static bool quiet;
static uint64_t began_ns, shown_ns;
static bool is_shown;

void say_begin(const char *name)
{
    verb = name;
}

const char *say_verb(void)
{
    return verb ? verb : "";
}

void say_quiet(void)
{
    quiet = true;
}

static void say(const char *format, va_list args)
{
    progress_end();
    fflush(stdout);
    flockfile(stderr);
    fprintf(stderr, "chute%s%s: ", verb ? " " : "", verb ? verb : "");
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    funlockfile(stderr);
}

int complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return FAILED;
}

int misused(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    fprintf(stderr, "'chute %s%s--help' tells more.\n", verb ? verb : "",
            verb ? " " : "");
    return MISUSED;
}

void note(const char *format, ...)
{
    va_list args;

    if (quiet)
        return;
    va_start(args, format);
    say(format, args);
    va_end(args);
}

bool say_in_colour(FILE *to)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    return isatty(fileno(to)) && !(no && *no) &&
           !(term && strcmp(term, "dumb") == 0);
}

void progress(const char *what, uint64_t n, uint64_t total)
{
    static int wanted = -1;
    char count[UNITS_LEN], rate[UNITS_LEN];

    if (wanted < 0)
        wanted = !quiet && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    if (!wanted)
        return;
    uint64_t now = units_now();
    if (!began_ns)
        began_ns = now;
    if (now - began_ns < PATIENCE_NS || now - shown_ns < STEP_NS)
        return;
    shown_ns = now;
    is_shown = true;
    double seconds = (double)(now - began_ns) / 1e9;
    fprintf(stderr, "\r\033[K%s %s", what, units_show_count(count, (double)n));
    if (total)
        fprintf(stderr, " of %s", units_show_count(count, (double)total));
    fprintf(stderr, ", %s/s", units_show_count(rate, (double)n / seconds));
    fflush(stderr);
}

void progress_end(void)
{
    if (is_shown)
        fputs("\r\033[K", stderr);
    is_shown = false;
}

int finish_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    int r = complain("stdout: %s", strerror(errno));
    return status == DONE ? r : status;
}
