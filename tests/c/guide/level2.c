/* Level 2 of docs/c-guide.md, on a ring that holds two messages and the beginning of a third. */
#include "../check.h"

static void must(int32_t result)
{
    CHECK(result >= 0);
}

struct connection {
    heartline_stream stream;
};

static struct {
    uint8_t p[64];
    size_t n;
} ring;
static int messages, dropped;

static void ring_eat(size_t count)
{
    CHECK(count > 0 && count <= ring.n);
    memmove(ring.p, ring.p + count, ring.n - count);
    ring.n -= count;
}

static void on_message(struct connection *conn, const uint8_t *head, const uint8_t *data, size_t len)
{
    CHECK(conn != NULL && head[3] == 7 && len == 5 && memcmp(data, "hello", 5) == 0);
    messages++;
}

static void drop(struct connection *conn)
{
    CHECK(conn != NULL);
    dropped++;
}

int main(void)
{
    struct connection host = {{{0, 0}}}, *conn = &host;
    unsigned type = 0x1234;
    size_t body_len = 300;
    memcpy(ring.p, "\0\5\0\7hello\0\0\0\1\0\5\0\7hello\0\5\0\7he", 28);
    ring.n = 28;
    {
#include "c-guide-3.c"
        CHECK(messages == 2 && dropped == 0 && ring.n == 6);
        CHECK(head[0] == 1 && head[1] == 44 && head[2] == 0x12 && head[3] == 0x34);
        heartline_codec_free(codec);
    }
    return 0;
}
