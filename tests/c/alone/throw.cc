// A C++ exception thrown where the header forbids it: the process ends by SIGABRT, and no frame of Rust is unwound into
// the caller. argv[1]: log, cut or encode.
#include <heartline.h>

#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

static void write_log(void *, uint32_t, const char *)
{
    throw std::runtime_error("from the log");
}

static int32_t cut(void *context, uint8_t *data, size_t len, size_t, uint64_t *, heartline_sink *, heartline_frame *out)
{
    if (context)
        throw std::runtime_error("from cut");
    out->data = data;
    out->len = out->total = len;
    return len > 0;
}

static int32_t encode(void *, const uint8_t *, size_t, const heartline_slice *, size_t, heartline_sink *)
{
    throw std::runtime_error("from encode");
}

int main(int argc, char **argv)
{
    const std::string what = argc > 1 ? argv[1] : "";
    heartline_codec *codec = nullptr;
    heartline_reactor *reactor = nullptr;
    heartline_codec_ops ops;
    heartline_reactor_config config;
    heartline_event event;
    uint64_t id = 0;
    int32_t result = 0;
    int ends[2];
    char why[8];

    HEARTLINE_INIT(ops);
    ops.cut = cut;
    ops.encode = encode;
    HEARTLINE_INIT(config);
    config.log = write_log;
    if (what == "log" ? heartline_codec_parse("length:4be", &codec, why, sizeof why)
                      : heartline_codec_custom(&ops, what == "cut" ? &ops : nullptr, &codec))
        return 2;
    if (heartline_reactor_new(&config, &reactor) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) ||
        heartline_reactor_adopt(reactor, ends[0], codec, nullptr, 0, nullptr, 0, nullptr, 0, &id))
        return 2;
    try {
        if (what == "encode")
            result = heartline_reactor_send(reactor, id, "x", 1);
        if (write(ends[1], "GET / HTTP/1.1\r\n", 16) != 16)
            return 2;
        for (int i = 0; i < 100; i++)
            result = heartline_reactor_poll(reactor, &event, 1, 10);
    } catch (...) {
        std::puts("caught: an exception went through Heartline");
        return 3;
    }
    std::printf("nothing was thrown: %d\n", static_cast<int>(result));
    return 4;
}
