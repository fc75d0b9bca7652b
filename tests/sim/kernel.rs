//! The kernel that reactors see: `Net` over the world, one handle per process. Its wait is what lets time pass.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::Ordering;

use heartline::reactor::net::{ListenSettings, Look, Net, Parting, Readiness};
use heartline::reactor::{Address, SocketOptions, TcpInfo};
use heartline::time::Clock;

use super::faults::Fault;
use super::hosts::{Host, Letter};
use super::process::{Item, Waker};
use super::wire::{ECONNABORTED, EMFILE, ENETUNREACH, ENOBUFS, ENOMEM, MS, Owner, State};
use super::world::{Happening, Listening, World};

/// Listener n is dialled at this port + n.
pub const PORT: u16 = 7000;

/// Puts a letter into a mailbox.
pub type Post = Box<dyn Fn(Letter) -> bool>;

/// The world and the hosts that live in it.
pub struct Sim {
    pub world: RefCell<World>,
    /// Empty where a host is in the middle of its turn.
    pub hosts: RefCell<Vec<Option<Host>>>,
    /// By process: puts a letter into its mailbox; whether its reactor was woken.
    pub posts: RefCell<Vec<Post>>,
}

impl Sim {
    /// Lets the next thing happen, wherever it does.
    pub fn step(self: &Rc<Self>) {
        let Some(happening) = self.world.borrow_mut().pop() else { return };
        match happening {
            Happening::Run(process) => {
                if self.world.borrow_mut().runs_now(process) {
                    self.with_host(process, |host| host.run(self));
                }
            }
            Happening::Mail(process) => self.mail(process),
            Happening::Call(process) => self.post(process, Letter::Wake),
            other => self.world.borrow_mut().happen(other),
        }
        self.settle();
    }

    /// After a turn: wakers that were rung, and runs that came due in the middle of it.
    pub fn settle(&self) {
        let mut world = self.world.borrow_mut();
        world.hear_wakers();
        for happening in std::mem::take(&mut world.put_off) {
            let now_ns = world.now_ns;
            world.push(now_ns, happening);
        }
        for process in std::mem::take(&mut world.deferred) {
            world.run_again(process);
        }
    }

    pub fn with_host(&self, process: usize, act: impl FnOnce(&mut Host)) {
        let Some(mut host) = self.hosts.borrow_mut()[process].take() else { return };
        act(&mut host);
        self.hosts.borrow_mut()[process] = Some(host);
    }

    /// Another thread of a process writes to its reactor, which may be in a wait.
    fn post(&self, process: usize, letter: Letter) {
        let mut world = self.world.borrow_mut();
        let fails = world.fault(Fault::NoWaker);
        world.processes[process].waker.fails.store(fails, Ordering::Release);
        if let Some(post) = self.posts.borrow().get(process)
            && !post(letter)
        {
            // It was not woken, and must try again.
            let again = world.now_ns + 10 * MS;
            world.push(again, Happening::Call(process));
        }
    }

    fn mail(&self, process: usize) {
        let letter = self.world.borrow_mut().next_letter(process);
        if let Some(letter) = letter {
            self.post(process, letter);
        }
    }
}

/// One process's handle on the kernel.
#[derive(Clone)]
pub struct Kernel {
    pub sim: Rc<Sim>,
    pub process: usize,
}

/// A descriptor.
pub struct Socket {
    pub number: usize,
    sim: Rc<Sim>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // While a failed seed unwinds the world may be in use.
        if let Ok(mut world) = self.sim.world.try_borrow_mut() {
            world.give_up(self.number, false);
        }
    }
}

impl Kernel {
    /// A system call: it takes time, in which the world goes on, and the process may be stopped in it.
    fn call<T>(&self, call: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.sim.world.borrow_mut();
        let mut until = world.now_ns + world.processes[self.process].cost_ns;
        if world.fault(Fault::StopInside) {
            let most = u64::from(world.scenario.timeout_ms) * 5 * MS;
            let length = world.dice.spread(100 * MS, most.max(200 * MS));
            let (now_ns, me) = (world.now_ns, self.process);
            world.trace.say(now_ns, format_args!("process {me} is stopped inside a call for {} ms", length / MS));
            until += length;
        }
        until = until.max(world.processes[self.process].stopped_until_ns);
        let was_healed = world.healed;
        while world.next_at().is_some_and(|at| at <= until) && !world.over {
            if let Some(happening) = world.pop() {
                world.happen(happening);
            }
            if world.healed && !was_healed {
                // It runs on.
                until = world.now_ns;
            }
        }
        world.now_ns = world.now_ns.max(until);
        call(&mut world)
    }

    fn socket(&self, number: usize) -> Socket {
        Socket { number, sim: self.sim.clone() }
    }

