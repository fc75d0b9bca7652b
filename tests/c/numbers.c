/* Numbers that mean nothing: kinds, roles, flags, slots, codes, limits against each other. */
#include "check.h"

#define INVALID(call) EXPECT(call, HEARTLINE_ERR_INVALID)

static void policies(void)
{
    heartline_monitor *monitor;
    heartline_policy policy;
    heartline_peer peer;
    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    HEARTLINE_INIT(policy);
    for (uint32_t role = 0; role <= 4; role++) {
        policy.role = role;
        EXPECT(heartline_monitor_policy(monitor, role, &policy, 0), 0);
    }
    policy.role = 5;
    INVALID(heartline_monitor_policy(monitor, 0, &policy, 0));
    policy.role = UINT32_MAX;
    INVALID(heartline_monitor_policy(monitor, 0, &policy, 0));
    policy.role = 0;
    INVALID(heartline_monitor_policy(monitor, HEARTLINE_POLICIES_MAX, &policy, 0));
    INVALID(heartline_monitor_policy(monitor, UINT32_MAX, &policy, 0));
    EXPECT(heartline_monitor_policy(monitor, HEARTLINE_POLICIES_MAX - 1, &policy, 0), 0);
    policy.interval_ms = 1;
    EXPECT(heartline_monitor_policy(monitor, 0, &policy, 0), HEARTLINE_ERR_POLICY);
    policy.interval_ms = 20000, policy.suspect_ms = 10000;
    EXPECT(heartline_monitor_policy(monitor, 0, &policy, 0), HEARTLINE_ERR_POLICY);
    policy.interval_ms = policy.suspect_ms = 0, policy.jitter_percent = 51;
    EXPECT(heartline_monitor_policy(monitor, 0, &policy, 0), HEARTLINE_ERR_POLICY);
    policy.jitter_percent = 1000;
    EXPECT(heartline_monitor_policy(monitor, 0, &policy, 0), HEARTLINE_ERR_POLICY);
    policy.jitter_percent = HEARTLINE_OFF, policy.timeout_ms = HEARTLINE_OFF;
    EXPECT(heartline_monitor_policy(monitor, 0, &policy, 0), 0);

    INVALID(heartline_monitor_add(monitor, 0, 100, 0, &peer));
    INVALID(heartline_monitor_add(monitor, 0, UINT32_MAX, 0, &peer));
    EXPECT(heartline_monitor_add(monitor, 0, 0, 0, &peer), 0);
    INVALID(heartline_monitor_beat(monitor, peer, 0, 0));
    INVALID(heartline_monitor_beat(monitor, peer, 4, 0));
    INVALID(heartline_monitor_set(monitor, peer, 0, 0, 0));
    INVALID(heartline_monitor_set(monitor, peer, 99, 0, 0));
    INVALID(heartline_monitor_set(monitor, peer, HEARTLINE_SET_PAUSE_READ, 2, 0));
    INVALID(heartline_monitor_set(monitor, peer, HEARTLINE_SET_POLICY, UINT64_MAX, 0));
    INVALID(heartline_monitor_set(monitor, peer, HEARTLINE_SET_HIGH_MARK, 1, 0));
    EXPECT(heartline_monitor_set(monitor, peer, HEARTLINE_SET_GRACE_MS, UINT64_MAX, 0), 0);
    EXPECT(heartline_monitor_heard(monitor, peer, UINT64_MAX), 0);
    CHECK(heartline_monitor_advance(monitor, UINT64_MAX, NULL, 0) == 0);
    CHECK(heartline_monitor_wait_ms(monitor, UINT64_MAX) >= -1);
    EXPECT(heartline_monitor_heard(monitor, peer, 0), 0); /* a clock that goes back changes nothing */
    heartline_monitor_free(monitor);

    heartline_monitor_config config;
    HEARTLINE_INIT(config);
    config.mass_silence_percent = 101;
    INVALID(heartline_monitor_new(&config, 0, &monitor));
    config.mass_silence_percent = HEARTLINE_OFF;
    EXPECT(heartline_monitor_new(&config, 0, &monitor), 0);
    heartline_monitor_free(monitor);
}

