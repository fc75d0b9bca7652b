/*
 * An echo server on level 3 of the C ABI, as `make bench` measures it: examples/c/echo.c with the settings of the other
 * servers.
 *
 *   make lib && cc -O2 -Iinclude -o target/bench/capi_echo benches/capi_echo.c -Ltarget/capi -lheartline
 *   LD_LIBRARY_PATH=target/capi target/bench/capi_echo FRAME TIMEOUT on|off
 */
#define _GNU_SOURCE
#include <heartline.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t over;

static void end(int number)
{
    (void)number;
    over = 1;
}

static int32_t must(int32_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "capi_echo: %s: %s\n", what, heartline_strerror(result));
        exit(1);
    }
    return result;
}

int main(int argc, char **argv)
{
    heartline_codec *codec;
    heartline_reactor *reactor;
    heartline_reactor_config config;
    heartline_policy policy;
    heartline_event events[1024];
    char at[HEARTLINE_ADDRESS_BYTES], text[64];
    struct sigaction action = {.sa_handler = end};

    if (argc != 4)
        return 2;
    sigaction(SIGTERM, &action, NULL);
    HEARTLINE_INIT(config);
    config.statistics = strcmp(argv[3], "on") == 0 ? 0 : HEARTLINE_OFF;
    must(heartline_codec_parse(argv[1], &codec, NULL, 0), "codec");
    must(heartline_reactor_new(&config, &reactor), "reactor");
    snprintf(text, sizeof text, "im,timeout=%s", argv[2]);
    must(heartline_policy_parse(text, &policy, sizeof policy, NULL, 0), "policy");
    must(heartline_reactor_policy(reactor, 0, &policy), "policy");
    int32_t listener = must(heartline_reactor_listen(reactor, "127.0.0.1:0", codec, NULL), "listen");
    must(heartline_reactor_listener_address(reactor, listener, at, sizeof at), "address");
    printf("listening on %s\n", at);
    fflush(stdout);
    while (!over) {
        int32_t count = must(heartline_reactor_poll(reactor, events, 1024, 500), "poll"); /* SIGTERM ends no wait */
        for (int32_t i = 0; i < count; i++)
            if (events[i].kind == HEARTLINE_EVENT_MESSAGE &&
                heartline_reactor_send(reactor, events[i].id, events[i].data, events[i].len) == HEARTLINE_ERR_FULL)
                heartline_reactor_close(reactor, events[i].id, HEARTLINE_CLOSE_AT_ONCE, 0); /* it does not read */
    }
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
