/* What the programs in tests/c that need TCP share: sockets of their own on loopback. */
#ifndef TCP_H
#define TCP_H

#include "check.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/* Where a listener of the reactor's listens, for sockets of one's own. */
static inline struct sockaddr_in address_of(heartline_reactor *reactor, int32_t listener)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    char text[HEARTLINE_ADDRESS_BYTES];
    int32_t length = heartline_reactor_listener_address(reactor, listener, text, sizeof text);
    CHECK(length > 0 && (size_t)length == strlen(text) && strncmp(text, "127.0.0.1:", 10) == 0);
    at.sin_port = htons((uint16_t)atoi(text + 10));
    CHECK(at.sin_port != 0 && inet_pton(AF_INET, "127.0.0.1", &at.sin_addr) == 1);
    return at;
}

/* A non-blocking socket on its way there. */
static inline int dial(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EINPROGRESS);
    return fd;
}

/* Two ends of a TCP connection, both non-blocking. */
static inline void tcp_pair(int ends[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(listener >= 0 && inet_pton(AF_INET, "127.0.0.1", &at.sin_addr) == 1);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    ends[0] = dial(&at);
    ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    CHECK(ends[1] >= 0);
    close(listener);
}

#endif
