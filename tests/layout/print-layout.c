/* print-layout.c - the table of src/shm/layout.c, a line for each field. */
#include <stdio.h>

#include "shm/label.h"

int main(void)
{
    for (size_t i = 0; i < layout_n_fields; i++)
        printf("%-24s %5u %5u\n", layout_fields[i].name,
               layout_fields[i].offset, layout_fields[i].size);
    printf("layout %016llx\n", (unsigned long long)layout_id());
    return 0;
}
