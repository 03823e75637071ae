/* passed.h - the variable that names what a program was started with. Written by
 * spawn.c, which says what is in it; read by passed.c.
 */
#ifndef IPC_PASSED_H
#define IPC_PASSED_H

#define PASSED_VARIABLE "CHUTE_HANDLES"

#define PASSED_QUEUE 'q'
#define PASSED_CONN  'c'
#define PASSED_FD    'f'

/* So many handles at most. */
#define PASSED_MAX 64

#endif
