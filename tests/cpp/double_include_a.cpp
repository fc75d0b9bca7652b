// Two files of one program include both headers, one asking for exceptions and one not.
#include <heartline.h>

#include "heartline.hpp"
#include "heartline.hpp"

int other_file();

int main() {
    auto codec = heartline::Codec::parse("length:4be");
    return codec && heartline::check_abi() && other_file() == 0 ? 0 : 1;
}
