/* struct_size of every struct that may grow: 0, short, exact, longer with a tail of zeros, longer with something in it. */
#include "check.h"

/* A struct as a newer program would have it. */
#define NEWER(type)          \
    union {                  \
        type known;          \
        unsigned char bytes[sizeof(type) + 16]; \
    }

/* What comes of `call`, which reads `newer.known`, at each size; a size that is taken gives `taken`. */
#define READ_AT_SIZES(newer, call, taken)                                            \
    do {                                                                             \
        static const uint32_t refused[] = {0, 1, 3, 4, 7, 4097, UINT32_MAX};         \
        for (size_t at_ = 0; at_ < sizeof refused / sizeof *refused; at_++) {        \
            (newer).known.struct_size = refused[at_];                                \
            EXPECT(call, HEARTLINE_ERR_VERSION);                                     \
        }                                                                            \
        (newer).known.struct_size = (uint32_t)sizeof(newer).known - 1;               \
        EXPECT(call, HEARTLINE_ERR_VERSION);                                         \
        (newer).known.struct_size = (uint32_t)sizeof(newer).known;                   \
        EXPECT(call, taken);                                                         \
        (newer).known.struct_size = (uint32_t)sizeof(newer);                         \
        EXPECT(call, taken);                                                         \
        (newer).bytes[sizeof(newer) - 1] = 1;                                        \
        EXPECT(call, HEARTLINE_ERR_VERSION);                                         \
        (newer).bytes[sizeof(newer) - 1] = 0;                                        \
        (newer).known.struct_size = (uint32_t)sizeof(newer).known;                   \
    } while (0)

/* What `call`, which writes `size` bytes to `newer`, leaves there. */
#define WRITE_AT_SIZES(newer, size, call)                                            \
    do {                                                                             \
        size_t size = 0;                                                             \
        EXPECT(call, HEARTLINE_ERR_VERSION);                                         \
        size = sizeof(newer).known - 1;                                              \
        EXPECT(call, HEARTLINE_ERR_VERSION);                                         \
        size = SIZE_MAX;                                                             \
        EXPECT(call, HEARTLINE_ERR_VERSION);                                         \
        memset(&(newer), 0xEE, sizeof(newer));                                       \
        size = sizeof(newer).known;                                                  \
        EXPECT(call, 0);                                                             \
        CHECK((newer).known.struct_size == size && (newer).bytes[size] == 0xEE);     \
        memset(&(newer), 0xEE, sizeof(newer));                                       \
        size = sizeof(newer);                                                        \
        EXPECT(call, 0);                                                             \
        CHECK((newer).known.struct_size == size && (newer).bytes[size - 1] == 0);    \
    } while (0)

static heartline_monitor_config a_monitor_config;
static int32_t new_monitor(const heartline_monitor_config *config)
{
    heartline_monitor *made = NULL;
    int32_t result = heartline_monitor_new(config, 0, &made);
    CHECK((result == 0) == (made != NULL));
    heartline_monitor_free(made);
    return result;
}

static int32_t new_reactor(const heartline_reactor_config *config)
{
    heartline_reactor *made = NULL;
    int32_t result = heartline_reactor_new(config, &made);
    CHECK((result == 0) == (made != NULL));
    heartline_reactor_free(made);
    return result;
}

static int32_t new_codec(const heartline_codec_config *config)
{
    heartline_codec *made = NULL;
    int32_t result = heartline_codec_new(config, &made, NULL, 0);
    CHECK((result == 0) == (made != NULL));
    heartline_codec_free(made);
    return result;
}

static int32_t cut_nothing(void *context, uint8_t *data, size_t len, size_t max, uint64_t *note, heartline_sink *control,
                           heartline_frame *out)
{
    (void)context, (void)data, (void)len, (void)max, (void)note, (void)control, (void)out;
    return 0;
}

static int32_t encode_nothing(void *context, const uint8_t *head, size_t head_len, const heartline_slice *message,
                              size_t count, heartline_sink *out)
{
    (void)context, (void)head, (void)head_len, (void)message, (void)count, (void)out;
    return -1;
}

static int32_t new_custom(const heartline_codec_ops *ops)
{
    heartline_codec *made = NULL;
    int32_t result = heartline_codec_custom(ops, NULL, &made);
    heartline_codec_free(made);
    return result;
}

