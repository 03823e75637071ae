/* soak.c - many producers and consumers, killed at random.
 *
 *     soak [--seconds N] [--kills N] [--seed N]
 *
 * Several rounds, each with a fresh channel (channel.c): a queue of bytes or of
 * values, or a pipe whose ends are shared by all of a side. n producers put as fast
 * as they can, m consumers get; every millisecond or two the supervisor kills one
 * of them, or some at once, and puts new ones in their places. Now and then it
 * holds its hand for longer than a tick: what a kill has broken has to mend
 * without newcomers.
 *
 * Counting. Each life of a producer has a number p, and its items numbers s; p
 * and s are in the item, together with its length, and its bytes are made from
 * them. In shared memory, which no kill can take away, lies the journal:
 *
 *     producer   started[p] = s + 1;  put;  done[p] = s + 1
 *     consumer   get;  got[p][s]++
 *
 * When all is drained:
 *
 *     s < done, got 0               lost: at most one for each consumer that
 *                                   was killed, for he may have held it
 *     got > 1                       doubled: none
 *     done <= s < started, got 1    published, though the producer was killed
 *                                   before put returned: one for each at most
 *     wrong bytes, an s that nobody
 *     has started                   torn: none
 *     s not above the last of p
 *     at the same consumer          disorder: none
 *
 * A pipe through which long messages go may be at its end after a kill in the
 * middle of one. All are told so, by the errors that are named for it, and there is
 * a new pipe. If only senders were killed, all whole messages come out before; what
 * a dead receiver leaves in the middle of one, nobody can read.
 *
 * Stalls. While there is room, and producers are there, something has to be put;
 * while there is something, and consumers are there, it has to be got. The
 * supervisor looks every half millisecond. On a busy machine a stall may be
 * nobody's fault: they who were to go on were waiting for a processor. So once a
 * stall is SUSPICIOUS_NS old, the time that those of the side concerned, and the
 * supervisor, wait for one is read from /proc (schedstat), and the stretches in
 * which one of them did are taken off. (Who sleeps for want of a wake-up does not
 * wait for a processor.) So is the time that the killed take to die.
 *
 * With --kills it ends when so many are dead, and fails if they are not when the
 * seconds are over.
 *
 * A growing queue has its tides: producers put while consumers nap, until the
 * queue holds FLOOD bytes, then the other way round; so regions are added,
 * crossed and given back all the time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "args.h"
#include "channel.h"
#include "chute/error.h"
#include "plat/plat.h"
#include "torture.h"

#define MAX_LIVES 4096 /* of producers, in a round */
#define MAX_SEQ   8192 /* items that one of them puts; then another comes */
#define MAX_SEATS 16
#define MAX_BURST 4 /* less than the fewest seats: nobody dies twice */

#define SMALL_LEN ((size_t)400)
#define LARGE_LEN ((size_t)300000)
#define FLOOD     (UINT64_C(24) << 20)
#define MEMORY    (UINT64_C(64) << 20)
#define TIDE_NS   CHUTE_MS(300) /* a tide turns at the latest after this */

#define LOOK_US       500
#define SUSPICIOUS_NS CHUTE_MS(10)
#define ROUND_NS      CHUTE_SEC(10)
#define END_NS        CHUTE_SEC(5) /* for the last to drain and leave */

static const struct setup {
    unsigned producers, consumers;
    enum channel_kind kind;
    unsigned maxsize; /* of a queue; 0: it grows */
    const char *name;
} setups[] = {
    {3, 3, CHANNEL_BYTES, 1, "3x3 max 1"},
    {3, 3, CHANNEL_BYTES, 8, "3x3 max 8"},
    {3, 3, CHANNEL_BYTES, 0, "3x3 grows"},
    {4, 4, CHANNEL_VALUES, 8, "4x4 values"},
    {4, 4, CHANNEL_PIPE, 1, "4x4 pipe"},
    {3, 3, CHANNEL_LONG, 1, "3x3 long pipe"},
    {3, 3, CHANNEL_WATCHED, 1, "3x3 watched"},
    {8, 8, CHANNEL_BYTES, 4, "8x8 max 4"},
    {8, 8, CHANNEL_BYTES, 64, "8x8 max 64"},
    {8, 8, CHANNEL_BYTES, 0, "8x8 grows"},
    {6, 6, CHANNEL_VALUES, 0, "6x6 values"},
    {6, 6, CHANNEL_WATCHED, 0, "6x6 watched"},
    {6, 6, CHANNEL_LENT, 8, "6x6 lent"},
};

