/*
 * A reactor nested in somebody else's epoll loop: its descriptor is readable whenever it has anything to do, deadlines
 * included, so the host needs no timer for it. The host here also serves a timerfd and a UDP socket of its own.
 *
 *   make lib
 *   cc -Iinclude -o epoll_host examples/c/epoll_host.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi
 *   ./epoll_host 127.0.0.1:7003 [SECONDS]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <heartline.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS = 256 };

static int32_t must(int32_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "epoll_host: %s: %s\n", what, heartline_strerror(result));
        exit(1);
    }
    return result;
}

static void watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        perror("epoll_host");
        exit(1);
    }
}

/* All that is there now: until poll returns less than fits. It does not wait. */
static void serve_reactor(heartline_reactor *reactor)
{
    heartline_event events[EVENTS];
    int32_t count;
    do {
        count = must(heartline_reactor_poll(reactor, events, EVENTS, 0), "poll");
        for (int32_t i = 0; i < count; i++)
            if (events[i].kind == HEARTLINE_EVENT_MESSAGE &&
                heartline_reactor_send(reactor, events[i].id, events[i].data, events[i].len) == HEARTLINE_ERR_FULL)
                heartline_reactor_close(reactor, events[i].id, HEARTLINE_CLOSE_AT_ONCE, 0); /* it does not read */
    } while (count == EVENTS);
    heartline_reactor_flush(reactor);
}

int main(int argc, char **argv)
{
    int seconds_left = argc > 2 ? atoi(argv[2]) : -1;
    heartline_codec *codec;
    heartline_reactor *reactor;
    char at[HEARTLINE_ADDRESS_BYTES];

    must(heartline_check_abi(HEARTLINE_ABI_VERSION), "library");
    must(heartline_codec_parse("length:4be", &codec, NULL, 0), "codec");
    must(heartline_reactor_new(NULL, &reactor), "reactor");
    int32_t listener = must(heartline_reactor_listen(reactor, argc > 1 ? argv[1] : "127.0.0.1:0", codec, NULL), "listen");
    must(heartline_reactor_listener_address(reactor, listener, at, sizeof at), "address");

    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int heart = must(heartline_reactor_fd(reactor), "descriptor");
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct itimerspec each_second = {.it_interval = {.tv_sec = 1}, .it_value = {.tv_sec = 1}};
    if (bind(udp, (struct sockaddr *)&any, sizeof any) < 0 || timerfd_settime(timer, 0, &each_second, NULL) < 0) {
        perror("epoll_host");
        return 1;
    }
    watch(epoll, heart);
    watch(epoll, timer);
    watch(epoll, udp);
    printf("listening on %s\n", at);
    fflush(stdout);

    while (seconds_left != 0) {
        struct epoll_event ready[16];
        int count = epoll_wait(epoll, ready, 16, -1);
        for (int i = 0; i < count; i++) {
            if (ready[i].data.fd == heart) {
                serve_reactor(reactor);
            } else if (ready[i].data.fd == timer) {
                uint64_t ticks;
                if (read(timer, &ticks, sizeof ticks) == sizeof ticks) {
                    printf("the host's own second, %d connections\n", heartline_reactor_count(reactor));
                    fflush(stdout);
                    if (seconds_left > 0)
                        seconds_left--;
                }
            } else {
                char datagram[2048];
                while (recv(udp, datagram, sizeof datagram, 0) >= 0)
                    continue;
            }
        }
    }
    close(udp);
    close(timer);
    close(epoll);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
