/* Level 3 of docs/c-guide.md: one player comes, says something and leaves. */
#include "../check.h"
#include <stddef.h>
#include <sys/un.h>

static int end, players, messages;

static uint64_t new_player(void)
{
    return (uint64_t)(40 + ++players);
}

static void on_message(uint64_t player, const uint8_t *data, size_t len)
{
    CHECK(player == 41 && len == 2 && memcmp(data, "hi", 2) == 0);
    messages++;
    close(end);
}

static void delete_player(uint64_t player)
{
    CHECK(player == 41 && messages == 1);
    exit(0); /* the loop serves for ever */
}

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = reactor_of(NULL);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1);
    size += (socklen_t)snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "heartline-guide-%d", (int)getpid());
    char name[sizeof at.sun_path + 8];
    snprintf(name, sizeof name, "unix:@%s", at.sun_path + 1);
    EXPECT(heartline_reactor_listen(reactor, name, codec, NULL), 0);
    end = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(end, (struct sockaddr *)&at, size) == 0 && write(end, "\0\0\0\2hi", 6) == 6);
#include "c-guide-4.c"
}
