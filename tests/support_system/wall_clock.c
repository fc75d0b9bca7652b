/* A wall clock that can be set for one process alone: loaded before libc (LD_PRELOAD), it adds the seconds that the file
   HEARTLINE_TEST_WALL_CLOCK holds to every wall clock that the process reads, and counts those reads behind them. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long long *shared; /* [0] seconds to add, [1] reads of the wall clock, [2] reads of others */

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("HEARTLINE_TEST_WALL_CLOCK");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) abort();
    void *at = mmap(NULL, 24, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (at == MAP_FAILED) abort();
    shared = at;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = syscall(SYS_clock_gettime, clock, now);
    int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
    if (shared) {
        __atomic_add_fetch(&shared[wall ? 1 : 2], 1, __ATOMIC_RELAXED);
        if (wall && result == 0) now->tv_sec += shared[0];
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec exact;
    int result = clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return result;
}

time_t time(time_t *out) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (out) *out = exact.tv_sec;
    return exact.tv_sec;
}
