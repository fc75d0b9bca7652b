/*
 * A C host with Lua 5.4 inside: the host owns the beat of its world, the script owns the players' connections.
 *
 *   make lib
 *   cc -Iinclude -I/usr/include/lua5.4 -o embedded examples/lua/embedded.c bindings/lua/heartline.c \
 *      -Ltarget/capi -lheartline -llua5.4 -Wl,-rpath,$PWD/target/capi
 *   ./embedded examples/lua/embedded.lua 127.0.0.1:7002 [TICKS]
 *
 * The module is compiled into the host: no path to look it up, no second copy of the library.
 */
#include <heartline.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

int luaopen_heartline(lua_State *L);

/* Calls a global function of the script with what lies above it; its one result stays. */
static void call(lua_State *L, const char *name, int arguments)
{
    lua_getglobal(L, name);
    lua_insert(L, -1 - arguments);
    if (lua_pcall(L, arguments, 1, 0) != LUA_OK) {
        fprintf(stderr, "embedded: %s: %s\n", name, lua_tostring(L, -1));
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "embedded SCRIPT ADDRESS [TICKS]\n");
        return 2;
    }
    const long ticks = argc > 3 ? atol(argv[3]) : 0, period_ms = 50;
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    luaL_requiref(L, "heartline", luaopen_heartline, 0);
    lua_settop(L, 0);
    if (luaL_dofile(L, argv[1])) {
        fprintf(stderr, "embedded: %s\n", lua_tostring(L, -1));
        return 1;
    }
    lua_pushstring(L, argv[2]);
    call(L, "start", 1);
    printf("listening on %s\n", lua_tostring(L, -1));
    fflush(stdout);

    uint64_t next = heartline_now_ms();
    for (long tick = 1; ticks == 0 || tick <= ticks; tick++) {
        /* ... the host's own world goes here ... */
        next += (uint64_t)period_ms;
        lua_settop(L, 0);
        lua_pushinteger(L, tick);
        lua_pushinteger(L, (lua_Integer)next);
        call(L, "tick", 2); /* sends what is new, then listens to the players until the next beat */
    }
    lua_settop(L, 0);
    call(L, "stop", 0);
    printf("%s\n", lua_tostring(L, -1));
    lua_close(L);
    return 0;
}
