/* label.c - who made this memory, and may we use it?
 *
 * Memory that a fork has inherited needs no questions. Memory whose descriptor
 * somebody has handed us (handle.c) may be anything: of another version, of
 * another PID namespace, damaged, or made by a rogue. In this order it has to
 * show that
 *
 *     it is a sealed file in memory   plat_shm_check: it cannot shrink under
 *                                     the mapping, nor be backed by a file
 *                                     system that lets us wait
 *     it is long enough
 *     it says so                      magic
 *     it is laid out like ours        layout
 *     its locks' owners are           pid_namespace
 *     known by the same numbers
 *
 * Then it may be used; and is input still, like all shared memory.
 *
 * Proof: tests/unit/test-label.c, tests/stress/attach.c.
 */
#include "base/fail.h"
#include "chute/error.h"
#include "plat/plat.h"
#include "shm/label.h"
#include "shm/word.h"

void label_write(struct shm_label *label, uint64_t magic,
                 uint64_t pid_namespace)
{
    word_set(&label->layout, layout_id());
    word_set(&label->pid_namespace, pid_namespace);
    word_set(&label->magic, magic);
}

static int check(struct shm_label *label, uint64_t magic,
                 uint64_t pid_namespace)
{
    if (word_get(&label->magic) != magic)
        return fail(CHUTE_ECORRUPT);
    if (word_get(&label->layout) != layout_id())
        return fail(CHUTE_ELAYOUT);
    if (word_get(&label->pid_namespace) != pid_namespace)
        return fail(CHUTE_ENAMESPACE);
    return 0;
}

int label_map(int fd, uint64_t magic, size_t len, uint64_t pid_namespace,
              void **ret_mem)
{
    uint64_t file_len, held;
    void *mem;

    int r = plat_shm_size(fd, &file_len, &held);
    if (r < 0)
        return r;
    if (file_len < len)
        return fail(CHUTE_ECORRUPT);
    r = plat_map(fd, 0, len, &mem);
    if (r < 0)
        return r;
    r = check(mem, magic, pid_namespace);
    if (r < 0) {
        plat_unmap(mem, len);
        return r;
    }
    *ret_mem = mem;
    return 0;
}

int label_attach(int fd, uint64_t magic, size_t len, uint64_t pid_namespace,
                 void **ret_mem)
{
    int r = plat_shm_check(fd);

    return r < 0 ? r : label_map(fd, magic, len, pid_namespace, ret_mem);
}
