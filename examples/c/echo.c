/*
 * An echo server in ten lines that matter: framed messages come back, the dead are found, nobody living is killed.
 *
 *   make lib
 *   cc -Iinclude -o echo examples/c/echo.c -Ltarget/capi -lheartline -Wl,-rpath,target/capi
 *   ./echo 127.0.0.1:7001 [game,timeout=20s]
 */
#include <heartline.h>
#include <stdio.h>
#include <stdlib.h>

static int32_t must(int32_t result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "echo: %s: %s\n", what, heartline_strerror(result));
        exit(1);
    }
    return result;
}

int main(int argc, char **argv)
{
    heartline_codec *codec;
    heartline_reactor *reactor;
    heartline_policy policy;
    heartline_event events[256];
    char at[HEARTLINE_ADDRESS_BYTES];

    must(heartline_check_abi(HEARTLINE_ABI_VERSION), "library");
    must(heartline_codec_parse("length:4be,max=64K", &codec, NULL, 0), "codec");
    must(heartline_reactor_new(NULL, &reactor), "reactor");
    must(heartline_policy_parse(argc > 2 ? argv[2] : "im", &policy, sizeof policy, NULL, 0), "policy");
    must(heartline_reactor_policy(reactor, 0, &policy), "policy");
    int32_t listener = must(heartline_reactor_listen(reactor, argc > 1 ? argv[1] : "127.0.0.1:0", codec, NULL), "listen");
    must(heartline_reactor_listener_address(reactor, listener, at, sizeof at), "address");
    printf("listening on %s\n", at);
    fflush(stdout);
    for (;;) {
        int32_t count = must(heartline_reactor_poll(reactor, events, 256, -1), "poll");
        for (int32_t i = 0; i < count; i++)
            if (events[i].kind == HEARTLINE_EVENT_MESSAGE &&
                heartline_reactor_send(reactor, events[i].id, events[i].data, events[i].len) == HEARTLINE_ERR_FULL)
                heartline_reactor_close(reactor, events[i].id, HEARTLINE_CLOSE_AT_ONCE, 0); /* it does not read */
    }
}
