/* trace.h - a child on a leash: stopped at any instruction, killed there.
 *
 * x86-64 only, the rest of the system's processors have no tracer here yet. One
 * thread traces: the one that started the child.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__linux__) && defined(__x86_64__)
#define TRACE_WORKS 1
#else
#define TRACE_WORKS 0
#endif

/* Run fn(arg) in a child that is traced. It has stopped before its first
 * instruction. -1 with errno if this system lets nobody trace. */
pid_t trace_start(void (*fn)(void *), void *arg);

/* The instruction that comes next; 0 if fn has returned. */
uintptr_t trace_pc(pid_t pid);

/* Execute one instruction. A system call is one, however long it sleeps. */
void trace_step(pid_t pid);

/* Execute all up to the one at pc. false: fn returned before it came there,
 * or pc is 0. */
bool trace_run_to(pid_t pid, uintptr_t pc);

/* If the instruction at pc repeats itself (rep movs and its kin): the address
 * of the one behind it. Otherwise 0. */
uintptr_t trace_behind_repeat(pid_t pid, uintptr_t pc);

/* A word of its memory. */
uint64_t trace_peek(pid_t pid, uintptr_t at);

/* Set it going to its next entry to, or exit from, a system call; and, later,
 * wait until it is there. What it gives is the call's number, or -1 if fn has
 * returned; at an exit *ret_result is what the call gives. */
void trace_go(pid_t pid);
long trace_await_syscall(pid_t pid, long *ret_result);

/* Whether a process or thread, traced or not, is asleep in that system call. */
bool trace_sleeps_in(pid_t pid, long call);

/* SIGKILL, and wait until nothing is left of it. */
void trace_kill(pid_t pid);

#endif