#define N_SETUPS (sizeof setups / sizeof setups[0])

static struct {
    unsigned long seconds, kills, seed;
} given = {.seconds = 30, .seed = 1};

/* -- what is shared --------------------------------------------------------- */

struct life {
    _Atomic uint32_t started, done;
};

struct journal {
    _Atomic bool stop;      /* producers: finish */
    _Atomic bool ended;     /* a pipe is at its end */
    _Atomic bool high_tide; /* producers nap, consumers work */
    _Atomic uint32_t torn, disorder;
    _Atomic uint64_t n_put, n_got;
    _Atomic uint32_t
        what; /* an error that no call should have given, negated */
    struct life life[MAX_LIVES];
    _Atomic uint8_t got[MAX_LIVES][MAX_SEQ];
};

static struct journal *journal;

static const struct setup *setup;
static struct channel channel;

static bool has_tides(void)
{
    return setup->maxsize == 0;
}

/* -- items ------------------------------------------------------------------ */

struct head {
    uint32_t life, seq;
    uint64_t len;
};

static uint64_t item_id(uint32_t life, uint32_t seq)
{
    return (uint32_t)mix((uint64_t)life << 32 | seq);
}

/* Mostly small; in a growing queue some that do not fit its first region. */
static size_t item_len(uint32_t life, uint32_t seq)
{
    uint64_t x = mix(item_id(life, seq));
    size_t most = SMALL_LEN;

    if (has_tides())
        most = x % 64 == 0 ? LARGE_LEN : 10 * SMALL_LEN;
    if (setup->kind == CHANNEL_LONG && x % 16 == 0)
        most = LARGE_LEN;
    return sizeof(struct head) +
           (size_t)(x >> 8) % (most - sizeof(struct head));
}

static size_t item_make(char *buf, uint32_t life, uint32_t seq)
{
    size_t len = item_len(life, seq);
    struct head head = {life, seq, len};

    memcpy(buf, &head, sizeof head);
    item_fill(buf + sizeof head, len - sizeof head, item_id(life, seq));
    return len;
}

/* Whether the item is whole, and one that was put. */
static bool item_read(const char *buf, size_t len, struct head *ret_head)
{
    struct head head;

    if (len < sizeof head)
        return false;
    memcpy(&head, buf, sizeof head);
    *ret_head = head;
    return head.life < MAX_LIVES && head.seq < MAX_SEQ && head.len == len &&
           len == item_len(head.life, head.seq) &&
           head.seq < atomic_load(&journal->life[head.life].started) &&
           item_is(buf + sizeof head, len - sizeof head,
                   item_id(head.life, head.seq));
}

/* -- participants ----------------------------------------------------------- */

/* What a death in the middle of a long message does to all who share the pipe:
 * no more of it can go through. */
static bool is_end_of_pipe(int r)
{
    return setup->kind == CHANNEL_LONG &&
           (r == CHUTE_EPARTIAL || r == CHUTE_EPIPE);
}

_Noreturn static void leave(int r)
{
    if (is_end_of_pipe(r)) {
        atomic_store(&journal->ended, true);
        _exit(0);
    }
    if (r < 0)
        atomic_store(&journal->what, (uint32_t)-r);
    _exit(r < 0);
}

static void nap(bool tide)
{
    if (has_tides() && tide)
        usleep(2000);
}

/* Timeouts are short now and then: to give up is an operation too. */
static int64_t timeout_of(uint64_t x)
{
    return x % 8 == 0 ? CHUTE_MS(1) : CHUTE_SEC(10);
}

/* Who gives up in the middle of a long message ends the stream. */
static int64_t put_timeout_of(uint64_t x)
{
    return setup->kind == CHANNEL_LONG ? CHUTE_FOREVER : timeout_of(x);
}

_Noreturn static void produce(uint32_t life)
{
    static char buf[sizeof(struct head) + LARGE_LEN];
    struct life *mine = &journal->life[life];

    channel_join(&channel, true);
    for (uint32_t s = 0; s < MAX_SEQ && !atomic_load(&journal->stop); s++) {
        size_t len = item_make(buf, life, s);
        int r;
        nap(atomic_load(&journal->high_tide));
        atomic_store(&mine->started, s + 1);
        do
            r = channel_put(&channel, buf, len,
                            put_timeout_of(item_id(life, s)));
        while (r == CHUTE_ETIMEDOUT);
        if (r < 0)
            leave(r);
        atomic_store(&mine->done, s + 1);
        atomic_fetch_add(&journal->n_put, 1);
    }
    leave(0);
}

