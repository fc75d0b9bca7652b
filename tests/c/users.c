/*
 * The programs that the interface was made for, as their writers would write them: liveness alone in an epoll loop,
 * framing alone over a ring of one's own, the reactor inside a game loop, and the operations around it.
 */
#include "check.h"
#include <sys/epoll.h>

/* (1) Liveness only, on the host's own loop. */

typedef struct Conn {
    int fd;
    heartline_peer hl;
    int pings, dropped;
} Conn;

static int sooner(int32_t wait_ms, int32_t to_tick)
{
    return wait_ms < 0 || to_tick < wait_ms ? to_tick : wait_ms;
}

static void ping(Conn *c)
{
    c->pings++;
    CHECK(write(c->fd, "p", 1) == 1);
}

static void liveness_only(void)
{
    heartline_policy p;
    heartline_monitor *m;
    heartline_verdict v[256];
    struct epoll_event ev[512];
    Conn conns[2];
    int peers[2], ep = epoll_create1(EPOLL_CLOEXEC), n, k, dead = 0;
    uint64_t now = heartline_now_ms(), until = now + WITHIN_MS;

    CHECK(ep >= 0);
    EXPECT(heartline_policy_parse("game,role=ask,interval=40ms,suspect=80ms,timeout=160ms", &p, sizeof p, NULL, 0), 0);
    EXPECT(heartline_monitor_new(NULL, now, &m), 0);
    EXPECT(heartline_monitor_policy(m, 0, &p, now), 0);
    for (int i = 0; i < 2; i++) { /* on accept */
        int ends[2];
        Conn *c = &conns[i];
        pair(ends);
        memset(c, 0, sizeof *c);
        c->fd = ends[0], peers[i] = ends[1];
        EXPECT(heartline_monitor_add(m, (uint64_t)(uintptr_t)c, 0, now, &c->hl), 0);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e) == 0);
    }
    while (dead == 0) {
        char b[16];
        if (read(peers[0], b, 1) == 1) /* the first peer answers, the second never does */
            CHECK(write(peers[0], "P", 1) == 1);
        n = epoll_wait(ep, ev, 512, sooner(heartline_monitor_wait_ms(m, now), 5)); /* -1: nothing due */
        now = heartline_now_ms();
        CHECK(now < until);
        for (int i = 0; i < n; i++) {
            Conn *c = ev[i].data.ptr;
            if (recv(c->fd, b, sizeof b, 0) > 0)
                EXPECT(heartline_monitor_heard(m, c->hl, now), 0);
        }
        do {
            k = heartline_monitor_advance(m, now, v, 256);
            CHECK(k >= 0);
            for (int i = 0; i < k; i++) {
                Conn *c = (Conn *)(uintptr_t)v[i].user;
                if (v[i].kind == HEARTLINE_VERDICT_ASK)
                    ping(c);
                else if (v[i].kind == HEARTLINE_VERDICT_DEAD) { /* a proposal until remove */
                    if (recv(c->fd, b, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
                        EXPECT(heartline_monitor_heard(m, c->hl, now), 0);
                    else {
                        EXPECT(heartline_monitor_remove(m, c->hl), 0);
                        c->dropped = 1;
                        dead++;
                    }
                }
            }
        } while (k == 256);
    }
    CHECK(conns[1].dropped && !conns[0].dropped && conns[0].pings > 0 && conns[1].pings > 0);
    for (int i = 0; i < 2; i++) {
        close(conns[i].fd);
        close(peers[i]);
    }
    close(ep);
    heartline_monitor_free(m);
}

/* (2) Framing only: my ring buffer, my header. */

static int messages;

static void on_msg(Conn *c, unsigned id, const uint8_t *data, size_t len)
{
    (void)c;
    CHECK(id == 0x1234 && len == 5 && memcmp(data, "hello", 5) == 0);
    messages++;
}

static unsigned be16(const uint8_t *at)
{
    return (unsigned)(at[0] << 8 | at[1]);
}

static void framing_only(void)
{
    heartline_codec *k;
    char why[160];
    heartline_frame f;
    heartline_stream scanned = {{0, 0}};
    struct {
        uint8_t p[64];
        size_t n;
    } ring = {{0}, 0};
    int32_t r;
    unsigned id = 0x1234;

    EXPECT(heartline_codec_parse("length:2be,head=4,max=64K,ask=@2:0001", &k, why, sizeof why), 0);
    uint8_t h[4] = {0, 0, (uint8_t)(id >> 8), (uint8_t)id};
    EXPECT(heartline_codec_head(k, 5, h, 4), 4); /* fills in the length only */
    CHECK(h[0] == 0 && h[1] == 5 && be16(h + 2) == id);
    uint8_t wire[2 * 9 + 4];
    for (int i = 0; i < 2; i++) {
        memcpy(wire + 9 * i, h, 4);
        memcpy(wire + 9 * i + 4, "hello", 5);
    }
    memcpy(wire + 18, "\0\0\0\1", 4); /* a beat */
    int asks = 0;
    for (size_t i = 0; i < sizeof wire; i++) { /* byte by byte, as a slow network has it */
        ring.p[ring.n++] = wire[i];
        while ((r = heartline_codec_cut(k, ring.p, ring.n, &scanned, &f)) == 1) {
            if (f.kind == 0)
                on_msg(NULL, be16(f.head + 2), f.data, f.len);
            else
                asks += f.kind == HEARTLINE_BEAT_EITHER; /* the answer was not given: the same bytes */
            memmove(ring.p, ring.p + f.total, ring.n - f.total);
            ring.n -= f.total;
        }
        EXPECT(r, 0);
    }
    CHECK(messages == 2 && asks == 1 && ring.n == 0);
    EXPECT(heartline_codec_parse("length:2bee", &k, why, sizeof why), HEARTLINE_ERR_SPEC);
    CHECK(strlen(why) > 10);
    heartline_codec *again = codec_of("length:2be,head=4,max=64K,ask=@2:0001");
    heartline_codec_free(again);
    heartline_codec_free(k);
}

/* (3) The whole reactor inside a 30 Hz loop. */

static int clamp0(int64_t value)
{
    return value < 0 ? 0 : (int)value;
}

static int echoed;

static void on_events(heartline_reactor *r, const heartline_event *ev, int n)
{
    for (int i = 0; i < n; i++)
        if (ev[i].kind == HEARTLINE_EVENT_MESSAGE) {
            EXPECT(heartline_reactor_send(r, ev[i].id, ev[i].data, ev[i].len), 0);
            echoed++;
        }
}

static void game_loop(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *r = reactor_of(NULL);
    heartline_event ev[512];
    int end, n;
    char back[6 * 4];
    uint64_t id = adopted(r, codec, NULL, 0, &end), next = heartline_now_ms();
    for (int tick = 0; tick < 4; tick++) {
        next += 33;
        CHECK(write(end, "\0\0\0\2hi", 6) == 6);
        EXPECT(heartline_reactor_send(r, id, "snapshot", 8), 0); /* the world steps */
        EXPECT(heartline_reactor_flush(r), 0);                   /* without it: 33 ms later */
        do {
            n = heartline_reactor_poll(r, ev, 512, clamp0((int64_t)(next - heartline_now_ms())));
            CHECK(n >= 0);
            on_events(r, ev, n);
        } while (heartline_now_ms() < next);
    }
    CHECK(echoed == 4);
    read_all(r, end, back, sizeof back);
    close(end);
    heartline_reactor_free(r);
    heartline_codec_free(codec);
}

/* (4) Operations, and (5) what a script is told of an end. */

static char journal[256];

static void on_closed(const char *why, const heartline_obituary *o)
{
    CHECK(o->reason != 0);
    snprintf(journal, sizeof journal, "%s after %u ms of silence, round trip %d ms, %u retransmits", why, o->silence_ms,
             o->rtt_ms == HEARTLINE_OFF ? -1 : (int)o->rtt_ms, o->tcp_retransmits);
}

static void operations(void)
{
    enum { RESTART = 256 };
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *r = reactor_of(NULL), *r2 = reactor_of(NULL);
    heartline_options opt;
    heartline_released out;
    heartline_drain_options drain;
    heartline_event e;
    heartline_obituary o;
    char *buf = malloc(16384);
    int end;
    char *player = malloc(16);
    CHECK(buf != NULL && player != NULL);
    strcpy(player, "Ada");
    HEARTLINE_INIT(opt);
    uint64_t id = adopted(r, codec, &opt, (uint64_t)(uintptr_t)player, &end), id2;

    CHECK(heartline_reactor_metrics(r, buf, 16384) > 0); /* http */
    EXPECT(heartline_reactor_release(r, id, &out), 0); /* upgrade */
    EXPECT(heartline_reactor_adopt(r2, out.fd, codec, &opt, out.user, out.unread, out.unread_len, out.unsent, out.unsent_len, &id2), 0);
    HEARTLINE_INIT(drain); /* on SIGTERM */
    drain.spread_ms = 20, drain.limit_ms = 100, drain.farewell = "x", drain.farewell_len = 1, drain.code = RESTART;
    EXPECT(heartline_reactor_drain(r2, &drain), 0);
    do
        CHECK(heartline_reactor_poll(r2, &e, 1, 1000) >= 0);
    while (e.kind != HEARTLINE_EVENT_CLOSED);
    EXPECT(heartline_reactor_obituary(r2, e.id, &o, sizeof o), 0);
    player = (char *)(uintptr_t)e.user;
    on_closed(heartline_name(HEARTLINE_NAMES_REASONS, e.reason), &o);
    CHECK(e.reason == RESTART && strcmp(player, "Ada") == 0 && strstr(journal, "application after") == journal);
    free(player); /* only here */
    free(buf);
    close(end);
    heartline_reactor_free(r);
    heartline_reactor_free(r2);
    heartline_codec_free(codec);
}

int main(void)
{
    EXPECT(heartline_check_abi(HEARTLINE_ABI_VERSION), 0);
    liveness_only();
    framing_only();
    game_loop();
    operations();
    return 0;
}