static void codecs(void)
{
    heartline_codec *codec = NULL;
    heartline_codec_config config;
    uint8_t bytes[64] = {0};
    char why[160];

    for (uint32_t kind = 0; kind < 10; kind++) {
        HEARTLINE_INIT(config);
        config.kind = kind;
        int32_t result = heartline_codec_new(&config, &codec, why, sizeof why);
        if (kind == 0 || kind > HEARTLINE_CODEC_RAW)
            EXPECT(result, HEARTLINE_ERR_INVALID);
        else if (kind == HEARTLINE_CODEC_DELIMITER || kind == HEARTLINE_CODEC_FIXED)
            EXPECT(result, HEARTLINE_ERR_SPEC); /* without what they need */
        else {
            EXPECT(result, 0);
            heartline_codec_free(codec);
        }
    }
    HEARTLINE_INIT(config);
    config.kind = HEARTLINE_CODEC_RAW;
    config.field_bytes = 4; /* of another kind */
    memset(why, 'x', sizeof why);
    INVALID(heartline_codec_new(&config, &codec, why, sizeof why));
    CHECK(why[0] == 0); /* a string all the same */
    HEARTLINE_INIT(config);
    config.kind = HEARTLINE_CODEC_LENGTH;
    config.field_bytes = 5;
    EXPECT(heartline_codec_new(&config, &codec, why, sizeof why), HEARTLINE_ERR_SPEC);
    CHECK(strlen(why) > 10);
    config.field_bytes = 2, config.head_bytes = 4, config.ask = "@2:0001", config.max_bytes = 65535;
    EXPECT(heartline_codec_new(&config, &codec, why, sizeof why), 0);
    EXPECT(heartline_codec_spec(codec, why, sizeof why), (int)strlen(why));
    CHECK(strstr(why, "length:2be,head=4") == why);
    heartline_codec_free(codec);
    config.ask = "hex:00,max=1"; /* one message, not two settings */
    config.head_bytes = 0;
    EXPECT(heartline_codec_new(&config, &codec, why, sizeof why), 0);
    {
        EXPECT(heartline_codec_encode(codec, NULL, 0, "12345", 5, bytes, sizeof bytes), 7);
        heartline_frame frame;
        EXPECT(heartline_codec_cut(codec, bytes, 7, NULL, &frame), 1);
        CHECK(frame.len == 5);
        heartline_codec_free(codec);
    }
    HEARTLINE_INIT(config);
    config.kind = HEARTLINE_CODEC_DELIMITER;
    config.delimiter = bytes;
    config.delimiter_bytes = 9;
    INVALID(heartline_codec_new(&config, &codec, why, sizeof why));
    config.delimiter_bytes = 2;
    config.delimiter = (const uint8_t *)"\r\n";
    EXPECT(heartline_codec_new(&config, &codec, why, sizeof why), 0);
    INVALID(heartline_codec_head(codec, 1, bytes, sizeof bytes)); /* there is no head */
    EXPECT(heartline_codec_encode(codec, NULL, 0, "a\r\nb", 4, bytes, sizeof bytes), HEARTLINE_ERR_ENCODE);
    EXPECT(heartline_codec_encode(codec, NULL, 0, "ab", 2, bytes, sizeof bytes), 4);
    heartline_codec_free(codec);
    codec = codec_of("length:1be");
    EXPECT(heartline_codec_head(codec, 256, bytes, 1), HEARTLINE_ERR_ENCODE);
    INVALID(heartline_codec_beat(codec, 3, NULL, 0, bytes, sizeof bytes));
    INVALID(heartline_codec_beat(codec, HEARTLINE_BEAT_ANSWER, (const uint8_t *)"\1x", 2, bytes, sizeof bytes));
    heartline_codec_free(codec);
}

