//! A kernel that follows a script: time, readiness, full sockets, errors and stalls are what the test says. It keeps the
//! promises of edge-triggered epoll and not one more: an edge when bytes come, an edge when a socket that had refused
//! takes again. Any call can be made to fail.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

use heartline::reactor::core::Reactor;
use heartline::reactor::net::{ListenSettings, Look, Net, Parting, Readiness};
use heartline::reactor::{
    Address, AdoptError, Config, ConnectionId, Events, ListenOptions, ListenerId, Options, SocketOptions, TcpInfo,
};
use heartline::time::Clock;

use super::{Told, What};

/// Something that happens at a moment.
type Act = Box<dyn FnOnce(&mut World)>;

/// A call that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Wait,
    Connect,
    /// With EINPROGRESS, 115: it is still under way.
    Connected,
    Prepare,
    Register,
    Configure,
    Shutdown,
    Waker,
}

/// What wakes a wait from another thread.
#[derive(Default)]
pub struct Alert {
    /// The error that waking gives, if not 0.
    pub error: AtomicI32,
    given: AtomicBool,
}

/// What the script can look at and change.
pub struct World {
    pub now_ns: u64,
    pub sockets: Vec<Sock>,
    /// Sockets that wait to be accepted.
    queue: VecDeque<usize>,
    /// Errors that accept gives before it looks at the queue.
    pub accept_errors: VecDeque<i32>,
    pub accepts: usize,
    listener: Option<u64>,
    /// Tokens with an edge that was not reported yet.
    edges: VecDeque<Readiness>,
    script: BTreeMap<u64, Vec<Act>>,
    /// From when on this process is stopped, and for how long.
    stop: Option<(u64, u64)>,
    /// Events per wait.
    pub list_max: usize,
    /// What each wait was asked for.
    pub waits: Vec<Option<u64>>,
    /// What each alarm was set to.
    pub alarms: Vec<Option<u64>>,
    /// Time that one read takes.
    pub read_ns: u64,
    /// Time that one accept takes.
    pub accept_ns: u64,
    /// Calls that fail, each once, with their error.
    pub refusals: Vec<(Call, i32)>,
    pub alert: Arc<Alert>,
    alert_token: u64,
}

/// One end of a connection, as the kernel has it.
#[derive(Default)]
pub struct Sock {
    token: Option<u64>,
    pub input: VecDeque<u8>,
    /// The peer's FIN lies behind the input.
    pub fin: bool,
    /// An error behind the input.
    pub error: Option<i32>,
    /// What the peer got.
    pub output: Vec<u8>,
    /// Bytes that the kernel still takes.
    pub room: usize,
    /// It has refused: an edge is owed when there is room.
    refused: bool,
    /// Errors that the next writes give.
    pub send_errors: VecDeque<i32>,
    /// Errors that the next reads give, whatever there is to read.
    pub recv_errors: VecDeque<i32>,
    /// How many bytes a read gives at most.
    pub read_max: Option<usize>,
    pub fin_sent: bool,
    /// What it was set to.
    pub options: Option<SocketOptions>,
    pub closed: Option<Parting>,
    pub looks: usize,
    pub reads: usize,
    /// Frames' worth of slices in each call.
    pub writes: usize,
}

impl Sock {
    /// An error is told once, to whoever asks first; then the stream is at its end.
    fn take_error(&mut self) -> Option<i32> {
        let error = self.error.take();
        self.fin |= error.is_some();
        error
    }
}

impl World {
    fn edge(&mut self, socket: usize, readable: bool, writable: bool, read_closed: bool) {
        if let Some(token) = self.sockets[socket].token {
            self.tell(Readiness { token, readable, writable, read_closed });
        }
    }

    fn tell(&mut self, edge: Readiness) {
        if let Some(known) = self.edges.iter_mut().find(|known| known.token == edge.token) {
            known.readable |= edge.readable;
            known.writable |= edge.writable;
            known.read_closed |= edge.read_closed;
        } else {
            self.edges.push_back(edge);
        }
    }

    /// Bytes come from the peer.
    pub fn bytes(&mut self, socket: usize, bytes: &[u8]) {
        self.sockets[socket].input.extend(bytes);
        self.edge(socket, true, false, false);
    }

