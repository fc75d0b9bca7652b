/*
 * A chat server with rooms: a message "/join ROOM" changes the room, anything else goes to everybody in it. It shows
 * beats (the server asks who is silent), flow control (who reads slowly is left out, not waited for) and a drain with a
 * farewell at SIGTERM.
 *
 *   make lib
 *   cc -Iinclude -o chat examples/c/chat.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi
 *   ./chat 127.0.0.1:7002 [game,role=both,timeout=20s]        frames are length:4be
 */
#define _POSIX_C_SOURCE 200809L
#include <heartline.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 256, ROOM_BYTES = 32, CLOSE_RESTART = 256 };

/* One person; the connection's `user` points here. */
struct person {
    uint64_t id;
    char room[ROOM_BYTES];
    int full; /* its outbox is over the mark: it is left out until DRAINED */
    unsigned missed;
    struct person *next;
};

static struct person *people;

static int32_t must(int32_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "chat: %s: %s\n", what, heartline_strerror(result));
        exit(1);
    }
    return result;
}

static volatile sig_atomic_t terminated;

static void on_terminate(int number)
{
    (void)number;
    terminated = 1;
}

static struct person *person_of(const heartline_event *event)
{
    return (struct person *)(uintptr_t)event->user;
}

static void say(heartline_reactor *reactor, struct person *to, const char *text, size_t length)
{
    /* FULL is the answer of a slow reader. The others do not wait for it. */
    if (to->full || heartline_reactor_send(reactor, to->id, text, length) == HEARTLINE_ERR_FULL)
        to->missed++;
}

static void opened(heartline_reactor *reactor, const heartline_event *event)
{
    struct person *person = calloc(1, sizeof *person);
    if (!person) {
        heartline_reactor_close(reactor, event->id, HEARTLINE_CLOSE_AT_ONCE, 0);
        return;
    }
    person->id = event->id;
    strcpy(person->room, "lobby");
    person->next = people;
    people = person;
    heartline_reactor_set(reactor, event->id, HEARTLINE_SET_USER, (uint64_t)(uintptr_t)person);
}

static void message(heartline_reactor *reactor, const heartline_event *event)
{
    static const char join[] = "/join ";
    struct person *from = person_of(event), *to;
    const char *text = (const char *)event->data;
    if (!from)
        return;
    if (event->len > sizeof join - 1 && memcmp(text, join, sizeof join - 1) == 0) {
        size_t length = event->len - (sizeof join - 1);
        if (length >= ROOM_BYTES)
            length = ROOM_BYTES - 1;
        memcpy(from->room, text + sizeof join - 1, length);
        from->room[length] = '\0';
        return;
    }
    for (to = people; to; to = to->next)
        if (to != from && strcmp(to->room, from->room) == 0)
            say(reactor, to, text, event->len);
}

/* The only place where a person is freed: later events of a closed id in the same batch still carry `user`. */
static void closed(heartline_reactor *reactor, const heartline_event *event)
{
    struct person *person = person_of(event), **at = &people;
    heartline_obituary end;
    if (heartline_reactor_obituary(reactor, event->id, &end, sizeof end) == 0)
        printf("closed %" PRIu64 " %s: silent %" PRIu32 " ms, %" PRIu32 " messages in, %" PRIu32 " out%s%s\n", event->id,
               heartline_name(HEARTLINE_NAMES_REASONS, (int32_t)end.reason), end.silence_ms, end.messages_in,
               end.messages_out, end.why[0] ? ", " : "", end.why);
    if (!person)
        return;
    while (*at && *at != person)
        at = &(*at)->next;
    if (*at)
        *at = person->next;
    free(person);
}

static void happened(heartline_reactor *reactor, const heartline_event *event)
{
    struct person *person = person_of(event);
    switch (event->kind) {
    case HEARTLINE_EVENT_OPENED: opened(reactor, event); break;
    case HEARTLINE_EVENT_MESSAGE: message(reactor, event); break;
    case HEARTLINE_EVENT_CLOSED: closed(reactor, event); break;
    case HEARTLINE_EVENT_FULL:
        if (person)
            person->full = 1;
        break;
    case HEARTLINE_EVENT_DRAINED:
        if (person) {
            char text[64];
            int length = snprintf(text, sizeof text, "(you missed %u messages)", person->missed);
            person->full = 0;
            person->missed = 0;
            say(reactor, person, text, (size_t)length);
        }
        break;
    default: break; /* more kinds may come */
    }
}

int main(int argc, char **argv)
{
    heartline_codec *codec;
    heartline_reactor *reactor;
    heartline_policy policy;
    heartline_options options;
    heartline_listen_options listening;
    heartline_event events[EVENTS];
    char at[HEARTLINE_ADDRESS_BYTES], why[160];
    struct sigaction action = {.sa_handler = on_terminate};
    int draining = 0;

    must(heartline_check_abi(HEARTLINE_ABI_VERSION), "library");
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    must(heartline_codec_parse("length:4be,max=4K", &codec, why, sizeof why), "codec");
    must(heartline_reactor_new(NULL, &reactor), "reactor");

    /* Both ask and answer: 5 / 8 / 20 s of silence. Our clients have agreed to be asked. */
    must(heartline_policy_parse(argc > 2 ? argv[2] : "game,role=both", &policy, sizeof policy, why, sizeof why), "policy");
    must(heartline_reactor_policy(reactor, 1, &policy), "policy");
    HEARTLINE_INIT(options);
    options.policy = 1;
    options.high_bytes = 64 << 10;
    HEARTLINE_INIT(listening);
    listening.connection = &options;
    int32_t listener = must(
        heartline_reactor_listen(reactor, argc > 1 ? argv[1] : "127.0.0.1:0", codec, &listening), "listen");
    heartline_codec_free(codec); /* the reactor keeps what it needs */
    must(heartline_reactor_listener_address(reactor, listener, at, sizeof at), "address");
    printf("listening on %s\n", at);
    fflush(stdout);

    while (!draining || heartline_reactor_is_drained(reactor) == 0) {
        int32_t count = heartline_reactor_poll(reactor, events, EVENTS, 1000);
        must(count, "poll");
        for (int32_t i = 0; i < count; i++)
            happened(reactor, &events[i]);
        if (terminated && !draining) {
            heartline_drain_options drain;
            HEARTLINE_INIT(drain);
            drain.farewell = "(the server restarts)";
            drain.farewell_len = strlen((const char *)drain.farewell);
            drain.code = CLOSE_RESTART;
            must(heartline_reactor_drain(reactor, &drain), "drain");
            draining = 1;
        }
    }
    heartline_reactor_free(reactor);
    return 0;
}
