/* listener.c - accepting: many handshakes at once, in one thread, with a limit.
 *
 *     listening socket --accept--> pending --its handshake ends--> a connection
 *                                     |
 *                                     '--fails, too slow, has to go--> shut out
 *
 * A pending peer is a socket and the state machine of auth.c. All of them and
 * the listening socket are in one epoll set; accept waits for it, moves on
 * whoever can move, and gives the first that is through. It stops there: the
 * set tells the same of the others the next time.
 *
 * Nobody waits for a peer. What could be used against us is bounded:
 *
 *   time      a handshake ends after handshake_timeout_ns, whatever arrives
 *   number    with max_pending of them, or no descriptors left, the oldest goes.
 *             The oldest, for an honest peer is through in some milliseconds: to
 *             push one out takes max_pending new connections in that time. To
 *             turn newcomers away instead would let max_pending silent ones
 *             close the door for the whole timeout.
 *   memory    sizeof(struct pending), nothing else
 *   work      a step reads what the handshake wants, never more, and there are
 *             four messages at most
 *
 * The list is in the order of arrival, so its head has the nearest deadline.
 * Who waits for the set himself (chute_listener_fd) has to be woken for it too,
 * so that the late are shut out: a timer in the set is set to it. Where nobody
 * asks for the descriptor, nobody pays for the setting.
 *
 * `lock` makes accept, fd and free of several threads take turns; a thread that
 * waits for its turn heeds its deadline. `facts` guards the figures, so that
 * they can be read while another thread accepts.
 *
 * A forked child has copies of the pending sockets, which are its parent's; the
 * first call in the child closes them (not shuts: the parent goes on), and makes
 * a set of its own, for an epoll set is shared by fork. The locks are made anew,
 * whoever held them.
 *
 * Proof: tests/unit/test-net.c, tests/conformance/net.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "base/options.h"
#include "plat/spin.h"
#include "net/address.h"
#include "net/auth.h"
#include "net/options.h"
#include "net/place.h"
#include "net/socket.h"

/* Rounds that a call without time to wait makes. */
#define ROUNDS_MAX 4

struct pending {
    struct pending *next, *before;
    int fd;
    int64_t deadline;
    struct address peer;
    struct auth auth;
};

struct chute_listener {
    int fd;
    int set;
    int timer;               /* in the set, */
    int64_t timer_at;        /* and what it is set to */
    _Atomic bool is_watched; /* by somebody who has the set's descriptor */
    pid_t pid;               /* whose set and pending they are */
    struct chute_net_options options;
    struct place place;
    struct spin spin; /* of who has `taken` it */
    char address[ADDRESS_TEXT_MAX];
    struct pending *oldest, *newest; /* whose thread has `taken` the set */

    pthread_mutex_t facts; /* guards: */
    bool taken;
    pthread_cond_t is_free; /* not taken any more; its clock is monotonic */
    uint64_t n_pending;
    uint64_t n_accepted, n_refused;
    int last_refusal;
    char last_accepted[ADDRESS_TEXT_MAX];
};

/* -- pending peers ---------------------------------------------------------- */

static void count(chute_listener *l, int n_pending, int refusal)
{
    pthread_mutex_lock(&l->facts);
    l->n_pending += (uint64_t)n_pending;
    if (refusal < 0) {
        l->n_refused++;
        l->last_refusal = refusal;
    }
    pthread_mutex_unlock(&l->facts);
}

static void append(chute_listener *l, struct pending *p)
{
    p->before = l->newest;
    *(l->newest ? &l->newest->next : &l->oldest) = p;
    l->newest = p;
    count(l, 1, 0);
}

/* Off the list, and gone; its socket is the caller's. */
static void forget(chute_listener *l, struct pending *p, int refusal)
{
    *(p->before ? &p->before->next : &l->oldest) = p->next;
    *(p->next ? &p->next->before : &l->newest) = p->before;
    auth_wipe(&p->auth);
    free(p);
    count(l, -1, refusal);
}

static void refuse(chute_listener *l, struct pending *p, int why)
{
    int fd = p->fd;

    (void)set_remove(l->set, fd); /* closing does it, too */
    forget(l, p, why);
    socket_shut(fd);
    socket_close(fd);
}

static void refuse_the_late(chute_listener *l)
{
    while (l->oldest && l->oldest->deadline <= socket_now())
        refuse(l, l->oldest, CHUTE_ETIMEDOUT);
}

/* Let the set wake its watchers for the first deadline. */
static void wind_timer(chute_listener *l)
{
    int64_t at = l->oldest ? l->oldest->deadline : SOCKET_NEVER;

    if (at == l->timer_at ||
        !atomic_load_explicit(&l->is_watched, memory_order_relaxed))
        return;
    set_timer(l->timer, at);
    l->timer_at = at;
}

