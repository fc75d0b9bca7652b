//! `make bench-million` in small: it runs to its end, measures what it says, and its check can fail.

mod support_system;

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use support_system::server::binary;
use support_system::{report, require, require_root};

/// A run of the bench with two threads on each side; what it measured, if it came to that.
fn bench(flags: &[&str]) -> (Output, Value) {
    /// They measure the machine, and leave their figures in one file.
    static ALONE: Mutex<()> = Mutex::new(());
    require(&["python3", "cargo"]);
    // It reads what the kernel keeps for each socket.
    require_root();
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = |name: &str| format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .args([&path("benches/million.py"), "--profile", "dev", "--threads", "2", "--load", &binary()])
        .args(flags)
        .output()
        .expect("python3 starts");
    report(&String::from_utf8_lossy(&output.stdout));
    let figures = std::fs::read_to_string(path("target/bench/million.json")).unwrap_or_default();
    (output, serde_json::from_str(&figures).unwrap_or_default())
}

#[test]
fn the_bench_of_a_million_holds_two_thousand_and_measures_them() {
    let times = ["--hold", "4s", "--beat", "1s", "--timeout", "3s"];
    let (output, results) = bench(&[&["--connections", "2000", "--connect-rate", "4000"], &times[..]].concat());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {results:#}\n{errors}", output.status);
    let figure = |name: &str| results["figures"][name].as_f64().unwrap_or_else(|| panic!("{name}: {results:#}"));
    assert_eq!((figure("connections"), figure("threads"), figure("false_deaths")), (2000.0, 2.0, 0.0));
    // A client in its first interval asks after half of it at the earliest, and then each second.
    assert!(results["figures"]["beats"]["answered"].as_u64() >= Some(3 * 2000), "{results:#}");
    // Some pages are other things' than connections'.
    let server = figure("server_bytes_per_connection");
    assert!((40.0..200.0).contains(&server), "{server} bytes a connection in the server");
    let kernel = &results["figures"]["kernel_objects_per_connection"];
    // How many are everybody's on this machine, and no test's to know.
    for name in ["TCP", "sock_inode_cache", "filp", "dentry", "eventpoll_epi"] {
        assert!(kernel[name].is_f64(), "{name}: {kernel:#}");
    }
    assert!(figure("server_cpu_percent") > 0.0 && figure("load_cpu_percent") > 0.0);
}

#[test]
fn a_timeout_shorter_than_the_beats_is_told_as_false_deaths() {
    let flags = ["--connections", "200", "--hold", "4s", "--beat", "20s", "--timeout", "1s"];
    let (output, results) = bench(&flags);
    assert_eq!(output.status.code(), Some(1), "{results:#}");
    let wrong = results["wrong"].to_string();
    assert!(wrong.contains("200 living connections were closed") && wrong.contains("'silent': 200"), "{wrong}");
}

#[test]
fn what_does_not_fit_is_not_begun_and_the_limit_is_named() {
    // A pebibyte to be left to others.
    let (output, results) = bench(&["--connections", "200", "--hold", "4s", "--timeout", "3s", "--floor", "1048576"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("not one fits: memory"), "{errors}");
    assert!(results.is_null(), "{results:#}");
}
