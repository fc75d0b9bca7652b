/* Level 1 of docs/c-guide.md in a host whose clock is its own: a wait in which nothing comes lasts no time. */
#include "../check.h"
#include <sys/epoll.h>

static void must(int32_t result)
{
    CHECK(result >= 0);
}

struct connection {
    int fd;
    heartline_peer peer;
};

static uint64_t clock_ms = 5000;
static int peer_end, suspects, deaths;

static uint64_t host_now_ms(void)
{
    return clock_ms;
}

static int host_wait(int ep, struct epoll_event *ev, int room, int wait_ms)
{
    int n = epoll_wait(ep, ev, room, 0);
    CHECK(n >= 0 && (n > 0 || wait_ms >= 0));
    if (n == 0)
        clock_ms += (uint64_t)wait_ms;
    return n;
}
#define heartline_now_ms host_now_ms
#define epoll_wait host_wait

static void judge(heartline_monitor *monitor, const heartline_verdict *v, uint64_t now)
{
    struct connection *conn = (struct connection *)(uintptr_t)v->user;
    char byte;
    int is_dead = v->kind == HEARTLINE_VERDICT_DEAD;
    /* A byte that came while the verdict was made: the first time it is one, the second there is none. */
    if (is_dead)
        CHECK(v->silence_ms >= 20000 && (deaths++ > 0 || write(peer_end, "x", 1) == 1));
    switch (v->kind) {
#include "c-guide-2.c"
    case HEARTLINE_VERDICT_SUSPECT:
        suspects++;
        break;
    }
    heartline_peer_info info;
    int32_t known = heartline_monitor_info(monitor, v->peer, now, &info, sizeof info);
    if (is_dead && deaths == 2) {
        EXPECT(known, HEARTLINE_ERR_STALE);
        CHECK(read(peer_end, &byte, 1) == 0); /* it was closed */
        CHECK(suspects == 2 && clock_ms >= 5000 + 40000 && clock_ms < 5000 + 41000);
        heartline_monitor_free(monitor);
        exit(0);
    }
    EXPECT(known, 0);
}

int main(void)
{
    int ends[2], ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev[512];
    struct connection host, *conn = &host;
    CHECK(ep >= 0);
    pair(ends);
    conn->fd = ends[0], peer_end = ends[1];
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = conn};
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, conn->fd, &e) == 0);
#include "c-guide-1.c"
}
