//! `heartline demo` from outside: a small one passes and its numbers agree; one whose server is wrong fails.
#![cfg(feature = "cli")]

mod cli_support;

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use cli_support::{heartline, outcome};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

const SMALL: [&str; 6] = ["demo", "--clients", "200", "--timeout", "2s", "--json"];

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_small_demo_is_good_and_its_numbers_agree() {
    let output = outcome(&SMALL);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["good"], true);
    // The one that warms up is the 201st.
    assert_eq!((&report["clients"], &report["connections"]), (&json!(200), &json!(201)));
    assert_eq!(report["dead"]["frozen"], json!({"count": 10, "found": 10}));
    assert_eq!(report["dead"]["reset"], json!({"count": 5, "found": 5}));
    assert_eq!(report["dead"]["cut"], json!({"count": 5, "found": 5}));
    for none in ["missed", "mistaken", "early", "false_deaths"] {
        assert_eq!(report[none], 0, "{none}: {report}");
    }
    assert_eq!(report["living"], 180);
    let closed = report["closed"].as_object().unwrap();
    assert_eq!(closed.values().filter_map(Value::as_u64).sum::<u64>(), 201);
    assert_eq!(closed["peer_reset"], 5);

    // Each lives for at least seven seconds and beats at least every half second, but those that were struck.
    let asked = report["beats"]["asked"].as_u64().unwrap();
    assert!(asked > 180 * 12, "{report}");
    assert_eq!(report["beats"]["answered"], asked);

    let overshoot = &report["overshoot_ms"];
    assert!(overshoot["count"].as_u64() >= Some(10), "{report}");
    assert!(overshoot["p50"].as_f64() <= overshoot["p99"].as_f64(), "{report}");
    assert!(overshoot["p99"].as_f64() <= overshoot["max"].as_f64(), "{report}");
    assert_eq!(report["overshoot_seen_ms"]["count"], 5);

    let stop = report["stop_ms"].as_u64().unwrap();
    let stalled: u64 = report["stalls_ms"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
    assert!((2500..4000).contains(&stop), "{report}");
    assert!(stalled > stop * 3 / 4 && stalled < stop + 1000, "{report}");
    assert!(report["bytes_per_connection"].as_f64().unwrap() < 2000.0, "{report}");
    assert!(report["cpu_ms"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report["advice"].as_str().unwrap().contains("silence"), "{report}");
}

#[test]
fn a_server_that_never_judges_misses_the_frozen() {
    let output =
        outcome(&["demo", "--clients", "60", "--timeout", "1s", "--stop", "0", "--json", "--", "--timeout", "0"]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert_eq!((&report["good"], &report["missed"], &report["false_deaths"]), (&json!(false), &json!(3), &json!(0)));
}

#[test]
fn a_server_that_judges_too_soon_kills_the_living() {
    let output =
        outcome(&["demo", "--clients", "60", "--timeout", "1s", "--stop", "0", "--json", "--", "--timeout", "120ms"]);
    let report = report(&output);
    assert_eq!(output.status.code(), Some(1), "{report}");
    assert!(report["false_deaths"].as_u64() > Some(0), "{report}");
}

#[test]
fn without_a_terminal_it_prints_plain_lines_and_a_table() {
    let output = outcome(&["demo", "--clients", "40", "--timeout", "1s", "--stop", "0"]);
    let (table, lines) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{table}{lines}");
    for row in
        ["connections ", "beats ", "frozen ", "overshoot", "false deaths ", "advice ", "server memory", "server CPU"]
    {
        assert!(table.contains(row), "{row}: {table}");
    }
    assert!(lines.contains("freeze without a word") && !lines.contains('\u{1b}'), "{lines}");
}

#[test]
fn too_few_descriptors_are_told_with_the_number() {
    let output = outcome(&["demo", "--clients", "4000000000"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--clients 4000000000 needs 4000000032 descriptors"), "{said}");
}

#[test]
fn interrupted_while_the_server_is_stopped_it_leaves_no_server_behind() {
    let demo = heartline(&["demo", "--clients", "40", "--timeout", "1s", "--stop", "60s"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", demo.id());
    let until = Instant::now() + Duration::from_secs(20);
    let mut demo = demo;
    let server = loop {
        let server = std::fs::read_to_string(&children).unwrap_or_default().trim().to_owned();
        let state = std::fs::read_to_string(format!("/proc/{server}/stat")).unwrap_or_default();
        if state.contains(") T ") {
            break server;
        }
        assert!(Instant::now() < until, "the server is never stopped: {state}");
        std::thread::sleep(Duration::from_millis(10));
    };
    kill(Pid::from_raw(demo.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(demo.wait().unwrap().code(), Some(1));
    assert!(!std::path::Path::new(&format!("/proc/{server}")).exists());
}
