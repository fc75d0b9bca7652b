/*
 * Heartline for Lua 5.1 to 5.4 and LuaJIT: one plain C module on lua.h alone.
 *
 *   make lib
 *   cc -O2 -fPIC -shared -Iinclude -I/usr/include/lua5.4 -o heartline.so bindings/lua/heartline.c \
 *      -Ltarget/capi -lheartline -Wl,-rpath,$PWD/target/capi
 *   LUA_CPATH='./?.so' lua5.4 bindings/lua/test.lua
 *
 * - `heartline.monitor(settings, now)`: liveness for connections that the host owns
 * - `heartline.codec(spec)`: framing of bytes that the host owns; codec:stream() keeps them
 * - `heartline.reactor(settings)`: everything, where the host has no loop of its own
 *
 * Connections and peers are numbers, exact in a double. Kinds, reasons and beats are strings. What the library refuses comes
 * back as nil, a sentence and the name of the error ("HEARTLINE_ERR_STALE"); wrong arguments raise. Times are milliseconds.
 * No Lua function is called while the library is at work, so that no error of Lua's crosses it.
 */
#define LUA_LIB
#include <heartline.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

#define MONITOR "heartline.monitor"
#define CODEC "heartline.codec"
#define STREAM "heartline.stream"
#define REACTOR "heartline.reactor"
#define BATCH 256

LUALIB_API int luaopen_heartline(lua_State *L);

/* ---- Numbers, errors, settings ---- */

static void push_number(lua_State *L, uint64_t number)
{
#if LUA_VERSION_NUM >= 503
    lua_pushinteger(L, (lua_Integer)number);
#else
    lua_pushnumber(L, (lua_Number)number);
#endif
}

/* An id, a time or a size: whole, and below 2^53. */
static uint64_t check_number(lua_State *L, int at)
{
    lua_Number number = luaL_checknumber(L, at);
    luaL_argcheck(L, number >= 0 && number < 9007199254740992.0 && number == (lua_Number)(uint64_t)number, at,
                  "a whole number from 0 to 2^53 expected");
    return (uint64_t)number;
}

static uint32_t check_u32(lua_State *L, int at)
{
    uint64_t number = check_number(L, at);
    luaL_argcheck(L, number <= UINT32_MAX, at, "a number below 2^32 expected");
    return (uint32_t)number;
}

/* The monotonic clock, unless the host gives its own. */
static uint64_t check_now(lua_State *L, int at)
{
    return lua_isnoneornil(L, at) ? heartline_now_ms() : check_number(L, at);
}

/* Borrowed bytes, which may be NULL with 0. */
static void push_bytes(lua_State *L, const void *data, size_t len) { lua_pushlstring(L, len ? data : "", len); }

static int refuse_because(lua_State *L, int32_t error, const char *why)
{
    lua_pushnil(L);
    lua_pushstring(L, why && *why ? why : heartline_strerror(error));
    lua_pushstring(L, heartline_name(HEARTLINE_NAMES_ERRORS, error));
    return 3;
}

/* true, or nil and why. */
static int done(lua_State *L, int32_t result)
{
    if (result < 0)
        return refuse_because(L, result, NULL);
    lua_pushboolean(L, 1);
    return 1;
}

/* What a call that succeeded wrote, or nil and why. */
static int number(lua_State *L, int32_t result, uint64_t written)
{
    if (result < 0)
        return refuse_because(L, result, NULL);
    push_number(L, written);
    return 1;
}

/* The number, or nil and why. */
static int count(lua_State *L, int32_t result) { return number(L, result, (uint64_t)result); }

/* How long to wait, -1 for ever; or nil and why. */
static int wait_of(lua_State *L, int32_t wait)
{
    if (wait < -1)
        return refuse_because(L, wait, NULL);
    lua_pushinteger(L, wait);
    return 1;
}

/* One of NULL-terminated words, whose places are the library's numbers, from 1. */
static uint32_t check_word(lua_State *L, int at, const char *usual, const char *const *words)
{
    return (uint32_t)luaL_checkoption(L, at, usual, words) + 1;
}

static const char *const BEATS[] = {"ask", "answer", "either", NULL};
static const char *const CLOSES[] = {"flush", "at_once", "abort", NULL};
static const char *const WHEN_FULL[] = {"refuse", "drop_oldest", "close", NULL};

/* A field of a struct: its name, place and width. */
typedef struct {
    const char *name;
    size_t at, width;
} field;

#define FIELD(type, name) {#name, offsetof(type, name), sizeof(((type *)0)->name)}
#define END_OF_FIELDS {NULL, 0, 0}

static const field *find_field(const field *fields, const char *name)
{
    for (; fields->name; fields++)
        if (strcmp(fields->name, name) == 0)
            return fields;
    return NULL;
}

static void set_field(lua_State *L, const field *known, void *raw)
{
    uint64_t value;
    if (lua_type(L, -1) == LUA_TBOOLEAN) {
        value = lua_toboolean(L, -1) ? 1 : HEARTLINE_OFF;
    } else if (strcmp(known->name, "when_full") == 0) {
        value = check_word(L, lua_gettop(L), NULL, WHEN_FULL);
    } else {
        value = check_number(L, lua_gettop(L));
    }
    if (known->width == 4) {
        uint32_t narrow = (uint32_t)value;
        if (narrow != value)
            luaL_error(L, "%s: a number below 2^32 expected", known->name);
        memcpy((char *)raw + known->at, &narrow, sizeof narrow);
    } else {
        memcpy((char *)raw + known->at, &value, sizeof value);
    }
}

/* Copies a table of settings, true being 1 and false HEARTLINE_OFF, into one struct or another by their fields. */
static void settings(lua_State *L, int at, const field *fields, void *raw, const field *others, void *other)
{
    if (lua_isnoneornil(L, at))
        return;
    luaL_checktype(L, at, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, at); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        const field *known = find_field(fields, name);
        if (known) {
            set_field(L, known, raw);
        } else if (others && (known = find_field(others, name))) {
            set_field(L, known, other);
        } else {
            luaL_error(L, "there is no setting '%s'", name);
        }
    }
}