/* -- one peer --------------------------------------------------------------- */

/* It is one of ours: 1, or why it could not be; -EAGAIN: it left meanwhile,
 * which is its affair. May push the oldest out. */
static int welcome(chute_listener *l, int fd, const struct address *peer,
                   chute_conn **ret_conn)
{
    struct chute_conn_options options = net_conn_options(&l->options);
    int r = chute_conn_of_fd(ret_conn, fd, &options);

    if (r == -EMFILE && l->oldest) {
        refuse(l, l->oldest, CHUTE_EAGAIN);
        r = chute_conn_of_fd(ret_conn, fd, &options);
    }
    if (r < 0) {
        socket_shut(fd);
        socket_close(fd);
        if (r != -ENOTCONN)
            return r;
        count(l, 0, CHUTE_EPIPE);
        return -EAGAIN;
    }
    pthread_mutex_lock(&l->facts);
    l->n_accepted++;
    address_print(peer, l->last_accepted);
    pthread_mutex_unlock(&l->facts);
    return 1;
}

/* Begin the handshake. */
static int begin(chute_listener *l, int fd, const struct address *peer)
{
    unsigned char nonce[AUTH_NONCE];
    struct pending *p = mem_zalloc(sizeof *p);

    int r = p ? socket_random(nonce, sizeof nonce) : fail(CHUTE_ENOMEM);
    if (r == 0)
        r = socket_deadline(l->options.handshake_timeout_ns, &p->deadline);
    if (r == 0)
        r = set_add(l->set, fd, p);
    if (r < 0) {
        free(p);
        socket_shut(fd);
        socket_close(fd);
        return r;
    }
    p->fd = fd;
    p->peer = *peer;
    auth_begin(&p->auth, true, l->options.authkey, l->options.authkey_len,
               l->options.flags, nonce);
    append(l, p);
    if (l->n_pending > l->options.max_pending)
        refuse(l, l->oldest, CHUTE_EAGAIN);
    r = socket_send_all(fd, p->auth.out, p->auth.n_out);
    p->auth.n_out = 0;
    if (r < 0)
        refuse(l, p, CHUTE_EPIPE);
    return 0;
}

/* Whoever has connected. 1 with a connection; 0; or what is wrong with us. */
static int admit(chute_listener *l, chute_conn **ret_conn)
{
    struct address peer;
    int fd;

    int r = socket_accept(l->fd, &fd, &peer);
    if ((r == -EMFILE || r == -ENFILE) && l->oldest) {
        refuse(l, l->oldest, CHUTE_EAGAIN);
        r = socket_accept(l->fd, &fd, &peer);
    }
    /* ECONNABORTED and the network's errors are of that one peer. */
    if (r < 0)
        return r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS
                   ? fail(r)
                   : 0;
    if (!(l->options.flags & CHUTE_ANY_USER) &&
        (r = socket_check_user(fd)) < 0) {
        socket_shut(fd);
        socket_close(fd);
        count(l, 0, r);
        return 0;
    }
    return l->options.authkey ? begin(l, fd, &peer)
                              : welcome(l, fd, &peer, ret_conn);
}

/* A step of a handshake: a piece of a message. 1: it is through; 0: go on;
 * -EAGAIN: nothing more is there; else why the peer has to go. */
static int step(struct pending *p)
{
    unsigned char bytes[AUTH_FRAME_MAX + 4];
    int r = socket_recv(p->fd, bytes, auth_wants(&p->auth));

    if (r <= 0)
        return r < 0 ? r : CHUTE_EAUTH;
    r = auth_feed(&p->auth, bytes, (size_t)r);
    int sent = socket_send_all(p->fd, p->auth.out, p->auth.n_out);
    p->auth.n_out = 0;
    return r < 0 || sent == 0 ? r : CHUTE_EPIPE;
}

/* Go as far as what is there allows. 1 with a connection; 0. */
static int advance(chute_listener *l, struct pending *p, chute_conn **ret_conn)
{
    int r;

    /* A handshake is four messages at most, so this has an end. */
    do
        r = step(p);
    while (r == 0);
    if (r == -EAGAIN)
        return 0;
    if (r < 0) {
        refuse(l, p, r);
        return 0;
    }
    int fd = p->fd;
    struct address peer = p->peer;
    r = set_remove(l->set, fd);
    if (r < 0) { /* it would be told of with a pointer to what is gone */
        refuse(l, p, r);
        return 0;
    }
    forget(l, p, 0);
    return welcome(l, fd, &peer, ret_conn);
}

