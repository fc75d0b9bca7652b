/* A codec of the host's: a byte that counts, then as many bytes; '?' asks, '!' answers, '#' speaks to the control lane. */
#include "check.h"

struct state {
    int cuts, drops;
    int mode; /* what cut does wrong */
    uint64_t note; /* as cut was given it last */
};

/* Added to the note by each frame: in both halves of the number. */
#define MARK (((uint64_t)3 << 61) + 5)

static int32_t cut(void *context, uint8_t *data, size_t len, size_t max, uint64_t *note, heartline_sink *control,
                   heartline_frame *out)
{
    struct state *state = context;
    state->cuts++;
    state->note = *note;
    CHECK(max > 0);
    if (len == 0)
        return 0;
    if (data[0] == 0xFF)
        return -42;
    size_t total = 1u + data[0];
    if (len < total) {
        out->total = total;
        return 0;
    }
    *note += MARK;
    out->head = data, out->head_len = 1, out->data = data + 1, out->len = total - 1, out->total = total;
    switch (state->mode) {
    case 1: out->total = len + 1; break;
    case 2: out->data = data - 1; break;
    case 3: out->len = (size_t)-1; break;
    case 4: out->total = 0; break;
    case 5: return 2;
    case 6: out->head_len = UINT32_MAX; break;
    case 7: out->data = (const uint8_t *)"elsewhere"; break;
    default: break;
    }
    if (total == 2 && data[1] == '?')
        out->kind = HEARTLINE_BEAT_ASK;
    if (total == 2 && data[1] == '!')
        out->kind = HEARTLINE_BEAT_ANSWER;
    if (total == 2 && data[1] == '#')
        EXPECT(heartline_sink_write(control, "\1$", 2), 0);
    if (total > 1 && data[1] == 'm') /* unmasks in place */
        for (size_t i = 2; i < total; i++)
            data[i] ^= 0x20;
    return 1;
}

static int32_t encode(void *context, const uint8_t *head, size_t head_len, const heartline_slice *message, size_t count,
                      heartline_sink *out)
{
    size_t len = 0;
    (void)context;
    CHECK(head == NULL || head_len == 1);
    for (size_t i = 0; i < count; i++)
        len += message[i].len;
    if (len > 250)
        return -7;
    uint8_t byte = (uint8_t)len;
    EXPECT(heartline_sink_write(out, NULL, 1), HEARTLINE_ERR_NULL);
    EXPECT(heartline_sink_write(out, NULL, 0), 0);
    EXPECT(heartline_sink_write(out, &byte, 1), 0);
    for (size_t i = 0; i < count; i++)
        EXPECT(heartline_sink_write(out, message[i].data, message[i].len), 0);
    return 0;
}

static int32_t ask(void *context, heartline_sink *out)
{
    (void)context;
    return heartline_sink_write(out, "\1?", 2) == 0;
}

static int32_t answer(void *context, const uint8_t *asked, size_t len, heartline_sink *out)
{
    (void)context;
    CHECK(len == 2 && asked[1] == '?');
    return heartline_sink_write(out, "\1!", 2);
}

static void drop(void *context)
{
    ((struct state *)context)->drops++;
}

static heartline_codec *custom(struct state *state)
{
    heartline_codec_ops ops;
    heartline_codec *codec = NULL;
    HEARTLINE_INIT(ops);
    ops.name = "counted", ops.cut = cut, ops.encode = encode, ops.ask = ask, ops.answer = answer, ops.drop = drop;
    EXPECT(heartline_codec_custom(&ops, state, &codec), 0);
    return codec;
}

