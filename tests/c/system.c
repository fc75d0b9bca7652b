/* What the operating system refuses: C's errno says why, also where there is no reactor to ask. */
#include "check.h"
#include <sys/resource.h>

/* No descriptor is left for whoever asks. */
static struct rlimit without_descriptors(void)
{
    struct rlimit before, none;
    CHECK(getrlimit(RLIMIT_NOFILE, &before) == 0);
    none = before;
    none.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
    return before;
}

int main(void)
{
    heartline_codec *codec = codec_of("length:4be");
    heartline_reactor *reactor = reactor_of(NULL), *none = NULL;
    heartline_mailbox *mailbox = NULL;
    uint64_t id = 0;

    struct rlimit before = without_descriptors();
    errno = 0;
    int32_t result = heartline_reactor_new(NULL, &none);
    int why = errno;
    EXPECT(result, HEARTLINE_ERR_OS);
    CHECK(why == EMFILE && none == NULL);

    errno = 0;
    result = heartline_mailbox_new(reactor, &mailbox);
    why = errno;
    EXPECT(result, HEARTLINE_ERR_OS);
    CHECK(why == EMFILE && mailbox == NULL);
    EXPECT(heartline_reactor_os_error(reactor), EMFILE);

    result = heartline_reactor_connect(reactor, "127.0.0.1:9", codec, NULL, 0, &id);
    CHECK(result == HEARTLINE_ERR_OS && id == 0);
    EXPECT(heartline_reactor_os_error(reactor), EMFILE);
    CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);

    result = heartline_reactor_connect(reactor, "unix:/nowhere/at/all", codec, NULL, 0, &id);
    EXPECT(result, HEARTLINE_ERR_OS);
    EXPECT(heartline_reactor_os_error(reactor), ENOENT);
    errno = 0;
    EXPECT(heartline_reactor_count(reactor), 0);
    CHECK(errno == 0); /* what succeeds leaves it alone */
    EXPECT(heartline_reactor_os_error(reactor), ENOENT);

    EXPECT(heartline_reactor_listener_address(reactor, 7, NULL, 0), HEARTLINE_ERR_INVALID); /* nothing of the system's */
    EXPECT(heartline_reactor_stop_listening(reactor, 7), HEARTLINE_ERR_INVALID);
    heartline_reactor_free(reactor);
    heartline_codec_free(codec);
    return 0;
}
