/*
 * Live connections move to a new process, and nobody misses a beat: at SIGUSR2 the server starts its successor (this
 * program again), sends it the listening socket and every connection with what was unread and unsent, and exits.
 *
 *   make lib
 *   cc -Iinclude -o upgrade examples/c/upgrade.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi
 *   ./upgrade 7008 [game,timeout=20s]            then: kill -USR2 PID
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <heartline.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { EVENTS = 256, HANDOVER_FD = 3, PART_MAX = 60000 };

/* What goes before the bytes of one connection; its descriptor travels beside it. */
struct handover {
    uint64_t user;
    uint32_t unread, unsent, unanswered, reserved;
};

static volatile sig_atomic_t upgrade_wanted, ending;

static void on_upgrade(int number)
{
    (void)number;
    upgrade_wanted = 1;
}

static void on_end(int number)
{
    (void)number;
    ending = 1;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int32_t must(int32_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "upgrade: %s: %s\n", what, heartline_strerror(result));
        exit(1);
    }
    return result;
}

/* A descriptor and a header in one message of a SOCK_SEQPACKET pair; fd -1: the header alone. */
static void send_with_fd(int channel, int fd, const void *bytes, size_t length)
{
    char control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0)
        fail("sendmsg");
}

static ssize_t receive_with_fd(int channel, int *fd, void *bytes, size_t room)
{
    char control[CMSG_SPACE(sizeof *fd)];
    struct iovec part = {.iov_base = bytes, .iov_len = room};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = count < 0 ? NULL : CMSG_FIRSTHDR(&message);
    *fd = -1;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return count;
}

static void send_bytes(int channel, const uint8_t *bytes, size_t length)
{
    for (size_t at = 0; at < length; at += PART_MAX)
        send_with_fd(channel, -1, bytes + at, length - at < PART_MAX ? length - at : PART_MAX);
}

static uint8_t *receive_bytes(int channel, size_t length)
{
    uint8_t *bytes = malloc(length + 1);
    for (size_t at = 0; bytes && at < length;) {
        int fd;
        ssize_t count = receive_with_fd(channel, &fd, bytes + at, length - at);
        if (count <= 0)
            fail("handover");
        at += (size_t)count;
    }
    return bytes;
}

/* The old process: everything goes, then the end of the channel says that this was all. */
static void hand_over(heartline_reactor *reactor, int listening, char **argv)
{
    int channel[2];
    uint64_t ids[1024];
    int32_t count;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
        fail("socketpair");
    pid_t successor = fork();
    if (successor < 0)
        fail("fork");
    if (successor == 0) {
        if (dup2(channel[1], HANDOVER_FD) < 0) /* not closed on exec, as the others are */
            _exit(1);
        setenv("UPGRADE_FD", "3", 1);
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    close(channel[1]);
    send_with_fd(channel[0], listening, "listen", 6);
    heartline_reactor_stop_listening(reactor, 0);
    while ((count = heartline_reactor_ids(reactor, ids, 1024)) > 0) {
        int32_t moved = 0;
        for (int32_t i = 0; i < count && i < 1024; i++) {
            heartline_released released;
            if (heartline_reactor_release(reactor, ids[i], &released) < 0)
                continue; /* being closed: it ends here */
            struct handover header = {released.user, (uint32_t)released.unread_len, (uint32_t)released.unsent_len,
                                      released.unanswered, 0};
            send_with_fd(channel[0], released.fd, &header, sizeof header);
            send_bytes(channel[0], released.unread, released.unread_len);
            send_bytes(channel[0], released.unsent, released.unsent_len);
            close(released.fd); /* the successor has its own */
            moved++;
        }
        if (moved == 0)
            break;
    }
    close(channel[0]);
}

/* The new process. */
static int take_over(heartline_reactor *reactor, heartline_codec *codec)
{
    char word[8];
    int listening, fd;
    unsigned moved = 0;
    struct handover header;
    if (receive_with_fd(HANDOVER_FD, &listening, word, sizeof word) != 6 || listening < 0)
        fail("handover");
    while (receive_with_fd(HANDOVER_FD, &fd, &header, sizeof header) == sizeof header) {
        uint8_t *unread = receive_bytes(HANDOVER_FD, header.unread), *unsent = receive_bytes(HANDOVER_FD, header.unsent);
        uint64_t id;
        if (heartline_reactor_adopt(reactor, fd, codec, NULL, header.user, unread, header.unread, unsent, header.unsent,
                                    &id) < 0)
            close(fd);
        else if (heartline_reactor_set(reactor, id, HEARTLINE_SET_UNANSWERED, header.unanswered) == 0)
            moved++;
        free(unread);
        free(unsent);
    }
    close(HANDOVER_FD);
    printf("took over %u connections\n", moved);
    return listening;
}

/* The host keeps the listening socket, so that it can pass it on; Heartline gets a copy. */
static int open_listener(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0)
        fail("listen");
    return fd;
}

int main(int argc, char **argv)
{
    struct sigaction upgrade = {.sa_handler = on_upgrade}, end = {.sa_handler = on_end};
    heartline_codec *codec;
    heartline_reactor *reactor;
    heartline_policy policy;
    char at[HEARTLINE_ADDRESS_BYTES], inherited[32];

    must(heartline_check_abi(HEARTLINE_ABI_VERSION), "library");
    must(heartline_codec_parse("length:4be", &codec, NULL, 0), "codec");
    must(heartline_reactor_new(NULL, &reactor), "reactor");
    must(heartline_policy_parse(argc > 2 ? argv[2] : "im", &policy, sizeof policy, NULL, 0), "policy");
    must(heartline_reactor_policy(reactor, 0, &policy), "policy");
    int successor = getenv("UPGRADE_FD") != NULL;
    int listening = successor ? take_over(reactor, codec) : open_listener(argc > 1 ? atoi(argv[1]) : 0);
    snprintf(inherited, sizeof inherited, "fd:%d", dup(listening));
    int32_t listener = must(heartline_reactor_listen(reactor, inherited, codec, NULL), "listen");
    must(heartline_reactor_listener_address(reactor, listener, at, sizeof at), "address");
    sigaction(SIGUSR2, &upgrade, NULL);
    sigaction(SIGTERM, &end, NULL);
    printf("%d listening on %s\n", (int)getpid(), at);
    fflush(stdout);

    while (!ending) {
        heartline_event events[EVENTS];
        int32_t count = must(heartline_reactor_poll(reactor, events, EVENTS, 200), "poll");
        for (int32_t i = 0; i < count; i++)
            if (events[i].kind == HEARTLINE_EVENT_MESSAGE &&
                heartline_reactor_send(reactor, events[i].id, events[i].data, events[i].len) == HEARTLINE_ERR_FULL)
                heartline_reactor_close(reactor, events[i].id, HEARTLINE_CLOSE_AT_ONCE, 0); /* it does not read */
        if (upgrade_wanted && count < EVENTS) { /* no events of anybody are left undelivered */
            hand_over(reactor, listening, argv);
            break;
        }
    }
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
