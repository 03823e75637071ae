/* trace.c - a child on a leash: stopped at any instruction, killed there.
 *
 * The child asks to be traced and runs into a trap, an int3 of our own, before
 * fn and once more after it; that is how the tracer knows the beginning and the
 * end. In between it is moved by single steps, or, much faster, by a breakpoint:
 * an int3 that is written over the instruction to stop at. Its text is its own
 * copy; nobody else sees that.
 *
 * PTRACE_O_EXITKILL: no stopped child outlives the program.
 */
#define _GNU_SOURCE
#include "trace.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "torture.h"

#if TRACE_WORKS
#include <sys/ptrace.h>
#include <sys/user.h>

/* int3, ret. A breakpoint's address is its first byte; the child that has run
 * into it stands behind it. */
void trace_trap(void);
__asm__(".text\n.globl trace_trap\n.type trace_trap, @function\n"
        "trace_trap: int3\nret\n.size trace_trap, . - trace_trap\n");

#define INT3 0xcc

static uintptr_t trap(void)
{
    return (uintptr_t)trace_trap;
}

static void await_stop(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, __WALL) < 0)
        if (errno != EINTR)
            trouble("waitpid");
    if (!WIFSTOPPED(status)) {
        errno = ECHILD;
        trouble("the traced child ended by itself");
    }
}

static uintptr_t raw_pc(pid_t pid)
{
    errno = 0;
    long pc = ptrace(PTRACE_PEEKUSER, pid,
                     offsetof(struct user_regs_struct, rip), NULL);
    if (errno)
        trouble("PTRACE_PEEKUSER");
    return (uintptr_t)pc;
}

pid_t trace_start(void (*fn)(void *), void *arg)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(1);
        trace_trap();
        fn(arg);
        trace_trap();
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, __WALL) < 0)
        return -1;
    if (!WIFSTOPPED(status)) {
        errno = EPERM;
        return -1;
    }
    MUST(ptrace(PTRACE_SETOPTIONS, pid, NULL,
                PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD));
    return pid;
}

uintptr_t trace_pc(pid_t pid)
{
    uintptr_t pc = raw_pc(pid);

    /* Before the trap is the end; at the beginning it stands behind it. */
    return pc == trap() ? 0 : pc;
}

void trace_step(pid_t pid)
{
    MUST(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL));
    await_stop(pid);
}

/* Write byte over the one at pc; gives the old one. */
static uint8_t poke(pid_t pid, uintptr_t pc, uint8_t byte)
{
    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, pc, NULL);
    if (errno)
        trouble("PTRACE_PEEKTEXT");
    uint8_t old = (uint8_t)word;
    word = (long)(((unsigned long)word & ~0xfful) | byte);
    MUST(ptrace(PTRACE_POKETEXT, pid, pc, word));
    return old;
}

static void set_pc(pid_t pid, uintptr_t pc)
{
    MUST(ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rip),
                pc));
}

bool trace_run_to(pid_t pid, uintptr_t pc)
{
    if (raw_pc(pid) == pc)
        return true;
    uint8_t old = pc ? poke(pid, pc, INT3) : 0;
    MUST(ptrace(PTRACE_CONT, pid, NULL, NULL));
    await_stop(pid);
    if (pc)
        poke(pid, pc, old);
    uintptr_t at = raw_pc(pid) - 1;
    set_pc(pid, at);
    return at == pc;
}

uintptr_t trace_behind_repeat(pid_t pid, uintptr_t pc)
{
    uint8_t code[8];

    errno = 0;
    long word = ptrace(PTRACE_PEEKTEXT, pid, pc, NULL);
    if (errno)
        trouble("PTRACE_PEEKTEXT");
    memcpy(code, &word, sizeof code);
    if (code[0] != 0xf3)
        return 0;
    size_t n = code[1] == 0x48 ? 2 : 1; /* REX.W */
    switch (code[n]) {
    case 0xa4: /* movs */
    case 0xa5:
    case 0xaa: /* stos */
    case 0xab:
        return pc + n + 1;
    default:
        return 0;
    }
}

uint64_t trace_peek(pid_t pid, uintptr_t at)
{
    errno = 0;
    long word = ptrace(PTRACE_PEEKDATA, pid, at, NULL);
    if (errno)
        trouble("PTRACE_PEEKDATA");
    return (uint64_t)word;
}

void trace_go(pid_t pid)
{
    MUST(ptrace(PTRACE_SYSCALL, pid, NULL, NULL));
}

long trace_await_syscall(pid_t pid, long *ret_result)
{
    struct user_regs_struct regs;

    await_stop(pid);
    MUST(ptrace(PTRACE_GETREGS, pid, NULL, &regs));
    if (regs.rip == trap() + 1)
        return -1;
    *ret_result = (long)regs.rax;
    return (long)regs.orig_rax;
}

bool trace_sleeps_in(pid_t pid, long call)
{
    char path[64], text[32] = "";

    snprintf(path, sizeof path, "/proc/%d/syscall", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    return read && text[0] >= '0' && text[0] <= '9' &&
           strtol(text, NULL, 10) == call;
}

void trace_kill(pid_t pid)
{
    int status;

    MUST(kill(pid, SIGKILL));
    do
        MUST(waitpid(pid, &status, __WALL));
    while (!WIFSIGNALED(status) && !WIFEXITED(status));
}

#endif