    /// Bytes come, but the edge is lost: what the wheel's last look is for.
    pub fn bytes_unseen(&mut self, socket: usize, bytes: &[u8]) {
        self.sockets[socket].input.extend(bytes);
    }

    pub fn fin(&mut self, socket: usize) {
        self.sockets[socket].fin = true;
        self.edge(socket, true, false, true);
    }

    pub fn reset(&mut self, socket: usize) {
        let sock = &mut self.sockets[socket];
        sock.error = Some(104);
        sock.send_errors.push_back(32);
        self.edge(socket, true, true, true);
    }

    /// The kernel takes so many bytes from now on.
    pub fn room(&mut self, socket: usize, room: usize) {
        let sock = &mut self.sockets[socket];
        sock.room = room;
        if sock.refused && room > 0 {
            sock.refused = false;
            self.edge(socket, false, true, false);
        }
    }

    /// A notification without a cause.
    pub fn spurious(&mut self, socket: usize) {
        self.edge(socket, true, true, false);
    }

    /// Somebody connects; its number.
    pub fn arrive(&mut self) -> usize {
        self.sockets.push(Sock { room: usize::MAX, ..Sock::default() });
        self.queue.push_back(self.sockets.len() - 1);
        if let Some(token) = self.listener {
            self.tell(Readiness { token, readable: true, writable: false, read_closed: false });
        }
        self.sockets.len() - 1
    }

    fn run_script_until(&mut self, until: u64) {
        while let Some(entry) = self.script.first_entry().filter(|entry| *entry.key() <= until) {
            let (at, acts) = entry.remove_entry();
            self.now_ns = self.now_ns.max(at);
            for act in acts {
                act(self);
            }
        }
    }
}

/// A handle on the kernel: the reactor has one, the test another.
#[derive(Clone)]
pub struct Kernel(Rc<RefCell<World>>);

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kernel")
    }
}

/// A descriptor.
#[derive(Debug)]
pub struct Descriptor {
    pub number: usize,
    kernel: Kernel,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let mut world = self.kernel.0.borrow_mut();
        let sock = &mut world.sockets[self.number];
        sock.closed.get_or_insert(Parting::Orderly);
        sock.token = None;
    }
}

impl Kernel {
    pub fn new() -> Self {
        Self(Rc::new(RefCell::new(World {
            // Not a whole millisecond: what is rounded the wrong way shows.
            now_ns: 1_000_000_300,
            sockets: Vec::new(),
            queue: VecDeque::new(),
            accept_errors: VecDeque::new(),
            accepts: 0,
            listener: None,
            edges: VecDeque::new(),
            script: BTreeMap::new(),
            stop: None,
            list_max: 1024,
            waits: Vec::new(),
            alarms: Vec::new(),
            read_ns: 0,
            accept_ns: 0,
            refusals: Vec::new(),
            alert: Arc::default(),
            alert_token: 0,
        })))
    }

    /// A connected stream that somebody else has opened.
    pub fn opened_elsewhere(&self) -> Descriptor {
        let number = self.world(|world| {
            world.sockets.push(Sock { room: usize::MAX, ..Sock::default() });
            world.sockets.len() - 1
        });
        Descriptor { number, kernel: self.clone() }
    }

    fn refuse(&self, call: Call) -> io::Result<()> {
        self.world(|world| match world.refusals.iter().position(|(refused, _)| *refused == call) {
            Some(index) => Err(io::Error::from_raw_os_error(world.refusals.remove(index).1)),
            None => Ok(()),
        })
    }