/* A table of a struct's fields. */
static void push_fields(lua_State *L, const field *fields, const void *raw)
{
    lua_newtable(L);
    for (; fields->name; fields++) {
        const char *from = (const char *)raw + fields->at;
        if (fields->width == 4) {
            uint32_t value;
            memcpy(&value, from, sizeof value);
            if (strcmp(fields->name, "rtt_ms") == 0 && value == HEARTLINE_OFF)
                continue; /* none was measured: nil */
            push_number(L, value);
        } else if (fields->width == 8) {
            uint64_t value;
            memcpy(&value, from, sizeof value);
            if (value == UINT64_MAX)
                continue; /* never */
            push_number(L, value);
        } else {
            lua_pushstring(L, from);
        }
        lua_setfield(L, -2, fields->name);
    }
}

/* The struct that a call wrote, or nil and why. */
static int fields(lua_State *L, int32_t result, const field *known, const void *raw)
{
    if (result < 0)
        return refuse_because(L, result, NULL);
    push_fields(L, known, raw);
    return 1;
}

static void *new_object(lua_State *L, size_t size, const char *kind)
{
    void *object = lua_newuserdata(L, size);
    memset(object, 0, size);
    luaL_getmetatable(L, kind);
    lua_setmetatable(L, -2);
    return object;
}

/* ---- Level 1: the monitor ---- */

typedef struct {
    heartline_monitor *raw;
    uint64_t now;
    int32_t count, next;
    int more;    /* may be due behind this batch */
    int removed; /* since the batch was written */
    heartline_verdict verdicts[BATCH];
} monitor;

static const field MONITOR_CONFIG[] = {
    FIELD(heartline_monitor_config, granularity_ms),         FIELD(heartline_monitor_config, seed),
    FIELD(heartline_monitor_config, mass_silence_percent),   FIELD(heartline_monitor_config, mass_silence_window_ms),
    FIELD(heartline_monitor_config, mass_silence_hold_ms),   FIELD(heartline_monitor_config, mass_silence_peers_min),
    FIELD(heartline_monitor_config, tells_sends),            END_OF_FIELDS};
static const field PEER_INFO[] = {
    FIELD(heartline_peer_info, silence_ms), FIELD(heartline_peer_info, user),    FIELD(heartline_peer_info, rtt_ms),
    FIELD(heartline_peer_info, unanswered), FIELD(heartline_peer_info, policy),  FIELD(heartline_peer_info, suspect),
    FIELD(heartline_peer_info, dead),       FIELD(heartline_peer_info, paused),  END_OF_FIELDS};
static const field MONITOR_STATS[] = {
    FIELD(heartline_monitor_stats, silence_longest_ms), FIELD(heartline_monitor_stats, peers),
    FIELD(heartline_monitor_stats, asks),               FIELD(heartline_monitor_stats, answers),
    FIELD(heartline_monitor_stats, owed),               FIELD(heartline_monitor_stats, suspects),
    FIELD(heartline_monitor_stats, revived),            FIELD(heartline_monitor_stats, dead),
    FIELD(heartline_monitor_stats, stalls),             FIELD(heartline_monitor_stats, stalled_ms),
    FIELD(heartline_monitor_stats, silences),           FIELD(heartline_monitor_stats, silence_p99_ms),
    FIELD(heartline_monitor_stats, silence_p9999_ms),   END_OF_FIELDS};

static monitor *check_monitor(lua_State *L) { return luaL_checkudata(L, 1, MONITOR); }

/* heartline.monitor([settings[, now]]) */
static int monitor_new(lua_State *L)
{
    heartline_monitor_config config;
    HEARTLINE_INIT(config);
    settings(L, 1, MONITOR_CONFIG, &config, NULL, NULL);
    uint64_t now = check_now(L, 2);
    monitor *self = new_object(L, sizeof *self, MONITOR);
    int32_t result = heartline_monitor_new(&config, now, &self->raw);
    return result < 0 ? refuse_because(L, result, NULL) : 1;
}

static int monitor_free(lua_State *L)
{
    monitor *self = check_monitor(L);
    heartline_monitor_free(self->raw);
    self->raw = NULL;
    self->count = self->next = self->more = 0;
    return 0;
}

static int parse_policy(lua_State *L, int at, heartline_policy *policy)
{
    char why[HEARTLINE_WHY_BYTES] = "";
    HEARTLINE_INIT(*policy);
    int32_t result = heartline_policy_parse(luaL_checkstring(L, at), policy, sizeof *policy, why, sizeof why);
    return result < 0 ? refuse_because(L, result, why) : 0;
}

/* monitor:policy(slot, "game,role=watch"[, now]) */
static int monitor_policy(lua_State *L)
{
    monitor *self = check_monitor(L);
    heartline_policy policy;
    int refused = parse_policy(L, 3, &policy);
    return refused ? refused : done(L, heartline_monitor_policy(self->raw, check_u32(L, 2), &policy, check_now(L, 4)));
}

/* monitor:add([slot[, now[, user]]]) -> peer */
static int monitor_add(lua_State *L)
{
    monitor *self = check_monitor(L);
    heartline_peer peer = 0;
    uint32_t slot = lua_isnoneornil(L, 2) ? 0 : check_u32(L, 2);
    uint64_t user = lua_isnoneornil(L, 4) ? 0 : check_number(L, 4);
    int32_t result = heartline_monitor_add(self->raw, user, slot, check_now(L, 3), &peer);
    return number(L, result, peer);
}

static int monitor_remove(lua_State *L)
{
    monitor *self = check_monitor(L);
    self->removed = 1;
    return done(L, heartline_monitor_remove(self->raw, check_number(L, 2)));
}

