/* foreign-locale.h - run something where the decimal point is a comma. */
#ifndef FOREIGN_LOCALE_H
#define FOREIGN_LOCALE_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define NO_LOCALE 77

/* Hardly a machine has the locale ready; its source comes with `locales`. */
static void make_locale(const char *dir)
{
    char command[256];

    snprintf(command, sizeof command,
             "localedef --no-archive -f UTF-8 -i de_DE %s/de_DE.UTF-8 "
             ">/dev/null 2>&1",
             dir);
    (void)!system(command);
    CHECK_EQ(setenv("LOCPATH", dir, 1), 0);
}

/* Run the checks in a process of its own, for a locale leaves mappings behind.
 * false: there is no such locale here. */
static bool run_in_foreign_locale(void (*run)(void))
{
    char dir[] = "/tmp/test-locale-XXXXXX", command[64];
    int status;

    CHECK(mkdtemp(dir));
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        make_locale(dir);
        if (!setlocale(LC_ALL, "de_DE.UTF-8") ||
            strcmp(localeconv()->decimal_point, ",") != 0)
            _exit(NO_LOCALE);
        run();
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    snprintf(command, sizeof command, "rm -r %s", dir);
    CHECK_EQ(system(command), 0);
    while (waitpid(-1, NULL, 0) > 0) /* localedef does not wait for its gzip */
        continue;
    CHECK(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_LOCALE)
        return false;
    CHECK_EQ(WEXITSTATUS(status), 0);
    return true;
}

#endif
