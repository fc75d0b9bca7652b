//! Linux: mio for readiness, nix for sockets. The only library code with syscalls.
#![allow(unsafe_code)]

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Token};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::socket::{self, AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, SockaddrLike, sockopt};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use super::net::{Address, Farewell, ListenSettings, Net, Notice, Readiness};
use super::obituary::TcpInfo;
use super::options::SocketOptions;
use crate::time::{Clock, SystemClock};

/// Events taken from the kernel in one wait.
const READY_MAX: usize = 1024;

/// The kernel of this machine.
pub struct Linux {
    poll: mio::Poll,
    clock: SystemClock,
    waker: Option<Arc<mio::Waker>>,
    timer: Option<TimerFd>,
}

/// A listening socket and, for a Unix socket that we bound, the file to remove.
pub struct Listener {
    socket: OwnedFd,
    path: Option<PathBuf>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Linux {
    /// An epoll set of our own.
    pub fn new() -> io::Result<Self> {
        Ok(Self { poll: mio::Poll::new()?, clock: SystemClock::new(), waker: None, timer: None })
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

    fn last_look(&mut self, socket: &OwnedFd) -> bool {
        let mut byte = [0];
        let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT;
        matches!(socket::recv(socket.as_raw_fd(), &mut byte, flags), Ok(1))
    }

    fn shutdown_write(&mut self, socket: &OwnedFd) -> io::Result<()> {
        Ok(socket::shutdown(socket.as_raw_fd(), Shutdown::Write)?)
    }

    fn close(&mut self, socket: OwnedFd, farewell: Farewell) {
        let fd = socket.as_raw_fd();
        let _ = self.deregister(&socket);
        if farewell == Farewell::Abort {
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

/// `recvfrom` or `sendto` without an address, past libc: its own are cancellation points, which costs 45 instructions
/// each once there are threads, and behind a call every register must be saved.
///
/// # Safety
/// `number` is one of these two, and `bytes` has `length` bytes that it may write or read.
#[inline(always)]
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
unsafe fn transfer(
    number: libc::c_long,
    socket: &OwnedFd,
    bytes: *mut u8,
    length: usize,
    flags: libc::c_int,
) -> io::Result<usize> {
    let result: isize;
    // SAFETY: the caller's; the kernel's convention, which changes no other register and leaves the stack alone.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") socket.as_raw_fd(),
            in("rsi") bytes,
            in("rdx") length,
            in("r10") flags,
            in("r8") 0_usize,
            in("r9") 0_usize,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    if result < 0 { Err(refused(result)) } else { Ok(result as usize) }
}

/// The kernel says why not by a negative number.
#[cold]
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
fn refused(result: isize) -> io::Error {
    io::Error::from_raw_os_error(-result as i32)
}

/// The same for other processors.
///
/// # Safety
/// As above.
#[cfg(not(all(target_arch = "x86_64", target_pointer_width = "64")))]
unsafe fn transfer(
    number: libc::c_long,
    socket: &OwnedFd,
    bytes: *mut u8,
    length: usize,
    flags: libc::c_int,
) -> io::Result<usize> {
    let nobody = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the caller's; no address is read or written.
    let count = unsafe { libc::syscall(number, socket.as_raw_fd(), bytes, length, flags, nobody, nobody) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

fn open_listener(address: &Address, settings: ListenSettings) -> io::Result<Listener> {
    if let Address::Inherited(fd) = address {
        // SAFETY: the caller hands this inherited descriptor over (Address::Inherited); it is checked to be open and
        // listening before anything else is done with it.
        let socket = unsafe { OwnedFd::from_raw_fd(inherited(*fd)?) };
        set_descriptor_flags(&socket)?;
        return Ok(Listener { socket, path: None });
    }
    let (family, at) = socket_address(address)?;
    let socket = stream_socket(family)?;
    let path = match address {
        Address::Unix(path) if abstract_name(path).is_none() => {
            remove_abandoned(path);
            Some(path.clone())
        }
        Address::Unix(_) => None,
        _ => {
            socket::setsockopt(&socket, sockopt::ReuseAddr, &true)?;
            if settings.reuse_port {
                socket::setsockopt(&socket, sockopt::ReusePort, &true)?;
            }
            None
        }
    };
    socket::bind(socket.as_raw_fd(), &*at)?;
    let backlog = i32::try_from(settings.backlog).unwrap_or(i32::MAX);
    // nix refuses a backlog above its own constant; the kernel cuts it to net.core.somaxconn by itself.
    // SAFETY: a plain listen on a descriptor that we own.
    Errno::result(unsafe { libc::listen(socket.as_raw_fd(), backlog) })?;
    Ok(Listener { socket, path })
}

/// Non-blocking, closed on exec.
fn set_descriptor_flags(socket: &OwnedFd) -> io::Result<()> {
    fcntl(socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
    fcntl(socket, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// The descriptor, if it is open and listening.
fn inherited(fd: RawFd) -> io::Result<RawFd> {
    // SAFETY: borrowed for one query; if it is not open, the query says EBADF.
    let borrowed = unsafe { std::os::fd::BorrowedFd::borrow_raw(fd) };
    if socket::getsockopt(&borrowed, sockopt::AcceptConn)? {
        return Ok(fd);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("descriptor {fd} is not a listening socket")))
}

/// Removes the file of a Unix socket that nobody listens on any more. Connecting to a file of another kind is refused
/// just the same: that one is not ours to remove.
fn remove_abandoned(path: &Path) {
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    // Not blocking: a listener whose queue is full says EAGAIN, and is alive.
    if is_socket
        && let Ok(socket) = stream_socket(AddressFamily::Unix)
        && let Ok(address) = socket::UnixAddr::new(path)
        && socket::connect(socket.as_raw_fd(), &address) == Err(Errno::ECONNREFUSED)
    {
        let _ = std::fs::remove_file(path);
    }
}

fn stream_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    Ok(socket::socket(family, SockType::Stream, flags, None)?)
}

fn socket_address(address: &Address) -> io::Result<(AddressFamily, Box<dyn SockaddrLike>)> {
    Ok(match address {
        Address::Tcp(SocketAddr::V4(v4)) => (AddressFamily::Inet, Box::new(socket::SockaddrIn::from(*v4))),
        Address::Tcp(SocketAddr::V6(v6)) => (AddressFamily::Inet6, Box::new(socket::SockaddrIn6::from(*v6))),
        Address::Unix(path) => {
            let unix = match abstract_name(path) {
                Some(name) => socket::UnixAddr::new_abstract(name)?,
                None => socket::UnixAddr::new(path.as_path())?,
            };
            (AddressFamily::Unix, Box::new(unix))
        }
        Address::Inherited(fd) => {
            let message = format!("fd:{fd} can be listened on, not dialled; use adopt for a connected descriptor");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
    })
}

/// The name of `unix:@name`, which has no file.
fn abstract_name(path: &Path) -> Option<&[u8]> {
    path.as_os_str().as_bytes().strip_prefix(b"@")
}

/// The path of a Unix socket as [`Address`] spells it, if it has a name.
fn unix_path(address: &socket::SockaddrStorage) -> Option<PathBuf> {
    let unix = address.as_unix_addr()?;
    let name = unix.as_abstract().map(|name| OsString::from_vec([b"@", name].concat()).into());
    name.or_else(|| unix.path().map(Path::to_path_buf))
}

fn tcp_address(address: &socket::SockaddrStorage) -> Option<SocketAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*v4).into()));
    }
    address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into()))
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
