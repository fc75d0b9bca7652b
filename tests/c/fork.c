/* A forked child holds every descriptor: what the parent closes ends all the same, and exec leaves none of them. What it
 * inherited of a reactor it is refused, so that it disturbs no connection of its parent's; its own are as good as any. */
#include "check.h"
#include <signal.h>
#include <sys/wait.h>

#define FORKED(call) EXPECT(call, HEARTLINE_ERR_FORKED)

/* In the child, whose exit nothing may run at that is the parent's. */
static void use_what_was_inherited(heartline_reactor *reactor, heartline_mailbox *mailbox, heartline_monitor *monitor,
                                   const heartline_codec *codec, uint64_t id)
{
    heartline_event event;
    heartline_mailbox *other_box;
    FORKED(heartline_reactor_poll(reactor, &event, 1, 0));
    FORKED(heartline_reactor_poll(reactor, NULL, 0, 0));
    FORKED(heartline_reactor_send(reactor, id, "x", 1));
    FORKED(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_ABORT, 0));
    FORKED(heartline_reactor_drain(reactor, NULL));
    FORKED(heartline_reactor_fd(reactor));
    FORKED(heartline_reactor_count(reactor));
    FORKED(heartline_reactor_os_error(reactor));
    FORKED(heartline_mailbox_new(reactor, &other_box));
    FORKED(heartline_mailbox_send(mailbox, id, "x", 1));
    FORKED(heartline_mailbox_wake(mailbox));
    heartline_mailbox_free(mailbox);
    heartline_reactor_free(reactor); /* does nothing */
    FORKED(heartline_reactor_count(reactor));

    heartline_peer peer; /* memory alone: the child's copy is the child's */
    EXPECT(heartline_monitor_add(monitor, 1, 0, 5, &peer), 0);
    heartline_monitor_free(monitor);

    int end;
    heartline_reactor *own = reactor_of(NULL);
    uint64_t its = adopted(own, codec, NULL, 0, &end);
    EXPECT(heartline_reactor_send(own, its, "own", 3), 0);
    CHECK(heartline_reactor_count(own) == 1);
    FORKED(heartline_reactor_count(reactor)); /* still, though this process has a number again */
    heartline_reactor_free(own);
    close(end);
}

static void a_child_is_refused_what_it_inherited(const heartline_codec *codec)
{
    heartline_reactor *reactor = reactor_of(NULL);
    heartline_mailbox *mailbox;
    heartline_monitor *monitor;
    int end, status;
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    EXPECT(heartline_mailbox_new(reactor, &mailbox), 0);
    EXPECT(heartline_monitor_new(NULL, 0, &monitor), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        use_what_was_inherited(reactor, mailbox, monitor, codec, id);
        pid_t grandchild = fork();
        if (grandchild == 0) {
            FORKED(heartline_reactor_count(reactor));
            kill(getpid(), SIGKILL);
        }
        CHECK(waitpid(grandchild, &status, 0) == grandchild && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        kill(getpid(), SIGKILL); /* without an exit that tools would watch */
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(heartline_reactor_count(reactor) == 1); /* the parent's connection lives and is served */
    CHECK(write(end, "\0\0\0\1x", 5) == 5);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_MESSAGE).id == id);
    EXPECT(heartline_mailbox_send(mailbox, id, "y", 1), 0);
    unsigned char frame[5];
    read_all(reactor, end, frame, sizeof frame);
    CHECK(frame[4] == 'y');
    heartline_monitor_free(monitor);
    heartline_mailbox_free(mailbox);
    heartline_reactor_free(reactor);
    close(end);
}

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = reactor_of(NULL);
    int end, hold[2];
    char byte;
    uint64_t id = adopted(reactor, codec, NULL, 0, &end);
    CHECK(heartline_reactor_fd(reactor) >= 0);
    CHECK(pipe(hold) == 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) { /* touches nothing of Heartline's, and holds it all until the parent says */
        close(hold[1]);
        kill(getpid(), read(hold[0], &byte, 1) == 0 ? SIGKILL : SIGABRT); /* without an exit that tools would watch */
    }
    close(hold[0]);
    EXPECT(heartline_reactor_send(reactor, id, "bye", 3), 0);
    EXPECT(heartline_reactor_close(reactor, id, HEARTLINE_CLOSE_AT_ONCE, 0), 0);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_CLOSED).id == id);
    struct pollfd wait = {end, POLLIN, 0};
    CHECK(poll(&wait, 1, WITHIN_MS) == 1);
    must_have_ended(end); /* the child's copy keeps nothing open */
    int other_end;
    uint64_t other = adopted(reactor, codec, NULL, 0, &other_end); /* life goes on */
    CHECK(write(other_end, "\0\0\0\1x", 5) == 5);
    CHECK(await_kind(reactor, HEARTLINE_EVENT_MESSAGE).id == other);
    close(hold[1]);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

    /* Closed on exec, all of them. */
    for (int fd = 3; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);
        char path[64], name[64];
        if (flags < 0 || (flags & FD_CLOEXEC))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, name, sizeof name - 1);
        name[length > 0 ? length : 0] = 0;
        CHECK(strstr(name, "eventpoll") == NULL && strstr(name, "timerfd") == NULL && strstr(name, "eventfd") == NULL);
    }
    close(end);
    close(other_end);
    heartline_reactor_free(reactor);
    a_child_is_refused_what_it_inherited(codec);
    heartline_codec_free(codec);
    return 0;
}
