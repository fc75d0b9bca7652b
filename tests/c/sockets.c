/* Options of a socket, read back from the socket; each has a value of its own, so that two that are swapped are found. */
#include "tcp.h"

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    CHECK(getsockopt(fd, level, name, &value, &size) == 0);
    return value;
}

struct seen {
    int nodelay, keepalive, idle_s, interval_s, count, user_timeout_ms;
};

static void check_socket(int fd, struct seen want)
{
    EXPECT(option_of(fd, IPPROTO_TCP, TCP_NODELAY), want.nodelay);
    EXPECT(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), want.keepalive);
    EXPECT(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), want.user_timeout_ms);
    if (want.keepalive) {
        EXPECT(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), want.idle_s);
        EXPECT(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), want.interval_s);
        EXPECT(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), want.count);
    }
}

static heartline_reactor *reactor;

/* What a socket is set to when it comes with these options, and when it gets them later. */
static void seen_with(const heartline_codec *codec, const heartline_options *options, struct seen want)
{
    for (int later = 0; later < 2; later++) {
        int ends[2];
        uint64_t id;
        tcp_pair(ends);
        EXPECT(heartline_reactor_adopt(reactor, ends[0], codec, later ? NULL : options, 0, NULL, 0, NULL, 0, &id), 0);
        CHECK(await_kind(reactor, HEARTLINE_EVENT_OPENED).id == id);
        if (later)
            EXPECT(heartline_reactor_set_options(reactor, id, codec, options), 0);
        check_socket(ends[0], want);
        EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_ABORT, 0), 0);
        CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == id);
        close(ends[1]);
    }
}

static void buffers(const heartline_codec *codec)
{
    heartline_options options;
    int end, fd;
    heartline_released released;
    HEARTLINE_INIT(options);
    options.send_buffer_bytes = 20000, options.receive_buffer_bytes = 30000;
    uint64_t id = adopted(reactor, codec, &options, 0, &end);
    EXPECT(heartline_reactor_release(reactor, id, &released), 0);
    fd = released.fd;
    EXPECT(option_of(fd, SOL_SOCKET, SO_SNDBUF), 2 * 20000); /* the kernel doubles it */
    EXPECT(option_of(fd, SOL_SOCKET, SO_RCVBUF), 2 * 30000);
    close(fd);
    close(end);
}

int main(void)
{
    /* Nobody judges `raw`, which has no beat: there the kernel's own timers are on. */
    heartline_codec *judged = codec_of("length:4be"), *unjudged = codec_of("raw");
    heartline_options options;
    reactor = reactor_of(NULL);
    HEARTLINE_INIT(options);
    seen_with(judged, &options, (struct seen){.nodelay = 1});
    seen_with(unjudged, &options, (struct seen){1, 1, 60, 20, 3, 0});

    options.nodelay = HEARTLINE_OFF;
    seen_with(judged, &options, (struct seen){.nodelay = 0});
    options.nodelay = 1;
    options.keepalive_idle_s = 77;
    seen_with(judged, &options, (struct seen){1, 1, 77, 20, 3, 0});
    options.keepalive_interval_s = 33, options.keepalive_count = 7;
    seen_with(judged, &options, (struct seen){1, 1, 77, 33, 7, 0});

    options.user_timeout_ms = 45000;
    seen_with(judged, &options, (struct seen){1, 1, 77, 33, 7, 0});
    seen_with(unjudged, &options, (struct seen){1, 1, 77, 33, 7, 45000});
    options.output_ms = 50000; /* it is not below this one */
    seen_with(unjudged, &options, (struct seen){1, 1, 77, 33, 7, 50000});
    options.user_timeout_ms = HEARTLINE_OFF;
    seen_with(unjudged, &options, (struct seen){1, 1, 77, 33, 7, 0});

    buffers(judged);
    heartline_reactor_free(reactor);
    heartline_codec_free(judged);
    heartline_codec_free(unjudged);
    return 0;
}