/* monitor:heard(peer[, now]) */
static int monitor_heard(lua_State *L)
{
    return done(L, heartline_monitor_heard(check_monitor(L)->raw, check_number(L, 2), check_now(L, 3)));
}

/* monitor:beat(peer, kind[, now]) -> whether an answer is owed */
static int monitor_beat(lua_State *L)
{
    uint32_t kind = check_word(L, 3, NULL, BEATS);
    int32_t owed = heartline_monitor_beat(check_monitor(L)->raw, check_number(L, 2), kind, check_now(L, 4));
    if (owed < 0)
        return refuse_because(L, owed, NULL);
    lua_pushboolean(L, owed);
    return 1;
}

static int monitor_spoke(lua_State *L)
{
    return done(L, heartline_monitor_spoke(check_monitor(L)->raw, check_number(L, 2)));
}

static int monitor_set(lua_State *L, uint32_t what, uint64_t value)
{
    monitor *self = check_monitor(L);
    return done(L, heartline_monitor_set(self->raw, check_number(L, 2), what, value, check_now(L, 4)));
}

/* monitor:framed(peer[, now]) */
static int monitor_framed(lua_State *L)
{
    monitor *self = check_monitor(L);
    return done(L, heartline_monitor_set(self->raw, check_number(L, 2), HEARTLINE_SET_FRAMED, 1, check_now(L, 3)));
}
static int monitor_set_policy(lua_State *L) { return monitor_set(L, HEARTLINE_SET_POLICY, check_u32(L, 3)); }
static int monitor_grace(lua_State *L) { return monitor_set(L, HEARTLINE_SET_GRACE_MS, check_u32(L, 3)); }
static int monitor_expect_answers(lua_State *L) { return monitor_set(L, HEARTLINE_SET_UNANSWERED, check_u32(L, 3)); }
static int monitor_set_user(lua_State *L) { return monitor_set(L, HEARTLINE_SET_USER, check_number(L, 3)); }
/* monitor:pause(peer, paused[, now]) */
static int monitor_pause(lua_State *L) { return monitor_set(L, HEARTLINE_SET_PAUSE_READ, lua_toboolean(L, 3) ? 1 : 0); }

/* monitor:wait_ms([now]): how long the host may wait, -1 for ever; the promise to be back by then. */
static int monitor_wait_ms(lua_State *L)
{
    return wait_of(L, heartline_monitor_wait_ms(check_monitor(L)->raw, check_now(L, 2)));
}

/* monitor:woke([now]) -> the length of a stall, before heard() */
static int monitor_woke(lua_State *L)
{
    return count(L, heartline_monitor_woke(check_monitor(L)->raw, check_now(L, 2)));
}

/* kind, peer, silence_ms, overshoot_ms, unanswered, user */
static int next_verdict(lua_State *L)
{
    monitor *self = check_monitor(L);
    for (;;) {
        if (self->next == self->count) {
            if (!self->more)
                return 0;
            int32_t due = heartline_monitor_advance(self->raw, self->now, self->verdicts, BATCH);
            self->next = self->removed = 0;
            self->count = due < 0 ? 0 : due;
            self->more = due == BATCH;
            if (due < 0)
                return luaL_error(L, "heartline: %s", heartline_strerror(due));
            continue;
        }
        const heartline_verdict *verdict = &self->verdicts[self->next++];
        if (self->removed && verdict->peer != 0) {
            /* The host may have removed it while it went through this batch. */
            heartline_peer_info info;
            if (heartline_monitor_info(self->raw, verdict->peer, self->now, &info, sizeof info) < 0)
                continue;
        }
        lua_pushstring(L, heartline_name(HEARTLINE_NAMES_VERDICTS, verdict->kind));
        push_number(L, verdict->peer);
        push_number(L, verdict->silence_ms);
        push_number(L, verdict->overshoot_ms);
        push_number(L, verdict->unanswered);
        push_number(L, verdict->user);
        return 6;
    }
}

/* for kind, peer, silence_ms, overshoot_ms, unanswered, user in monitor:verdicts([now]) do ... end */
static int monitor_verdicts(lua_State *L)
{
    monitor *self = check_monitor(L);
    self->now = check_now(L, 2);
    self->more = 1; /* what a loop that was left did not take comes first */
    lua_pushcfunction(L, next_verdict);
    lua_pushvalue(L, 1);
    return 2;
}

static int monitor_info(lua_State *L)
{
    heartline_peer_info info;
    uint64_t peer = check_number(L, 2);
    int32_t result = heartline_monitor_info(check_monitor(L)->raw, peer, check_now(L, 3), &info, sizeof info);
    return fields(L, result, PEER_INFO, &info);
}

static int monitor_stats(lua_State *L)
{
    heartline_monitor_stats stats;
    int32_t result = heartline_monitor_read_stats(check_monitor(L)->raw, &stats, sizeof stats);
    return fields(L, result, MONITOR_STATS, &stats);
}

static const luaL_Reg MONITOR_METHODS[] = {
    {"policy", monitor_policy},     {"add", monitor_add},           {"remove", monitor_remove},
    {"heard", monitor_heard},       {"beat", monitor_beat},         {"spoke", monitor_spoke},
    {"wait_ms", monitor_wait_ms},   {"woke", monitor_woke},         {"verdicts", monitor_verdicts},
    {"set_user", monitor_set_user}, {"set_policy", monitor_set_policy}, {"grace", monitor_grace},
    {"expect_answers", monitor_expect_answers}, {"framed", monitor_framed},
    {"pause", monitor_pause},       {"info", monitor_info},         {"stats", monitor_stats},
    {"free", monitor_free},         {NULL, NULL}};

/* ---- Level 2: codecs and streams ---- */

typedef struct {
    heartline_codec *raw;
} codec;

static heartline_codec *check_codec(lua_State *L, int at) { return ((codec *)luaL_checkudata(L, at, CODEC))->raw; }

