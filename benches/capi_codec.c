/*
 * Level 2 in C: gigabytes per second of 64-byte frames through heartline_codec_cut, on one core.
 *
 *   make lib && cc -O2 -Iinclude -o target/bench/capi_codec benches/capi_codec.c target/capi/libheartline.a
 *   target/bench/capi_codec [PASSES]
 *
 * Prints one line of JSON. A pass cuts a buffer of 1,024 frames (`length:4be`, 60 bytes of message each) from its front
 * to its end and looks at the first and the last byte of each message; the median pass counts.
 */
#define _GNU_SOURCE
#include "capi_passes.h"
#include <heartline.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME = 64, FRAMES = 1024, ROUNDS = 100 };

int main(int argc, char **argv)
{
    long passes = argc > 1 ? atol(argv[1]) : 201;
    static uint8_t bytes[FRAME * FRAMES];
    heartline_codec *codec;
    heartline_frame frame;
    unsigned long sum = 0, wanted = 0;
    double *rates = malloc(sizeof *rates * (size_t)passes);

    if (passes < 1 || !rates || heartline_codec_parse("length:4be", &codec, NULL, 0) != 0)
        return 1;
    for (int i = 0; i < FRAMES; i++) {
        uint8_t *at = bytes + i * FRAME;
        memset(at, i & 0xff, FRAME);
        memcpy(at, "\0\0\0\x3c", 4);
        wanted += 2ul * (unsigned)(i & 0xff);
    }
    for (long pass = 0; pass < passes; pass++) {
        double begin = now_ns();
        for (int round = 0; round < ROUNDS; round++)
            for (size_t at = 0; at < sizeof bytes; at += frame.total) {
                if (heartline_codec_cut(codec, bytes + at, sizeof bytes - at, NULL, &frame) != 1)
                    return 1;
                sum += frame.data[0] + (unsigned long)frame.data[frame.len - 1];
            }
        rates[pass] = (double)sizeof bytes * ROUNDS / (now_ns() - begin);
    }
    if (sum != wanted * ROUNDS * (unsigned long)passes)
        return 1; /* a frame was cut wrongly */
    qsort(rates, (size_t)passes, sizeof *rates, by_value);
    printf("{\"gb_per_second\":%.3f,\"slowest\":%.3f,\"fastest\":%.3f}\n", rates[passes / 2], rates[0], rates[passes - 1]);
    heartline_codec_free(codec);
    return 0;
}
