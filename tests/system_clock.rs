//! The wall clock jumps an hour back and forth under a server with living and dying peers, and nothing happens (L11).
//!
//! By default it jumps for the server alone: a small library, loaded before libc, stands in for the wall clock, and counts
//! who reads it; timers are the kernel's, so strace shows that none is set by the wall clock. The machine's own clock is
//! set only with `HEARTLINE_SET_CLOCK=3600` (seconds), on a machine that does nothing else: builds and timers of others
//! would suffer.

mod support_system;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime, clock_settime};
use nix::unistd::Pid;
use support_system::server::Server;
use support_system::swarm::{Manner, Swarm};
use support_system::{kernel, ms, report, require, run, sleep_until, wait_until};

const HOUR_S: i64 = 3600;
const PEERS: usize = 100;
const DYING: std::ops::Range<usize> = 0..20;
const TIMES: [&str; 6] = ["--interval", "500ms", "--suspect", "1s", "--timeout", "2s"];
/// Where the clock stands against the truth, in hours, for half a second each.
const JUMPS: [i64; 6] = [1, -1, 2, 0, -1, 0];

/// Peers live, and some die, while `jump` sets the clock: deaths come in time, nobody else is touched, nothing stalls.
fn nothing_happens(server: &Server, jump: impl Fn(i64)) {
    let swarm = Swarm::start(server.address, PEERS, Manner::Beats);
    swarm.settle();
    let last_sign = swarm.silence(DYING);
    let stalls = server.log.events("stalled").len();
    for (number, hours) in (1..).zip(JUMPS) {
        jump(hours);
        sleep_until(last_sign + number * ms(500));
    }
    let dead = server.wait_closed(&swarm.locals(DYING), DYING.len(), Duration::from_secs(3));
    for closed in &dead {
        assert_eq!(closed.reason, "silent", "{closed:?}");
        assert!((2000..=2100).contains(&closed.silence_ms), "{closed:?}");
        let took = closed.at.saturating_duration_since(last_sign);
        assert!(took >= ms(2000 - 1100) && took <= ms(2350), "found {took:?} after its last sign");
    }
    // Another timeout with every peer that lives.
    sleep_until(last_sign + 6 * ms(500) + ms(2200));
    assert_eq!(server.closed().len(), DYING.len(), "somebody else was closed: {}", server.log.tail(3));
    let told: Vec<_> = server.log.events("stalled").split_off(stalls);
    // Noise of the machine is no hour.
    assert!(told.iter().all(|(_, stall)| stall["ms"].as_i64() < Some(500)), "a jump was taken for a stall: {told:?}");
    let overshoot_ms = dead.iter().map(|closed| closed.overshoot_ms).max().unwrap_or(0);
    report(&format!("{} jumps: {} dead found, at most {overshoot_ms} ms over", JUMPS.len(), dead.len()));
}

/// The stand-in for the wall clock, and the file by which it is set. Removed when dropped.
struct WallClock {
    folder: PathBuf,
    shared: File,
}

impl WallClock {
    #[track_caller]
    fn new() -> Self {
        require(&["cc"]);
        let folder = std::env::temp_dir().join(format!("heartline-clock-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support_system/wall_clock.c");
        let library = folder.join("wall_clock.so");
        run(&["cc", "-shared", "-fPIC", "-O1", "-o", &library.to_string_lossy(), source, "-ldl"]);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(folder.join("shared"));
        let clock = Self { folder, shared: options.expect("a file in it") };
        clock.shared.set_len(24).expect("three numbers");
        clock
    }

    fn command(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", self.folder.join("wall_clock.so"));
        command.env("HEARTLINE_TEST_WALL_CLOCK", self.folder.join("shared"));
        command
    }

    fn set(&self, seconds: i64) {
        self.shared.write_all_at(&seconds.to_ne_bytes(), 0).expect("our file");
    }

    /// How often the wall clock was read, and how often another clock.
    fn reads(&self) -> (i64, i64) {
        let number = |at| {
            let mut bytes = [0; 8];
            self.shared.read_exact_at(&mut bytes, at).expect("our file");
            i64::from_ne_bytes(bytes)
        };
        (number(8), number(16))
    }
}

impl Drop for WallClock {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_wall_clock_that_jumps_an_hour_changes_nothing() {
    let clock = WallClock::new();
    // The stand-in works: a program that reads the wall clock is told what we set.
    clock.set(HOUR_S);
    let date = clock.command(Command::new("date")).arg("+%s").output().expect("date runs");
    let said: i64 = String::from_utf8_lossy(&date.stdout).trim().parse().expect("seconds");
    assert!((said - wall_now_s() - HOUR_S).abs() <= 2, "the stand-in does not reach `date`, so it shows nothing");
    clock.set(0);

