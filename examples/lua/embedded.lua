-- The script of embedded.c: a room in which everybody hears everybody, and the time.
local heartline = require "heartline"

local codec = assert(heartline.codec "length:4be,max=4K")
local reactor = assert(heartline.reactor())
local players, said = {}, 0 -- by connection: numbers that are exact in Lua

function start(at)
  assert(reactor:policy(0, "game,role=both"))
  -- A player that cannot keep up with the room leaves it.
  local listener = assert(reactor:listen(at, codec, { when_full = "close", high_bytes = 64 * 1024 }))
  return reactor:listener_address(listener)
end

local on = {
  opened = function(id) players[id] = { name = "player " .. id % 1000 } end,
  message = function(id, text)
    said = said + 1
    reactor:broadcast_all(players[id].name .. ": " .. text)
  end,
  suspect = function(id) reactor:broadcast_all(players[id].name .. " is silent") end,
  closed = function(id, reason)
    print(("%s left: %s after %d ms of silence"):format(players[id].name, reason, reactor:obituary(id).silence_ms))
    players[id] = nil
  end,
}

function tick(number, until_ms)
  if number % 20 == 0 then reactor:broadcast_all("tick " .. number) end
  repeat
    local left = math.max(0, until_ms - heartline.now_ms())
    for kind, id, what in reactor:poll(left) do
      local handle = on[kind] -- kinds that are not here, and kinds to come, are passed over
      if handle then handle(id, what) end
    end
  until heartline.now_ms() >= until_ms
end

function stop()
  reactor:drain({ limit_ms = 1000 }, "the room closes")
  while not reactor:is_drained() do
    for kind, id, what in reactor:poll(100) do
      if on[kind] then on[kind](id, what) end
    end
  end
  return ("%d messages"):format(said)
end
