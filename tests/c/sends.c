/* What each way of sending puts on the wire, to whom, and what it says of those who did not take it. */
#include "check.h"

static heartline_codec *codec;

static void with_heads_and_in_parts(void)
{
    heartline_codec *headed = codec_of("length:2be,at=1,head=5");
    heartline_reactor *reactor = calm_reactor();
    heartline_slice parts[4] = {{"ab", 2}, {NULL, 0}, {"c", 1}, {"def", 3}};
    char wire[64];
    int end;
    uint64_t id = adopted(reactor, headed, NULL, 0, &end);
    EXPECT(heartline_reactor_send_head(reactor, id, "\7\1\1\10\11", 5, "abc", 3), 0);
    EXPECT(heartline_reactor_send_head(reactor, id, NULL, 0, "abc", 3), 0);
    EXPECT(heartline_reactor_send_head(reactor, id, "\7\1\1\10", 4, "abc", 3), HEARTLINE_ERR_ENCODE);
    EXPECT(heartline_reactor_sendv(reactor, id, parts, 4), 0);
    EXPECT(heartline_reactor_sendv(reactor, id, parts + 2, 1), 0);
    EXPECT(heartline_reactor_sendv(reactor, id, NULL, 0), 0);
    EXPECT(heartline_reactor_send(reactor, id, "last", 4), 0);
    read_all(reactor, end, wire, 8 + 8 + 11 + 6 + 5 + 9);
    CHECK(memcmp(wire, "\7\0\3\10\11abc", 8) == 0 && memcmp(wire + 8, "\0\0\3\0\0abc", 8) == 0);
    CHECK(memcmp(wire + 16, "\0\0\6\0\0abcdef", 11) == 0 && memcmp(wire + 27, "\0\0\1\0\0c", 6) == 0);
    CHECK(memcmp(wire + 33, "\0\0\0\0\0", 5) == 0 && memcmp(wire + 38, "\0\0\4\0\0last", 9) == 0);
    EXPECT(heartline_reactor_send_head(reactor, id + 1, NULL, 0, "abc", 3), HEARTLINE_ERR_STALE);
    EXPECT(heartline_reactor_sendv(reactor, id + 1, parts, 4), HEARTLINE_ERR_STALE);
    close(end);
    heartline_reactor_free(reactor);
    heartline_codec_free(headed);
}

/* Nothing leaves before a flush or a poll. */
static void flushed(void)
{
    heartline_reactor *reactor = calm_reactor();
    char wire[8];
    int end;
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    EXPECT(heartline_reactor_send(reactor, id, "now", 3), 0);
    CHECK(read(end, wire, 7) < 0 && errno == EAGAIN);
    EXPECT(heartline_reactor_flush(reactor), 0);
    CHECK(read(end, wire, 7) == 7 && memcmp(wire, "\0\0\0\3now", 7) == 0);
    close(end);
    heartline_reactor_free(reactor);
}

