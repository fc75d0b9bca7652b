/* What the programs in tests/c share: a check that says where it failed, and a pair of connected sockets. */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <heartline.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition);      \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

/* A call and what it must return; both are printed where they differ. */
#define EXPECT(call, expected)                                                                                  \
    do {                                                                                                        \
        long long check_got_ = (long long)(call), check_want_ = (long long)(expected);                          \
        if (check_got_ != check_want_) {                                                                        \
            fprintf(stderr, "%s:%d: %s is %lld (%s), not %lld (%s)\n", __FILE__, __LINE__, #call, check_got_,   \
                    heartline_name(HEARTLINE_NAMES_ERRORS, (int32_t)check_got_), check_want_,                   \
                    heartline_name(HEARTLINE_NAMES_ERRORS, (int32_t)check_want_));                              \
            exit(1);                                                                                            \
        }                                                                                                       \
    } while (0)

#define WITHIN_MS 10000 /* longer than anything takes here, also under valgrind */

/* Two ends of a Unix stream, both non-blocking. */
static inline void pair(int ends[2])
{
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
}

static inline heartline_codec *codec_of(const char *spec)
{
    heartline_codec *codec = NULL;
    char why[160] = "";
    int32_t result = heartline_codec_parse(spec, &codec, why, sizeof why);
    if (result != 0)
        fprintf(stderr, "%s: %s\n", spec, why);
    CHECK(result == 0 && codec != NULL);
    return codec;
}

static inline heartline_reactor *reactor_of(const heartline_reactor_config *config)
{
    heartline_reactor *reactor = NULL;
    EXPECT(heartline_reactor_new(config, &reactor), 0);
    CHECK(reactor != NULL);
    return reactor;
}

/* Settings for a test that asks which events come: that the machine is busy is none. */
static inline heartline_reactor_config calm(void)
{
    heartline_reactor_config config;
    HEARTLINE_INIT(config);
    config.granularity_ms = HEARTLINE_OFF;
    return config;
}

static inline heartline_reactor *calm_reactor(void)
{
    heartline_reactor_config config = calm();
    return reactor_of(&config);
}

/* Sets the policy in a slot to what a text says. */
static inline void policy_in(heartline_reactor *reactor, uint32_t slot, const char *text)
{
    heartline_policy policy;
    EXPECT(heartline_policy_parse(text, &policy, sizeof policy, NULL, 0), 0);
    EXPECT(heartline_reactor_policy(reactor, slot, &policy), 0);
}

static inline uint64_t counted(heartline_reactor *reactor, const char *name)
{
    uint64_t value = 0;
    EXPECT(heartline_reactor_counter(reactor, name, &value), 0);
    return value;
}

/* Polls until an event of this kind comes, and passes over the others. */
static inline heartline_event await_kind(heartline_reactor *reactor, uint8_t kind)
{
    uint64_t until = heartline_now_ms() + WITHIN_MS;
    heartline_event event;
    while (heartline_now_ms() < until) {
        int32_t count = heartline_reactor_poll(reactor, &event, 1, 100);
        CHECK(count >= 0);
        CHECK(count == 0 || (event.reserved == 0 && event.flags == 0));
        if (count == 1 && event.kind == kind)
            return event;
    }
    fprintf(stderr, "no event %s\n", heartline_name(HEARTLINE_NAMES_EVENTS, kind));
    exit(1);
}

/* A connection of the reactor's; `*end` is its other end. OPENED is delivered. */
static inline uint64_t adopted(heartline_reactor *reactor, const heartline_codec *codec, const heartline_options *options,
                               uint64_t user, int *end)
{
    int ends[2];
    uint64_t id = 0;
    pair(ends);
    EXPECT(heartline_reactor_adopt(reactor, ends[0], codec, options, user, NULL, 0, NULL, 0, &id), 0);
    CHECK(id != 0 && id < ((uint64_t)1 << 53));
    *end = ends[1];
    CHECK(await_kind(reactor, HEARTLINE_EVENT_OPENED).id == id);
    return id;
}

/* Whoever waits for bytes is told the end: at once, without any. */
static inline void must_have_ended(int fd)
{
    char byte;
    ssize_t got = read(fd, &byte, 1);
    CHECK(got == 0 || (got < 0 && errno == ECONNRESET));
}

/* What a log was told last. */
struct last_line {
    int lines;
    uint32_t level;
    char text[512];
};

static inline void keep_line(void *context, uint32_t level, const char *text)
{
    struct last_line *last = context;
    last->lines++;
    last->level = level;
    snprintf(last->text, sizeof last->text, "%s", text);
}

/* Reads exactly so many bytes while the reactor turns; events are passed over. */
static inline void read_all(heartline_reactor *reactor, int fd, void *to, size_t count)
{
    uint64_t until = heartline_now_ms() + WITHIN_MS;
    heartline_event events[16];
    size_t done = 0;
    while (done < count) {
        ssize_t got = read(fd, (char *)to + done, count - done);
        if (got > 0)
            done += (size_t)got;
        else
            CHECK(got < 0 && errno == EAGAIN && heartline_now_ms() < until);
        CHECK(heartline_reactor_poll(reactor, events, 16, done < count ? 1 : 0) >= 0);
    }
}

#endif
