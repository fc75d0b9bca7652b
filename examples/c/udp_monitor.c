/*
 * Liveness for UDP peers: level 1 knows no sockets, so a peer can be an address. Whoever sends a datagram is a peer; who
 * is silent is asked with "PING", who stays silent is forgotten.
 *
 *   make lib
 *   cc -Iinclude -o udp_monitor examples/c/udp_monitor.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi
 *   ./udp_monitor 7004 lan,role=ask [PEERS_TO_LOSE]
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

enum { PEERS_MAX = 4096, VERDICTS = 64 };

/* The host's own table; the verdict's `user` is the index. */
static struct {
    struct sockaddr_in address;
    heartline_peer peer; /* 0: free */
} table[PEERS_MAX];

static int32_t must(int32_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "udp_monitor: %s: %s\n", what, heartline_strerror(result));
        exit(1);
    }
    return result;
}

/* The place of an address, a new one if it is not known; -1 if the table is full. */
static int place_of(heartline_monitor *monitor, const struct sockaddr_in *address, uint64_t now)
{
    int free_place = -1;
    for (int i = 0; i < PEERS_MAX; i++) {
        if (table[i].peer == 0)
            free_place = free_place < 0 ? i : free_place;
        else if (table[i].address.sin_addr.s_addr == address->sin_addr.s_addr &&
                 table[i].address.sin_port == address->sin_port)
            return i;
    }
    if (free_place >= 0) {
        table[free_place].address = *address;
        must(heartline_monitor_add(monitor, (uint64_t)free_place, 1, now, &table[free_place].peer), "add");
    }
    return free_place;
}

static void receive(heartline_monitor *monitor, int udp, uint64_t now)
{
    for (;;) {
        char datagram[2048];
        struct sockaddr_in from;
        socklen_t length = sizeof from;
        ssize_t count = recvfrom(udp, datagram, sizeof datagram, MSG_DONTWAIT, (struct sockaddr *)&from, &length);
        if (count < 0)
            return;
        int place = place_of(monitor, &from, now);
        if (place < 0)
            continue;
        if (count == 4 && memcmp(datagram, "PONG", 4) == 0)
            heartline_monitor_beat(monitor, table[place].peer, HEARTLINE_BEAT_ANSWER, now);
        else
            heartline_monitor_heard(monitor, table[place].peer, now);
    }
}

int main(int argc, char **argv)
{
    unsigned to_lose = argc > 3 ? (unsigned)atoi(argv[3]) : 0, lost = 0;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof at;
    heartline_monitor *monitor;
    heartline_policy policy;
    char why[160] = "";

    must(heartline_check_abi(HEARTLINE_ABI_VERSION), "library");
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    must(heartline_policy_parse(argc > 2 ? argv[2] : "lan,role=ask", &policy, sizeof policy, why, sizeof why), why);
    uint64_t now = heartline_now_ms();
    must(heartline_monitor_new(NULL, now, &monitor), "monitor");
    must(heartline_monitor_policy(monitor, 1, &policy, now), "policy");
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (udp < 0 || bind(udp, (struct sockaddr *)&at, length) < 0 || getsockname(udp, (struct sockaddr *)&at, &length) < 0) {
        perror("udp_monitor");
        return 1;
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);

    while (to_lose == 0 || lost < to_lose) {
        struct pollfd ready = {.fd = udp, .events = POLLIN};
        heartline_verdict verdicts[VERDICTS];
        int32_t count;
        poll(&ready, 1, heartline_monitor_wait_ms(monitor, now)); /* -1, for ever, suits poll as it is */
        now = heartline_now_ms();
        heartline_monitor_woke(monitor, now); /* stopped meanwhile? then nobody was silent */
        receive(monitor, udp, now);           /* first what came, then who is judged */
        do {
            count = must(heartline_monitor_advance(monitor, now, verdicts, VERDICTS), "advance");
            for (int32_t i = 0; i < count; i++) {
                uint64_t place = verdicts[i].user;
                if (verdicts[i].kind == HEARTLINE_VERDICT_ASK) {
                    sendto(udp, "PING", 4, MSG_NOSIGNAL, (struct sockaddr *)&table[place].address, sizeof at);
                } else if (verdicts[i].kind == HEARTLINE_VERDICT_DEAD) {
                    printf("lost %s:%d after %u ms\n", inet_ntoa(table[place].address.sin_addr),
                           ntohs(table[place].address.sin_port), verdicts[i].silence_ms);
                    fflush(stdout);
                    heartline_monitor_remove(monitor, verdicts[i].peer);
                    table[place].peer = 0;
                    lost++;
                }
            }
        } while (count == VERDICTS);
    }
    heartline_monitor_free(monitor);
    close(udp);
    return 0;
}