    /// Sleeps until something shows, or the time-out, or a stop is over.
    fn sleep(&self, timeout_ms: Option<u64>) -> usize {
        let me = self.process;
        let mut world = self.sim.world.borrow_mut();
        let begun = world.now_ns;
        let clock_end = timeout_ms.map(|ms| world.clock_ns(me).saturating_add(ms.saturating_mul(MS)));
        let mut end = clock_end.map_or(u64::MAX, |end| world.processes[me].moment_ns(end).max(begun));
        if end < u64::MAX && end > begun {
            end += world.wake_late_ns();
        }
        // The host has lost the wake-up: it finds what was ready when its own time comes, if that is not for ever.
        let own_time = timeout_ms.is_some_and(|ms| ms < 2 * u64::from(world.scenario.timeout_ms));
        let lost = own_time && world.fault(Fault::LostWake);
        let mut wake_at = None;
        let mut stopped = false;
        loop {
            if world.over {
                break;
            }
            if wake_at.is_none() && !lost && world.is_ready(me) {
                let late = if world.now_ns > begun { world.wake_late_ns() } else { 0 };
                wake_at = Some(world.now_ns + late);
            }
            let stopped_until = world.processes[me].stopped_until_ns;
            stopped |= stopped_until > world.now_ns;
            let target = end.min(wake_at.unwrap_or(u64::MAX)).max(stopped_until);
            if world.now_ns >= target {
                break;
            }
            match world.next_at() {
                Some(at) if at <= target => {
                    drop(world);
                    self.sim.step();
                    world = self.sim.world.borrow_mut();
                }
                _ => world.now_ns = target,
            }
        }
        let list_max = world.processes[me].list_max;
        // After SIGCONT the list holds what was ready first, or the wait was interrupted.
        if stopped { world.dice.below(2) as usize } else { list_max }
    }
}

impl Clock for Kernel {
    fn now_ns(&self) -> u64 {
        self.sim.world.borrow().clock_ns(self.process)
    }
}

impl Net for Kernel {
    type Socket = Socket;
    type Listener = usize;
    type Waker = Waker;
    type Ready = Vec<Readiness>;
    type Notice<'a> = Readiness;

    fn ready_list(&self) -> (Vec<Readiness>, usize) {
        (Vec::new(), self.sim.world.borrow().processes[self.process].list_max)
    }

    fn each_ready(ready: &Vec<Readiness>) -> impl Iterator<Item = Readiness> {
        ready.iter().copied()
    }

    fn wait(&mut self, ready: &mut Vec<Readiness>, timeout_ms: Option<u64>) -> io::Result<()> {
        ready.clear();
        let me = self.process;
        let blocks = timeout_ms != Some(0);
        // What it plans is known before it may be stopped on its way into the call, where it then sleeps that much longer.
        self.sim.world.borrow_mut().wait_begins(me, timeout_ms);
        self.call(|_| ());
        let most = if blocks { self.sleep(timeout_ms) } else { self.sim.world.borrow().processes[me].list_max };
        let mut world = self.sim.world.borrow_mut();
        if world.is_ready(me) {
            world.collect(me, most, ready);
        }
        world.wait_ended(me, ready.len());
        // A poll without a time-out would go on for ever.
        if world.over && blocks { Err(io::Error::other("the world has ended")) } else { Ok(()) }
    }

    fn listen(&mut self, _: &Address, settings: ListenSettings, token: u64) -> io::Result<usize> {
        self.call(|world| {
            let backlog = settings.backlog as usize;
            let process = self.process;
            world.listeners.push(Listening { process, token, backlog, queue: Default::default(), open: true });
            Ok(world.listeners.len() - 1)
        })
    }

    fn listener_address(&self, listener: &usize) -> io::Result<Address> {
        Ok(Address::Tcp(address(*listener)))
    }

    fn accept(&mut self, listener: &usize) -> io::Result<(Socket, Option<SocketAddr>)> {
        let number = self.call(|world| {
            let known = &world.processes[self.process];
            // Linux looks for a descriptor first, whether or not there is a connection.
            if known.descriptors >= known.descriptors_max {
                return Err(io::Error::from_raw_os_error(EMFILE));
            }
            if world.fault(Fault::NoSockets) {
                let error = world.dice.pick(&[ENOBUFS, ENOMEM]);
                return Err(io::Error::from_raw_os_error(error));
            }
            let Some(number) = world.listeners[*listener].queue.pop_front() else {
                return Err(io::ErrorKind::WouldBlock.into());
            };
            world.processes[self.process].descriptors += 1;
            if world.socks[number].broken && world.dice.chance(0.5) {
                world.give_up(number, true);
                return Err(io::Error::from_raw_os_error(ECONNABORTED));
            }
            Ok(number)
        })?;
        let line = self.sim.world.borrow().socks[number].line;
        Ok((self.socket(number), Some(SocketAddr::from(([10, 0, (line >> 8) as u8, line as u8], 1)))))
    }

    fn close_listener(&mut self, listener: usize) {
        self.call(|world| {
            world.listeners[listener].open = false;
            while let Some(number) = world.listeners[listener].queue.pop_front() {
                world.processes[self.process].descriptors += 1;
                world.give_up(number, true);
            }
        });
    }

