-- The gate of a skynet-like server, given liveness by level 1: the framework goes on owning the sockets and the timer.
--
-- What the framework must offer, and skynet does under these or like names:
--   socket.write(fd, bytes), socket.close(fd)      socketdriver.send, socketdriver.close
--   timer(ms)                                      skynet.timeout(ms / 10, function() gate.on_timer() end)
--   dispatch(fd, message)                          skynet.redirect(agent, fd, "client", 0, message)
-- What it must call: gate.open(fd), gate.data(fd, bytes), gate.closed(fd), gate.on_timer().
--
-- One timer for all connections, not one for each; nothing is done for a connection that talks.
local heartline = require "heartline"

local gate = {}

function gate.new(framework, settings)
  -- skynet's messages: two bytes of length, big-endian, then the message; an empty one is the beat.
  local codec = assert(heartline.codec(settings.codec or "length:2be"))
  -- The timer is late by as much as a service is busy: half a second of that is not our peers' silence.
  local monitor = assert(heartline.monitor { granularity_ms = 500 })
  assert(monitor:policy(0, settings.policy or "game,role=both"))
  local by_fd, by_peer = {}, {}
  local timer_at

  -- Ask for a timer that is sooner than the one under way. Timers cannot be taken back: one that comes too early is harmless.
  local function arm()
    local wait, now = monitor:wait_ms(), heartline.now_ms()
    if wait >= 0 and (not timer_at or now + wait < timer_at) then
      timer_at = now + wait
      framework.timer(wait)
    end
  end

  local function drop(connection, why)
    if by_fd[connection.fd] ~= connection then return end
    by_fd[connection.fd], by_peer[connection.peer] = nil, nil
    monitor:remove(connection.peer)
    framework.log(("connection %d: %s"):format(connection.fd, why))
  end

  local self = {}

  function self.open(fd)
    local connection = { fd = fd, stream = codec:stream(), peer = assert(monitor:add()) }
    by_fd[fd], by_peer[connection.peer] = connection, connection
    arm()
  end

  function self.data(fd, bytes)
    local connection = by_fd[fd]
    if not connection then return end
    monitor:heard(connection.peer)
    for message, beat, _, whole in connection.stream:frames(bytes) do
      if not beat then
        framework.dispatch(fd, message)
      elseif monitor:beat(connection.peer, beat) then
        framework.socket.write(fd, codec:beat("answer", whole))
      end
      if by_fd[fd] ~= connection then return end -- whoever got the message closed it
    end
    local why = connection.stream:error()
    if why then
      drop(connection, why)
      framework.socket.close(fd)
    end
  end

  function self.closed(fd)
    if by_fd[fd] then drop(by_fd[fd], "closed by its peer") end
  end

  function self.send(fd, message) framework.socket.write(fd, assert(codec:encode(message))) end

  function self.on_timer()
    timer_at = nil
    for kind, peer, silence in monitor:verdicts() do
      local connection = by_peer[peer]
      if kind == "ask" then
        framework.socket.write(connection.fd, codec:beat "ask")
      elseif kind == "dead" then
        -- A proposal. A framework that reads all sockets before its timers has no byte left that could save it.
        drop(connection, ("dead after %d ms of silence"):format(silence))
        framework.socket.close(connection.fd)
      elseif kind == "stalled" then
        framework.log(("this process was stopped or busy for %d ms: nobody dies of it"):format(silence))
      end
    end
    arm()
  end

  function self.count()
    local count = 0
    for _ in pairs(by_fd) do count = count + 1 end
    return count
  end

  return self
end

return gate
