/* What goes in can come out: a live connection moves between two reactors with half a frame read and bytes unsent. */
#include "check.h"

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *here = calm_reactor(), *there = calm_reactor();
    heartline_released released;
    heartline_event event;
    heartline_connection_info info;
    uint64_t id, moved = 0;
    int end, size = 4096;

    id = adopted(here, codec, NULL, 41, &end);
    CHECK(setsockopt(end, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) == 0);
    CHECK(write(end, "\0\0\0\3one\0\0\0\3t", 12) == 12); /* one frame, and the beginning of the next */
    event = await_kind(here, HEARTLINE_EVENT_MESSAGE);
    CHECK(event.len == 3 && memcmp(event.data, "one", 3) == 0);
    /* More than the socket takes, so that something is left. */
    enum { BIG = 600000 };
    char *big = malloc(BIG);
    CHECK(big != NULL);
    memset(big, 'B', BIG);
    EXPECT(heartline_reactor_send(here, id, big, BIG), 0);
    EXPECT(heartline_reactor_flush(here), 0);
    EXPECT(heartline_reactor_poll(here, &event, 1, 0), 0);
    EXPECT(heartline_reactor_info(here, id, &info, sizeof info), 0);
    CHECK(info.user == 41 && info.queued_bytes > 0 && info.unread_bytes == 5 && info.struct_size == sizeof info);

    EXPECT(heartline_reactor_release(here, id, &released), 0);
    CHECK(released.fd >= 0 && released.user == 41 && released.unread_len == 5 && released.unsent_len > 0);
    CHECK(memcmp(released.unread, "\0\0\0\3t", 5) == 0);
    CHECK(fcntl(released.fd, F_GETFL) & O_NONBLOCK);
    EXPECT(heartline_reactor_count(here), 0);
    EXPECT(heartline_reactor_adopt(there, released.fd, codec, NULL, released.user, released.unread, released.unread_len,
                                   released.unsent, released.unsent_len, &moved), 0);
    CHECK(moved != id);
    EXPECT(heartline_reactor_poll(here, &event, 1, 0), 0); /* no CLOSED is told here */
    CHECK(write(end, "wo", 2) == 2);
    event = await_kind(there, HEARTLINE_EVENT_MESSAGE);
    CHECK(event.id == moved && event.user == 41 && event.len == 3 && memcmp(event.data, "two", 3) == 0);
    char *back = malloc(BIG + 4);
    CHECK(back != NULL);
    read_all(there, end, back, BIG + 4); /* no byte lost, none twice */
    CHECK(memcmp(back, "\0\x09\x27\xC0", 4) == 0 && memcmp(back + 4, big, BIG) == 0);

    /* One ask of the former owner is without an answer: of two beats the first is it, the second is an ask. */
    EXPECT(heartline_reactor_set(there, moved, HEARTLINE_SET_UNANSWERED, 1), 0);
    EXPECT(heartline_reactor_set(here, moved, HEARTLINE_SET_UNANSWERED, 1), HEARTLINE_ERR_STALE);
    CHECK(write(end, "\0\0\0\0\0\0\0\0", 8) == 8);
    read_all(there, end, back, 4);
    CHECK(memcmp(back, "\0\0\0\0", 4) == 0);
    EXPECT(heartline_reactor_poll(there, &event, 1, 20), 0);
    CHECK(recv(end, back, 4, MSG_DONTWAIT) < 0);

    /* And out again, to be used by hand. */
    EXPECT(heartline_reactor_set(there, moved, HEARTLINE_SET_UNANSWERED, 3), 0);
    EXPECT(heartline_reactor_release(there, moved, &released), 0);
    CHECK(released.unread_len == 0 && released.unsent_len == 0 && released.unanswered == 3);
    CHECK(write(released.fd, "bare", 4) == 4 && read(end, back, 4) == 4 && memcmp(back, "bare", 4) == 0);
    close(released.fd);
    free(big);
    free(back);
    close(end);
    heartline_reactor_free(here);
    heartline_reactor_free(there);
    heartline_codec_free(codec);
    return 0;
}