/* heartline.codec("length:4be") */
static int codec_new(lua_State *L)
{
    const char *spec = luaL_checkstring(L, 1);
    char why[HEARTLINE_WHY_BYTES] = "";
    codec *self = new_object(L, sizeof *self, CODEC);
    int32_t result = heartline_codec_parse(spec, &self->raw, why, sizeof why);
    return result < 0 ? refuse_because(L, result, why) : 1;
}

static int codec_free(lua_State *L)
{
    codec *self = luaL_checkudata(L, 1, CODEC);
    heartline_codec_free(self->raw);
    self->raw = NULL;
    return 0;
}

/* Room that Lua frees whatever happens; it stays on the stack. */
static uint8_t *room(lua_State *L, size_t size) { return lua_newuserdata(L, size ? size : 1); }

/* codec:encode(message[, head]) -> the whole frame */
static int codec_encode(lua_State *L)
{
    heartline_codec *self = check_codec(L, 1);
    size_t len, head_len;
    const char *data = luaL_checklstring(L, 2, &len);
    const char *head = luaL_optlstring(L, 3, "", &head_len);
    for (size_t size = len + head_len + 32;; size *= 2) {
        uint8_t *buffer = room(L, size);
        int32_t result = heartline_codec_encode(self, head_len ? (const uint8_t *)head : NULL, head_len, data, len, buffer, size);
        if (result == HEARTLINE_ERR_SHORT)
            continue;
        if (result < 0)
            return refuse_because(L, result, NULL);
        push_bytes(L, buffer, (size_t)result);
        return 1;
    }
}

/* codec:beat("ask") or codec:beat("answer"[, the whole frame that asks]) -> bytes, empty if it has no beats */
static int codec_beat(lua_State *L)
{
    heartline_codec *self = check_codec(L, 1);
    uint32_t kind = check_word(L, 2, "ask", BEATS);
    size_t len;
    const char *asked = luaL_optlstring(L, 3, "", &len);
    for (size_t size = len + 64;; size *= 2) {
        uint8_t *buffer = room(L, size);
        int32_t result = heartline_codec_beat(self, kind, len ? (const uint8_t *)asked : NULL, len, buffer, size);
        if (result == HEARTLINE_ERR_SHORT)
            continue;
        if (result < 0)
            return refuse_because(L, result, NULL);
        push_bytes(L, buffer, (size_t)result);
        return 1;
    }
}

/* codec:head(bytes of the message, head with its other bytes) -> head */
static int codec_head(lua_State *L)
{
    heartline_codec *self = check_codec(L, 1);
    uint64_t message = check_number(L, 2);
    size_t len;
    const char *head = luaL_checklstring(L, 3, &len);
    uint8_t *buffer = room(L, len);
    memcpy(buffer, head, len);
    int32_t result = heartline_codec_head(self, (size_t)message, buffer, len);
    if (result < 0)
        return refuse_because(L, result, NULL);
    push_bytes(L, buffer, (size_t)result);
    return 1;
}

static int codec_spec(lua_State *L)
{
    char text[4096];
    int32_t result = heartline_codec_spec(check_codec(L, 1), text, sizeof text);
    if (result < 0)
        return refuse_because(L, result, NULL);
    lua_pushstring(L, text);
    return 1;
}

/* The bytes of one connection; `kept` of them, from `at`, are not cut yet. Without an unfinished frame it owns none. */
typedef struct {
    codec *codec; /* Lua's, kept by the reference; its raw is NULL once it was freed */
    int codec_ref;
    uint8_t *bytes;
    size_t at, kept, room;
    heartline_stream state;
    int32_t error;
} stream;

static stream *check_stream(lua_State *L) { return luaL_checkudata(L, 1, STREAM); }

/* codec:stream() */
static int stream_new(lua_State *L)
{
    codec *of = luaL_checkudata(L, 1, CODEC);
    stream *self = new_object(L, sizeof *self, STREAM);
    self->codec_ref = LUA_NOREF;
    lua_pushvalue(L, 1);
    self->codec_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    self->codec = of;
    return 1;
}

static int stream_free(lua_State *L)
{
    stream *self = check_stream(L);
    free(self->bytes);
    self->bytes = NULL;
    self->at = self->kept = self->room = 0;
    if (self->codec)
        luaL_unref(L, LUA_REGISTRYINDEX, self->codec_ref);
    self->codec = NULL;
    return 0;
}

/* stream:feed(bytes): what was received. Then call next() until it gives nil. */
static int stream_feed(lua_State *L)
{
    stream *self = check_stream(L);
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    if (self->at > 0) {
        memmove(self->bytes, self->bytes + self->at, self->kept);
        self->at = 0;
    }
    if (len > self->room - self->kept) {
        size_t size = self->kept + len;
        uint8_t *bytes = realloc(self->bytes, size < self->room * 2 ? self->room * 2 : size);
        if (!bytes)
            return luaL_error(L, "not enough memory");
        self->room = size < self->room * 2 ? self->room * 2 : size;
        self->bytes = bytes;
    }
    if (len > 0)
        memcpy(self->bytes + self->kept, data, len);
    self->kept += len;
    return 0;
}

/* stream:next() -> message, kind of beat (nil for a message), head, whole frame of a beat
                 or nil: no whole frame is left; or nil, why, name: close the connection */
static int stream_next(lua_State *L)
{
    stream *self = check_stream(L);
    heartline_frame frame;
    if (self->error < 0)
        return refuse_because(L, self->error, NULL);
    if (self->kept == 0 || !self->codec)
        return 0;
    uint8_t *begin = self->bytes + self->at;
    int32_t result = heartline_codec_cut(self->codec->raw, begin, self->kept, &self->state, &frame);
    if (result == 0)
        return 0;
    if (result < 0) {
        self->error = result;
        return refuse_because(L, result, NULL);
    }
    push_bytes(L, frame.data, frame.len);
    if (frame.kind)
        lua_pushstring(L, BEATS[frame.kind - 1]);
    else
        lua_pushnil(L);
    push_bytes(L, frame.head, frame.head_len);
    if (frame.kind)
        push_bytes(L, begin, frame.total);
    else
        lua_pushnil(L);
    self->at += frame.total;
    self->kept -= frame.total;
    if (self->kept == 0) {
        free(self->bytes);
        self->bytes = NULL;
        self->at = self->room = 0;
    }
    return 4;
}