static void reactors(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = NULL;
    heartline_reactor_config config;
    heartline_options options;
    heartline_drain_options drain;
    heartline_event event;
    uint64_t value = 0;
    int end;

    HEARTLINE_INIT(config);
    config.statistics = 7;
    INVALID(heartline_reactor_new(&config, &reactor));
    config.statistics = 0, config.mass_silence_percent = 200;
    INVALID(heartline_reactor_new(&config, &reactor));
    config.mass_silence_percent = 0, config.batch_bytes = UINT64_MAX;
    INVALID(heartline_reactor_new(&config, &reactor));
    config.batch_bytes = 1, config.connections_max = HEARTLINE_OFF, config.mailbox_max = HEARTLINE_OFF;
    config.verdicts_per_turn = HEARTLINE_OFF, config.partial_bytes_max = UINT64_MAX, config.outbox_bytes_max = UINT64_MAX;
    config.autopsy_ms = HEARTLINE_OFF, config.granularity_ms = HEARTLINE_OFF, config.statistics = HEARTLINE_OFF;
    EXPECT(heartline_reactor_new(&config, &reactor), 0);

    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    INVALID(heartline_reactor_poll(reactor, &event, 1, -2));
    INVALID(heartline_reactor_poll(reactor, &event, 1, INT32_MIN));
    INVALID(heartline_reactor_close(reactor, id, 0, 0));
    INVALID(heartline_reactor_close(reactor, id, 4, 0));
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 1), HEARTLINE_ERR_CODE_RESERVED);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 255), HEARTLINE_ERR_CODE_RESERVED);
    INVALID(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_FLUSH, 65536));
    INVALID(heartline_reactor_set(reactor, id, 0, 0));
    INVALID(heartline_reactor_set(reactor, id, 8, 0));
    INVALID(heartline_reactor_set(reactor, id, HEARTLINE_SET_PAUSE_READ, 2));
    INVALID(heartline_reactor_set(reactor, id, HEARTLINE_SET_POLICY, 9));
    INVALID(heartline_reactor_set(reactor, id, HEARTLINE_SET_HIGH_MARK, (uint64_t)1 << 32));
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_HIGH_MARK, 1000), 0); /* below the low mark, which follows */
    INVALID(heartline_reactor_set(reactor, id, HEARTLINE_SET_LOW_MARK, 1001));
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_LOW_MARK, 1000), 0);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_HIGH_MARK, 1), 0);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_HIGH_MARK, 0), 0);
    EXPECT(heartline_reactor_set(reactor, id, HEARTLINE_SET_GRACE_MS, UINT64_MAX), 0);

    static const struct {
        size_t at;
        uint32_t value;
    } wrong[] = {
        {offsetof(heartline_options, nodelay), 2},
        {offsetof(heartline_options, when_full), 4},
        {offsetof(heartline_options, policy), 9},
        {offsetof(heartline_options, policy), UINT32_MAX},
        {offsetof(heartline_options, low_bytes), UINT32_MAX},
        {offsetof(heartline_options, keepalive_idle_s), HEARTLINE_OFF},
        {offsetof(heartline_options, keepalive_count), 128},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        HEARTLINE_INIT(options);
        memcpy((char *)&options + wrong[i].at, &wrong[i].value, 4);
        INVALID(heartline_reactor_set_options(reactor, id, codec, &options));
    }
    HEARTLINE_INIT(options);
    options.frame_ms = options.output_ms = options.connect_ms = options.close_ms = options.first_frame_ms = HEARTLINE_OFF;
    options.user_timeout_ms = HEARTLINE_OFF;
    EXPECT(heartline_reactor_set_options(reactor, id, codec, &options), 0);

    static const char *const nowhere[] = {"", "x", "127.0.0.1", "127.0.0.1:99999", "unix:", "fd:", "fd:x", "[::1]", "localhost:1"};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        EXPECT(heartline_reactor_listen(reactor, nowhere[i], codec, NULL), HEARTLINE_ERR_ADDRESS);
    EXPECT(heartline_reactor_listen(reactor, "\xff", codec, NULL), HEARTLINE_ERR_INVALID);
    EXPECT(heartline_reactor_listen(reactor, "fd:999999", codec, NULL), HEARTLINE_ERR_OS);
    CHECK(heartline_reactor_os_error(reactor) == EBADF);
    INVALID(heartline_reactor_adopt(reactor, -1, codec, NULL, 0, NULL, 0, NULL, 0, &value));
    EXPECT(heartline_reactor_adopt(reactor, 999999, codec, NULL, 0, NULL, 0, NULL, 0, &value), HEARTLINE_ERR_OS);
    int pipe_ends[2];
    CHECK(pipe(pipe_ends) == 0);
    EXPECT(heartline_reactor_adopt(reactor, pipe_ends[0], codec, NULL, 0, NULL, 0, NULL, 0, &value), HEARTLINE_ERR_OS);
    CHECK(fcntl(pipe_ends[0], F_GETFD) >= 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);

    INVALID(heartline_reactor_counter(reactor, "no_such_counter", &value));
    EXPECT(heartline_reactor_counter(reactor, "bytes_in", &value), 0);
    heartline_slice *many = calloc(1025, sizeof *many);
    CHECK(many != NULL);
    INVALID(heartline_reactor_sendv(reactor, id, many, 1025));
    free(many);

    HEARTLINE_INIT(drain);
    drain.code = 7;
    EXPECT(heartline_reactor_drain(reactor, &drain), HEARTLINE_ERR_CODE_RESERVED);
    drain.code = 65536;
    INVALID(heartline_reactor_drain(reactor, &drain));
    heartline_mailbox *mailbox;
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    INVALID(heartline_mailbox_close(mailbox, id, 9, 0));
    EXPECT(heartline_mailbox_close(mailbox, id, HEARTLINE_CLOSE_FLUSH, 20), HEARTLINE_ERR_CODE_RESERVED);
    heartline_mailbox_free(mailbox);
    close(end);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
}

int main(void)
{
    policies();
    codecs();
    reactors();
    return 0;
}