/* Each result in the place of its id, whatever became of the others: also of an id that is given twice. */
static void to_many(void)
{
    enum { ROOMY, NARROW, CLOSING, COUNT };
    heartline_reactor *reactor = calm_reactor();
    heartline_options options;
    heartline_event event;
    char message[3000] = {'m'}, wire[2 * (sizeof message + 4)];
    int ends[COUNT];
    uint64_t ids[COUNT];
    HEARTLINE_INIT(options);
    for (int i = 0; i < COUNT; i++)
        ids[i] = adopted(reactor, codec, NULL, 0, &ends[i]);
    /* So full that one more message fits under its mark, and no second one. */
    char *fill = calloc(1, 1 << 20);
    heartline_connection_info info;
    CHECK(fill != NULL);
    EXPECT(heartline_reactor_send(reactor, ids[NARROW], fill, 1 << 20), 0);
    EXPECT(heartline_reactor_flush(reactor), 0);
    EXPECT(heartline_reactor_info(reactor, ids[NARROW], &info, sizeof info), 0);
    CHECK(info.queued_bytes > 100000);
    options.high_bytes = (uint32_t)info.queued_bytes + 4000, options.low_bytes = 1;
    EXPECT(heartline_reactor_set_options(reactor, ids[NARROW], codec, &options), 0);
    EXPECT(heartline_reactor_close(reactor, ids[CLOSING], HEARTLINE_CLOSE_FLUSH, 0), 0);

    uint64_t given[] = {ids[NARROW], 99, ids[ROOMY], ids[NARROW], ids[CLOSING], ids[ROOMY], 99};
    static const int32_t want[] = {0, HEARTLINE_ERR_STALE, 0, HEARTLINE_ERR_FULL, HEARTLINE_ERR_CLOSING, 0, HEARTLINE_ERR_STALE};
    int32_t results[8];
    memset(results, 0x55, sizeof results);
    EXPECT(heartline_reactor_broadcast(reactor, given, 7, message, sizeof message, results), 3);
    for (int i = 0; i < 7; i++)
        EXPECT(results[i], want[i]);
    EXPECT(results[7], 0x55555555);
    read_all(reactor, ends[ROOMY], wire, sizeof wire);
    CHECK(memcmp(wire, "\0\0\13\270m", 5) == 0 && memcmp(wire + sizeof message + 4, "\0\0\13\270m", 5) == 0);
    EXPECT(heartline_reactor_broadcast(reactor, given, 3, "x", 1, NULL), 2);

    /* To all that are open, which the one that is closing is not. */
    EXPECT(heartline_reactor_broadcast_all(reactor, 0, "y", 1), 2);
    EXPECT(heartline_reactor_broadcast_all(reactor, ids[NARROW], "z", 1), 1);
    EXPECT(heartline_reactor_broadcast_all(reactor, ids[ROOMY], "!", 1), 1);
    read_all(reactor, ends[ROOMY], wire, 15);
    CHECK(memcmp(wire, "\0\0\0\1x\0\0\0\1y\0\0\0\1z", 15) == 0);
    CHECK(read(ends[ROOMY], wire, 1) < 0 && errno == EAGAIN);
    while (heartline_reactor_poll(reactor, &event, 1, 0) > 0)
        CHECK(event.kind != HEARTLINE_EVENT_UNSENT);
    free(fill);
    for (int i = 0; i < COUNT; i++)
        close(ends[i]);
    heartline_reactor_free(reactor);
}

/* By the mailbox: to one, to all, to nobody; and an end with a code. */
static void by_mailbox(void)
{
    heartline_reactor *reactor = calm_reactor();
    heartline_mailbox *mailbox;
    char wire[16];
    int end;
    uint64_t id = adopted(reactor, codec, NULL, 31, &end);
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    EXPECT(heartline_mailbox_send(mailbox, id, "one", 3), 0);
    EXPECT(heartline_mailbox_broadcast(mailbox, "all", 3), 0);
    EXPECT(heartline_mailbox_send(mailbox, id + 1, "lost", 4), 0);
    heartline_event event = await_kind(reactor, HEARTLINE_EVENT_UNSENT);
    CHECK(event.id == id + 1 && event.user == 0 && event.len == 4 && memcmp(event.data, "lost", 4) == 0);
    CHECK(event.head_len == 0 && event.reason == 0 && event.listener == HEARTLINE_NO_LISTENER);
    read_all(reactor, end, wire, 14);
    CHECK(memcmp(wire, "\0\0\0\3one\0\0\0\3all", 14) == 0);
    EXPECT(heartline_mailbox_close(mailbox, id, HEARTLINE_CLOSE_AT_ONCE, 1234), 0);
    event = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(event.id == id && event.user == 31 && event.reason == 1234);
    heartline_mailbox_free(mailbox);
    close(end);
    heartline_reactor_free(reactor);
}

int main(void)
{
    codec = codec_of("length:4be");
    with_heads_and_in_parts();
    flushed();
    to_many();
    by_mailbox();
    heartline_codec_free(codec);
    return 0;
}