/* for message, kind, head, whole in stream:frames(bytes) do ... end; then ask stream:error() */
static int stream_frames(lua_State *L)
{
    if (!lua_isnoneornil(L, 2))
        stream_feed(L);
    lua_pushcfunction(L, stream_next);
    lua_pushvalue(L, 1);
    return 2;
}

/* stream:error() -> why the connection must be closed, and its name; or nil */
static int stream_error(lua_State *L)
{
    stream *self = check_stream(L);
    if (self->error == 0)
        return 0;
    lua_pushstring(L, heartline_strerror(self->error));
    lua_pushstring(L, heartline_name(HEARTLINE_NAMES_ERRORS, self->error));
    return 2;
}

/* Bytes of an unfinished frame. */
static int stream_unfinished(lua_State *L)
{
    push_number(L, check_stream(L)->kept);
    return 1;
}

static const luaL_Reg CODEC_METHODS[] = {{"encode", codec_encode}, {"beat", codec_beat},   {"head", codec_head},
                                         {"spec", codec_spec},     {"stream", stream_new}, {"free", codec_free},
                                         {NULL, NULL}};
static const luaL_Reg STREAM_METHODS[] = {
    {"feed", stream_feed},   {"next", stream_next}, {"frames", stream_frames}, {"unfinished", stream_unfinished},
    {"error", stream_error}, {"free", stream_free}, {NULL, NULL}};

/* ---- Level 3: the reactor ---- */

typedef struct {
    heartline_reactor *raw;
    int32_t count, next;
    heartline_event events[BATCH];
} reactor;

static const field REACTOR_CONFIG[] = {
    FIELD(heartline_reactor_config, statistics),           FIELD(heartline_reactor_config, seed),
    FIELD(heartline_reactor_config, granularity_ms),       FIELD(heartline_reactor_config, verdicts_per_turn),
    FIELD(heartline_reactor_config, mass_silence_percent), FIELD(heartline_reactor_config, mass_silence_window_ms),
    FIELD(heartline_reactor_config, mass_silence_hold_ms), FIELD(heartline_reactor_config, mass_silence_peers_min),
    FIELD(heartline_reactor_config, autopsy_ms),           FIELD(heartline_reactor_config, connections_max),
    FIELD(heartline_reactor_config, mailbox_max),          FIELD(heartline_reactor_config, partial_bytes_max),
    FIELD(heartline_reactor_config, outbox_bytes_max),     FIELD(heartline_reactor_config, batch_bytes),
    END_OF_FIELDS};
static const field OPTIONS[] = {
    FIELD(heartline_options, policy),              FIELD(heartline_options, nodelay),
    FIELD(heartline_options, keepalive_idle_s),    FIELD(heartline_options, keepalive_interval_s),
    FIELD(heartline_options, keepalive_count),     FIELD(heartline_options, user_timeout_ms),
    FIELD(heartline_options, send_buffer_bytes),   FIELD(heartline_options, receive_buffer_bytes),
    FIELD(heartline_options, high_bytes),          FIELD(heartline_options, low_bytes),
    FIELD(heartline_options, when_full),           FIELD(heartline_options, first_frame_ms),
    FIELD(heartline_options, frame_ms),            FIELD(heartline_options, output_ms),
    FIELD(heartline_options, connect_ms),          FIELD(heartline_options, close_ms),
    FIELD(heartline_options, half_open),           FIELD(heartline_options, deliver_beats),
    FIELD(heartline_options, health_check_ms),
    END_OF_FIELDS};
static const field LISTEN_OPTIONS[] = {
    FIELD(heartline_listen_options, backlog),         FIELD(heartline_listen_options, reuse_port),
    FIELD(heartline_listen_options, per_address_max), FIELD(heartline_listen_options, accepts_per_second),
    END_OF_FIELDS};
static const field DRAIN_OPTIONS[] = {FIELD(heartline_drain_options, code), FIELD(heartline_drain_options, spread_ms),
                                      FIELD(heartline_drain_options, limit_ms), END_OF_FIELDS};
static const field CONNECTION_INFO[] = {
    FIELD(heartline_connection_info, silence_ms),   FIELD(heartline_connection_info, queued_bytes),
    FIELD(heartline_connection_info, unread_bytes), FIELD(heartline_connection_info, rtt_ms),
    FIELD(heartline_connection_info, unanswered),   FIELD(heartline_connection_info, policy),
    FIELD(heartline_connection_info, suspect),      FIELD(heartline_connection_info, paused),
    FIELD(heartline_connection_info, closing),      FIELD(heartline_connection_info, dialling),
    FIELD(heartline_connection_info, address),      END_OF_FIELDS};
static const field OBITUARY[] = {
    FIELD(heartline_obituary, id),              FIELD(heartline_obituary, closed_by),
    FIELD(heartline_obituary, os_error),        FIELD(heartline_obituary, age_ms),
    FIELD(heartline_obituary, last_out_ms),     FIELD(heartline_obituary, silence_ms),
    FIELD(heartline_obituary, overshoot_ms),    FIELD(heartline_obituary, unanswered),
    FIELD(heartline_obituary, rtt_ms),          FIELD(heartline_obituary, bytes_in),
    FIELD(heartline_obituary, bytes_out),       FIELD(heartline_obituary, messages_in),
    FIELD(heartline_obituary, messages_out),    FIELD(heartline_obituary, queued_bytes),
    FIELD(heartline_obituary, stalls),          FIELD(heartline_obituary, tcp),
    FIELD(heartline_obituary, tcp_rtt_us),      FIELD(heartline_obituary, tcp_rto_us),
    FIELD(heartline_obituary, tcp_retransmits), FIELD(heartline_obituary, tcp_unacknowledged),
    FIELD(heartline_obituary, address),         FIELD(heartline_obituary, why),
    END_OF_FIELDS};

