/* args.c - the arguments of a torture program. */
#include "args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "torture.h"

_Noreturn static void usage(const char *program, const struct arg *args)
{
    fprintf(stderr, "usage: %s", program);
    for (; args->name; args++)
        fprintf(stderr, " [%s%s%s]", args->name, args->flag ? "" : " ",
                args->flag ? "" : args->what);
    fputc('\n', stderr);
    exit(EXIT_TROUBLE);
}

/* Whether the text is a number and nothing else. */
static bool number_of(const char *text, unsigned long *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

void args_take(const char *program, const struct arg *args, char **argv)
{
    for (char **given = argv + 1; *given; given++) {
        const struct arg *arg = args;
        while (arg->name && strcmp(arg->name, *given) != 0)
            arg++;
        if (!arg->name)
            usage(program, args);
        if (arg->flag) {
            *arg->flag = true;
            continue;
        }
        if (!*++given)
            usage(program, args);
        if (arg->text)
            *arg->text = *given;
        else if (!number_of(*given, arg->number))
            usage(program, args);
    }
}