/* -- the locks, and fork ---------------------------------------------------- */

static void make_locks(chute_listener *l)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&l->facts, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->is_free, &monotonic);
    pthread_condattr_destroy(&monotonic);
    l->taken = false;
}

static int make_set(chute_listener *l)
{
    int set = -1, timer = -1;
    int r = set_new(&set);

    if (r == 0)
        r = set_timer_new(&timer);
    if (r == 0)
        r = set_add(set, timer, l);
    if (r == 0)
        r = set_add(set, l->fd, NULL);
    if (r < 0) {
        socket_close(timer);
        socket_close(set);
        return r;
    }
    l->timer = timer;
    l->timer_at = SOCKET_NEVER;
    l->set = set;
    return 0;
}

/* In a child: what its parent had begun is not its own. */
static void disinherit(chute_listener *l)
{
    if (l->pid == getpid())
        return;
    make_locks(l);
    /* By next alone: another thread may have been changing the list. */
    for (struct pending *p = l->oldest, *next; p; p = next) {
        next = p->next;
        socket_close(p->fd);
        auth_wipe(&p->auth);
        free(p);
    }
    l->oldest = l->newest = NULL;
    socket_close(l->set);
    socket_close(l->timer);
    l->set = l->timer = -1;
    atomic_store_explicit(&l->is_watched, false, memory_order_relaxed);
    l->n_pending = l->n_accepted = l->n_refused = 0;
    l->last_refusal = 0;
    l->pid = getpid();
}

/* A mutex of its own would do, but for pthread_mutex_clocklock(3), which the
 * thread sanitizer does not know. */
static int take(chute_listener *l, int64_t deadline)
{
    struct timespec until = {(time_t)(deadline / 1000000000),
                             (long)(deadline % 1000000000)};
    int r = 0;

    pthread_mutex_lock(&l->facts);
    while (l->taken && r == 0)
        r = deadline == SOCKET_NEVER
                ? pthread_cond_wait(&l->is_free, &l->facts)
                : pthread_cond_timedwait(&l->is_free, &l->facts, &until);
    if (!l->taken) {
        l->taken = true;
        r = 0; /* free at the last moment is free */
    }
    pthread_mutex_unlock(&l->facts);
    return r == 0 ? 0 : r == ETIMEDOUT ? CHUTE_ETIMEDOUT : fail(-r);
}

static void drop(chute_listener *l)
{
    pthread_mutex_lock(&l->facts);
    l->taken = false;
    pthread_cond_signal(&l->is_free);
    pthread_mutex_unlock(&l->facts);
}

static int enter(chute_listener *l, int64_t deadline)
{
    disinherit(l);
    int r = take(l, deadline);
    if (r < 0)
        return r;
    if (l->set < 0)
        r = make_set(l);
    if (r < 0)
        drop(l);
    return r;
}

/* -- accept ----------------------------------------------------------------- */

/* Wait for somebody, but not past the first deadline of a handshake. */
static int wait_for_some(chute_listener *l, int64_t deadline,
                         void *what[SOCKET_EVENTS])
{
    refuse_the_late(l);
    wind_timer(l); /* or what has run off goes on waking us */
    if (l->oldest && l->oldest->deadline < deadline)
        deadline = l->oldest->deadline;
    bool interruptible = (l->options.flags & CHUTE_INTERRUPTIBLE) != 0;
    struct spin_wait wait = {0};
    int r;

    do
        r = set_wait(l->set, what, 0);
    while (r == 0 && !interruptible && spin_again(&l->spin, &wait, deadline));
    if (r == 0 && deadline > 0)
        r = set_wait(l->set, what, deadline);
    spin_learn(&l->spin, &wait);
    if (r == -EINTR && !interruptible)
        r = 0;
    return r;
}

/* Move on whoever can. The handshakes first: a newcomer may push one out. */
static int move_on(chute_listener *l, void *const what[], int n,
                   chute_conn **ret_conn)
{
    bool newcomers = false;
    int r = 0;

    for (int i = 0; i < n && r == 0; i++) {
        struct pending *p = what[i];
        if (!p)
            newcomers = true;
        else if (what[i] != l) /* the timer */
            r = advance(l, p, ret_conn);
    }
    return r == 0 && newcomers ? admit(l, ret_conn) : r;
}

static int accept_one(chute_listener *l, int64_t deadline,
                      chute_conn **ret_conn)
{
    void *what[SOCKET_EVENTS];

    for (int round = 0;; round++) {
        int n = wait_for_some(l, deadline, what);
        if (n < 0)
            return n;
        int r = move_on(l, what, n, ret_conn);
        if (r != 0 && r != -EAGAIN)
            return r < 0 ? r : 0;
        if (deadline <= socket_now() && (n == 0 || round >= ROUNDS_MAX))
            return CHUTE_ETIMEDOUT;
    }
}