static reactor *check_reactor(lua_State *L) { return luaL_checkudata(L, 1, REACTOR); }

/* nil and why; errors of the system with their text. */
static int refuse(lua_State *L, const reactor *self, int32_t error)
{
    return refuse_because(L, error,
                          error == HEARTLINE_ERR_OS ? strerror(heartline_reactor_os_error(self->raw)) : NULL);
}

static int reactor_done(lua_State *L, const reactor *self, int32_t result)
{
    return result < 0 ? refuse(L, self, result) : done(L, result);
}

/* heartline.reactor([settings]) */
static int reactor_new(lua_State *L)
{
    heartline_reactor_config config;
    HEARTLINE_INIT(config);
    settings(L, 1, REACTOR_CONFIG, &config, NULL, NULL);
    reactor *self = new_object(L, sizeof *self, REACTOR);
    int32_t result = heartline_reactor_new(&config, &self->raw);
    return result < 0 ? refuse_because(L, result, NULL) : 1;
}

static int reactor_free(lua_State *L)
{
    reactor *self = check_reactor(L);
    heartline_reactor_free(self->raw);
    self->raw = NULL;
    self->count = self->next = 0;
    return 0;
}

/* reactor:policy(slot, "game,role=both") */
static int reactor_policy(lua_State *L)
{
    reactor *self = check_reactor(L);
    heartline_policy policy;
    int refused = parse_policy(L, 3, &policy);
    return refused ? refused : reactor_done(L, self, heartline_reactor_policy(self->raw, check_u32(L, 2), &policy));
}

/* reactor:listen("127.0.0.1:7001", codec[, options of the listener and of its connections]) -> number */
static int reactor_listen(lua_State *L)
{
    reactor *self = check_reactor(L);
    heartline_listen_options listen;
    heartline_options options;
    HEARTLINE_INIT(listen);
    HEARTLINE_INIT(options);
    settings(L, 4, OPTIONS, &options, LISTEN_OPTIONS, &listen);
    listen.connection = &options;
    int32_t result = heartline_reactor_listen(self->raw, luaL_checkstring(L, 2), check_codec(L, 3), &listen);
    return result < 0 ? refuse(L, self, result) : count(L, result);
}

static int reactor_listener_address(lua_State *L)
{
    char at[512];
    int32_t result = heartline_reactor_listener_address(check_reactor(L)->raw, (int32_t)check_u32(L, 2), at, sizeof at);
    if (result < 0)
        return refuse_because(L, result, NULL);
    lua_pushstring(L, at);
    return 1;
}

static int reactor_stop_listening(lua_State *L)
{
    return done(L, heartline_reactor_stop_listening(check_reactor(L)->raw, (int32_t)check_u32(L, 2)));
}

/* reactor:connect("127.0.0.1:7001", codec[, options]) -> id */
static int reactor_connect(lua_State *L)
{
    reactor *self = check_reactor(L);
    heartline_options options;
    uint64_t id = 0;
    HEARTLINE_INIT(options);
    settings(L, 4, OPTIONS, &options, NULL, NULL);
    int32_t result = heartline_reactor_connect(self->raw, luaL_checkstring(L, 2), check_codec(L, 3), &options, 0, &id);
    return result < 0 ? refuse(L, self, result) : number(L, result, id);
}

/* reactor:adopt(fd, codec[, options[, unread[, unsent]]]) -> id; the descriptor is taken on success alone */
static int reactor_adopt(lua_State *L)
{
    reactor *self = check_reactor(L);
    heartline_options options;
    uint64_t id = 0;
    size_t unread_len, unsent_len;
    uint32_t fd = check_u32(L, 2);
    luaL_argcheck(L, fd <= INT_MAX, 2, "a descriptor expected");
    HEARTLINE_INIT(options);
    settings(L, 4, OPTIONS, &options, NULL, NULL);
    const char *unread = luaL_optlstring(L, 5, "", &unread_len), *unsent = luaL_optlstring(L, 6, "", &unsent_len);
    int32_t result = heartline_reactor_adopt(self->raw, (int32_t)fd, check_codec(L, 3), &options, 0, unread, unread_len,
                                             unsent, unsent_len, &id);
    return result < 0 ? refuse(L, self, result) : number(L, result, id);
}

/* reactor:release(id) -> fd, unread, unsent, unanswered; the descriptor is the caller's */
static int reactor_release(lua_State *L)
{
    heartline_released given;
    int32_t result = heartline_reactor_release(check_reactor(L)->raw, check_number(L, 2), &given);
    if (result < 0)
        return refuse_because(L, result, NULL);
    lua_pushinteger(L, given.fd);
    push_bytes(L, given.unread, given.unread_len);
    push_bytes(L, given.unsent, given.unsent_len);
    lua_pushinteger(L, given.unanswered);
    return 4;
}

/* reactor:close(id[, "flush" | "at_once" | "abort"[, code]]) */
static int reactor_close(lua_State *L)
{
    uint32_t how = check_word(L, 3, "flush", CLOSES), code = lua_isnoneornil(L, 4) ? 0 : check_u32(L, 4);
    return done(L, heartline_reactor_close(check_reactor(L)->raw, check_number(L, 2), how, code));
}

