/* NULL and 0 to every export: an error or a no-op, never a crash. tests/capi.rs checks that none is left out. */
#include "check.h"

#define NULLED(call) EXPECT(call, HEARTLINE_ERR_NULL)

static void library_and_codecs(void)
{
    char text[64];
    heartline_policy policy;
    heartline_codec *made = NULL;
    heartline_codec_config settings;
    heartline_codec_ops ops;
    heartline_frame frame;
    uint8_t bytes[8] = {0};

    EXPECT(heartline_check_abi(HEARTLINE_ABI_VERSION), 0);
    EXPECT(heartline_check_abi(HEARTLINE_ABI_VERSION + 1), HEARTLINE_ERR_VERSION);
    EXPECT(heartline_check_abi(0), HEARTLINE_ERR_VERSION);
    CHECK(heartline_abi_version() == HEARTLINE_ABI_VERSION);
    CHECK(strcmp(heartline_version(), HEARTLINE_VERSION) == 0);
    static const int32_t fatal[] = {HEARTLINE_ERR_STALE,      HEARTLINE_ERR_PANIC, HEARTLINE_ERR_FRAME_BAD,
                                    HEARTLINE_ERR_OVER_LIMIT, HEARTLINE_ERR_GONE,  HEARTLINE_ERR_FORKED};
    for (int32_t code = -40; code <= 40; code++) {
        int32_t expected = 0;
        for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
            expected |= fatal[i] == code;
        EXPECT(heartline_error_is_fatal(code), expected);
    }
    EXPECT(heartline_error_is_fatal(INT32_MIN), 0);
    CHECK(heartline_now_ms() <= heartline_now_ms());
    EXPECT(heartline_last_bug(NULL, 0), 0);
    NULLED(heartline_last_bug(NULL, 1));
    CHECK(strcmp(heartline_strerror(0), "success") == 0 && strcmp(heartline_strerror(7), "success") == 0);
    CHECK(strcmp(heartline_strerror(-1), "unknown error") == 0);
    CHECK(strcmp(heartline_strerror(INT32_MIN), "unknown error") == 0);
    for (int32_t code = -40; code <= 0; code++)
        CHECK(heartline_strerror(code)[0] != 0 && heartline_name(HEARTLINE_NAMES_ERRORS, code)[0] != 0);
    CHECK(strcmp(heartline_name(HEARTLINE_NAMES_ERRORS, HEARTLINE_ERR_STALE), "HEARTLINE_ERR_STALE") == 0);
    CHECK(strcmp(heartline_name(HEARTLINE_NAMES_REASONS, HEARTLINE_REASON_SILENT), "silent") == 0);
    CHECK(strcmp(heartline_name(HEARTLINE_NAMES_REASONS, 300), "application") == 0);
    CHECK(strcmp(heartline_name(HEARTLINE_NAMES_EVENTS, HEARTLINE_EVENT_MASS_SILENCE), "mass_silence") == 0);
    CHECK(strcmp(heartline_name(HEARTLINE_NAMES_VERDICTS, HEARTLINE_VERDICT_DEAD), "dead") == 0);
    CHECK(strcmp(heartline_name(0, 0), "unknown") == 0 && strcmp(heartline_name(9, 1), "unknown") == 0);
    CHECK(strcmp(heartline_name(HEARTLINE_NAMES_EVENTS, 99), "unknown") == 0);
    CHECK(strcmp(heartline_name(HEARTLINE_NAMES_EVENTS, INT32_MIN), "unknown") == 0);

    NULLED(heartline_policy_parse(NULL, &policy, sizeof policy, NULL, 0));
    NULLED(heartline_policy_parse("im", NULL, sizeof policy, NULL, 0));
    EXPECT(heartline_policy_parse("nonsense", &policy, sizeof policy, NULL, 0), HEARTLINE_ERR_POLICY);
    EXPECT(heartline_policy_parse("nonsense", &policy, sizeof policy, NULL, 7), HEARTLINE_ERR_POLICY);
    EXPECT(heartline_policy_parse("\xff", &policy, sizeof policy, text, sizeof text), HEARTLINE_ERR_INVALID);

    NULLED(heartline_codec_parse(NULL, &made, NULL, 0));
    NULLED(heartline_codec_parse("length:4be", NULL, NULL, 0));
    EXPECT(heartline_codec_parse("nonsense", &made, NULL, 0), HEARTLINE_ERR_SPEC);
    EXPECT(heartline_codec_parse("nonsense", &made, text, 1), HEARTLINE_ERR_SPEC);
    CHECK(text[0] == 0 && made == NULL);
    HEARTLINE_INIT(settings);
    NULLED(heartline_codec_new(NULL, &made, NULL, 0));
    settings.kind = HEARTLINE_CODEC_RAW;
    NULLED(heartline_codec_new(&settings, NULL, NULL, 0));
    settings.kind = HEARTLINE_CODEC_DELIMITER;
    settings.delimiter_bytes = 2;
    NULLED(heartline_codec_new(&settings, &made, NULL, 0));
    HEARTLINE_INIT(ops);
    NULLED(heartline_codec_custom(NULL, NULL, &made));
    NULLED(heartline_codec_custom(&ops, NULL, &made));
    NULLED(heartline_codec_custom(&ops, NULL, NULL));
    NULLED(heartline_sink_write(NULL, bytes, 1));
    NULLED(heartline_sink_write(NULL, NULL, 0));
    heartline_codec_free(NULL);

    heartline_codec *codec = codec_of("length:4be");
    NULLED(heartline_codec_spec(NULL, text, sizeof text));
    NULLED(heartline_codec_spec(codec, NULL, 1));
    CHECK(heartline_codec_spec(codec, NULL, 0) > 0);
    NULLED(heartline_codec_cut(NULL, bytes, 8, NULL, &frame));
    NULLED(heartline_codec_cut(codec, NULL, 8, NULL, &frame));
    NULLED(heartline_codec_cut(codec, bytes, 8, NULL, NULL));
    EXPECT(heartline_codec_cut(codec, NULL, 0, NULL, &frame), 0);
    EXPECT(heartline_codec_cut(codec, bytes, SIZE_MAX, NULL, &frame), HEARTLINE_ERR_INVALID);
    NULLED(heartline_codec_head(NULL, 1, bytes, 4));
    NULLED(heartline_codec_head(codec, 1, NULL, 4));
    EXPECT(heartline_codec_head(codec, 1, bytes, 3), HEARTLINE_ERR_SHORT);
    NULLED(heartline_codec_encode(NULL, NULL, 0, NULL, 0, bytes, 8));
    NULLED(heartline_codec_encode(codec, NULL, 4, NULL, 0, bytes, 8));
    NULLED(heartline_codec_encode(codec, NULL, 0, NULL, 1, bytes, 8));
    NULLED(heartline_codec_encode(codec, NULL, 0, NULL, 0, NULL, 8));
    EXPECT(heartline_codec_encode(codec, NULL, 0, NULL, 0, NULL, 0), HEARTLINE_ERR_SHORT);
    EXPECT(heartline_codec_encode(codec, NULL, 0, NULL, 0, bytes, 4), 4);
    NULLED(heartline_codec_beat(NULL, HEARTLINE_BEAT_ASK, NULL, 0, bytes, 8));
    NULLED(heartline_codec_beat(codec, HEARTLINE_BEAT_ANSWER, NULL, 4, bytes, 8));
    NULLED(heartline_codec_beat(codec, HEARTLINE_BEAT_ASK, NULL, 0, NULL, 8));
    EXPECT(heartline_codec_beat(codec, HEARTLINE_BEAT_ASK, NULL, 0, NULL, 0), HEARTLINE_ERR_SHORT);
    EXPECT(heartline_codec_beat(codec, 0, NULL, 0, bytes, 8), HEARTLINE_ERR_INVALID);
    heartline_codec_free(codec);
}

