-- A client of a server in C, through the Lua module: echo.lua ADDRESS, where examples/c/echo.c listens with a timeout of one
-- second. One connection speaks and asks, one says nothing. Ends with "ok", or fails with an assertion.
local heartline = require "heartline"

local MESSAGES, PATIENCE_MS = 2000, 20000
local at = arg[1]
local reactor = assert(heartline.reactor())
local echoed, ended = {}, {}

local function text(number) return number .. ":" .. ("x"):rep(number % 3000) end

local function wait_for(condition)
  local give_up = heartline.now_ms() + PATIENCE_MS
  while not condition() do
    assert(heartline.now_ms() < give_up, "waited in vain")
    for kind, id, what in reactor:poll(100) do
      if kind == "message" then
        echoed[#echoed + 1] = what
      elseif kind == "closed" then
        ended[id] = reactor:obituary(id)
      end
    end
  end
end

assert(reactor:policy(1, "lan,role=ask,interval=100ms,suspect=1s,timeout=10s"))
assert(reactor:policy(2, "im,role=watch"))
local codec = assert(heartline.codec "length:4be,max=64K")
local speaker = assert(reactor:connect(at, codec, { policy = 1 }))
local mute = assert(reactor:connect(at, codec, { policy = 2 }))
for first = 1, MESSAGES, 100 do
  for number = first, first + 99 do assert(reactor:send(speaker, text(number))) end
  wait_for(function() return #echoed == first + 99 end)
end
for number = 1, MESSAGES do assert(echoed[number] == text(number), number) end

wait_for(function() return ended[mute] end)
local reason = ended[mute].reason
assert(reason == "peer_reset" or reason == "peer_closed", reason)
assert(ended[mute].age_ms >= 950 and ended[mute].messages_in == 0, ended[mute].age_ms)
-- Who asks is answered, and heard.
local answered = reactor:counter "answers_in"
wait_for(function() return reactor:counter "answers_in" >= answered + 15 end)
assert(not ended[speaker] and reactor:info(speaker).rtt_ms)
assert(reactor:close(speaker))
wait_for(function() return ended[speaker] end)
assert(ended[speaker].reason == "local" and ended[speaker].messages_in == MESSAGES)
print "ok"
