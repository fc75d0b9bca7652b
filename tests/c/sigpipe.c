/* SIGPIPE with its default disposition, which ends a process: sending to a peer that is gone must not raise it. */
#include "check.h"
#include <arpa/inet.h>
#include <signal.h>

static uint16_t port_of(heartline_reactor *reactor, int32_t listener)
{
    char at[64];
    CHECK(heartline_reactor_listener_address(reactor, listener, at, sizeof at) > 0);
    return (uint16_t)atoi(strrchr(at, ':') + 1);
}

int main(void)
{
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = reactor_of(NULL);
    int32_t listener = heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL);
    CHECK(listener == 0);
    struct sockaddr_in to;
    memset(&to, 0, sizeof to);
    to.sin_family = AF_INET, to.sin_port = htons(port_of(reactor, listener)), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int round = 0; round < 20; round++) {
        int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct linger reset = {1, 0};
        CHECK(peer >= 0 && connect(peer, (struct sockaddr *)&to, sizeof to) == 0);
        uint64_t id = await_kind(reactor, HEARTLINE_EVENT_OPENED).id;
        if (round % 2)
            CHECK(setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
        close(peer);
        for (int i = 0; i < 50; i++) {
            heartline_slice parts[2] = {{"hello ", 6}, {"world", 5}};
            int32_t result = i % 2 ? heartline_reactor_send(reactor, id, "hello", 5) : heartline_reactor_sendv(reactor, id, parts, 2);
            CHECK(result == 0 || result == HEARTLINE_ERR_CLOSING || result == HEARTLINE_ERR_STALE);
            EXPECT(heartline_reactor_flush(reactor), 0);
        }
        heartline_event closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
        CHECK(closed.id == id && (closed.reason == HEARTLINE_REASON_PEER_CLOSED || closed.reason == HEARTLINE_REASON_PEER_RESET));
    }
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
