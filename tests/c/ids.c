/* Ids that name nothing: never given, ended, released, of another object. Always HEARTLINE_ERR_STALE. */
#include "check.h"

#define STALE(call) EXPECT(call, HEARTLINE_ERR_STALE)

static void peer_is_stale(heartline_monitor *monitor, heartline_peer peer)
{
    heartline_peer_info info;
    STALE(heartline_monitor_heard(monitor, peer, 5));
    STALE(heartline_monitor_beat(monitor, peer, HEARTLINE_BEAT_ASK, 5));
    STALE(heartline_monitor_spoke(monitor, peer));
    STALE(heartline_monitor_set(monitor, peer, HEARTLINE_SET_USER, 1, 5));
    STALE(heartline_monitor_info(monitor, peer, 5, &info, sizeof info));
    STALE(heartline_monitor_remove(monitor, peer));
}

static void connection_is_stale(heartline_reactor *reactor, const heartline_codec *codec, uint64_t id)
{
    heartline_connection_info info;
    heartline_released released;
    heartline_slice slice = {"x", 1};
    int32_t result = 0;
    STALE(heartline_reactor_send(reactor, id, "x", 1));
    STALE(heartline_reactor_send_head(reactor, id, NULL, 0, "x", 1));
    STALE(heartline_reactor_sendv(reactor, id, &slice, 1));
    EXPECT(heartline_reactor_broadcast(reactor, &id, 1, "x", 1, &result), 0);
    EXPECT(result, HEARTLINE_ERR_STALE);
    STALE(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_ABORT, 0));
    STALE(heartline_reactor_set(reactor, id, HEARTLINE_SET_USER, 1));
    STALE(heartline_reactor_set(reactor, id, HEARTLINE_SET_HIGH_MARK, 1 << 20));
    STALE(heartline_reactor_set_options(reactor, id, codec, NULL));
    STALE(heartline_reactor_info(reactor, id, &info, sizeof info));
    STALE(heartline_reactor_release(reactor, id, &released));
}

int main(void)
{
    static const uint64_t never[] = {0, 1, 0xFFFFFF, (uint64_t)1 << 24, ((uint64_t)1 << 53) - 1, UINT64_MAX};
    heartline_monitor *first, *second;
    heartline_peer peer, again;

    EXPECT(heartline_monitor_new(NULL, 0, &first), 0);
    EXPECT(heartline_monitor_new(NULL, 0, &second), 0);
    EXPECT(heartline_monitor_add(first, 1, 0, 0, &peer), 0);
    CHECK(peer != 0 && peer < (uint64_t)1 << 53);
    EXPECT(heartline_monitor_add(second, 1, 0, 0, &again), 0);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        peer_is_stale(first, never[i]);
    peer_is_stale(first, again);
    peer_is_stale(second, peer);
    EXPECT(heartline_monitor_remove(first, peer), 0);
    peer_is_stale(first, peer);
    EXPECT(heartline_monitor_add(first, 2, 0, 0, &again), 0); /* the same place, a new tenant */
    CHECK((again & 0xFFFFFF) == (peer & 0xFFFFFF) && again != peer);
    peer_is_stale(first, peer);
    EXPECT(heartline_monitor_heard(first, again, 9), 0);
    heartline_monitor_free(first);
    heartline_monitor_free(second);

    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *here = reactor_of(NULL), *there = reactor_of(NULL);
    heartline_obituary obituary;
    int end, other_end;
    uint64_t id = adopted(here, codec, NULL, 1, &end), foreign = adopted(there, codec, NULL, 1, &other_end);
    CHECK(id != foreign);
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        connection_is_stale(here, codec, never[i]);
    connection_is_stale(here, codec, foreign);
    STALE(heartline_reactor_obituary(here, id, &obituary, sizeof obituary)); /* it lives */
    EXPECT(heartline_reactor_close(here, id, HEARTLINE_CLOSE_AT_ONCE, 0), 0);
    CHECK(await_kind(here, HEARTLINE_EVENT_CLOSED).id == id);
    connection_is_stale(here, codec, id);
    EXPECT(heartline_reactor_obituary(here, id, &obituary, sizeof obituary), 0);
    heartline_event event;
    EXPECT(heartline_reactor_poll(here, &event, 1, 0), 0);
    STALE(heartline_reactor_obituary(here, id, &obituary, sizeof obituary)); /* until the next poll */

    heartline_released released;
    EXPECT(heartline_reactor_release(there, foreign, &released), 0);
    connection_is_stale(there, codec, foreign);
    close(released.fd);
    close(end);
    close(other_end);
    heartline_reactor_free(here);
    heartline_reactor_free(there);
    heartline_codec_free(codec);
    return 0;
}
