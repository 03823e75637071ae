/* test-net-fault.c - listeners and clients, with the n-th thing that either asks
 * of the system refused, as test-fault.c has it for the rest.
 *
 * Both run at once, and whose call is the n-th is left to chance. If one of them
 * is refused, the other may see a peer that leaves; so the client comes again
 * until he is served, which is the second time at the latest. What the listener
 * has made in the file system is gone at the end, but where just that was
 * refused.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chute.h"
#include "chute/net.h"
#include "leak.h"
#include "net-scene.h"
#include "test.h"
#include "try.h"

#define SOON CHUTE_SEC(20)

static const struct chute_net_options open_to_all = {.size =
                                                         sizeof open_to_all};

/* -- the client -------------------------------------------------------------- */

struct client {
    const struct chute_net_options *options;
    const char *address;
    atomic_bool served;
};

static bool is_served(struct client *client)
{
    chute_conn *conn = NULL;
    char c;
    size_t len;

    int r = chute_connect(&conn, client->address, client->options, SOON);
    /* What connect(2) says by itself is passed on as it is. */
    if (r < 0 && strcmp(fault_site(), "connect") == 0)
        return false;
    if (!passed(r))
        return false;
    r = chute_conn_send_bytes(conn, "q", 1, SOON);
    if (r == 0)
        r = chute_conn_recv_bytes(conn, &c, 1, &len, SOON);
    if (passed(r))
        atomic_store(&client->served, true);
    chute_conn_free(conn);
    return r == 0;
}

static void *come(void *arg)
{
    struct client *client = arg;

    if (!is_served(client))
        CHECK(is_served(client));
    return NULL;
}

/* -- the listener ------------------------------------------------------------ */

static void serve(chute_listener *l)
{
    chute_conn *conn = NULL, *other;
    char c;
    size_t len;

    int r = chute_listener_accept(l, &conn, CHUTE_MS(20));
    if (r == CHUTE_ETIMEDOUT || !passed(r))
        return;
    /* With his question in the socket, which is none of the listener's now. */
    (void)chute_conn_poll(conn, SOON);
    r = chute_listener_accept(l, &other, CHUTE_NOWAIT);
    if (r == 0) { /* he has come again meanwhile */
        chute_conn_free(conn);
        conn = other;
    } else {
        CHECK(r == CHUTE_ETIMEDOUT || !passed(r));
    }
    r = chute_conn_recv_bytes(conn, &c, 1, &len, SOON);
    if (r == 0)
        r = chute_conn_send_bytes(conn, "a", 1, SOON);
    if (passed(r)) /* till he has gone */
        (void)chute_conn_recv_bytes(conn, &c, 1, &len, SOON);
    chute_conn_free(conn);
}

static void meet(const char *address, const struct chute_net_options *options)
{
    struct client client = {.options = options};
    struct chute_listener_stats stats = {.size = sizeof stats};
    chute_listener *l = NULL;
    pthread_t thread;
    char peer[64];

    TRY(chute_listener_new(&l, address, options));
    client.address = chute_listener_address(l);
    TRY(chute_listener_fd(l));
    CHECK_OK(pthread_create(&thread, NULL, come, &client));
    while (!atomic_load(&client.served))
        serve(l);
    CHECK_OK(pthread_join(thread, NULL));
    TRY(chute_listener_stat(l, &stats));
    TRY(chute_listener_last_accepted(l, peer, sizeof peer));
    chute_listener_free(l);
}

static char tmp[40];

/* Listeners have their files in a directory of the test's. */
static void begin_in_tmp(void)
{
    strcpy(tmp, "/tmp/chute-net-fault-XXXXXX");
    CHECK(mkdtemp(tmp) != NULL);
    CHECK_EQ(setenv("TMPDIR", tmp, 1), 0);
}

static bool is_empty(void)
{
    DIR *dir = opendir(tmp);
    int n = 0;

    CHECK(dir != NULL);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n == 2;
}