static int32_t listens(heartline_reactor *reactor, const heartline_codec *codec, const heartline_listen_options *options)
{
    int32_t listener = heartline_reactor_listen(reactor, "127.0.0.1:0", codec, options);
    if (listener < 0)
        return listener;
    return heartline_reactor_stop_listening(reactor, listener);
}

int main(void)
{
    NEWER(heartline_policy) policy;
    NEWER(heartline_monitor_config) monitor_config;
    NEWER(heartline_reactor_config) reactor_config;
    NEWER(heartline_codec_config) codec_config;
    NEWER(heartline_codec_ops) ops;
    NEWER(heartline_options) options;
    NEWER(heartline_listen_options) listening;
    NEWER(heartline_drain_options) drain;
    NEWER(heartline_peer_info) peer_info;
    NEWER(heartline_monitor_stats) stats;
    NEWER(heartline_connection_info) connection_info;
    NEWER(heartline_obituary) obituary;
    heartline_monitor *monitor;
    heartline_peer peer;
    int end;

    EXPECT(new_monitor(NULL), 0);
    EXPECT(new_reactor(NULL), 0);
    HEARTLINE_INIT(a_monitor_config);
    EXPECT(new_monitor(&a_monitor_config), 0);

    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    memset(&policy, 0, sizeof policy);
    READ_AT_SIZES(policy, heartline_monitor_policy(monitor, 1, &policy.known, 0), 0);
    memset(&monitor_config, 0, sizeof monitor_config);
    READ_AT_SIZES(monitor_config, new_monitor(&monitor_config.known), 0);
    monitor_config.known.reserved = 1;
    EXPECT(new_monitor(&monitor_config.known), HEARTLINE_ERR_VERSION);
    memset(&reactor_config, 0, sizeof reactor_config);
    READ_AT_SIZES(reactor_config, new_reactor(&reactor_config.known), 0);
    reactor_config.known.reserved_pointers[3] = &reactor_config;
    EXPECT(new_reactor(&reactor_config.known), HEARTLINE_ERR_VERSION);
    memset(&codec_config, 0, sizeof codec_config);
    codec_config.known.kind = HEARTLINE_CODEC_VARINT;
    READ_AT_SIZES(codec_config, new_codec(&codec_config.known), 0);
    memset(&ops, 0, sizeof ops);
    ops.known.cut = cut_nothing;
    ops.known.encode = encode_nothing;
    READ_AT_SIZES(ops, new_custom(&ops.known), 0);
    ops.known.reserved = 1;
    EXPECT(new_custom(&ops.known), HEARTLINE_ERR_VERSION);

    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = reactor_of(NULL);
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    memset(&policy, 0, sizeof policy);
    READ_AT_SIZES(policy, heartline_reactor_policy(reactor, 1, &policy.known), 0);
    memset(&options, 0, sizeof options);
    READ_AT_SIZES(options, heartline_reactor_set_options(reactor, id, codec, &options.known), 0);
    memset(&listening, 0, sizeof listening);
    READ_AT_SIZES(listening, listens(reactor, codec, &listening.known), 0);
    options.known.struct_size = 3;
    listening.known.connection = &options.known;
    EXPECT(listens(reactor, codec, &listening.known), HEARTLINE_ERR_VERSION);

    EXPECT(heartline_monitor_add(monitor, 1, 0, 0, &peer), 0);
    WRITE_AT_SIZES(policy, size, heartline_policy_parse("im", &policy.known, size, NULL, 0));
    WRITE_AT_SIZES(peer_info, size, heartline_monitor_info(monitor, peer, 0, &peer_info.known, size));
    WRITE_AT_SIZES(stats, size, heartline_monitor_read_stats(monitor, &stats.known, size));
    WRITE_AT_SIZES(connection_info, size, heartline_reactor_info(reactor, id, &connection_info.known, size));
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_ABORT, 0), 0);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == id);
    WRITE_AT_SIZES(obituary, size, heartline_reactor_obituary(reactor, id, &obituary.known, size));
    memset(&drain, 0, sizeof drain);
    READ_AT_SIZES(drain, heartline_reactor_drain(reactor, &drain.known), 0);

    close(end);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    heartline_monitor_free(monitor);
    return 0;
}