/* reactor:drain([{spread_ms =, limit_ms =, code =}[, farewell]]) */
static int reactor_drain(lua_State *L)
{
    heartline_drain_options options;
    HEARTLINE_INIT(options);
    settings(L, 2, DRAIN_OPTIONS, &options, NULL, NULL);
    options.farewell = luaL_optlstring(L, 3, NULL, &options.farewell_len);
    if (!options.farewell)
        options.farewell_len = 0;
    return done(L, heartline_reactor_drain(check_reactor(L)->raw, &options));
}

static int reactor_is_drained(lua_State *L)
{
    lua_pushboolean(L, heartline_reactor_is_drained(check_reactor(L)->raw) == 1);
    return 1;
}

/* kind, id, what, more: MESSAGE message, head; BEAT whole frame; UNSENT bytes; CLOSED, CONNECT_FAILED reason, code;
   SUSPECT, REVIVED, STALLED silence; OPENED, ACCEPT_ listener */
static int next_event(lua_State *L)
{
    reactor *self = check_reactor(L);
    if (self->next >= self->count)
        return 0;
    const heartline_event *event = &self->events[self->next++];
    lua_pushstring(L, heartline_name(HEARTLINE_NAMES_EVENTS, event->kind));
    push_number(L, event->id);
    switch (event->kind) {
    case HEARTLINE_EVENT_MESSAGE:
        push_bytes(L, event->data, event->len);
        push_bytes(L, event->data - event->head_len, event->head_len);
        return 4;
    case HEARTLINE_EVENT_BEAT:
    case HEARTLINE_EVENT_UNSENT:
        push_bytes(L, event->data, event->len);
        return 3;
    case HEARTLINE_EVENT_CLOSED:
    case HEARTLINE_EVENT_CONNECT_FAILED:
        lua_pushstring(L, heartline_name(HEARTLINE_NAMES_REASONS, event->reason));
        push_number(L, event->reason);
        return 4;
    case HEARTLINE_EVENT_SUSPECT:
    case HEARTLINE_EVENT_REVIVED:
    case HEARTLINE_EVENT_STALLED:
        push_number(L, event->silence_ms);
        return 3;
    case HEARTLINE_EVENT_OPENED:
    case HEARTLINE_EVENT_ACCEPT_PAUSED:
    case HEARTLINE_EVENT_ACCEPT_RESUMED:
        if (event->listener == HEARTLINE_NO_LISTENER)
            return 2;
        push_number(L, event->listener);
        return 3;
    default:
        push_number(L, event->detail);
        return 3;
    }
}

/* for kind, id, what, more in reactor:poll([timeout_ms]) do ... end; without a timeout it waits for as long as it takes. What a
   loop that was left did not take comes first with the next. */
static int reactor_poll(lua_State *L)
{
    reactor *self = check_reactor(L);
    int32_t timeout = -1;
    if (!lua_isnoneornil(L, 2) && lua_tonumber(L, 2) != -1) {
        uint64_t wanted = check_number(L, 2);
        timeout = wanted < INT32_MAX ? (int32_t)wanted : INT32_MAX;
    }
    if (self->next >= self->count) {
        int32_t polled = heartline_reactor_poll(self->raw, self->events, BATCH, timeout);
        self->next = 0;
        self->count = polled < 0 ? 0 : polled;
        if (polled < 0)
            return luaL_error(L, "heartline: %s", heartline_strerror(polled));
    }
    lua_pushcfunction(L, next_event);
    lua_pushvalue(L, 1);
    return 2;
}

static int reactor_fd(lua_State *L)
{
    reactor *self = check_reactor(L);
    int32_t fd = heartline_reactor_fd(self->raw);
    return fd < 0 ? refuse(L, self, fd) : count(L, fd);
}

static int reactor_wait_ms(lua_State *L) { return wait_of(L, heartline_reactor_wait_ms(check_reactor(L)->raw)); }

/* reactor:send(id, message[, head]) */
static int reactor_send(lua_State *L)
{
    reactor *self = check_reactor(L);
    uint64_t id = check_number(L, 2);
    size_t len, head_len;
    const char *data = luaL_checklstring(L, 3, &len), *head = luaL_optlstring(L, 4, "", &head_len);
    return done(L, head_len ? heartline_reactor_send_head(self->raw, id, head, head_len, data, len)
                            : heartline_reactor_send(self->raw, id, data, len));
}

/* reactor:broadcast({id, ...}, message) -> how many took it */
static int reactor_broadcast(lua_State *L)
{
    reactor *self = check_reactor(L);
    size_t len, ids = 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    const char *data = luaL_checklstring(L, 3, &len);
    lua_settop(L, 3);
#if LUA_VERSION_NUM >= 502
    size_t most = lua_rawlen(L, 2);
#else
    size_t most = lua_objlen(L, 2);
#endif
    uint64_t *all = (uint64_t *)(void *)room(L, most * sizeof *all);
    for (; ids < most; ids++) {
        lua_rawgeti(L, 2, (int)ids + 1);
        all[ids] = check_number(L, 5);
        lua_pop(L, 1);
    }
    return count(L, heartline_reactor_broadcast(self->raw, all, ids, data, len, NULL));
}

/* reactor:broadcast_all(message[, but]) -> how many took it */
static int reactor_broadcast_all(lua_State *L)
{
    size_t len;
    const char *data = luaL_checklstring(L, 2, &len);
    uint64_t but = lua_isnoneornil(L, 3) ? 0 : check_number(L, 3);
    return count(L, heartline_reactor_broadcast_all(check_reactor(L)->raw, but, data, len));
}

static int reactor_flush(lua_State *L) { return done(L, heartline_reactor_flush(check_reactor(L)->raw)); }

static int reactor_set(lua_State *L, uint32_t what, uint64_t value)
{
    reactor *self = check_reactor(L);
    return reactor_done(L, self, heartline_reactor_set(self->raw, check_number(L, 2), what, value));
}

