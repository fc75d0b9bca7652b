//! Linux: mio for readiness, nix for sockets. The only library code with syscalls.
#![allow(unsafe_code)]

mod address;
#[cfg(feature = "capi")]
mod birth;
mod clock;
mod listener;
mod transfer;

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Token};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{self, AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, SockaddrLike, sockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use self::address::{socket_address, tcp_address, unix_path};
#[cfg(feature = "capi")]
pub(crate) use self::birth::Birth;
use self::clock::Monotonic;
use self::listener::{Listener, open_listener};
use self::transfer::transfer;
use crate::reactor::net::{Address, ListenSettings, Look, Net, Notice, Parting, Readiness};
use crate::reactor::obituary::TcpInfo;
use crate::reactor::options::SocketOptions;
use crate::time::Clock;

/// Events taken from the kernel in one wait.
const READY_MAX: usize = 1024;

/// The kernel of this machine.
pub struct Linux {
    poll: mio::Poll,
    clock: Monotonic,
    waker: Option<Arc<mio::Waker>>,
    timer: Option<TimerFd>,
}

impl Linux {
    /// An epoll set of our own.
    pub fn new() -> io::Result<Self> {
        Ok(Self { poll: mio::Poll::new()?, clock: Monotonic::new(), waker: None, timer: None })
    }
}

impl Clock for Linux {
    #[inline]
    fn now_ns(&self) -> u64 {
        self.clock.now_ns()
    }
}

impl Net for Linux {
    type Socket = OwnedFd;
    type Listener = Listener;
    type Waker = Arc<mio::Waker>;
    type Ready = mio::Events;
    type Notice<'a> = &'a mio::event::Event;

    fn ready_list(&self) -> (mio::Events, usize) {
        (mio::Events::with_capacity(READY_MAX), READY_MAX)
    }

    fn wait(&mut self, ready: &mut mio::Events, timeout_ms: Option<u64>) -> io::Result<()> {
        match self.poll.poll(ready, timeout_ms.map(Duration::from_millis)) {
            // A signal, or SIGCONT after a stop: nothing was taken out of the set.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                ready.clear();
                Ok(())
            }
            other => other,
        }
    }

    #[inline]
    fn each_ready(ready: &mio::Events) -> impl Iterator<Item = &mio::event::Event> {
        ready.iter()
    }

    fn listen(&mut self, address: &Address, settings: ListenSettings, token: u64) -> io::Result<Listener> {
        let listener = open_listener(address, settings)?;
        self.poll.registry().register(
            &mut SourceFd(&listener.socket.as_raw_fd()),
            Token(token as usize),
            Interest::READABLE,
        )?;
        Ok(listener)
    }

    fn listener_address(&self, listener: &Listener) -> io::Result<Address> {
        if let Some(path) = &listener.path {
            return Ok(Address::Unix(path.clone()));
        }
        let fd = listener.socket.as_raw_fd();
        let address: socket::SockaddrStorage = socket::getsockname(fd)?;
        Ok(match tcp_address(&address) {
            Some(address) => Address::Tcp(address),
            None => unix_path(&address).map_or(Address::Inherited(fd), Address::Unix),
        })
    }

    fn accept(&mut self, listener: &Listener) -> io::Result<(OwnedFd, Option<SocketAddr>)> {
        let mut storage = MaybeUninit::<libc::sockaddr_storage>::zeroed();
        let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes of address into `storage`, which is that large.
        let fd = unsafe {
            libc::accept4(
                listener.socket.as_raw_fd(),
                storage.as_mut_ptr().cast(),
                &mut length,
                libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
            )
        };
        let fd = Errno::result(fd)?;
        // SAFETY: accept4 gave us this descriptor; nobody else owns it.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        // SAFETY: accept4 filled `length` bytes of a zeroed sockaddr_storage.
        let address = unsafe { socket::SockaddrStorage::from_raw(storage.as_ptr().cast(), Some(length)) };
        Ok((socket, address.as_ref().and_then(tcp_address)))
    }

    fn close_listener(&mut self, listener: Listener) {
        let _ = self.poll.registry().deregister(&mut SourceFd(&listener.socket.as_raw_fd()));
    }

    fn connect(&mut self, address: &Address, options: &SocketOptions) -> io::Result<OwnedFd> {
        let (family, to) = socket_address(address)?;
        let socket = stream_socket(family)?;
        self.configure(&socket, options, &SocketOptions::KERNEL)?;
        match socket::connect(socket.as_raw_fd(), &*to) {
            Ok(()) | Err(Errno::EINPROGRESS) => Ok(socket),
            // A Unix listener whose queue is full says so at once instead of making us wait.
            Err(error) => Err(error.into()),
        }
    }

    fn connected(&mut self, socket: &OwnedFd) -> io::Result<Option<()>> {
        match socket::getsockopt(socket, sockopt::SocketError)? {
            0 => {}
            error => return Err(io::Error::from_raw_os_error(error)),
        }
        match socket::getpeername::<socket::SockaddrStorage>(socket.as_raw_fd()) {
            Ok(_) => Ok(Some(())),
            Err(Errno::ENOTCONN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn prepare(&mut self, socket: &OwnedFd) -> io::Result<()> {
        set_descriptor_flags(socket)
    }

    fn register(&mut self, socket: &OwnedFd, token: u64) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), Token(token as usize), both)
    }

    fn deregister(&mut self, socket: &OwnedFd) -> io::Result<()> {
        self.poll.registry().deregister(&mut SourceFd(&socket.as_raw_fd()))
    }

    fn configure(&mut self, socket: &OwnedFd, options: &SocketOptions, before: &SocketOptions) -> io::Result<()> {
        // The kernel's own sizes of buffers cannot be had back.
        if options.send_buffer_bytes != before.send_buffer_bytes && options.send_buffer_bytes > 0 {
            socket::setsockopt(socket, sockopt::SndBuf, &(options.send_buffer_bytes as usize))?;
        }
        if options.receive_buffer_bytes != before.receive_buffer_bytes && options.receive_buffer_bytes > 0 {
            socket::setsockopt(socket, sockopt::RcvBuf, &(options.receive_buffer_bytes as usize))?;
        }
        if options.nodelay != before.nodelay {
            tcp_only(socket::setsockopt(socket, sockopt::TcpNoDelay, &options.nodelay))?;
        }
        if options.keepalive != before.keepalive {
            socket::setsockopt(socket, sockopt::KeepAlive, &options.keepalive.is_some())?;
            if let Some(keepalive) = options.keepalive {
                tcp_only(socket::setsockopt(socket, sockopt::TcpKeepIdle, &keepalive.idle_s))?;
                tcp_only(socket::setsockopt(socket, sockopt::TcpKeepInterval, &keepalive.interval_s))?;
                tcp_only(socket::setsockopt(socket, sockopt::TcpKeepCount, &keepalive.count))?;
            }
        }
        if options.user_timeout_ms != before.user_timeout_ms {
            tcp_only(socket::setsockopt(socket, sockopt::TcpUserTimeout, &options.user_timeout_ms))?;
        }
        Ok(())
    }

    #[inline(always)]
    fn recv(&mut self, socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the kernel writes at most `buffer.len()` bytes into `buffer`.
        unsafe { transfer(libc::SYS_recvfrom, socket, buffer.as_mut_ptr(), buffer.len(), 0) }
    }

    #[inline(always)]
    fn send(&mut self, socket: &OwnedFd, bytes: &[u8]) -> io::Result<usize> {
        // SAFETY: the kernel reads at most `bytes.len()` bytes of `bytes` and changes none.
        unsafe { transfer(libc::SYS_sendto, socket, bytes.as_ptr().cast_mut(), bytes.len(), libc::MSG_NOSIGNAL) }
    }

    fn send_vectored(&mut self, socket: &OwnedFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let fd = socket.as_raw_fd();
        Ok(socket::sendmsg(fd, slices, &[], MsgFlags::MSG_NOSIGNAL, None::<&socket::SockaddrStorage>)?)
    }

    fn last_look(&mut self, socket: &OwnedFd) -> Look {
        let mut byte = [0];
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        match socket::recv(socket.as_raw_fd(), &mut byte, flags) {
            Ok(0) => Look::End,
            Ok(_) => Look::Bytes,
            Err(Errno::EAGAIN | Errno::EINTR) => Look::Nothing,
            Err(error) => Look::Failed(error as i32),
        }
    }

    fn shutdown_write(&mut self, socket: &OwnedFd) -> io::Result<()> {
        Ok(socket::shutdown(socket.as_raw_fd(), Shutdown::Write)?)
    }

    fn close(&mut self, socket: OwnedFd, parting: Parting) {
        let fd = socket.as_raw_fd();
        let _ = self.deregister(&socket);
        if parting == Parting::Abort {
            // SO_LINGER 0 takes effect at close; a child that holds the descriptor delays that, so disconnect too.
            let linger = libc::linger { l_onoff: 1, l_linger: 0 };
            let _ = socket::setsockopt(&socket, sockopt::Linger, &linger);
            disconnect(fd);
        }
        let _ = socket::shutdown(fd, Shutdown::Both);
    }

    fn tcp_info(&mut self, socket: &OwnedFd) -> Option<TcpInfo> {
        let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
        let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
        // SAFETY: the kernel writes at most `length` bytes into `info`, which is that large.
        let result = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                info.as_mut_ptr().cast(),
                &mut length,
            )
        };
        if result != 0 {
            return None;
        }
        // SAFETY: tcp_info is plain numbers, zeroed before the kernel wrote its part.
        let info = unsafe { info.assume_init() };
        Some(TcpInfo {
            rtt_us: info.tcpi_rtt,
            rto_us: info.tcpi_rto,
            retransmits: info.tcpi_total_retrans,
            unacknowledged: info.tcpi_unacked,
        })
    }

    fn peer_address(&mut self, socket: &OwnedFd) -> Option<SocketAddr> {
        let address: socket::SockaddrStorage = socket::getpeername(socket.as_raw_fd()).ok()?;
        tcp_address(&address)
    }

    fn waker(&mut self, token: u64) -> io::Result<Arc<mio::Waker>> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Arc::new(mio::Waker::new(self.poll.registry(), Token(token as usize))?);
        self.waker = Some(waker.clone());
        Ok(waker)
    }

    fn wake(waker: &Arc<mio::Waker>) -> io::Result<()> {
        waker.wake()
    }

    fn descriptor(&self) -> RawFd {
        self.poll.as_raw_fd()
    }

    fn alarm(&mut self, at_ns: Option<u64>, token: u64) -> io::Result<()> {
        let timer = match &self.timer {
            Some(timer) => timer,
            None => {
                let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
                let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
                let fd = timer.as_fd().as_raw_fd();
                self.poll.registry().register(&mut SourceFd(&fd), Token(token as usize), Interest::READABLE)?;
                self.timer.insert(timer)
            }
        };
        match at_ns {
            None => timer.unset()?,
            Some(at) => {
                // Relative, and never 0: that would disarm it.
                let wait = Duration::from_nanos(at.saturating_sub(self.clock.now_ns()).max(1));
                timer.set(Expiration::OneShot(TimeSpec::from_duration(wait)), TimerSetTimeFlags::empty())?;
            }
        }
        Ok(())
    }
}