    pub fn world<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.0.borrow_mut())
    }

    /// Puts into the script: in `ms` from now.
    pub fn after(&self, ms: u64, act: impl FnOnce(&mut World) + 'static) {
        self.world(|world| {
            let at = world.now_ns + ms * 1_000_000;
            world.script.entry(at).or_default().push(Box::new(act));
        });
    }

    /// In `ms` from now the process is stopped, for `length_ms`.
    pub fn stop(&self, ms: u64, length_ms: u64) {
        self.world(|world| world.stop = Some((world.now_ns + ms * 1_000_000, length_ms * 1_000_000)));
    }

    /// Time passes outside of the reactor.
    pub fn pass(&self, ms: u64) {
        self.world(|world| world.run_script_until(world.now_ns + ms * 1_000_000));
        self.world(|world| world.now_ns += ms * 1_000_000);
    }

    fn take(&self, socket: usize, buffer: &mut [u8]) -> io::Result<usize> {
        self.world(|world| {
            world.now_ns += world.read_ns;
            let sock = &mut world.sockets[socket];
            sock.reads += 1;
            if let Some(error) = sock.recv_errors.pop_front() {
                return Err(io::Error::from_raw_os_error(error));
            }
            if sock.input.is_empty() {
                return match (sock.take_error(), sock.fin) {
                    (Some(error), _) => Err(io::Error::from_raw_os_error(error)),
                    (None, true) => Ok(0),
                    (None, false) => Err(io::ErrorKind::WouldBlock.into()),
                };
            }
            let count = buffer.len().min(sock.input.len()).min(sock.read_max.unwrap_or(usize::MAX));
            for (to, from) in buffer.iter_mut().zip(sock.input.drain(..count)) {
                *to = from;
            }
            Ok(count)
        })
    }

    fn put(&self, socket: usize, slices: &[&[u8]]) -> io::Result<usize> {
        self.world(|world| {
            let sock = &mut world.sockets[socket];
            sock.writes += 1;
            if let Some(error) = sock.send_errors.pop_front() {
                return Err(io::Error::from_raw_os_error(error));
            }
            let length: usize = slices.iter().map(|slice| slice.len()).sum();
            let count = length.min(sock.room);
            sock.output.extend(slices.iter().flat_map(|slice| slice.iter()).take(count));
            if sock.room != usize::MAX {
                sock.room -= count;
            }
            // As TCP does it: an edge is owed only once a write was cut short.
            sock.refused |= count < length;
            if count == 0 && length > 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(count) }
        })
    }
}

impl Clock for Kernel {
    fn now_ns(&self) -> u64 {
        self.0.borrow().now_ns
    }
}

impl Net for Kernel {
    type Socket = Descriptor;
    type Listener = ();
    type Waker = Arc<Alert>;

    type Ready = Vec<Readiness>;
    type Notice<'a> = Readiness;

    fn ready_list(&self) -> (Vec<Readiness>, usize) {
        let list_max = self.world(|world| world.list_max);
        (Vec::new(), list_max)
    }

    fn each_ready(ready: &Vec<Readiness>) -> impl Iterator<Item = Readiness> {
        ready.iter().copied()
    }

    fn wait(&mut self, ready: &mut Vec<Readiness>, timeout_ms: Option<u64>) -> io::Result<()> {
        ready.clear();
        self.refuse(Call::Wait)?;
        self.world(|world| {
            world.waits.push(timeout_ms);
            if world.alert.given.swap(false, Ordering::AcqRel) {
                let token = world.alert_token;
                world.tell(Readiness { token, readable: true, writable: false, read_closed: false });
            }
            assert!(world.waits.len() < 1_000_000, "the reactor spins");
            let end = timeout_ms.map_or(u64::MAX, |ms| world.now_ns.saturating_add(ms * 1_000_000));
            let mut list_max = world.list_max;
            while world.edges.is_empty() {
                let next = world.script.first_key_value().map_or(end, |(at, _)| *at).min(end);
                if let Some((from, length)) = world.stop.filter(|(from, _)| *from <= next) {
                    // Stopped in the middle of the wait. It ends with what was ready first; the rest is for the next.
                    world.stop = None;
                    world.run_script_until(from + length);
                    world.now_ns = world.now_ns.max(from + length);
                    list_max = 1;
                    break;
                }
                assert!(next < u64::MAX, "the reactor sleeps for ever and nothing will happen");
                world.run_script_until(next);
                world.now_ns = world.now_ns.max(next);
                if next == end {
                    break;
                }
            }
            let count = world.edges.len().min(list_max);
            ready.extend(world.edges.drain(..count));
            Ok(())
        })
    }

