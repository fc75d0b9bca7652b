/*
 * Level 1 in C: nanoseconds per heartline_monitor_heard, peers in random order, and resident bytes per peer, handle and
 * user word included.
 *
 *   make lib && cc -O2 -Iinclude -o target/bench/capi_monitor benches/capi_monitor.c target/capi/libheartline.a
 *   target/bench/capi_monitor 100000 [PASSES]
 *
 * Prints one line of JSON. Each pass says `heard` once for every peer, in one fixed random order; the median pass counts.
 */
#define _GNU_SOURCE
#include "capi_passes.h"
#include <heartline.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of memory that this process has touched. */
static double resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        exit(1);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 100000, passes = argc > 2 ? atol(argv[2]) : 101;
    heartline_monitor *monitor;
    uint64_t now = 1000, state = 88172645463325252u;
    heartline_peer *peers = malloc(sizeof *peers * (size_t)count);
    double *times = malloc(sizeof *times * (size_t)passes);
    if (count < 1 || passes < 1 || !peers || !times || heartline_monitor_new(NULL, now, &monitor) != 0)
        return 1;
    for (long i = 0; i < count; i++)
        peers[i] = 1; /* so that the host's own array is there before */
    double before = resident();
    for (long i = 0; i < count; i++)
        if (heartline_monitor_add(monitor, (uint64_t)i, 0, now, &peers[i]) != 0)
            return 1;
    double bytes = resident() - before;
    for (long i = count - 1; i > 0; i--) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        long j = (long)(state % (uint64_t)(i + 1));
        heartline_peer other = peers[i];
        peers[i] = peers[j], peers[j] = other;
    }
    for (long pass = 0; pass < passes; pass++) {
        now += 50;
        double begin = now_ns();
        for (long i = 0; i < count; i++)
            if (heartline_monitor_heard(monitor, peers[i], now) != 0)
                return 1;
        times[pass] = (now_ns() - begin) / (double)count;
    }
    qsort(times, (size_t)passes, sizeof *times, by_value);
    printf("{\"peers\":%ld,\"ns_per_heard\":%.2f,\"fastest\":%.2f,\"bytes_per_peer\":%.1f}\n", count, times[passes / 2],
           times[0], bytes / (double)count);
    heartline_monitor_free(monitor);
    free(peers);
    free(times);
    return 0;
}
