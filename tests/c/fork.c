/* A forked child holds every descriptor: what the parent closes ends all the same, and exec leaves none of them. */
#include "check.h"
#include <signal.h>
#include <sys/wait.h>

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
    heartline_codec_free(codec);
    return 0;
}