    fn listen(&mut self, _: &Address, _: ListenSettings, token: u64) -> io::Result<()> {
        self.world(|world| world.listener = Some(token));
        Ok(())
    }
    fn listener_address(&self, _: &()) -> io::Result<Address> {
        Ok(Address::Inherited(0))
    }
    fn accept(&mut self, _: &()) -> io::Result<(Descriptor, Option<SocketAddr>)> {
        let number = self.world(|world| {
            world.accepts += 1;
            world.now_ns += world.accept_ns;
            if let Some(error) = world.accept_errors.pop_front() {
                return Err(io::Error::from_raw_os_error(error));
            }
            world.queue.pop_front().ok_or_else(|| io::ErrorKind::WouldBlock.into())
        })?;
        Ok((Descriptor { number, kernel: self.clone() }, None))
    }
    fn close_listener(&mut self, (): ()) {
        self.world(|world| world.listener = None);
    }

    fn connect(&mut self, _: &Address, options: &SocketOptions) -> io::Result<Descriptor> {
        self.refuse(Call::Connect)?;
        let options = Some(options.clone());
        let number = self.world(|world| {
            world.sockets.push(Sock { room: usize::MAX, options, ..Sock::default() });
            world.sockets.len() - 1
        });
        Ok(Descriptor { number, kernel: self.clone() })
    }
    fn connected(&mut self, _: &Descriptor) -> io::Result<Option<()>> {
        match self.refuse(Call::Connected) {
            Err(error) if error.raw_os_error() == Some(115) => Ok(None),
            outcome => outcome.map(Some),
        }
    }

    fn prepare(&mut self, _: &Descriptor) -> io::Result<()> {
        self.refuse(Call::Prepare)
    }
    fn register(&mut self, socket: &Descriptor, token: u64) -> io::Result<()> {
        self.refuse(Call::Register)?;
        self.world(|world| {
            let sock = &mut world.sockets[socket.number];
            sock.token = Some(token);
            let (readable, read_closed) = (!sock.input.is_empty() || sock.fin, sock.fin);
            world.edge(socket.number, readable, true, read_closed);
        });
        Ok(())
    }
    fn deregister(&mut self, socket: &Descriptor) -> io::Result<()> {
        self.world(|world| {
            let token = world.sockets[socket.number].token.take();
            world.edges.retain(|edge| Some(edge.token) != token);
        });
        Ok(())
    }
    fn configure(&mut self, socket: &Descriptor, options: &SocketOptions, before: &SocketOptions) -> io::Result<()> {
        self.refuse(Call::Configure)?;
        self.world(|world| {
            let sock = &mut world.sockets[socket.number];
            assert_eq!(sock.options.as_ref().unwrap_or(&SocketOptions::KERNEL), before, "what the socket has");
            sock.options = Some(options.clone());
        });
        Ok(())
    }

    fn recv(&mut self, socket: &Descriptor, buffer: &mut [u8]) -> io::Result<usize> {
        self.take(socket.number, buffer)
    }
    fn send(&mut self, socket: &Descriptor, bytes: &[u8]) -> io::Result<usize> {
        self.put(socket.number, &[bytes])
    }
    fn send_vectored(&mut self, socket: &Descriptor, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let slices: Vec<&[u8]> = slices.iter().map(|slice| &**slice).collect();
        self.put(socket.number, &slices)
    }
    fn last_look(&mut self, socket: &Descriptor) -> Look {
        self.world(|world| {
            let sock = &mut world.sockets[socket.number];
            sock.looks += 1;
            if !sock.input.is_empty() {
                return Look::Bytes;
            }
            match sock.take_error() {
                Some(error) => Look::Failed(error),
                None if sock.fin => Look::End,
                None => Look::Nothing,
            }
        })
    }
    fn shutdown_write(&mut self, socket: &Descriptor) -> io::Result<()> {
        self.refuse(Call::Shutdown)?;
        self.world(|world| world.sockets[socket.number].fin_sent = true);
        Ok(())
    }
    fn close(&mut self, socket: Descriptor, parting: Parting) {
        let _ = self.deregister(&socket);
        self.world(|world| world.sockets[socket.number].closed = Some(parting));
    }
    fn tcp_info(&mut self, _: &Descriptor) -> Option<TcpInfo> {
        None
    }
    fn peer_address(&mut self, _: &Descriptor) -> Option<SocketAddr> {
        None
    }

