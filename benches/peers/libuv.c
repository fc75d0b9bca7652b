/*
 * The peers' echo server on libuv: a uv_timer_t for each connection is its idle deadline, begun anew by uv_timer_again at
 * each read. An unfinished frame waits in memory of its own, so that an idle connection has no buffer.
 *
 *   cc -O2 -Ibenches -o libuv benches/peers/libuv.c -luv && ./libuv 4000ms
 */
#define _GNU_SOURCE
#include "server.h"
#include <uv.h>

enum { HEAD_BYTES = 4, MESSAGE_BYTES_MAX = 64 * 1024, BUFFER_BYTES = 2 * (HEAD_BYTES + MESSAGE_BYTES_MAX) };

struct connection {
    uv_tcp_t tcp;
    uv_timer_t deadline;
    char *unfinished; /* NULL: none */
    size_t unfinished_bytes;
};

struct sending {
    uv_write_t request;
    char bytes[];
};

static char buffer[BUFFER_BYTES]; /* libuv reads into it and tells of it at once, so that all can share it */
static uint64_t timeout_ms;

static void must(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "libuv: %s: %s\n", what, uv_strerror(result));
        exit(1);
    }
}

/* ---- ends ---- */

static void on_tcp_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    free(connection->unfinished);
    free(connection);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    uv_close((uv_handle_t *)&connection->tcp, on_tcp_closed);
}

static void end(struct connection *connection)
{
    if (!uv_is_closing((uv_handle_t *)&connection->deadline)) {
        uv_read_stop((uv_stream_t *)&connection->tcp);
        uv_close((uv_handle_t *)&connection->deadline, on_deadline_closed);
    }
}

static void on_silent(uv_timer_t *deadline)
{
    end(deadline->data);
}

/* ---- echo ---- */

static void on_sent(uv_write_t *request, int status)
{
    (void)status; /* a read tells of the end */
    free(request);
}

/* What the kernel does not take at once is copied and waits. */
static void send_frame(struct connection *connection, char *frame, size_t bytes)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    uv_buf_t whole = uv_buf_init(frame, (unsigned)bytes);
    int taken = uv_try_write(stream, &whole, 1);
    if (taken == (int)bytes)
        return;
    if (taken == UV_EAGAIN)
        taken = 0;
    if (taken < 0) {
        end(connection);
        return;
    }
    size_t left = bytes - (size_t)taken;
    struct sending *sending = malloc(sizeof *sending + left);
    if (!sending)
        fail("malloc");
    memcpy(sending->bytes, frame + taken, left);
    uv_buf_t rest = uv_buf_init(sending->bytes, (unsigned)left);
    if (uv_write(&sending->request, stream, &rest, 1, on_sent) < 0) {
        free(sending);
        end(connection);
    }
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *into)
{
    struct connection *connection = handle->data;
    (void)suggested;
    if (connection->unfinished)
        memcpy(buffer, connection->unfinished, connection->unfinished_bytes);
    *into = uv_buf_init(buffer + connection->unfinished_bytes, (unsigned)(BUFFER_BYTES - connection->unfinished_bytes));
}

static void keep_unfinished(struct connection *connection, const char *bytes, size_t count)
{
    free(connection->unfinished);
    connection->unfinished = NULL;
    connection->unfinished_bytes = count;
    if (count == 0)
        return;
    if (!(connection->unfinished = malloc(count)))
        fail("malloc");
    memcpy(connection->unfinished, bytes, count);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *ignored)
{
    struct connection *connection = stream->data;
    (void)ignored;
    if (count < 0) {
        end(connection);
        return;
    }
    uv_timer_again(&connection->deadline);
    size_t at = 0, filled = connection->unfinished_bytes + (size_t)count;
    while (filled - at >= HEAD_BYTES) {
        uint32_t length;
        memcpy(&length, buffer + at, HEAD_BYTES);
        length = ntohl(length);
        if (length > MESSAGE_BYTES_MAX) {
            end(connection);
            return;
        }
        if (filled - at < HEAD_BYTES + length)
            break;
        send_frame(connection, buffer + at, HEAD_BYTES + length);
        at += HEAD_BYTES + length;
    }
    keep_unfinished(connection, buffer + at, filled - at);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *connection = status < 0 ? NULL : calloc(1, sizeof *connection);
    if (!connection)
        return;
    connection->tcp.data = connection->deadline.data = connection;
    must(uv_timer_init(listener->loop, &connection->deadline), "timer");
    must(uv_tcp_init(listener->loop, &connection->tcp), "tcp");
    if (uv_accept(listener, (uv_stream_t *)&connection->tcp) < 0) {
        end(connection);
        return;
    }
    uv_tcp_nodelay(&connection->tcp, 1);
    must(uv_timer_start(&connection->deadline, on_silent, timeout_ms, timeout_ms), "deadline");
    must(uv_read_start((uv_stream_t *)&connection->tcp, lend_buffer, on_read), "read");
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = loopback(0);
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_os_fd_t fd;
    if (argc != 2)
        return 2;
    timeout_ms = (uint64_t)milliseconds(argv[1]);
    begin_server();
    must(uv_tcp_init(loop, &listener), "listener");
    must(uv_tcp_bind(&listener, (struct sockaddr *)&address, 0), "bind");
    must(uv_listen((uv_stream_t *)&listener, BACKLOG, on_connection), "listen");
    must(uv_fileno((uv_handle_t *)&listener, &fd), "descriptor");
    say_listening(fd);
    return uv_run(loop, UV_RUN_DEFAULT);
}