    let (wall, _) = clock.reads();
    assert!(wall > 0, "the stand-in does not count");
    let server = Server::spawn(&mut clock.command(support_system::server::serve_command(&TIMES)));
    let before = clock.reads();
    nothing_happens(&server, |hours| clock.set(hours * HOUR_S));
    let after = clock.reads();
    server.finish();
    assert!(after.1 - before.1 > 100, "the server read its clock only {} times: not by libc?", after.1 - before.1);
    assert_eq!(after.0 - before.0, 0, "the server read the wall clock while it held connections");
    report(&format!("the server read the wall clock 0 times, another {} times", after.1 - before.1));
}

/// strace, detached and ended when dropped.
struct Strace(Child);

impl Drop for Strace {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT);
        let _ = self.0.wait();
    }
}

#[test]
fn no_timer_of_the_kernel_is_set_by_the_wall_clock() {
    require(&["strace"]);
    let trace = std::env::temp_dir().join(format!("heartline-strace-{}", std::process::id()));
    let server = Server::serve(&TIMES);
    let mut command = Command::new("strace");
    command.args(["-f", "-o", &trace.to_string_lossy(), "-p", &server.pid().to_string()]);
    let strace = Strace(command.stderr(Stdio::null()).spawn().expect("strace starts"));
    wait_until(Duration::from_secs(10), "strace attaches", || kernel::tracer(server.pid()) != 0);
    {
        let swarm = Swarm::start(server.address, PEERS, Manner::Beats);
        swarm.settle();
        let silent = swarm.silence(DYING);
        server.wait_closed(&swarm.locals(DYING), DYING.len(), Duration::from_secs(5));
        sleep_until(silent + ms(2500));
    }
    drop(strace);
    let traced = std::fs::read_to_string(&trace).unwrap_or_default();
    let _ = std::fs::remove_file(&trace);
    assert!(traced.contains("epoll_wait") && traced.contains("accept4"), "strace saw nothing:\n{traced:.500}");
    let suspicious = ["CLOCK_REALTIME", "gettimeofday(", "time(", "setitimer(", "alarm("];
    let by_wall_clock = traced.lines().filter(|line| suspicious.iter().any(|name| line.contains(name)));
    let by_wall_clock: Vec<_> = by_wall_clock.filter(|line| !line.contains("clock_gettime(CLOCK_MONOTONIC")).collect();
    assert_eq!(by_wall_clock, [""; 0], "asked of the kernel by the wall clock");
}

/// Sets the machine's clock, and sets it right again when dropped: by the monotonic clock, so exactly.
struct MachineClock {
    wall: TimeSpec,
    monotonic: TimeSpec,
}

impl MachineClock {
    fn new() -> Self {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock");
        Self { wall, monotonic: clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock") }
    }

    fn set(&self, seconds: i64) {
        let passed = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock") - self.monotonic;
        clock_settime(ClockId::CLOCK_REALTIME, self.wall + passed + TimeSpec::seconds(seconds)).expect("root may");
    }
}

impl Drop for MachineClock {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[test]
#[ignore = "sets the machine's own clock: run it with HEARTLINE_SET_CLOCK=3600 where nothing else runs"]
fn the_machines_clock_set_an_hour_back_and_forth_changes_nothing() {
    let Ok(hour_s) = std::env::var("HEARTLINE_SET_CLOCK") else { return };
    let hour_s: i64 = hour_s.parse().expect("HEARTLINE_SET_CLOCK is a number of seconds");
    support_system::require_root();
    let clock = MachineClock::new();
    let server = Server::serve(&TIMES);
    let began = (Instant::now(), SystemTime::now());
    nothing_happens(&server, |hours| clock.set(hours * hour_s));
    drop(clock);
    let (passed, wall) = (began.0.elapsed(), began.1.elapsed().expect("the clock is right again"));
    assert!(passed.abs_diff(wall) < ms(20), "{passed:?} have passed, and {wall:?} by the wall clock");
    server.finish();
}

fn wall_now_s() -> i64 {
    clock_gettime(ClockId::CLOCK_REALTIME).expect("a clock").tv_sec()
}
