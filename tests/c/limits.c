/* Limits in time: each ends a connection with a reason of its own, while the others are off. */
#include "tcp.h"

enum { LIMIT_MS = 60, SOON_MS = 4000 /* far below every default but `first_frame_ms`, which is off */ };

static heartline_codec *codec;
static heartline_reactor *reactor;

static heartline_options all_off(void)
{
    heartline_options options;
    HEARTLINE_INIT(options);
    options.frame_ms = options.output_ms = options.connect_ms = options.close_ms = options.first_frame_ms = HEARTLINE_OFF;
    return options;
}

/* The end of a connection that began or was changed at `since`. */
static heartline_event ends(uint64_t id, uint64_t since, uint8_t kind, uint16_t reason)
{
    heartline_event event = await_kind(reactor, kind);
    uint64_t took = heartline_now_ms() - since;
    CHECK(event.id == id && event.user == 9 && event.len == 0 && event.data == NULL);
    CHECK(event.listener == HEARTLINE_NO_LISTENER && event.flags == 0 && event.detail == 0 && event.reserved == 0);
    EXPECT(event.reason, reason);
    EXPECT(event.os_error, reason == HEARTLINE_REASON_CONNECT_TIMEOUT ? ETIMEDOUT : 0);
    CHECK(took + 2 >= LIMIT_MS && took < SOON_MS);
    return event;
}

static void first_frame(void)
{
    heartline_options options = all_off();
    int end;
    uint64_t since = heartline_now_ms();
    options.first_frame_ms = LIMIT_MS;
    uint64_t id = adopted(reactor, codec, &options, 9, &end);
    CHECK(write(end, "\0\0", 2) == 2); /* half a head is no frame */
    heartline_event closed = ends(id, since, HEARTLINE_EVENT_CLOSED, HEARTLINE_REASON_FIRST_FRAME_LATE);
    CHECK(closed.queued_bytes == 0 && closed.rtt_ms == HEARTLINE_OFF);
    close(end);
}

static void frame(void)
{
    heartline_options options = all_off();
    int end;
    options.frame_ms = LIMIT_MS;
    uint64_t id = adopted(reactor, codec, &options, 9, &end), since = heartline_now_ms();
    CHECK(write(end, "\0\0\0\5ab", 6) == 6);
    ends(id, since, HEARTLINE_EVENT_CLOSED, HEARTLINE_REASON_FRAME_STALLED);
    close(end);
}

static void output(void)
{
    enum { MUCH = 900000 };
    heartline_options options = all_off();
    heartline_obituary obituary;
    char *much = calloc(1, MUCH);
    int end;
    CHECK(much != NULL);
    options.output_ms = LIMIT_MS;
    uint64_t id = adopted(reactor, codec, &options, 9, &end), since = heartline_now_ms();
    EXPECT(heartline_reactor_send(reactor, id, much, MUCH), 0);
    heartline_event closed = ends(id, since, HEARTLINE_EVENT_CLOSED, HEARTLINE_REASON_OUTPUT_STALLED);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(closed.queued_bytes > 0 && closed.queued_bytes < MUCH + 4 && obituary.queued_bytes == closed.queued_bytes);
    CHECK(obituary.bytes_out + obituary.queued_bytes == MUCH + 4 && obituary.messages_out == 1);
    free(much);
    close(end);
}

/* A listener with a full queue drops what else comes: nobody says no. */
static void dialling(void)
{
    heartline_options options = all_off();
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    heartline_obituary obituary;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), waiting[6];
    char text[32];
    uint64_t id = 0, since = heartline_now_ms();
    CHECK(listener >= 0 && inet_pton(AF_INET, "127.0.0.1", &at.sin_addr) == 1);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    for (int i = 0; i < 6; i++)
        waiting[i] = dial(&at);
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(at.sin_port));
    options.connect_ms = LIMIT_MS;
    EXPECT(heartline_reactor_connect(reactor, text, codec, &options, 9, &id), 0);
    ends(id, since, HEARTLINE_EVENT_CONNECT_FAILED, HEARTLINE_REASON_CONNECT_TIMEOUT);
    EXPECT(heartline_reactor_obituary(reactor, id, &obituary, sizeof obituary), 0);
    CHECK(obituary.reason == HEARTLINE_REASON_CONNECT_TIMEOUT && strcmp(obituary.address, text) == 0);
    for (int i = 0; i < 6; i++)
        close(waiting[i]);
    close(listener);
}

/* Our FIN is out, and the peer's does not come. */
static void closing(void)
{
    heartline_options options = all_off();
    heartline_connection_info info;
    int end;
    options.close_ms = LIMIT_MS;
    uint64_t id = adopted(reactor, codec, &options, 9, &end), since = heartline_now_ms();
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 0), 0);
    EXPECT(heartline_reactor_info(reactor, id, &info, sizeof info), 0);
    CHECK(info.closing == 1 && info.dialling == 0 && info.paused == 0 && info.suspect == 0);
    ends(id, since, HEARTLINE_EVENT_CLOSED, HEARTLINE_REASON_LOCAL);
    close(end);
}

int main(void)
{
    codec = codec_of("length:4be");
    reactor = reactor_of(NULL);
    first_frame();
    frame();
    output();
    dialling();
    closing();
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
