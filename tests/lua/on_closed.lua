-- What the script of a game server writes for a player who is gone, and the lines around it that call it. Ends with "ok".
local heartline = require "heartline"

local seats, journal = {}, {}
local function hold_seat(player, seconds) seats[#seats + 1] = player.name .. " " .. seconds end
local function log(...) journal[#journal + 1] = { n = select("#", ...), ... } end

-- The script. `retransmits` of the kernel's has the name that it has in heartline.h.
function on_closed(p, why, o)
  if why == "silent" then hold_seat(p, 120) end
  log(o.silence_ms, o.rtt_ms, o.tcp_retransmits)
end

-- The host: a server whose players are two connections of its own, one of which answers and leaves, one of which is mute.
local reactor = assert(heartline.reactor())
local codec = assert(heartline.codec "length:4be")
assert(reactor:policy(1, "lan,role=ask,interval=100ms,suspect=400ms,timeout=800ms"))
assert(reactor:policy(2, "im,role=answer"))
assert(reactor:policy(3, "im,role=watch"))
local listener = assert(reactor:listen("127.0.0.1:0", codec, { policy = 1 }))
local at = reactor:listener_address(listener)
local living = assert(reactor:connect(at, codec, { policy = 2 }))
assert(reactor:send(living, "Ada"))
local mute = assert(reactor:connect(at, codec, { policy = 3 }))
assert(reactor:send(mute, "Bob"))

local players, gone, give_up = {}, 0, heartline.now_ms() + 20000
while gone < 2 do
  assert(heartline.now_ms() < give_up, "waited in vain")
  for kind, id, what in reactor:poll(100) do
    if kind == "message" then
      players[id] = { name = what }
    elseif kind == "closed" and players[id] then
      on_closed(players[id], what, reactor:obituary(id))
      gone = gone + 1
      if gone == 1 then assert(reactor:close(living)) end
    end
  end
end

assert(#seats == 1 and seats[1] == "Bob 120", table.concat(seats, ", "))
local silent, left = journal[1], journal[2]
assert(#journal == 2 and silent.n == 3 and left.n == 3)
assert(silent[1] >= 800 and silent[2] == nil and silent[3] == 0, "it never answered")
assert(left[1] < 800 and left[2] >= 0 and left[3] == 0, "it answered asks")
print "ok"