int chute_listener_accept(chute_listener *l, chute_conn **ret_conn,
                          int64_t timeout_ns)
{
    int64_t deadline;

    if (!l || !ret_conn)
        return fail(CHUTE_EINVAL);
    int r = socket_deadline(timeout_ns, &deadline);
    if (r == 0)
        r = enter(l, deadline);
    if (r < 0)
        return r;
    r = accept_one(l, deadline, ret_conn);
    wind_timer(l);
    drop(l);
    return r;
}

/* -- making and freeing ----------------------------------------------------- */

static int listen_any(chute_listener *l, const char *text)
{
    struct address addresses[ADDRESSES_MAX], got;
    int n = address_parse(text, addresses);
    int r = n;

    for (int i = 0; i < n; i++) {
        r = socket_listen(&addresses[i], (int)l->options.backlog, &l->fd, &got);
        if (r == 0)
            break;
    }
    if (r < 0)
        return r;
    address_print(&got, l->address);
    place_take(&l->place, address_path(&got));
    return 0;
}

int chute_listener_new(chute_listener **ret_listener, const char *address,
                       const struct chute_net_options *given)
{
    char text[ADDRESS_TEXT_MAX];

    if (!ret_listener)
        return fail(CHUTE_EINVAL);
    chute_listener *l = mem_zalloc(sizeof *l);
    if (!l)
        return fail(CHUTE_ENOMEM);
    l->fd = l->set = l->timer = -1;
    l->pid = getpid();
    make_locks(l);
    int r = net_options_take(&l->options, given);
    if (r == 0 && !address) {
        r = place_new(&l->place, text);
        address = text;
    }
    if (r == 0)
        r = listen_any(l, address);
    if (r == 0)
        r = make_set(l);
    if (r < 0) {
        chute_listener_free(l);
        return r;
    }
    *ret_listener = l;
    return 0;
}

chute_listener *chute_listener_free(chute_listener *l)
{
    if (!l)
        return NULL;
    disinherit(l);
    while (l->oldest)
        refuse(l, l->oldest, CHUTE_EPIPE);
    socket_close(l->set);
    socket_close(l->timer);
    socket_close(l->fd);
    place_leave(&l->place);
    net_options_done(&l->options);
    pthread_cond_destroy(&l->is_free);
    pthread_mutex_destroy(&l->facts);
    free(l);
    return NULL;
}

/* -- what can be asked ------------------------------------------------------ */

const char *chute_listener_address(const chute_listener *l)
{
    return l ? l->address : "";
}

int chute_listener_last_accepted(chute_listener *l, char *buf, size_t cap)
{
    int r = 0;

    if (!l || (!buf && cap))
        return fail(CHUTE_EINVAL);
    disinherit(l);
    pthread_mutex_lock(&l->facts);
    size_t len = strlen(l->last_accepted) + 1;
    if (len > cap)
        r = fail(CHUTE_EMSGSIZE);
    else
        memcpy(buf, l->last_accepted, len);
    pthread_mutex_unlock(&l->facts);
    return r;
}

int chute_listener_fd(chute_listener *l)
{
    if (!l)
        return fail(CHUTE_EINVAL);
    /* The set changes in a child only, and there at the first call. Who is in
     * accept meanwhile winds the timer when he leaves. */
    bool is_ours = l->pid == getpid() && l->set >= 0;
    if (is_ours)
        atomic_store_explicit(&l->is_watched, true, memory_order_relaxed);
    int r = enter(l, is_ours ? 0 : SOCKET_NEVER);
    if (r < 0)
        return is_ours ? l->set : r;
    atomic_store_explicit(&l->is_watched, true, memory_order_relaxed);
    wind_timer(l);
    r = l->set;
    drop(l);
    return r;
}

int chute_listener_stat(chute_listener *l,
                        struct chute_listener_stats *ret_stats)
{
    struct chute_listener_stats stats = {0};

    if (!l || !ret_stats || ret_stats->size < sizeof stats.size)
        return fail(CHUTE_EINVAL);
    disinherit(l);
    pthread_mutex_lock(&l->facts);
    stats.n_accepted = l->n_accepted;
    stats.n_refused = l->n_refused;
    stats.n_pending = l->n_pending;
    stats.last_refusal = l->last_refusal;
    pthread_mutex_unlock(&l->facts);
    stats.size = ret_stats->size;
    memcpy(ret_stats, &stats,
           stats.size < sizeof stats ? stats.size : sizeof stats);
    return 0;
}
