/* A bug inside, ordered by the test: the object is poisoned, the host lives, the log hears of it, nothing is printed. */
#include "../check.h"

void heartline_force_panic(void);

int main(void)
{
    struct last_line log = {0, 0, ""};
    char bug[256] = "x";
    EXPECT(heartline_last_bug(bug, sizeof bug), 0);
    CHECK(bug[0] == 0);

    heartline_monitor *monitor, *sound;
    heartline_peer peer;
    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    EXPECT(heartline_monitor_new(NULL, 0, &sound), 0);
    EXPECT(heartline_monitor_add(monitor, 1, 0, 0, &peer), 0);
    heartline_force_panic();
    EXPECT(heartline_monitor_heard(monitor, peer, 1), HEARTLINE_ERR_PANIC);
    EXPECT(heartline_monitor_heard(monitor, peer, 2), HEARTLINE_ERR_PANIC);
    EXPECT(heartline_monitor_wait_ms(monitor, 2), HEARTLINE_ERR_PANIC);
    EXPECT(heartline_monitor_add(sound, 1, 0, 0, &peer), 0); /* others go on */
    int32_t length = heartline_last_bug(bug, sizeof bug);
    CHECK(length > 0 && strstr(bug, "forced by a test") && strstr(bug, "guard.rs"));
    heartline_monitor_free(monitor);
    heartline_monitor_free(sound);

    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor_config config;
    HEARTLINE_INIT(config);
    config.log = keep_line, config.log_context = &log;
    heartline_reactor *reactor = reactor_of(&config), *other = reactor_of(NULL);
    heartline_mailbox *mailbox;
    heartline_event event;
    int end, other_end;
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    heartline_force_panic();
    EXPECT(heartline_reactor_poll(reactor, &event, 1, 0), HEARTLINE_ERR_PANIC);
    EXPECT(heartline_reactor_send(reactor, id, "x", 1), HEARTLINE_ERR_PANIC);
    EXPECT(heartline_reactor_count(reactor), HEARTLINE_ERR_PANIC);
    CHECK(log.lines == 1 && log.level == HEARTLINE_LOG_BUG && strstr(log.text, "forced by a test"));
    EXPECT(heartline_mailbox_wake(mailbox), 0); /* it is still there, though nobody reads */
    adopted(other, codec, NULL, 0, &other_end);
    heartline_reactor_free(reactor);
    must_have_ended(end); /* freed with all it had */
    EXPECT(heartline_mailbox_wake(mailbox), HEARTLINE_ERR_GONE);
    heartline_mailbox_free(mailbox);
    heartline_reactor_free(other);
    heartline_codec_free(codec);
    close(end);
    close(other_end);
    return 0;
}
