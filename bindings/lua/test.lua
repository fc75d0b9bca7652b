-- The module against itself, on loopback, in Lua 5.1, 5.4 and LuaJIT alike: lua5.1 test.lua. Ends with "ok" and its Lua.
local heartline = require "heartline"

local LIMIT_MS = 10000

local function equal(got, wanted, what)
  if got ~= wanted then
    error((what or "value") .. ": got " .. tostring(got) .. ", wanted " .. tostring(wanted), 2)
  end
end

local function until_(reactor, handle, condition)
  local give_up = heartline.now_ms() + LIMIT_MS
  while not condition() do
    assert(heartline.now_ms() < give_up, "waited in vain")
    for kind, id, what, more in reactor:poll(100) do handle(kind, id, what, more) end
  end
end

-- Level 1: a minute in ticks of its own.
do
  local now = 1000
  local monitor = assert(heartline.monitor({ granularity_ms = 1000, seed = 3 }, now))
  assert(monitor:policy(0, "game,role=ask", now))
  local live, mute = monitor:add(0, now, 11), monitor:add(nil, now)
  local died, asked = nil, {}
  while now < 61000 do
    now = now + math.min(500, monitor:wait_ms(now))
    equal(monitor:woke(now), 0, "a stall")
    for kind, peer, silence, overshoot, unanswered, user in monitor:verdicts(now) do
      if kind == "ask" then
        asked[peer] = true
        if peer == live then
          equal(user, 11)
          monitor:beat(live, "answer", now)
        end
      elseif kind == "dead" then
        equal(peer, mute)
        assert(silence >= 20000 and overshoot >= 0 and unanswered > 0)
        died = now
        assert(monitor:remove(peer))
      end
    end
  end
  assert(died and died >= 21000 and died < 21100, died)
  assert(asked[live] and asked[mute])
  local nothing, why, name = monitor:heard(mute, now)
  assert(nothing == nil and #why > 5)
  equal(name, "HEARTLINE_ERR_STALE")
  equal(monitor:stats().dead, 1)
  equal(monitor:beat(live, "ask", now), false, "a role that asks and never answers")
  assert(monitor:info(live, now).rtt_ms)
  -- Stopped for an hour.
  monitor:wait_ms(now)
  now = now + 3600000
  assert(monitor:woke(now) > 3500000)
  for kind in monitor:verdicts(now) do assert(kind ~= "dead") end
  assert(monitor:pause(live, true, now) and monitor:grace(live, 1000, now) and monitor:spoke(live) and monitor:framed(live, now))
  equal(monitor:info(live, now).paused, 1)
end

-- Whoever is removed while verdicts are told is not told any more; a loop may be left and taken up.
do
  local monitor = heartline.monitor({ granularity_ms = 60000 }, 0)
  monitor:policy(0, "game,role=watch", 0)
  local peers, told = {}, 0
  for i = 1, 600 do peers[i] = monitor:add(0, 0) end
  for _ in monitor:verdicts(30000) do
    told = told + 1
    for _, peer in ipairs(peers) do monitor:remove(peer) end
  end
  equal(told, 1)
  for i = 1, 600 do peers[i] = monitor:add(0, 30000) end
  told = 0
  for _ = 1, 1000 do
    for kind in monitor:verdicts(55000) do
      if kind == "dead" then told = told + 1 end
      break
    end
  end
  for kind in monitor:verdicts(55000) do
    if kind == "dead" then told = told + 1 end
  end
  equal(told, 600)
  monitor:free()
  monitor:free()
  assert(monitor:add(0, 0) == nil)
end

-- Level 2.
for _, spec in ipairs { "length:4be,max=4K", "delimiter:\\r\\n", "varint", "line-header" } do
  local codec = assert(heartline.codec(spec))
  local wire = codec:encode("one") .. codec:encode("a second one") .. codec:beat("ask")
  for step = 1, #wire do
    local stream, seen = codec:stream(), {}
    for at = 1, #wire, step do
      for message, kind, head, whole in stream:frames(wire:sub(at, at + step - 1)) do
        seen[#seen + 1] = kind and "<beat>" or message
        assert(type(head) == "string" and (whole ~= nil) == (kind ~= nil))
      end
      equal(stream:error(), nil)
    end
    equal(table.concat(seen, "|"), "one|a second one|<beat>", spec)
    equal(stream:unfinished(), 0)
  end
end
do
  local codec = heartline.codec("length:2be,head=4,max=64K,ask=@2:0001")
  assert(codec:spec():find("^length:2be"))
  equal(codec:encode("hello", "\0\0\0\7"), "\0\5\0\7hello")
  equal(codec:head(300, "\0\0\0\7"), "\1\44\0\7")
  local stream = codec:stream()
  stream:feed(codec:beat("ask"))
  local _, kind, _, whole = stream:next()
  assert(kind == "ask" or kind == "either")
  assert(#codec:beat("answer", whole) > 0)
  equal(stream:next(), nil)
  local nothing, why, name = heartline.codec("length:5be")
  assert(nothing == nil and #why > 5)
  equal(name, "HEARTLINE_ERR_SPEC")
  local tiny = heartline.codec("length:4be,max=8"):stream()
  for message in tiny:frames("\0\0\0\1a\0\0\1\0") do equal(message, "a") end
  local _, over = tiny:error()
  equal(over, "HEARTLINE_ERR_OVER_LIMIT")
  -- A stream outlives its codec's end without harm, and its last reference too.
  local orphan = heartline.codec("length:4be"):stream()
  collectgarbage()
  orphan:feed("\0\0\0\1a")
  equal(orphan:next(), "a")
  stream:feed("\0\1\0\0x")
  codec:free()
  local _, _, gone = stream:next()
  equal(gone, "HEARTLINE_ERR_NULL")
end

-- Level 3: listen, connect to itself, one message each way, one CLOSED each.
do
  local codec = heartline.codec("length:4be,max=64K")
  local reactor = assert(heartline.reactor { seed = 1, autopsy_ms = 0 })
  assert(reactor:policy(1, "lan,role=both"))
  local listener = assert(reactor:listen("127.0.0.1:0", codec, { policy = 1, backlog = 16, when_full = "close" }))
  local at = reactor:listener_address(listener)
  local client = assert(reactor:connect(at, codec, { policy = 1, nodelay = true, output_ms = false }))
  local server, opened, text, ends = nil, 0, {}, {}
  assert(client < 2 ^ 53 and client == math.floor(client))
  local function handle(kind, id, what, more)
    if kind == "opened" then
      opened = opened + 1
      if id ~= client then
        server = id
        equal(what, listener)
      else
        equal(what, nil)
      end
    elseif kind == "message" then
      text[#text + 1] = what
      equal(#more, 4, "a head")
      if id == server then assert(reactor:send(id, what .. " yourself")) end
    elseif kind == "closed" then
      local obituary = reactor:obituary(id)
      equal(obituary.reason, what)
      ends[id] = { what, more, obituary.messages_in }
    end
  end
  until_(reactor, handle, function() return opened == 2 end)
  assert(reactor:send(client, "hello") and reactor:flush())
  until_(reactor, handle, function() return #text == 2 end)
  equal(table.concat(text, "|"), "hello|hello yourself")
  equal(reactor:count(), 2)
  equal(#reactor:ids(), 2)
  equal(reactor:counter("messages_in"), 2)
  assert(reactor:metrics():find("heartline_messages_in_total 2\n"))
  equal(reactor:broadcast({ client, server, 5 }, "x"), 2)
  equal(reactor:broadcast_all("y", client), 1)
  assert(reactor:pause(client) and reactor:resume(client) and reactor:grace(client, 500) and reactor:set_policy(client, 1))
  local info = reactor:info(client)
  assert(info.address == at and info.dialling == 0 and info.rtt_ms == nil)
  assert(reactor:fd() >= 0 and reactor:wait_ms() >= 0)
  assert(reactor:close(server, "flush", 300))
  until_(reactor, handle, function() return ends[server] and ends[client] end)
  equal(ends[server][1], "application")
  equal(ends[server][2], 300)
  equal(ends[client][1], "peer_closed")
  local nothing, _, name = reactor:send(client, "late")
  assert(nothing == nil)
  equal(name, "HEARTLINE_ERR_STALE")
  -- A loop that is left loses nothing.
  local failed
  assert(reactor:connect("127.0.0.1:1", codec))
  until_(reactor, function() end, function()
    for kind, _, what in reactor:poll(100) do
      if kind == "connect_failed" then failed = what end
      break
    end
    return failed
  end)
  equal(failed, "connect_refused")
  -- A descriptor goes out and comes in.
  local second, other = reactor:connect(at, codec)
  opened = 0
  until_(reactor, function(kind, id)
    opened = opened + 1
    if id ~= second then other = id end
  end, function() return opened == 2 end)
  local fd, unread, unsent, unanswered = reactor:release(other)
  assert(fd >= 0 and unread == "" and unsent == "" and unanswered == 0)
  local adopted = assert(reactor:adopt(fd, codec, nil, "\0\0\0\2hi"))
  assert(reactor:expect_answers(adopted, unanswered))
  text = {}
  until_(reactor, function(kind, id, what) if id == adopted and kind == "message" then text[1] = what end end,
    function() return text[1] end)
  equal(text[1], "hi")
  assert(reactor:drain({ limit_ms = 2000, code = 400 }, "bye"))
  until_(reactor, handle, function() return reactor:is_drained() end)
  assert(select(2, reactor:listen("nowhere", codec)))
  assert(not pcall(heartline.reactor, { granularity = 5 }))
  assert(not pcall(reactor.send, reactor, 2 ^ 60, "x"))
  assert(not pcall(reactor.send, client, reactor))
  reactor:free()
  reactor:free()
  assert(not pcall(reactor.poll, reactor, 0))
end
heartline.reactor()
heartline.monitor()
collectgarbage()
collectgarbage()
print("ok " .. (jit and jit.version:match("^%S+") or _VERSION))