    fn connect(&mut self, to: &Address, options: &SocketOptions) -> io::Result<Socket> {
        let Address::Tcp(to) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        let listener = usize::from(to.port() - PORT);
        self.call(|world| {
            let known = &world.processes[self.process];
            if known.descriptors >= known.descriptors_max {
                return Err(io::Error::from_raw_os_error(EMFILE));
            }
            if world.fault(Fault::NoRoute) {
                return Err(io::Error::from_raw_os_error(ENETUNREACH));
            }
            world.processes[self.process].descriptors += 1;
            let number = world.dial(Owner::Process(self.process), listener);
            world.was_configured(self.process, options.user_timeout_ms);
            world.set_user_timeout(number, options.user_timeout_ms);
            Ok(number)
        })
        .map(|number| self.socket(number))
    }

    fn connected(&mut self, socket: &Socket) -> io::Result<Option<()>> {
        self.call(|world| {
            let sock = &mut world.socks[socket.number];
            match (sock.state, sock.error.take()) {
                (_, Some(error)) => Err(io::Error::from_raw_os_error(error)),
                (State::Open, None) => {
                    world.was_connected(self.process, socket.number);
                    Ok(Some(()))
                }
                _ => Ok(None),
            }
        })
    }

    fn prepare(&mut self, _: &Socket) -> io::Result<()> {
        Ok(())
    }

    fn register(&mut self, socket: &Socket, token: u64) -> io::Result<()> {
        self.call(|world| {
            if world.fault(Fault::NoSockets) {
                return Err(io::Error::from_raw_os_error(28));
            }
            world.socks[socket.number].token = Some(token);
            world.registered(self.process, token, socket.number);
            if world.socks[socket.number].mask().any() {
                world.edge(socket.number);
            }
            Ok(())
        })
    }

    fn deregister(&mut self, socket: &Socket) -> io::Result<()> {
        self.call(|world| {
            let sock = &mut world.socks[socket.number];
            (sock.token, sock.listed) = (None, false);
            world.processes[self.process].ready.retain(|item| *item != Item::Sock(socket.number));
        });
        Ok(())
    }

    fn configure(&mut self, socket: &Socket, options: &SocketOptions, before: &SocketOptions) -> io::Result<()> {
        if options.user_timeout_ms != before.user_timeout_ms {
            self.call(|world| {
                world.was_configured(self.process, options.user_timeout_ms);
                world.set_user_timeout(socket.number, options.user_timeout_ms);
            });
        }
        Ok(())
    }

    fn recv(&mut self, socket: &Socket, buffer: &mut [u8]) -> io::Result<usize> {
        self.call(|world| {
            let read = world.read(socket.number, buffer);
            world.was_read(self.process, socket.number, buffer, &read);
            read
        })
    }

    fn send(&mut self, socket: &Socket, bytes: &[u8]) -> io::Result<usize> {
        self.call(|world| {
            let written = world.write(socket.number, &[bytes]);
            world.was_written(self.process, socket.number, &[bytes], &written);
            written
        })
    }

    fn send_vectored(&mut self, socket: &Socket, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let slices: Vec<&[u8]> = slices.iter().map(|slice| &**slice).collect();
        self.call(|world| {
            let written = world.write(socket.number, &slices);
            world.was_written(self.process, socket.number, &slices, &written);
            written
        })
    }

    fn last_look(&mut self, socket: &Socket) -> Look {
        self.call(|world| {
            let look = world.look(socket.number);
            world.was_looked_at(self.process, socket.number, look == Look::Bytes);
            look
        })
    }

    fn shutdown_write(&mut self, socket: &Socket) -> io::Result<()> {
        self.call(|world| world.shut_write(socket.number))
    }

    fn close(&mut self, socket: Socket, farewell: Parting) {
        let _ = self.deregister(&socket);
        self.call(|world| world.give_up(socket.number, farewell == Parting::Abort));
    }

    fn tcp_info(&mut self, _: &Socket) -> Option<TcpInfo> {
        None
    }

    fn peer_address(&mut self, _: &Socket) -> Option<SocketAddr> {
        None
    }

    fn waker(&mut self, token: u64) -> io::Result<Waker> {
        self.call(|world| {
            world.processes[self.process].waker_token = token;
            Ok(world.processes[self.process].waker.clone())
        })
    }

    fn wake(waker: &Waker) -> io::Result<()> {
        if waker.fails.load(Ordering::Acquire) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        waker.rung.store(true, Ordering::Release);
        Ok(())
    }

    fn descriptor(&self) -> i32 {
        -1
    }

    fn alarm(&mut self, at_ns: Option<u64>, token: u64) -> io::Result<()> {
        self.call(|world| {
            let known = &mut world.processes[self.process];
            known.alarm_token = token;
            // A timer that is set anew takes its old expiry back.
            known.ready.retain(|item| *item != Item::Alarm);
            known.alarm = at_ns.map(|at| known.moment_ns(at));
            if let Some(at) = world.processes[self.process].alarm {
                world.push(at, Happening::Alarm(self.process));
            }
        });
        Ok(())
    }
}

pub fn address(listener: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, PORT + listener as u16))
}