static void monitors(void)
{
    heartline_monitor *monitor = NULL;
    heartline_peer peer = 0;
    heartline_policy policy;
    heartline_verdict verdict;
    heartline_peer_info info;
    heartline_monitor_stats stats;

    HEARTLINE_INIT(policy);
    NULLED(heartline_monitor_new(NULL, 0, NULL));
    heartline_monitor_free(NULL);
    NULLED(heartline_monitor_policy(NULL, 0, &policy, 0));
    NULLED(heartline_monitor_add(NULL, 0, 0, 0, &peer));
    NULLED(heartline_monitor_remove(NULL, 1));
    NULLED(heartline_monitor_heard(NULL, 1, 0));
    NULLED(heartline_monitor_beat(NULL, 1, HEARTLINE_BEAT_ASK, 0));
    NULLED(heartline_monitor_spoke(NULL, 1));
    NULLED(heartline_monitor_set(NULL, 1, HEARTLINE_SET_USER, 0, 0));
    NULLED(heartline_monitor_wait_ms(NULL, 0));
    NULLED(heartline_monitor_woke(NULL, 0));
    NULLED(heartline_monitor_advance(NULL, 0, &verdict, 1));
    NULLED(heartline_monitor_info(NULL, 1, 0, &info, sizeof info));
    NULLED(heartline_monitor_read_stats(NULL, &stats, sizeof stats));

    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    NULLED(heartline_monitor_policy(monitor, 0, NULL, 0));
    NULLED(heartline_monitor_add(monitor, 0, 0, 0, NULL));
    NULLED(heartline_monitor_advance(monitor, 0, NULL, 1));
    EXPECT(heartline_monitor_advance(monitor, 0, NULL, 0), 0);
    EXPECT(heartline_monitor_add(monitor, 0, 0, 0, &peer), 0);
    NULLED(heartline_monitor_info(monitor, peer, 0, NULL, sizeof info));
    NULLED(heartline_monitor_read_stats(monitor, NULL, sizeof stats));
    heartline_monitor_free(monitor);
}

