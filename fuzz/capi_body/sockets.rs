//! Where the connections of level 3 come from: socket pairs that are adopted, and listeners that the reactor dials.

use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicU64, Ordering};

use heartline::capi::{codes::*, reactor::*};

use super::fair;
use super::reactor::World;
use super::script::Script;

/// Nothing of it is an address, or nobody is there.
const NOWHERE: &[&str] =
    &["", "nowhere", "unix:", "fd:-1", "fd:x", "127.0.0.1", "127.0.0.1:99999", "unix:@heartline-nobody", "127.0.0.1:1"];

impl World {
    pub fn adopt(&mut self, script: &mut Script<'_>) {
        let (here, there) = UnixStream::pair().unwrap();
        there.set_nonblocking(true).unwrap();
        let (unread, unsent) = (script.bytes(16), script.bytes(16));
        let mut options: heartline_options = unsafe { std::mem::zeroed() };
        let given = script.fill(&mut options);
        let (mut id, user) = (0, script.number());
        let result = fair(unsafe {
            let (unread_at, unsent_at) = (unread.as_ptr().cast(), unsent.as_ptr().cast());
            let (unread, unsent) = (unread.len(), unsent.len());
            let fd = here.as_raw_fd();
            heartline_reactor_adopt(
                self.reactor,
                fd,
                self.codec,
                given,
                user,
                unread_at,
                unread,
                unsent_at,
                unsent,
                &raw mut id,
            )
        });
        if result == 0 {
            let _ = here.into_raw_fd(); // it was taken, on success alone
            self.began(id);
            self.ends.push(there);
        }
    }

    pub fn release(&mut self, id: u64) {
        let mut released: heartline_released = unsafe { std::mem::zeroed() };
        if fair(unsafe { heartline_reactor_release(self.reactor, id, &raw mut released) }) == 0 {
            let unread = unsafe { std::slice::from_raw_parts(released.unread, released.unread_len) };
            let unsent = unsafe { std::slice::from_raw_parts(released.unsent, released.unsent_len) };
            let _ = (unread.to_vec(), unsent.to_vec());
            drop(unsafe { OwnedFd::from_raw_fd(released.fd) });
            self.ended(id);
        }
    }

    /// On a name of its own, or on a descriptor that is given; never on a port, of which a machine has few.
    pub fn listen(&mut self, script: &mut Script<'_>) {
        static NAMES: AtomicU64 = AtomicU64::new(0);
        let name = format!("heartline-{}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed));
        let (mut options, mut connection): (heartline_listen_options, heartline_options) =
            unsafe { std::mem::zeroed() };
        let given = script.fill(&mut connection);
        options.struct_size = size_of_val(&options) as u32;
        (options.backlog, options.per_address_max) = (script.word(), script.word());
        (options.accepts_per_second, options.connection) = (script.word(), given);
        let mut inherited = None;
        let at = match script.byte() % 4 {
            0 => NOWHERE[usize::from(script.byte()) % (NOWHERE.len() - 2)].to_owned(),
            1 => {
                use std::os::linux::net::SocketAddrExt;
                let at = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
                let listener = inherited.insert(UnixListener::bind_addr(&at).unwrap());
                format!("fd:{}", listener.as_raw_fd())
            }
            _ => format!("unix:@{name}"),
        };
        let at = CString::new(at).unwrap();
        let number =
            fair(unsafe { heartline_reactor_listen(self.reactor, at.as_ptr(), self.codec, &raw const options) });
        if number >= 0 {
            let _ = inherited.map(IntoRawFd::into_raw_fd); // it was taken, on success alone
            self.accepting = true;
            self.listeners.push((number, CString::new(format!("unix:@{name}")).unwrap()));
        }
    }

    /// Where one of them listens, cut at any size.
    pub fn listener_address(&mut self, script: &mut Script<'_>) {
        let number = self.some_listener(script).map_or(script.word() as i32, |(number, _)| number);
        let mut text = vec![0x55_u8; usize::from(script.byte() % 60)];
        let (place, size) = (text.as_mut_ptr().cast(), text.len());
        if fair(unsafe { heartline_reactor_listener_address(self.reactor, number, place, size) }) >= 0 {
            assert!(text.is_empty() || text.contains(&0));
        }
    }

    pub fn stop_listening(&mut self, script: &mut Script<'_>) {
        let Some((number, _)) = self.some_listener(script) else { return };
        let known = self.listeners.len();
        self.listeners.retain(|(other, _)| *other != number);
        assert!(self.listeners.len() < known);
        let result = fair(unsafe { heartline_reactor_stop_listening(self.reactor, number) });
        assert!(result == 0 || self.draining, "it was listening");
        assert_eq!(unsafe { heartline_reactor_stop_listening(self.reactor, number) }, HEARTLINE_ERR_INVALID);
    }

    fn some_listener(&self, script: &mut Script<'_>) -> Option<(i32, CString)> {
        let which = usize::from(script.byte());
        self.listeners.get(which % self.listeners.len().max(1)).cloned()
    }

    pub fn connect(&mut self, script: &mut Script<'_>) {
        let to = match self.some_listener(script) {
            Some((_, at)) if !script.one_in(4) => at,
            _ => CString::new(NOWHERE[usize::from(script.byte()) % NOWHERE.len()]).unwrap(),
        };
        let mut options: heartline_options = unsafe { std::mem::zeroed() };
        let given = script.fill(&mut options);
        let (mut id, user) = (0, script.number());
        let codec = self.codec;
        let result =
            fair(unsafe { heartline_reactor_connect(self.reactor, to.as_ptr(), codec, given, user, &raw mut id) });
        if result == 0 {
            self.began(id);
        }
    }
}
