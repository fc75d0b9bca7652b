/* What the programs that time the C ABI share: a clock, and the order of their passes. */
#ifndef HEARTLINE_BENCHES_PASSES_H
#define HEARTLINE_BENCHES_PASSES_H

#include <stdlib.h>
#include <time.h>

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int by_value(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;
    return (difference > 0) - (difference < 0);
}

#endif