static void empty(void)
{
    char command[200];

    snprintf(command, sizeof command, "rm -rf %s/*", tmp);
    CHECK_EQ(system(command), 0);
}

static bool may_leave_files(void)
{
    const char *site = fault_site();

    return strcmp(site, "lstat") == 0 || strcmp(site, "unlink") == 0 ||
           strcmp(site, "rmdir") == 0;
}

static void check_tmp_is_left_empty(void)
{
    if (is_empty())
        return;
    CHECK(may_leave_files());
    empty();
}

/* What lies in the file system, and nothing that comes in any order. */
TEST_TIMEOUT(a_listener_comes_and_goes, 240)
{
    begin_in_tmp();
    FAULT_LOOP (n) {
        chute_listener *l = NULL;
        TRY(chute_listener_new(&l, NULL, &with_key));
        chute_listener_free(l);
        check_tmp_is_left_empty();
    }
    CHECK_EQ(rmdir(tmp), 0);
}

/* Without a key one thread can be both, one after the other. */
static void come_and_go(const char *address)
{
    FAULT_LOOP (n) {
        chute_listener *l = NULL;
        chute_conn *client = NULL, *conn = NULL;
        TRY(chute_listener_new(&l, address, &open_to_all));
        int r = chute_connect(&client, chute_listener_address(l), NULL, SOON);
        CHECK(r == 0 || fault_fired());
        if (r < 0)
            CHECK_OK(
                chute_connect(&client, chute_listener_address(l), NULL, SOON));
        /* A peer that cannot be looked at is shut out, and nobody follows. */
        r = chute_listener_accept(l, &conn, CHUTE_MS(50));
        if (r == 0)
            chute_conn_free(conn);
        else
            CHECK(fault_fired());
        chute_conn_free(client);
        chute_listener_free(l);
    }
}

TEST_TIMEOUT(client_and_listener_one_after_the_other, 240)
{
    begin_in_tmp();
    come_and_go(NULL);
    empty();
    CHECK_EQ(rmdir(tmp), 0);
    come_and_go("tcp:127.0.0.1:0");
}

/* A watched listener winds its timer for who has connected and says nothing. */
TEST_TIMEOUT(a_client_says_nothing, 240)
{
    begin_in_tmp();
    FAULT_LOOP (n) {
        chute_listener *l = NULL;
        chute_conn *conn = NULL;
        TRY(chute_listener_new(&l, NULL, &with_key));
        TRY(chute_listener_fd(l));
        int silent = connect_raw(l);
        int r = chute_listener_accept(l, &conn, CHUTE_NOWAIT);
        CHECK(r == CHUTE_ETIMEDOUT || fault_fired());
        close(silent);
        chute_listener_free(l);
        check_tmp_is_left_empty();
    }
    CHECK_EQ(rmdir(tmp), 0);
}

static void walk(const char *address, const struct chute_net_options *options)
{
    begin_in_tmp();
    FAULT_LOOP (n) {
        meet(address, options);
        check_tmp_is_left_empty();
    }
    CHECK_EQ(rmdir(tmp), 0);
}

TEST_TIMEOUT(a_client_comes_by_file, 240)
{
    walk(NULL, &open_to_all);
}

TEST_TIMEOUT(a_client_with_a_key_comes_by_file, 240)
{
    walk(NULL, &with_key);
}

TEST_TIMEOUT(a_client_comes_by_network, 240)
{
    walk("tcp:127.0.0.1:0", &open_to_all);
}

TEST_TIMEOUT(a_client_with_a_key_comes_by_network, 240)
{
    walk("tcp:127.0.0.1:0", &with_key);
}

TEST(every_site_has_failed_with_every_error)
{
    static struct text left;
    size_t n = fault_unrefused(true, &left);

    if (strstr(left.s, "socket never failed"))
        SKIP("the other tests of this program have to run before it");
    if (n > 0)
        harness_fail("%zu refusals were not tried\n%s", n, left.s);
}
