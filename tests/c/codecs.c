/* Each field of heartline_codec_config seen in the bytes; and what a stream remembers between two cuts. */
#include "check.h"

static heartline_codec_config config_of(uint32_t kind)
{
    heartline_codec_config config;
    HEARTLINE_INIT(config);
    config.kind = kind;
    return config;
}

static heartline_codec *made(const heartline_codec_config *config)
{
    heartline_codec *codec = NULL;
    char why[160] = "";
    int32_t result = heartline_codec_new(config, &codec, why, sizeof why);
    if (result != 0)
        fprintf(stderr, "%s\n", why);
    EXPECT(result, 0);
    return codec;
}

/* "abc" looks so on the wire, and is found in it again. */
static void looks(heartline_codec *codec, const char *wire, int32_t bytes, uint32_t head)
{
    heartline_frame frame;
    uint8_t frame_bytes[64];
    EXPECT(heartline_codec_encode(codec, NULL, 0, "abc", 3, frame_bytes, sizeof frame_bytes), bytes);
    CHECK(memcmp(frame_bytes, wire, (size_t)bytes) == 0);
    EXPECT(heartline_codec_cut(codec, frame_bytes, (size_t)bytes, NULL, &frame), 1);
    CHECK(frame.len == 3 && memcmp(frame.data, "abc", 3) == 0 && frame.kind == 0 && frame.total == (size_t)bytes);
    CHECK(frame.head_len == head && frame.head == frame_bytes && frame.data == frame_bytes + head);
    heartline_codec_free(codec);
}

static void lengths(void)
{
    heartline_codec_config config = config_of(HEARTLINE_CODEC_LENGTH);
    looks(made(&config), "\0\0\0\3abc", 7, 4);
    config.field_bytes = 2;
    looks(made(&config), "\0\3abc", 5, 2);
    config.little_endian = 1;
    looks(made(&config), "\3\0abc", 5, 2);
    config.field_at = 1;
    looks(made(&config), "\0\3\0abc", 6, 3);
    config.head_bytes = 5;
    looks(made(&config), "\0\3\0\0\0abc", 8, 5);
    config.adjust = -2;
    looks(made(&config), "\0\5\0\0\0abc", 8, 5);
    config.adjust = 0, config.includes_head = 1;
    looks(made(&config), "\0\10\0\0\0abc", 8, 5);
}

static void others(void)
{
    heartline_codec_config config = config_of(HEARTLINE_CODEC_VARINT);
    looks(made(&config), "\3abc", 4, 1);
    config = config_of(HEARTLINE_CODEC_LINE_HEADER);
    looks(made(&config), "3\r\nabc", 6, 3);
    config.key = "n";
    heartline_codec *keyed = made(&config);
    heartline_frame frame;
    uint8_t named[] = "n=3\r\nabc", other[] = "length=3\r\nabc";
    EXPECT(heartline_codec_cut(keyed, named, 8, NULL, &frame), 1);
    CHECK(frame.len == 3 && frame.head_len == 5);
    EXPECT(heartline_codec_cut(keyed, other, 13, NULL, &frame), HEARTLINE_ERR_FRAME_BAD);
    heartline_codec_free(keyed);
    config = config_of(HEARTLINE_CODEC_DELIMITER);
    config.delimiter = (const uint8_t *)"\0;;", config.delimiter_bytes = 2;
    looks(made(&config), "abc\0;", 5, 0);
    config = config_of(HEARTLINE_CODEC_FIXED);
    config.record_bytes = 3;
    looks(made(&config), "abc", 3, 0);
    config = config_of(HEARTLINE_CODEC_RAW);
    looks(made(&config), "abc", 3, 0);
}

static void limit_and_beats(void)
{
    heartline_codec_config config = config_of(HEARTLINE_CODEC_LENGTH);
    heartline_frame frame;
    uint8_t beat[16], five[] = "\5abcde", four[] = "\4abcd", ping[] = "\2hi", pong[] = "\2ho";
    config.field_bytes = 1, config.max_bytes = 4, config.ask = "hi", config.answer = "ho";
    heartline_codec *codec = made(&config);
    EXPECT(heartline_codec_cut(codec, five, 6, NULL, &frame), HEARTLINE_ERR_OVER_LIMIT);
    EXPECT(heartline_codec_cut(codec, four, 5, NULL, &frame), 1);
    EXPECT(heartline_codec_cut(codec, ping, 3, NULL, &frame), 1);
    EXPECT(frame.kind, HEARTLINE_BEAT_ASK);
    EXPECT(heartline_codec_cut(codec, pong, 3, NULL, &frame), 1);
    EXPECT(frame.kind, HEARTLINE_BEAT_ANSWER);
    EXPECT(heartline_codec_beat(codec, HEARTLINE_BEAT_ASK, NULL, 0, beat, sizeof beat), 3);
    CHECK(memcmp(beat, ping, 3) == 0);
    EXPECT(heartline_codec_beat(codec, HEARTLINE_BEAT_ANSWER, NULL, 0, beat, sizeof beat), 3);
    CHECK(memcmp(beat, pong, 3) == 0);
    heartline_codec_free(codec);
    config.answer = NULL; /* as the ask */
    codec = made(&config);
    EXPECT(heartline_codec_cut(codec, ping, 3, NULL, &frame), 1);
    EXPECT(frame.kind, HEARTLINE_BEAT_EITHER);
    heartline_codec_free(codec);
}

static int is_idle(heartline_stream stream)
{
    return stream.opaque[0] == 0 && stream.opaque[1] == 0;
}

/* Bytes that were looked at are not looked at again: a delimiter that is put there afterwards is not seen. */
static void where_a_scan_stopped(void)
{
    heartline_codec *codec = codec_of("delimiter:;");
    heartline_stream stream = {{0, 0}};
    heartline_frame frame;
    uint8_t line[] = "abc;";
    EXPECT(heartline_codec_cut(codec, line, 3, &stream, &frame), 0);
    CHECK(frame.total == 4 && frame.len == 0 && !is_idle(stream));
    line[0] = line[2] = ';';
    EXPECT(heartline_codec_cut(codec, line, 3, &stream, &frame), 0);
    EXPECT(heartline_codec_cut(codec, line, 4, &stream, &frame), 1);
    CHECK(frame.len == 3 && frame.total == 4 && is_idle(stream));
    EXPECT(heartline_codec_cut(codec, line, 4, NULL, &frame), 1);
    EXPECT(frame.len, 0); /* without a stream it is */
    heartline_codec_free(codec);
}

/* A text head that was read is not read again, nor what it promised. */
static void what_a_head_promised(void)
{
    heartline_codec *codec = codec_of("line-header");
    heartline_stream stream = {{0, 0}};
    heartline_frame frame;
    uint8_t line[] = "12\r\nabcdefghijkl";
    EXPECT(heartline_codec_cut(codec, line, 5, &stream, &frame), 0);
    CHECK(frame.total == 16 && !is_idle(stream));
    memcpy(line, "zz", 2);
    EXPECT(heartline_codec_cut(codec, line, 15, &stream, &frame), 0);
    EXPECT(frame.total, 16);
    EXPECT(heartline_codec_cut(codec, line, 16, &stream, &frame), 1);
    CHECK(frame.len == 12 && frame.head_len == 4 && frame.total == 16 && is_idle(stream));
    EXPECT(heartline_codec_cut(codec, line, 16, NULL, &frame), HEARTLINE_ERR_FRAME_BAD);
    heartline_codec_free(codec);
}

int main(void)
{
    lengths();
    others();
    limit_and_beats();
    where_a_scan_stopped();
    what_a_head_promised();
    return 0;
}