impl Notice for &mio::event::Event {
    #[inline(always)]
    fn token(self) -> u64 {
        self.token().0 as u64
    }

    #[inline(always)]
    fn is_news(self) -> bool {
        self.is_readable() && !self.is_read_closed() && !self.is_error()
    }

    fn readiness(self) -> Readiness {
        let failed = self.is_error();
        Readiness {
            token: self.token().0 as u64,
            readable: self.is_readable(),
            writable: self.is_writable() || failed,
            read_closed: self.is_read_closed() || failed,
        }
    }
}

/// Non-blocking, closed on exec.
fn set_descriptor_flags(socket: &OwnedFd) -> io::Result<()> {
    fcntl(socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket::socket(family, SockType::Stream, flags, None)?)
}

/// Unix sockets do not know TCP's options: that is no error.
fn tcp_only(result: nix::Result<()>) -> nix::Result<()> {
    match result {
        Err(Errno::EOPNOTSUPP | Errno::ENOPROTOOPT) => Ok(()),
        other => other,
    }
}

/// `connect` to AF_UNSPEC: aborts a TCP connection now, whoever else holds the descriptor; with SO_LINGER 0 the
/// kernel sends RST and keeps nothing.
fn disconnect(fd: RawFd) {
    // SAFETY: a zeroed sockaddr is a valid AF_UNSPEC address.
    let nobody: libc::sockaddr = unsafe { std::mem::zeroed() };
    // SAFETY: `nobody` is a whole sockaddr of the length given; the call does not block.
    let _ = unsafe { libc::connect(fd, &nobody, size_of::<libc::sockaddr>() as libc::socklen_t) };
}