static void level_2(void)
{
    struct state state = {0, 0, 0, 0};
    heartline_codec *codec = custom(&state);
    heartline_stream stream = {{0, 0}};
    heartline_frame frame;
    uint8_t wire[32] = "\5hello\1?\3mab", out[8];
    char text[32];
    CHECK(heartline_codec_spec(codec, text, sizeof text) > 0 && strncmp(text, "custom:counted", 14) == 0);
    EXPECT(heartline_codec_cut(codec, wire, 3, &stream, &frame), 0);
    CHECK(frame.total == 6);
    EXPECT(heartline_codec_cut(codec, wire, 12, &stream, &frame), 1);
    CHECK(frame.len == 5 && frame.head == wire && frame.data == wire + 1 && frame.total == 6 && frame.kind == 0);
    EXPECT(heartline_codec_cut(codec, wire + 6, 6, &stream, &frame), 1);
    CHECK(frame.kind == HEARTLINE_BEAT_ASK && state.note == MARK);
    EXPECT(heartline_codec_cut(codec, wire + 8, 3, &stream, &frame), 0);
    CHECK(state.note == 2 * MARK); /* a frame that is unfinished changes nothing */
    EXPECT(heartline_codec_cut(codec, wire + 8, 0, &stream, &frame), 0);
    CHECK(state.note == 2 * MARK);
    EXPECT(heartline_codec_cut(codec, wire + 8, 4, NULL, &frame), 1);
    CHECK(state.note == 0); /* without a stream every call begins anew */
    CHECK(frame.len == 3 && memcmp(frame.data, "mAB", 3) == 0);
    wire[0] = 0xFF;
    EXPECT(heartline_codec_cut(codec, wire, 12, &stream, &frame), HEARTLINE_ERR_FRAME_BAD);
    wire[0] = 5;
    EXPECT(heartline_codec_encode(codec, NULL, 0, "abc", 3, out, sizeof out), 4);
    CHECK(memcmp(out, "\3abc", 4) == 0);
    EXPECT(heartline_codec_encode(codec, NULL, 0, wire, 251, out, sizeof out), HEARTLINE_ERR_ENCODE);
    EXPECT(heartline_codec_beat(codec, HEARTLINE_BEAT_ASK, NULL, 0, out, sizeof out), 2);
    CHECK(memcmp(out, "\1?", 2) == 0);
    EXPECT(heartline_codec_beat(codec, HEARTLINE_BEAT_ANSWER, (const uint8_t *)"\1?", 2, out, sizeof out), 2);
    CHECK(memcmp(out, "\1!", 2) == 0);
    EXPECT(heartline_codec_head(codec, 1, out, sizeof out), HEARTLINE_ERR_INVALID);
    for (state.mode = 1; state.mode <= 7; state.mode++) {
        uint8_t bytes[8] = "\2xy";
        int32_t result = heartline_codec_cut(codec, bytes, 3, NULL, &frame);
        if (result != HEARTLINE_ERR_FRAME_BAD)
            fprintf(stderr, "mode %d: %d\n", state.mode, (int)result);
        CHECK(result == HEARTLINE_ERR_FRAME_BAD); /* a codec that lies is found out, not followed */
    }
    heartline_codec_free(codec);
    CHECK(state.drops == 1);
}

static void level_3(void)
{
    struct state state = {0, 0, 0, 0};
    heartline_codec *codec = custom(&state);
    heartline_reactor *reactor = reactor_of(NULL);
    heartline_obituary obituary;
    int end;
    char back[8];
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    heartline_codec_free(codec);
    CHECK(state.drops == 0);
    CHECK(write(end, "\3ab", 3) == 3);
    CHECK(write(end, "c\1?\1#", 5) == 5);
    heartline_event message = await_kind(reactor, HEARTLINE_EVENT_MESSAGE);
    CHECK(message.len == 3 && memcmp(message.data, "abc", 3) == 0 && message.head_len == 1);
    EXPECT(heartline_reactor_send(reactor, id, message.data, message.len), 0);
    read_all(reactor, end, back, 8); /* the answer, what went to the control lane, and the echo */
    CHECK(memmem(back, 8, "\1!", 2) && memmem(back, 8, "\1$", 2) && memmem(back, 8, "\3abc", 4));
    EXPECT(heartline_reactor_send(reactor, id, back, 0), 0);
    char large[300] = {0};
    EXPECT(heartline_reactor_send(reactor, id, large, sizeof large), HEARTLINE_ERR_ENCODE);
    CHECK(write(end, "\xFF", 1) == 1);
    heartline_event closed = await_kind(reactor, HEARTLINE_EVENT_CLOSED);
    CHECK(closed.reason == HEARTLINE_REASON_FRAME_BAD && state.note == 3 * MARK); /* it came after three frames */
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(obituary.why[0] != 0 && obituary.closed_by == HEARTLINE_CLOSED_BY_HEARTLINE);
    close(end);
    heartline_reactor_free(reactor);
    CHECK(state.drops == 1);
}

int main(void)
{
    level_2();
    level_3();
    return 0;
}