static void reactors(void)
{
    heartline_reactor *reactor = NULL;
    heartline_mailbox *mailbox = NULL;
    heartline_codec *codec = codec_of("length:4be");
    heartline_policy policy;
    heartline_event event;
    heartline_connection_info info;
    heartline_obituary obituary;
    heartline_released released;
    heartline_slice slice = {NULL, 1};
    heartline_drain_options drain;
    char text[16];
    uint64_t id = 0;
    int32_t results[1];

    HEARTLINE_INIT(policy);
    NULLED(heartline_reactor_new(NULL, NULL));
    heartline_reactor_free(NULL);
    NULLED(heartline_reactor_os_error(NULL));
    NULLED(heartline_reactor_policy(NULL, 0, &policy));
    NULLED(heartline_reactor_listen(NULL, "127.0.0.1:0", codec, NULL));
    NULLED(heartline_reactor_listener_address(NULL, 0, text, sizeof text));
    NULLED(heartline_reactor_stop_listening(NULL, 0));
    NULLED(heartline_reactor_connect(NULL, "127.0.0.1:1", codec, NULL, 0, &id));
    NULLED(heartline_reactor_adopt(NULL, 0, codec, NULL, 0, NULL, 0, NULL, 0, &id));
    NULLED(heartline_reactor_release(NULL, 1, &released));
    NULLED(heartline_reactor_close(NULL, 1, HEARTLINE_CLOSE_FLUSH, 0));
    NULLED(heartline_reactor_drain(NULL, NULL));
    NULLED(heartline_reactor_is_drained(NULL));
    NULLED(heartline_reactor_poll(NULL, &event, 1, 0));
    NULLED(heartline_reactor_fd(NULL));
    NULLED(heartline_reactor_wait_ms(NULL));
    NULLED(heartline_reactor_set(NULL, 1, HEARTLINE_SET_USER, 0));
    NULLED(heartline_reactor_set_options(NULL, 1, codec, NULL));
    NULLED(heartline_reactor_send(NULL, 1, "", 0));
    NULLED(heartline_reactor_send_head(NULL, 1, "", 0, "", 0));
    NULLED(heartline_reactor_sendv(NULL, 1, &slice, 0));
    NULLED(heartline_reactor_broadcast(NULL, &id, 1, "", 0, NULL));
    NULLED(heartline_reactor_broadcast_all(NULL, 0, "", 0));
    NULLED(heartline_reactor_flush(NULL));
    NULLED(heartline_reactor_info(NULL, 1, &info, sizeof info));
    NULLED(heartline_reactor_obituary(NULL, 1, &obituary, sizeof obituary));
    NULLED(heartline_reactor_count(NULL));
    NULLED(heartline_reactor_ids(NULL, &id, 1));
    NULLED(heartline_reactor_counter(NULL, "bytes_in", &id));
    NULLED(heartline_reactor_metrics(NULL, text, sizeof text));
    NULLED(heartline_mailbox_new(NULL, &mailbox));
    heartline_mailbox_free(NULL);
    NULLED(heartline_mailbox_send(NULL, 1, "", 0));
    NULLED(heartline_mailbox_broadcast(NULL, "", 0));
    NULLED(heartline_mailbox_close(NULL, 1, HEARTLINE_CLOSE_FLUSH, 0));
    NULLED(heartline_mailbox_wake(NULL));

    reactor = reactor_of(NULL);
    NULLED(heartline_reactor_policy(reactor, 0, NULL));
    NULLED(heartline_reactor_listen(reactor, NULL, codec, NULL));
    NULLED(heartline_reactor_listen(reactor, "127.0.0.1:0", NULL, NULL));
    NULLED(heartline_reactor_connect(reactor, NULL, codec, NULL, 0, &id));
    NULLED(heartline_reactor_connect(reactor, "127.0.0.1:1", NULL, NULL, 0, &id));
    NULLED(heartline_reactor_connect(reactor, "127.0.0.1:1", codec, NULL, 0, NULL));
    NULLED(heartline_reactor_poll(reactor, NULL, 1, 0));
    EXPECT(heartline_reactor_poll(reactor, NULL, 0, 0), 0);
    NULLED(heartline_reactor_broadcast(reactor, NULL, 1, "", 0, NULL));
    EXPECT(heartline_reactor_broadcast(reactor, NULL, 0, NULL, 0, results), 0);
    NULLED(heartline_reactor_broadcast(reactor, NULL, 0, NULL, 1, NULL));
    NULLED(heartline_reactor_broadcast_all(reactor, 0, NULL, 1));
    EXPECT(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL), 0);
    NULLED(heartline_reactor_listener_address(reactor, 0, NULL, 1));
    CHECK(heartline_reactor_listener_address(reactor, 0, NULL, 0) > 10);
    NULLED(heartline_reactor_ids(reactor, NULL, 1));
    EXPECT(heartline_reactor_ids(reactor, NULL, 0), 0);
    NULLED(heartline_reactor_counter(reactor, NULL, &id));
    NULLED(heartline_reactor_counter(reactor, "bytes_in", NULL));
    NULLED(heartline_reactor_metrics(reactor, NULL, 1));
    CHECK(heartline_reactor_metrics(reactor, NULL, 0) > 1000);
    NULLED(heartline_mailbox_new(reactor, NULL));

    int end, ends[2];
    id = adopted(reactor, codec, NULL, 7, &end);
    NULLED(heartline_reactor_send(reactor, id, NULL, 1));
    NULLED(heartline_reactor_send_head(reactor, id, NULL, 4, "", 0));
    NULLED(heartline_reactor_send_head(reactor, id, NULL, 0, NULL, 1));
    EXPECT(heartline_reactor_send_head(reactor, id, NULL, 0, NULL, 0), 0);
    EXPECT(heartline_reactor_sendv(reactor, id, NULL, 0), 0);
    NULLED(heartline_reactor_sendv(reactor, id, NULL, 1));
    NULLED(heartline_reactor_sendv(reactor, id, &slice, 1));
    EXPECT(heartline_reactor_send(reactor, id, NULL, 0), 0);
    NULLED(heartline_reactor_set_options(reactor, id, NULL, NULL));
    NULLED(heartline_reactor_info(reactor, id, NULL, sizeof info));
    NULLED(heartline_reactor_release(reactor, id, NULL));
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_AT_ONCE, 0), 0);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == id);
    NULLED(heartline_reactor_obituary(reactor, id, NULL, sizeof obituary));
    close(end);

    /* What is refused stays the caller's. */
    pair(ends);
    NULLED(heartline_reactor_adopt(reactor, ends[0], NULL, NULL, 0, NULL, 0, NULL, 0, &id));
    NULLED(heartline_reactor_adopt(reactor, ends[0], codec, NULL, 0, NULL, 0, NULL, 0, NULL));
    NULLED(heartline_reactor_adopt(reactor, ends[0], codec, NULL, 0, NULL, 1, NULL, 0, &id));
    NULLED(heartline_reactor_adopt(reactor, ends[0], codec, NULL, 0, NULL, 0, NULL, 1, &id));
    CHECK(fcntl(ends[0], F_GETFD) >= 0);
    close(ends[0]);
    close(ends[1]);

    HEARTLINE_INIT(drain);
    drain.farewell_len = 1;
    NULLED(heartline_reactor_drain(reactor, &drain));
    EXPECT(heartline_reactor_is_drained(reactor), 0); /* it was not begun */
    EXPECT(heartline_reactor_stop_listening(reactor, 0), 0);

    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    NULLED(heartline_mailbox_send(mailbox, 1, NULL, 1));
    NULLED(heartline_mailbox_broadcast(mailbox, NULL, 1));
    heartline_mailbox_free(mailbox);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
}

int main(void)
{
    library_and_codecs();
    monitors();
    reactors();
    return 0;
}