static int reactor_set_policy(lua_State *L) { return reactor_set(L, HEARTLINE_SET_POLICY, check_u32(L, 3)); }
static int reactor_grace(lua_State *L) { return reactor_set(L, HEARTLINE_SET_GRACE_MS, check_u32(L, 3)); }
static int reactor_expect_answers(lua_State *L) { return reactor_set(L, HEARTLINE_SET_UNANSWERED, check_u32(L, 3)); }
static int reactor_pause(lua_State *L) { return reactor_set(L, HEARTLINE_SET_PAUSE_READ, 1); }
static int reactor_resume(lua_State *L) { return reactor_set(L, HEARTLINE_SET_PAUSE_READ, 0); }

static int reactor_info(lua_State *L)
{
    heartline_connection_info info;
    int32_t result = heartline_reactor_info(check_reactor(L)->raw, check_number(L, 2), &info, sizeof info);
    return fields(L, result, CONNECTION_INFO, &info);
}

/* reactor:obituary(id): of a connection whose end the last poll told, until the next poll */
static int reactor_obituary(lua_State *L)
{
    heartline_obituary end;
    int32_t result = heartline_reactor_obituary(check_reactor(L)->raw, check_number(L, 2), &end, sizeof end);
    if (result < 0)
        return refuse_because(L, result, NULL);
    push_fields(L, OBITUARY, &end);
    lua_pushstring(L, heartline_name(HEARTLINE_NAMES_REASONS, (int32_t)end.reason));
    lua_setfield(L, -2, "reason");
    push_number(L, end.reason);
    lua_setfield(L, -2, "code");
    return 1;
}

static int reactor_count(lua_State *L) { return count(L, heartline_reactor_count(check_reactor(L)->raw)); }

static int reactor_ids(lua_State *L)
{
    reactor *self = check_reactor(L);
    int32_t live = heartline_reactor_count(self->raw);
    if (live < 0)
        return refuse_because(L, live, NULL);
    uint64_t *ids = (uint64_t *)(void *)room(L, (size_t)live * sizeof *ids);
    live = heartline_reactor_ids(self->raw, ids, (size_t)live);
    lua_createtable(L, live < 0 ? 0 : live, 0);
    for (int32_t i = 0; i < live; i++) {
        push_number(L, ids[i]);
        lua_rawseti(L, -2, i + 1);
    }
    return 1;
}

static int reactor_counter(lua_State *L)
{
    uint64_t value = 0;
    int32_t result = heartline_reactor_counter(check_reactor(L)->raw, luaL_checkstring(L, 2), &value);
    return number(L, result, value);
}

/* In Prometheus' text format. */
static int reactor_metrics(lua_State *L)
{
    reactor *self = check_reactor(L);
    size_t size = 16 << 10;
    for (;;) {
        char *text = (char *)room(L, size);
        int32_t result = heartline_reactor_metrics(self->raw, text, size);
        if (result < 0)
            return refuse_because(L, result, NULL);
        if ((size_t)result < size) {
            lua_pushlstring(L, text, (size_t)result);
            return 1;
        }
        size = (size_t)result + 1;
    }
}

static const luaL_Reg REACTOR_METHODS[] = {{"policy", reactor_policy},
                                           {"listen", reactor_listen},
                                           {"listener_address", reactor_listener_address},
                                           {"stop_listening", reactor_stop_listening},
                                           {"connect", reactor_connect},
                                           {"adopt", reactor_adopt},
                                           {"release", reactor_release},
                                           {"close", reactor_close},
                                           {"drain", reactor_drain},
                                           {"is_drained", reactor_is_drained},
                                           {"poll", reactor_poll},
                                           {"fd", reactor_fd},
                                           {"wait_ms", reactor_wait_ms},
                                           {"send", reactor_send},
                                           {"broadcast", reactor_broadcast},
                                           {"broadcast_all", reactor_broadcast_all},
                                           {"flush", reactor_flush},
                                           {"set_policy", reactor_set_policy},
                                           {"grace", reactor_grace},
                                           {"expect_answers", reactor_expect_answers},
                                           {"pause", reactor_pause},
                                           {"resume", reactor_resume},
                                           {"info", reactor_info},
                                           {"obituary", reactor_obituary},
                                           {"count", reactor_count},
                                           {"ids", reactor_ids},
                                           {"counter", reactor_counter},
                                           {"metrics", reactor_metrics},
                                           {"free", reactor_free},
                                           {NULL, NULL}};

/* ---- The module ---- */

static int version(lua_State *L)
{
    lua_pushstring(L, heartline_version());
    return 1;
}

static int now_ms(lua_State *L)
{
    push_number(L, heartline_now_ms());
    return 1;
}

static const luaL_Reg FUNCTIONS[] = {{"monitor", monitor_new}, {"codec", codec_new}, {"reactor", reactor_new},
                                     {"version", version},     {"now_ms", now_ms},   {NULL, NULL}};

/* luaL_setfuncs and luaL_register, which no two versions share. */
static void set_functions(lua_State *L, const luaL_Reg *functions)
{
    for (; functions->name; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
}

static void kind(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction end)
{
    luaL_newmetatable(L, name);
    lua_newtable(L);
    set_functions(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, end);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, end); /* local reactor <close> = ..., from Lua 5.4 */
    lua_setfield(L, -2, "__close");
    lua_pushstring(L, name);
    lua_setfield(L, -2, "__metatable"); /* nobody frees twice by __gc */
    lua_pop(L, 1);
}

LUALIB_API int luaopen_heartline(lua_State *L)
{
    if (heartline_check_abi(HEARTLINE_ABI_VERSION) < 0)
        return luaL_error(L, "heartline: this module was built for another libheartline than %s", heartline_version());
    kind(L, MONITOR, MONITOR_METHODS, monitor_free);
    kind(L, CODEC, CODEC_METHODS, codec_free);
    kind(L, STREAM, STREAM_METHODS, stream_free);
    kind(L, REACTOR, REACTOR_METHODS, reactor_free);
    lua_newtable(L);
    set_functions(L, FUNCTIONS);
    return 1;
}