static void count_item(const char *buf, size_t len, uint32_t *next)
{
    struct head head;

    if (!item_read(buf, len, &head)) {
        atomic_fetch_add(&journal->torn, 1);
        return;
    }
    atomic_fetch_add(&journal->got[head.life][head.seq], 1);
    atomic_fetch_add(&journal->n_got, 1);
    if (head.seq < next[head.life])
        atomic_fetch_add(&journal->disorder, 1);
    next[head.life] = head.seq + 1;
}

_Noreturn static void leave_consumer(int r)
{
    /* The end of a pipe too, if nothing of a dead sender's message had left. */
    if (r == CHUTE_EOF && !atomic_load(&journal->stop))
        r = CHUTE_EPARTIAL;
    leave(r == CHUTE_EOF ? 0 : r);
}

_Noreturn static void consume(uint64_t x)
{
    static char buf[sizeof(struct head) + LARGE_LEN];
    static uint32_t next[MAX_LIVES];
    size_t len;
    int r;

    channel_join(&channel, false);
    for (;;) {
        nap(!atomic_load(&journal->high_tide) && !atomic_load(&journal->stop));
        r = channel_get(&channel, buf, sizeof buf, &len,
                        timeout_of(x = mix(x)));
        if (r == 0)
            count_item(buf, len, next);
        else if (r != CHUTE_ETIMEDOUT)
            leave_consumer(r);
    }
}

/* -- the supervisor --------------------------------------------------------- */

struct seat {
    pid_t pid; /* 0: nobody */
    bool producer;
};

/* One side of the channel: how long it has stood still with work to do. */
struct side {
    bool producers;
    uint64_t word;
    int64_t since;
    bool suspicious;
    int64_t waited_ns[MAX_SEATS + 1]; /* for a processor, up to now, each; us */
    int64_t excused_ns;               /* of the time since `since`, */
    int64_t excused_to;               /* in which nothing counts up to here */
    int64_t worst_ns;
};

static struct {
    struct seat seat[MAX_SEATS];
    unsigned n_seats;
    struct side head, tail;
    uint32_t n_lives;
    uint64_t random;
    int64_t next_kill, tide_since;
    unsigned long producer_kills, consumer_kills;
    const char *what;
} round_;

static uint64_t chance(void)
{
    return round_.random = mix(round_.random);
}

static void wrong(const char *what)
{
    if (!round_.what)
        round_.what = what;
}

static void seat_fill(struct seat *seat)
{
    uint32_t life = round_.n_lives;
    uint64_t x = chance();

    if (seat->producer && life == MAX_LIVES) {
        seat->pid = 0;
        return;
    }
    round_.n_lives += seat->producer;
    seat->pid = fork();
    MUST(seat->pid);
    if (seat->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (seat->producer)
            produce(life);
        consume(x);
    }
}

/* Take note of how it ended. */
static void seat_empty(struct seat *seat, int status)
{
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
        if (seat->producer)
            round_.producer_kills++;
        else
            round_.consumer_kills++;
    } else if (status != 0) {
        wrong("a participant failed");
    }
    seat->pid = 0;
}

/* One to MAX_BURST neighbours die at once: none of them gets to mend what the
 * others leave. They are reaped afterwards, so that their deaths overlap. */
static void kill_some(void)
{
    unsigned first = (unsigned)(chance() % round_.n_seats);
    unsigned n = 1 + (unsigned)(chance() % MAX_BURST);
    struct seat *seat[MAX_BURST];
    int status;

    for (unsigned i = 0; i < n; i++) {
        seat[i] = &round_.seat[(first + i) % round_.n_seats];
        if (seat[i]->pid)
            MUST(kill(seat[i]->pid, SIGKILL));
    }
    for (unsigned i = 0; i < n; i++) {
        if (!seat[i]->pid)
            continue;
        MUST(waitpid(seat[i]->pid, &status, 0));
        seat_empty(seat[i], status);
        seat_fill(seat[i]);
    }
}

