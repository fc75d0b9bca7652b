//! The two system calls of every frame.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// `recvfrom` or `sendto` without an address, past libc: its own are cancellation points, which costs 45 instructions
/// each once there are threads, and behind a call every register must be saved.
///
/// # Safety
/// `number` is one of these two, and `bytes` has `length` bytes that it may write or read.
#[inline(always)]
#[cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
pub(super) unsafe fn transfer(
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
pub(super) unsafe fn transfer(
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
