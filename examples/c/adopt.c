/*
 * A server that accepts and greets for itself, hands its connections over to Heartline, and takes them back: a message
 * "leave" makes the connection the server's own again, which then answers without any framing and closes.
 *
 *   make lib
 *   cc -Iinclude -o adopt examples/c/adopt.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi
 *   ./adopt 7007 [CONNECTIONS]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <heartline.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64 };

static int32_t must(int32_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "adopt: %s: %s\n", what, heartline_strerror(result));
        exit(1);
    }
    return result;
}

/* The server's own beginning: whatever came with the greeting is read by now and must not be lost. */
static void take_in(heartline_reactor *reactor, heartline_codec *codec, int listener)
{
    static const char greeting[] = "hello\n";
    char early[4096];
    uint64_t id;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t count = recv(fd, early, sizeof early, MSG_DONTWAIT);
    int32_t adopted = heartline_reactor_adopt(reactor, fd, codec, NULL, 0, early, count > 0 ? (size_t)count : 0, greeting,
                                              sizeof greeting - 1, &id);
    if (adopted < 0) {
        fprintf(stderr, "adopt: %s\n", heartline_strerror(adopted));
        close(fd); /* it is taken on success alone */
    }
}

static void echo(heartline_reactor *reactor, const heartline_event *event)
{
    if (heartline_reactor_send(reactor, event->id, event->data, event->len) == HEARTLINE_ERR_FULL)
        heartline_reactor_close(reactor, event->id, HEARTLINE_CLOSE_AT_ONCE, 0); /* it does not read */
}

/* The way back, with what was read and not delivered, and what was accepted for sending and not sent. */
static void give_back(heartline_reactor *reactor, uint64_t id)
{
    heartline_released released;
    char text[64];
    int32_t result = heartline_reactor_release(reactor, id, &released);
    if (result < 0) {
        fprintf(stderr, "release: %s\n", heartline_strerror(result)); /* BUSY: its events are not all delivered */
        return;
    }
    int length = snprintf(text, sizeof text, "back, %zu unread, %zu unsent\n", released.unread_len, released.unsent_len);
    if (released.unsent_len > 0)
        send(released.fd, released.unsent, released.unsent_len, MSG_NOSIGNAL);
    send(released.fd, text, (size_t)length, MSG_NOSIGNAL);
    shutdown(released.fd, SHUT_RDWR);
    close(released.fd);
}

int main(int argc, char **argv)
{
    int left = argc > 2 ? atoi(argv[2]) : -1, on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    heartline_codec *codec;
    heartline_reactor *reactor;

    must(heartline_check_abi(HEARTLINE_ABI_VERSION), "library");
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    must(heartline_codec_parse("length:4be", &codec, NULL, 0), "codec");
    must(heartline_reactor_new(NULL, &reactor), "reactor");
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 128) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &length) < 0) {
        perror("adopt");
        return 1;
    }
    struct pollfd ready[2] = {{.fd = listener, .events = POLLIN},
                              {.fd = must(heartline_reactor_fd(reactor), "descriptor"), .events = POLLIN}};
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);

    while (left != 0) {
        heartline_event events[EVENTS];
        uint64_t leaving[EVENTS];
        int32_t count, leavers = 0;
        poll(ready, 2, -1);
        if (ready[0].revents)
            take_in(reactor, codec, listener);
        do {
            count = must(heartline_reactor_poll(reactor, events, EVENTS, 0), "poll");
            for (int32_t i = 0; i < count; i++) {
                const heartline_event *event = &events[i];
                if (event->kind == HEARTLINE_EVENT_MESSAGE && event->len == 5 && memcmp(event->data, "leave", 5) == 0)
                    leaving[leavers++] = event->id; /* not yet: events of it may follow in this batch */
                else if (event->kind == HEARTLINE_EVENT_MESSAGE)
                    echo(reactor, event);
                else if (event->kind == HEARTLINE_EVENT_CLOSED && left > 0)
                    left--;
            }
            while (leavers > 0) {
                give_back(reactor, leaving[--leavers]);
                left -= left > 0;
            }
        } while (count == EVENTS);
        heartline_reactor_flush(reactor);
    }
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    close(listener);
    return 0;
}