/* Producers that have put all they may leave by themselves. */
static void replace_leavers(void)
{
    int status;

    for (unsigned i = 0; i < round_.n_seats; i++) {
        struct seat *seat = &round_.seat[i];
        if (!seat->pid || waitpid(seat->pid, &status, WNOHANG) <= 0)
            continue;
        seat_empty(seat, status);
        seat_fill(seat);
    }
}

/* -- stalls ----------------------------------------------------------------- */

/* How long a process has waited for a processor in its life; 0: unknown. */
static int64_t wait_of(pid_t pid)
{
    char path[64];
    long long ran, waited = 0;

    snprintf(path, sizeof path, "/proc/%d/schedstat", (int)pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld", &ran, &waited) != 2)
        waited = 0;
    fclose(file);
    return waited;
}

/* Nothing is to be held against the library from then to now. */
static void side_excuse(struct side *side, int64_t then, int64_t now)
{
    if (then < side->excused_to)
        then = side->excused_to;
    if (then < side->since)
        then = side->since;
    if (then < now) {
        side->excused_ns += now - then;
        side->excused_to = now;
    }
}

/* The longest that one of the side, or we, have just waited for a processor. The
 * kernel tells of a wait when it is over. */
static int64_t side_wait(struct side *side)
{
    int64_t most = 0;

    for (unsigned i = 0; i <= round_.n_seats; i++) {
        const struct seat *seat = &round_.seat[i];
        bool ours = i == round_.n_seats;
        if (!ours && (seat->producer != side->producers || !seat->pid))
            continue;
        int64_t waited = wait_of(ours ? getpid() : seat->pid);
        if (waited - side->waited_ns[i] > most)
            most = waited - side->waited_ns[i];
        side->waited_ns[i] = waited;
    }
    return most;
}

/* Count a stall that is over, or that the round's end has cut short. */
static void side_settle(struct side *side, int64_t now)
{
    int64_t stall = now - side->since;

    if (side->suspicious)
        side_excuse(side, now - side_wait(side), now);
    else if (stall > SUSPICIOUS_NS)
        return; /* it was the supervisor that was late */
    stall -= side->excused_ns;
    if (stall > side->worst_ns)
        side->worst_ns = stall;
}

static void side_restart(struct side *side, int64_t now)
{
    side->since = side->excused_to = now;
    side->excused_ns = 0;
    side->suspicious = false;
}

static void side_look(struct side *side, uint64_t word, bool work, int64_t now)
{
    if (word != side->word || !work) {
        side_settle(side, now);
        side->word = word;
        side_restart(side, now);
    } else if (side->suspicious) {
        side_excuse(side, now - side_wait(side), now);
    } else if (now - side->since > SUSPICIOUS_NS) {
        side->suspicious = true;
        (void)side_wait(side);
    }
}

static void turn_the_tide(bool high, uint64_t used, int64_t now)
{
    if ((high ? used > 0 : used <= FLOOD) && now - round_.tide_since <= TIDE_NS)
        return;
    atomic_store(&journal->high_tide, !high);
    round_.tide_since = now;
    side_restart(&round_.head, now);
    side_restart(&round_.tail, now);
}

static void look(void)
{
    bool tides = has_tides(), high = atomic_load(&journal->high_tide);
    struct channel_view view;
    int64_t now = plat_now();

    channel_look(&channel, &view);
    if (!view.has_words) {
        view.put_word = atomic_load(&journal->n_put);
        view.get_word = atomic_load(&journal->n_got);
    }
    side_look(&round_.tail, view.put_word, view.may_put && !(tides && high),
              now);
    side_look(&round_.head, view.get_word, view.may_get && !(tides && !high),
              now);
    if (tides)
        turn_the_tide(high, view.used, now);
}

/* -- a round ---------------------------------------------------------------- */

static void schedule_kill(int64_t now)
{
    /* Half a millisecond to two and a half; once in a hundred times, three
     * ticks. */
    uint64_t x = chance();

    round_.next_kill =
        now + (x % 100 == 0 ? CHUTE_MS(150)
                            : CHUTE_MS(1) / 2 + (int64_t)(x % 2000000));
}

static void run(int64_t end, unsigned long kills)
{
    int64_t now;

    while ((now = plat_now()) < end &&
           round_.producer_kills + round_.consumer_kills < kills &&
           round_.n_lives < MAX_LIVES && !atomic_load(&journal->ended)) {
        usleep(LOOK_US);
        look();
        if (now >= round_.next_kill) {
            kill_some();
            schedule_kill(now);
            side_excuse(&round_.head, now, plat_now());
            side_excuse(&round_.tail, now, plat_now());
        }
        replace_leavers();
    }
    side_settle(&round_.tail, now);
    side_settle(&round_.head, now);
}

/* Wait until all producers, or all consumers, have left. */
static void await_leavers(bool producers, int64_t end)
{
    for (unsigned i = 0; i < round_.n_seats; i++) {
        struct seat *seat = &round_.seat[i];
        int status;
        while (seat->pid && seat->producer == producers) {
            if (plat_now() > end) {
                wrong(producers ? "a producer hung" : "a consumer hung");
                kill(seat->pid, SIGKILL);
            }
            if (waitpid(seat->pid, &status, WNOHANG) > 0)
                seat_empty(seat, status);
            else
                usleep(LOOK_US);
        }
    }
}

struct counts {
    unsigned long producer_kills, consumer_kills;
    unsigned long items, lost, doubled, torn, disorder, unreturned;
    unsigned long deaths, rescues;
    unsigned long excess; /* lost beyond what killed consumers may have held */
    int64_t stall_ns;
};

static void count_life(uint32_t life, struct counts *counts)
{
    uint32_t started = atomic_load(&journal->life[life].started);
    uint32_t done = atomic_load(&journal->life[life].done);

    for (uint32_t s = 0; s < MAX_SEQ; s++) {
        uint8_t got = atomic_load(&journal->got[life][s]);
        counts->lost += s < done && got == 0;
        counts->doubled += got > 1;
        counts->unreturned += s >= done && s < started && got == 1;
        counts->torn += s >= started && got > 0;
    }
}

static void settle(struct counts *counts)
{
    for (uint32_t life = 0; life < round_.n_lives; life++)
        count_life(life, counts);
    channel_stat(&channel, &counts->rescues, &counts->deaths);
    counts->items = (unsigned long)atomic_load(&journal->n_got);
    counts->torn += atomic_load(&journal->torn);
    counts->disorder = atomic_load(&journal->disorder);
    counts->producer_kills = round_.producer_kills;
    counts->consumer_kills = round_.consumer_kills;
    counts->stall_ns = round_.head.worst_ns > round_.tail.worst_ns
                           ? round_.head.worst_ns
                           : round_.tail.worst_ns;
    /* put gives nothing back to its caller when it is killed, get gives
     * nothing to its journal: one item each. */
    if (atomic_load(&journal->ended) && counts->consumer_kills > 0)
        counts->lost = 0;
    if (counts->lost > counts->consumer_kills) {
        counts->excess = counts->lost - counts->consumer_kills;
        wrong("more lost than consumers killed");
    }
    if (counts->unreturned > counts->producer_kills)
        wrong("more published than producers killed");
    if (counts->doubled || counts->torn || counts->disorder)
        wrong("doubled, torn or out of order");
    if (counts->stall_ns > PROMISE_NS)
        wrong("stalled");
    if (atomic_load(&journal->what))
        wrong(chute_strerror(-(int)atomic_load(&journal->what)));
}

static void begin(uint64_t seed)
{
    int64_t now = plat_now();

    memset(&round_, 0, sizeof round_);
    round_.random = seed;
    round_.n_seats = setup->producers + setup->consumers;
    journal = shared_new(sizeof *journal);
    channel_begin(&channel, setup->kind, setup->maxsize, MEMORY);
    for (unsigned i = 0; i < round_.n_seats; i++) {
        round_.seat[i].producer = i < setup->producers;
        seat_fill(&round_.seat[i]);
    }
    round_.tide_since = now;
    round_.tail.producers = true;
    side_restart(&round_.head, now);
    side_restart(&round_.tail, now);
    /* Where the first kill may be the last one, no time is lost on it. */
    schedule_kill(now +
                  (setup->kind == CHANNEL_LONG ? CHUTE_MS(3) : CHUTE_MS(50)));
}

static void end(void)
{
    channel_end(&channel);
    plat_unmap(journal, sizeof *journal);
}

static void play(uint64_t seed, int64_t ns, unsigned long kills,
                 struct counts *ret_counts)
{
    *ret_counts = (struct counts){0};
    begin(seed);
    run(plat_now() + ns, kills);
    atomic_store(&journal->stop, true);
    await_leavers(true, plat_now() + END_NS);
    channel_close(&channel);
    await_leavers(false, plat_now() + END_NS);
    const char *flaw = channel_check(&channel);
    if (flaw)
        wrong(flaw);
    settle(ret_counts);
    end();
}

/* -- main ------------------------------------------------------------------- */

static void print_row(const char *name, const struct counts *counts)
{
    printf(
        "%-12s %7lu %7lu %10lu %6lu %7lu %5lu %6lu %6lu %6lu %7lu %8.1f  %s\n",
        name, counts->producer_kills, counts->consumer_kills, counts->items,
        counts->lost, counts->doubled, counts->torn, counts->disorder,
        counts->unreturned, counts->deaths, counts->rescues,
        ms_of(counts->stall_ns), round_.what ? round_.what : "ok");
    fflush(stdout);
}

static void add(struct counts *total, const struct counts *counts)
{
    total->producer_kills += counts->producer_kills;
    total->consumer_kills += counts->consumer_kills;
    total->items += counts->items;
    total->lost += counts->lost;
    total->doubled += counts->doubled;
    total->torn += counts->torn;
    total->disorder += counts->disorder;
    total->unreturned += counts->unreturned;
    total->rescues += counts->rescues;
    total->deaths += counts->deaths;
    total->excess += counts->excess;
    if (counts->stall_ns > total->stall_ns)
        total->stall_ns = counts->stall_ns;
}

static void take_arguments(char **argv)
{
    const struct arg args[] = {
        {.name = "--seconds", .what = "N", .number = &given.seconds},
        {.name = "--kills", .what = "N", .number = &given.kills},
        {.name = "--seed", .what = "N", .number = &given.seed},
        {.name = NULL}};

    args_take("soak", args, argv);
}

static unsigned long kills_of(const struct counts *counts)
{
    return counts->producer_kills + counts->consumer_kills;
}

/* One round of a setup; or, of one whose rounds end with the first kill or so,
 * as many as there is time for. Whether all were well. */
static bool play_for(int64_t ns, uint64_t seed, unsigned long kills,
                     struct counts *ret_counts)
{
    int64_t finish = plat_now() + ns;

    *ret_counts = (struct counts){0};
    do {
        struct counts counts;
        play(seed = mix(seed), finish - plat_now(),
             kills - kills_of(ret_counts), &counts);
        add(ret_counts, &counts);
    } while (setup->kind == CHANNEL_LONG && !round_.what &&
             plat_now() < finish && kills_of(ret_counts) < kills);
    return !round_.what;
}

/* Rounds until time, or kills, are used up. Whether all were well. */
static bool soak(struct counts *total)
{
    int64_t all = CHUTE_SEC((int64_t)given.seconds);
    int64_t finish = plat_now() + all, each = all / (int64_t)N_SETUPS;
    unsigned long kills = given.kills ? given.kills : ULONG_MAX;
    bool well = true;

    if (each > ROUND_NS)
        each = ROUND_NS;
    for (unsigned i = 0;
         plat_now() + each / 2 < finish && kills_of(total) < kills; i++) {
        struct counts counts;
        setup = &setups[i % N_SETUPS];
        if (!play_for(each, given.seed + i, kills - kills_of(total), &counts))
            well = false;
        print_row(setup->name, &counts);
        add(total, &counts);
    }
    return well;
}

int main(int argc, char **argv)
{
    struct counts total = {0};
    unsigned n_fds = count_fds();

    (void)argc;
    take_arguments(argv);
    printf("%-13s %7s %7s %10s %6s %7s %5s %6s %6s %6s %7s %8s\n", "channel",
           "p.kills", "c.kills", "items", "lost", "doubled", "torn", "order",
           "unret.", "deaths", "rescues", "stall ms");
    bool well = soak(&total);
    if (count_fds() != n_fds) {
        wrong("descriptors were left open");
        well = false;
    }
    print_row("total", &total);
    printf(
        "lost: held by a consumer that was killed, at most one each; unret.: "
        "published by a producer that was; deaths: in the middle of a put or "
        "get, "
        "lock in hand; seed %lu\n",
        given.seed);
    if (kills_of(&total) < given.kills) {
        printf("soak: time was up before %lu were dead\n", given.kills);
        well = false;
    }
    puts(well ? "soak: the promise held" : "soak: BROKEN");
    torture_row("soak", kills_of(&total), total.excess, total.doubled,
                total.torn, total.stall_ns);
    return well ? 0 : EXIT_BROKEN;
}
