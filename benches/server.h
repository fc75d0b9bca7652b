/* What the small servers of the benches set up alike. benches/measure.py says what it expects of a server. */
#ifndef BENCHES_SERVER_H
#define BENCHES_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static inline void fail(const char *what)
{
    perror(what);
    exit(1);
}

static inline void on_terminate(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

static inline void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        fail("setrlimit");
}

/* Ends with status 0 on SIGTERM, and takes as many connections as it may. */
static inline void begin_server(void)
{
    signal(SIGTERM, on_terminate);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
}

static inline void say_listening(int listener)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &length) < 0)
        fail("getsockname");
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
}

static inline struct sockaddr_in loopback(unsigned short port)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static inline int listen_on_loopback(unsigned short port)
{
    int on = 1;
    struct sockaddr_in address = loopback(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (listen(listener, BACKLOG) < 0)
        fail("listen");
    say_listening(listener);
    return listener;
}

/* "4000ms"; the unit is not optional, so that nobody gives seconds. */
static inline int64_t milliseconds(const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    if (end == text || value < 0 || value > 1000 * 1000 * 1000 || strcmp(end, "ms") != 0) {
        fprintf(stderr, "not a time such as 4000ms: %s\n", text);
        exit(2);
    }
    return value;
}

#endif