    fn waker(&mut self, token: u64) -> io::Result<Arc<Alert>> {
        self.refuse(Call::Waker)?;
        Ok(self.world(|world| {
            world.alert_token = token;
            world.alert.clone()
        }))
    }
    fn wake(alert: &Arc<Alert>) -> io::Result<()> {
        match alert.error.load(Ordering::Acquire) {
            0 => {
                alert.given.store(true, Ordering::Release);
                Ok(())
            }
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
    fn descriptor(&self) -> i32 {
        -1
    }
    fn alarm(&mut self, at_ns: Option<u64>, _: u64) -> io::Result<()> {
        self.world(|world| world.alarms.push(at_ns));
        Ok(())
    }
}

/// A reactor over a scripted kernel.
pub struct Rig {
    pub kernel: Kernel,
    pub reactor: Reactor<Kernel>,
    pub events: Events,
    /// What was told, with the millisecond of the poll that told it.
    pub history: Vec<(u64, Told)>,
}

impl Default for Rig {
    fn default() -> Self {
        Self::new(Config::default(), Events::new())
    }
}

impl Rig {
    pub fn new(config: Config, events: Events) -> Self {
        let kernel = Kernel::new();
        let config = Config { seed: 1, ..config };
        let reactor = Reactor::over(kernel.clone(), config).unwrap();
        Self { kernel, reactor, events, history: Vec::new() }
    }

    pub fn listen(&mut self, options: Options) -> ListenerId {
        self.reactor.listen(&Address::Inherited(0), &ListenOptions::new(options)).unwrap()
    }

    /// One peer, accepted: its socket and its id.
    pub fn peer(&mut self) -> (usize, ConnectionId) {
        let socket = self.kernel.world(World::arrive);
        let told = self.history.len();
        for _ in 0..1000 {
            self.poll(0);
            if let Some((_, opened)) = self.history[told..].iter().find(|(_, told)| told.is_opened()) {
                return (socket, opened.id);
            }
        }
        panic!("nobody was accepted");
    }

    /// A connection that somebody else opened, taken over.
    pub fn adopt(
        &mut self,
        options: &Options,
        unread: Vec<u8>,
        unsent: &[u8],
    ) -> Result<ConnectionId, AdoptError<Descriptor>> {
        let number = self.kernel.world(|world| {
            world.sockets.push(Sock { room: usize::MAX, ..Sock::default() });
            world.sockets.len() - 1
        });
        let socket = Descriptor { number, kernel: self.kernel.clone() };
        self.reactor.adopt(socket, options, 0, unread, unsent)
    }

    pub fn peers(&mut self, count: usize) -> Vec<(usize, ConnectionId)> {
        (0..count).map(|_| self.peer()).collect()
    }

    pub fn now_ms(&self) -> u64 {
        self.kernel.now_ns() / 1_000_000
    }

    pub fn poll(&mut self, wait_ms: u64) -> usize {
        self.reactor.poll(&mut self.events, Some(Duration::from_millis(wait_ms))).unwrap();
        let now = self.now_ms();
        for event in &self.events {
            self.history.push((now, Told::of(event)));
        }
        self.events.len()
    }

    /// Polls for so long; what was told meanwhile.
    pub fn run(&mut self, ms: u64) -> Vec<(u64, Told)> {
        let until = self.now_ms() + ms;
        let from = self.history.len();
        while self.now_ms() < until {
            self.poll(until - self.now_ms());
        }
        self.history[from..].to_vec()
    }

    pub fn of(&self, id: ConnectionId) -> Vec<&What> {
        self.history.iter().filter(|(_, told)| told.id == id).map(|(_, told)| &told.what).collect()
    }

    pub fn messages(&self, id: ConnectionId) -> Vec<Vec<u8>> {
        let messages = self.history.iter().filter(|(_, told)| told.id == id).filter_map(|(_, told)| told.message());
        messages.map(<[u8]>::to_vec).collect()
    }

    pub fn output(&self, socket: usize) -> Vec<u8> {
        self.kernel.world(|world| world.sockets[socket].output.clone())
    }

    pub fn is_live(&self, id: ConnectionId) -> bool {
        self.reactor.state(id).is_some()
    }
}
