/* A reactor in a foreign loop: by its descriptor, and by its timeout. A deadline alone makes the descriptor readable. */
#include "check.h"

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = reactor_of(NULL);
    heartline_policy policy;
    heartline_options options;
    heartline_event event;
    int end, other_end, seen = 0;

    EXPECT(heartline_reactor_wait_ms(reactor), -1); /* nothing is due, ever */
    HEARTLINE_INIT(policy);
    policy.interval_ms = 40, policy.suspect_ms = 80, policy.timeout_ms = 160, policy.role = HEARTLINE_ROLE_WATCH;
    EXPECT(heartline_reactor_policy(reactor, 0, &policy), 0);
    HEARTLINE_INIT(options);
    int fd = heartline_reactor_fd(reactor);
    CHECK(fd >= 0 && heartline_reactor_fd(reactor) == fd);
    adopted(reactor, codec, &options, 1, &end);
    struct pollfd wait = {fd, POLLIN, 0};
    uint64_t until = heartline_now_ms() + WITHIN_MS;
    while (seen != 7) {
        int32_t count;
        CHECK(heartline_now_ms() < until);
        CHECK(poll(&wait, 1, WITHIN_MS) == 1); /* no timeout of ours: the descriptor speaks in time */
        while ((count = heartline_reactor_poll(reactor, &event, 1, 0)) == 1) {
            if (event.kind == HEARTLINE_EVENT_SUSPECT)
                seen |= 1;
            if (event.kind == HEARTLINE_EVENT_CLOSED) {
                CHECK(event.reason == HEARTLINE_REASON_SILENT && event.silence_ms >= 160);
                seen |= 2;
                adopted(reactor, codec, &options, 2, &other_end);
                CHECK(write(other_end, "\0\0\0\1x", 5) == 5);
            }
            if (event.kind == HEARTLINE_EVENT_MESSAGE)
                seen |= 4;
        }
        CHECK(count == 0);
    }
    /* The same by the timeout. */
    int32_t ms = heartline_reactor_wait_ms(reactor);
    CHECK(ms >= 0 && ms <= 160);
    while (seen != 15) {
        CHECK(heartline_now_ms() < until);
        CHECK(poll(&wait, 1, heartline_reactor_wait_ms(reactor)) >= 0);
        while (heartline_reactor_poll(reactor, &event, 1, 0) == 1)
            if (event.kind == HEARTLINE_EVENT_CLOSED)
                seen |= 8;
    }
    close(end);
    close(other_end);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
