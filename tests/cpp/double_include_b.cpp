#define HEARTLINE_EXCEPTIONS
#include "heartline.hpp"

int other_file();
int other_file() {
    try {
        heartline::Codec::parse("nonsense").value();
    } catch (const heartline::Exception &) {
        auto codec = heartline::Codec::parse("length:4be").value();
        return codec.spec().empty();
    }
    return 1;
}
