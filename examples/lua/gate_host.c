/*
 * What a skynet-like framework does, as small as it can be: it owns the sockets and the timer, and tells a Lua service what
 * happened. The service is gate.lua, on level 1 of Heartline; what players say comes back to them in capitals.
 *
 *   make lib
 *   cc -Iinclude -I/usr/include/lua5.4 -o gate_host examples/lua/gate_host.c bindings/lua/heartline.c \
 *      -Ltarget/capi -lheartline -llua5.4 -Wl,-rpath,$PWD/target/capi
 *   LUA_PATH='examples/lua/?.lua' ./gate_host 7003 [POLICY [SECONDS]]
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <heartline.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS 64

int luaopen_heartline(lua_State *L);

/* The framework's sockets, and the one timer that it promised; 0: none. */
static struct pollfd sockets[SOCKETS];
static nfds_t used = 1;
static uint64_t timer_at;

static const char SERVICE[] = "local framework, policy = ...\n"
                              "function framework.dispatch(fd, message) service.send(fd, message:upper()) end\n"
                              "service = require('gate').new(framework, { policy = policy })\n";

/* framework.socket.write(fd, bytes). A framework of some size would queue what the kernel refuses. */
static int socket_write(lua_State *L)
{
    size_t len;
    const char *bytes = luaL_checklstring(L, 2, &len);
    lua_pushboolean(L, send((int)luaL_checkinteger(L, 1), bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
    return 1;
}

/* framework.socket.close(fd): the slot is swept before the next wait. */
static int socket_close(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    for (nfds_t i = 1; i < used; i++)
        if (sockets[i].fd == fd) {
            shutdown(fd, SHUT_RDWR);
            close(fd);
            sockets[i].fd = -1;
        }
    return 0;
}

/* framework.timer(ms) */
static int timer(lua_State *L)
{
    uint64_t at = heartline_now_ms() + (uint64_t)luaL_checkinteger(L, 1);
    if (timer_at == 0 || at < timer_at)
        timer_at = at;
    return 0;
}

static int log_line(lua_State *L)
{
    printf("%s\n", luaL_checkstring(L, 1));
    fflush(stdout);
    return 0;
}

static void fail(lua_State *L)
{
    fprintf(stderr, "gate_host: %s\n", lua_tostring(L, -1));
    exit(1);
}

/* service.NAME(fd, bytes) */
static void tell(lua_State *L, const char *name, int fd, const char *bytes, size_t len)
{
    lua_settop(L, 0);
    lua_getglobal(L, "service");
    lua_getfield(L, -1, name);
    lua_pushinteger(L, fd);
    lua_pushlstring(L, bytes, len);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        fail(L);
}

int main(int argc, char **argv)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t at_len = sizeof at;
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    at.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 0));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 16) ||
        getsockname(listener, (struct sockaddr *)&at, &at_len)) {
        perror("gate_host");
        return 1;
    }
    const uint64_t end = argc > 3 ? heartline_now_ms() + (uint64_t)atoi(argv[3]) * 1000 : UINT64_MAX;

    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "heartline", luaopen_heartline, 0);
    lua_settop(L, 0);
    if (luaL_loadstring(L, SERVICE) != LUA_OK)
        fail(L);
    lua_newtable(L);
    lua_newtable(L);
    lua_pushcfunction(L, socket_write), lua_setfield(L, -2, "write");
    lua_pushcfunction(L, socket_close), lua_setfield(L, -2, "close");
    lua_setfield(L, -2, "socket");
    lua_pushcfunction(L, timer), lua_setfield(L, -2, "timer");
    lua_pushcfunction(L, log_line), lua_setfield(L, -2, "log");
    lua_pushstring(L, argc > 2 ? argv[2] : "game,role=both");
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        fail(L);
    printf("listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
    fflush(stdout);

    sockets[0] = (struct pollfd){listener, POLLIN, 0};
    for (;;) {
        uint64_t now = heartline_now_ms(), until = timer_at && timer_at < end ? timer_at : end;
        if (now >= end)
            break;
        uint64_t wait = until > now ? until - now : 0;
        if (poll(sockets, used, wait < 60000 ? (int)wait : 60000) < 0)
            break;
        for (nfds_t i = 1, before = used; i < before; i++) { /* what came, */
            char bytes[4096];
            int fd = sockets[i].fd;
            if (fd < 0 || sockets[i].revents == 0)
                continue;
            ssize_t got = recv(fd, bytes, sizeof bytes, 0);
            if (got > 0) {
                tell(L, "data", fd, bytes, (size_t)got);
            } else if (got == 0) {
                tell(L, "closed", fd, "", 0);
                close(fd);
                sockets[i].fd = -1;
            }
        }
        nfds_t kept = 1;
        for (nfds_t i = 1; i < used; i++)
            if (sockets[i].fd >= 0)
                sockets[kept++] = sockets[i];
        used = kept;
        if (sockets[0].revents && used < SOCKETS) { /* who came, */
            int fd = accept(listener, NULL, NULL);
            if (fd >= 0) {
                fcntl(fd, F_SETFL, O_NONBLOCK);
                sockets[used++] = (struct pollfd){fd, POLLIN, 0};
                tell(L, "open", fd, "", 0);
            }
        }
        if (timer_at && heartline_now_ms() >= timer_at) { /* and only then the time */
            timer_at = 0;
            tell(L, "on_timer", 0, "", 0);
        }
    }
    lua_close(L);
    return 0;
}
