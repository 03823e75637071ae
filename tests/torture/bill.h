/* bill.h - which scenes a program plays, how much of each, and what comes of
 * them all. See bill.c. */
#ifndef BILL_H
#define BILL_H

#include <stdbool.h>

#include "scene.h"
#include "tally.h"

struct bill {
    const char *program;
    unsigned long points; /* to die at, of each thing, at most; 0: no limit */
    bool rounds;          /* every round of each loop */
    unsigned long every;  /* play one in so many scenes */
    unsigned long seed;
    struct {
        unsigned long points, every;
    } quick; /* with --quick */

    /* Whether a scene is one for this program; and play it. */
    bool (*fits)(const struct scene *scene);
    void (*play)(const struct scene *scene, const char *name,
                 struct tally *total);
    const char *legend; /* of its table */
};

/* Take the arguments, play what they ask for, print tables, rows and a verdict;
 * the program's exit status. */
int bill_play(struct bill *bill, char **argv);

#endif
