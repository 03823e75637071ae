/* args.h - the arguments of a torture program. See args.c. */
#ifndef ARGS_H
#define ARGS_H

#include <stdbool.h>

/* One that may be given: its name, and where it goes, which is one of these. */
struct arg {
    const char *name; /* "--points"; NULL behind the last */
    const char *what; /* "N", for the usage line */
    bool *flag;       /* is set */
    unsigned long *number;
    const char **text;
};

/* Take them all, or say what there is and exit with EXIT_TROUBLE. */
void args_take(const char *program, const struct arg *args, char **argv);

#endif
