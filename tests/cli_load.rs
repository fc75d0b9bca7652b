//! `heartline load` from outside: what each flag makes a server see, and what the report says of servers that are known to
//! be slow, wrong, or blind to their dead.
#![cfg(feature = "cli")]

mod cli_support;

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use cli_support::browser::Picture;
use cli_support::scripted::{Connection, Scripted};
use cli_support::{Server, heartline, outcome, path};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

/// How late anything may be here: other tests run beside this one.
const SLACK_MS: f64 = 1500.0;

/// A run to its end, and its report. Many run at once here: none may take a core for itself.
fn load(address: SocketAddr, flags: &str) -> (Output, Value) {
    let address = address.to_string();
    let arguments: Vec<&str> =
        ["load", &address, "--json", "-", "--spin", "off"].into_iter().chain(flags.split_whitespace()).collect();
    let output = outcome(&arguments);
    let report = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {flags}: {}", String::from_utf8_lossy(&output.stderr)));
    (output, report)
}

/// The same of a run that must be good.
fn good(address: SocketAddr, flags: &str) -> Value {
    let (output, report) = load(address, flags);
    assert_eq!(output.status.code(), Some(0), "{flags}: {report:#}");
    report
}

/// What a run that must not begin says.
fn refused(flags: &[&str]) -> (Option<i32>, String) {
    let output = outcome(&[&["load"], flags].concat());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no count"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn within(value: &Value, from: f64, to: f64) {
    assert!((from..=to).contains(&number(value)), "{value} is not within {from} to {to}");
}

/// A server that hands every message to `answer`, which may answer.
fn answering(
    answer: impl Fn(&mut Connection, Vec<u8>, usize) -> std::io::Result<()> + Send + Sync + 'static,
) -> Scripted {
    Scripted::start(move |mut connection, number| {
        loop {
            let message = connection.message()?;
            answer(&mut connection, message, number)?;
        }
    })
}

/// The messages that a server sees with these flags, by connection.
fn seen(flags: &str) -> Vec<Vec<u8>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keeping = seen.clone();
    let server = answering(move |connection, message, _| {
        keeping.lock().unwrap().push(message.clone());
        connection.send(&message)
    });
    good(server.address, flags);
    seen.lock().unwrap().clone()
}

#[test]
fn connections_beat_and_do_nothing_else_unless_told() {
    let server = Server::start(&[]);
    let report = good(server.address(), "-c 40 --beat 200ms --duration 1500ms");
    let asked = count(&report["beats"]["asked"]);
    assert!((40 * 4..=40 * 20).contains(&asked), "{report:#}");
    assert_eq!(report["messages"]["sent"], 0);
    assert_eq!(report["connections"]["opened"], 40);
    let summary = server.end();
    assert_eq!((&summary["accepted"], &summary["messages_in"]), (&json!(40), &json!(0)));
    assert_eq!(summary["asks_in"], json!(asked));
}

#[test]
fn how_long_an_answer_took_is_told() {
    let server = answering(|connection, ask, _| {
        thread::sleep(Duration::from_millis(60));
        connection.send(&ask)
    });
    let report = good(server.address, "-c 5 --beat 300ms --duration 1s");
    let trip = &report["beats"]["round_trip_ms"];
    within(&trip["p50"], 60.0, 200.0);
    assert!(number(&trip["max"]) >= number(&trip["p50"]), "{trip}");
}

#[test]
fn without_a_spread_they_beat_in_step_and_without_beats_not_at_all() {
    let moments = |flags: &str| {
        let moments = Arc::new(Mutex::new(Vec::new()));
        let keeping = moments.clone();
        let server = answering(move |connection, ask, _| {
            keeping.lock().unwrap().push(Instant::now());
            connection.send(&ask)
        });
        good(server.address, flags);
        let mut moments = moments.lock().unwrap().clone();
        moments.sort();
        moments.first().zip(moments.last()).map(|(first, last)| *last - *first)
    };
    let first_only = "-c 30 --duration 1200ms --beat 1s";
    let spread = moments(&format!("{first_only} --beat-spread 50")).unwrap();
    let in_step = moments(&format!("{first_only} --beat-spread 0")).unwrap();
    assert!(spread > Duration::from_millis(250), "{spread:?}");
    assert!(in_step < spread, "{in_step:?}, {spread:?}");
    assert_eq!(moments("-c 5 --duration 500ms --beat 0"), None);
}

#[test]
fn an_open_loop_sends_what_it_owes_and_all_of_it_comes_back() {
    let server = Server::start(&[]);
    let report = good(server.address(), "-c 20 --rate 500 --duration 2s --warmup 1s");
    let messages = &report["messages"];
    within(&messages["sent"], 980.0, 1001.0);
    assert_eq!(messages["sent"], messages["received"]);
    assert_eq!((&messages["errors"], &messages["unanswered"]), (&json!({}), &json!(0)));
    // Of the first second nothing counts for the latency.
    within(&report["latency_ms"]["count"], 480.0, 501.0);
    assert_eq!(server.end()["messages_in"], messages["sent"]);
}

#[test]
fn a_closed_loop_has_exactly_so_many_under_way() {
    let server = Scripted::start(|mut connection, _| {
        loop {
            let window: Vec<_> = (0..3).map(|_| connection.message()).collect::<Result<_, _>>()?;
            connection.0.set_read_timeout(Some(Duration::from_millis(30)))?;
            if connection.0.read(&mut [0]).is_ok_and(|count| count > 0) {
                panic!("a fourth is under way");
            }
            connection.0.set_read_timeout(None)?;
            for message in window {
                connection.send(&message)?;
            }
        }
    });
    let report = good(server.address, "-c 2 --in-flight 3 --duration 500ms --beat 0");
    // Three at a time, and each takes 30 ms at the least.
    within(&report["messages"]["received"], 6.0, 2.0 * 3.0 * 20.0);
    within(&report["latency_ms"]["p50"], 29.0, 30.0 + SLACK_MS);
    assert_eq!(report["messages"]["unanswered"], 0);
}

#[test]
fn latency_counts_from_when_a_message_was_due() {
    // After a second it answers nothing for 400 ms: of 400 messages a second, 160 wait, 200 ms on average.
    let began = Instant::now();
    let server = answering(move |connection, message, _| {
        let since = began.elapsed().as_millis();
        if (1000..1400).contains(&since) {
            thread::sleep(Duration::from_millis(1400 - since as u64));
        }
        connection.send(&message)
    });
    let report = good(server.address, "-c 1 --rate 400 --duration 2500ms --beat 0");
    within(&report["latency_ms"]["max"], 380.0, 400.0 + SLACK_MS);
    within(&report["latency_ms"]["p99"], 300.0, 400.0 + SLACK_MS);
    within(&report["latency_ms"]["p90"], 40.0, 400.0 + SLACK_MS);
}

#[test]
fn a_known_delay_is_what_is_measured() {
    let server = answering(|connection, message, _| {
        thread::sleep(Duration::from_millis(200));
        connection.send(&message)
    });
    let report = good(server.address, "-c 4 --rate 8 --duration 3s --beat 0");
    within(&report["latency_ms"]["p50"], 200.0, 300.0);
    assert!(
        report["series"].as_array().unwrap().iter().any(|point| point["latency_ms"]["p50"].as_f64() >= Some(200.0))
    );
}

#[test]
fn messages_have_their_size_or_follow_their_template() {
    let plain = seen("-c 2 --rate 20 --duration 300ms --size 100 --beat 0");
    assert!(plain.len() >= 5 && plain.iter().all(|message| message.len() == 100), "{plain:?}");
    let flags = "-c 2 --rate 20 --duration 300ms --beat 0 --seed 5 --message {connection}/{sequence}/{random:6}/{{}";
    let texts: Vec<String> = seen(flags).into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
    assert!(
        texts.iter().any(|text| text.starts_with("0/0/")) && texts.iter().any(|text| text.starts_with("1/1/")),
        "{texts:?}"
    );
    assert!(texts.iter().all(|text| text.ends_with("/{}") && text.len() == 13), "{texts:?}");
    let again: Vec<_> = seen(flags).into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
    assert!(texts.iter().filter(|text| again.contains(text)).count() >= texts.len() - 1, "one seed, other texts");
}

#[test]
fn any_codec_is_spoken() {
    for (frame, flags) in [
        (r"delimiter:\n,ask=PING,answer=PONG", "--rate 100 --message m{sequence} --beat 300ms"),
        ("varint", "--in-flight 2"),
        ("length:2le,at=4,head=8", "--rate 100"),
        ("fixed:24", "--rate 100 --size 24"),
        ("raw", "--in-flight 4 --size 48"),
    ] {
        let server = Server::start(&["--frame", frame]);
        let report = good(server.address(), &format!("-c 3 --duration 700ms --frame {frame} {flags}"));
        let messages = &report["messages"];
        assert!(count(&messages["received"]) > 20, "{frame}: {report:#}");
        assert_eq!((&messages["errors"], &report["false_deaths"]), (&json!({}), &json!(0)), "{frame}");
        server.end();
    }
}

#[test]
fn what_is_wrong_with_what_comes_back_is_told() {
    let wrong = |answer: fn(&mut Connection, Vec<u8>, usize) -> std::io::Result<()>, what: &str| {
        let (output, report) =
            load(answering(answer).address, "-c 2 --rate 200 --duration 1500ms --beat 0 --threshold errors=0");
        assert!(count(&report["messages"]["errors"][what]) > 5, "{what}: {report:#}");
        assert_eq!(output.status.code(), Some(3));
    };
    wrong(
        |connection, mut message, _| {
            *message.last_mut().unwrap() ^= 1;
            connection.send(&message)
        },
        "changed",
    );
    wrong(
        |connection, message, _| {
            connection.send(&message)?;
            connection.send(&message)
        },
        "unasked",
    );
    wrong(
        |connection, mut message, _| {
            message[3] ^= 1;
            connection.send(&message)
        },
        "of another connection",
    );
    let kept = Mutex::new(Vec::new());
    let swapping = answering(move |connection, message, number| {
        let mut kept = kept.lock().unwrap();
        kept.resize(2, None);
        match kept[number].take() {
            None => {
                kept[number] = Some(message);
                Ok(())
            }
            // The second of two, and never the first.
            Some(_) => connection.send(&message),
        }
    });
    let (_, report) = load(swapping.address, "-c 2 --in-flight 4 --duration 300ms --beat 0");
    assert!(count(&report["messages"]["errors"]["lost"]) >= 2, "{report:#}");
    // Whoever only counts answers is content with any.
    let server = answering(|connection, _, _| connection.send(b"whatever"));
    let report =
        good(server.address, "-c 2 --rate 100 --duration 400ms --expect answer --threshold errors=0,unanswered=0");
    assert!(count(&report["latency_ms"]["count"]) > 20);
    let server = answering(|_, _, _| Ok(()));
    let report = good(server.address, "-c 2 --rate 100 --duration 400ms --expect nothing --beat 0");
    assert_eq!((&report["messages"]["unanswered"], &report["messages"]["received"]), (&json!(0), &json!(0)));
}

#[test]
fn what_never_comes_back_is_unanswered() {
    let server = answering(|_, _, _| Ok(()));
    let (output, report) =
        load(server.address, "-c 2 --rate 100 --duration 400ms --beat 0 --threshold unanswered=0,p99<1s");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(report["messages"]["unanswered"], report["messages"]["sent"]);
    assert_eq!(report["thresholds"][1], json!({"goal": "p99<1s", "measured": null, "met": false}));
}

#[test]
fn connections_open_at_their_rate_from_their_addresses() {
    let addresses = Arc::new(Mutex::new(Vec::new()));
    let keeping = addresses.clone();
    let server = Scripted::start(move |mut connection, _| {
        keeping.lock().unwrap().push(connection.0.peer_addr()?.ip().to_string());
        connection.message().map(drop)
    });
    let report = good(server.address, "-c 20 --connect-rate 40 --source 127.0.0.3-127.0.0.6 --duration 200ms");
    within(&report["connect_seconds"], 0.45, 0.5 + SLACK_MS / 1000.0);
    let mut seen = addresses.lock().unwrap().clone();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6"]);
    let report = good(server.address, "-c 20 --ramp 600ms --duration 200ms");
    within(&report["connect_seconds"], 0.55, 0.6 + SLACK_MS / 1000.0);
}

#[test]
fn each_thread_has_descriptors_of_its_own() {
    let server = Server::start(&[]);
    let run = |threads: &str| {
        let script = format!(
            "ulimit -n 150; exec {} load {} -c 300 --threads {threads} --duration 300ms --json -",
            env!("CARGO_BIN_EXE_heartline"),
            server.address()
        );
        std::process::Command::new("sh").args(["-c", &script]).output().unwrap()
    };
    let output = run("1");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("332 descriptors") && said.contains("limit is 150") && said.contains("--threads 3"),
        "{said}"
    );
    let output = run("3");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["connections"]["opened"], &report["connections"]["open_at_end"]), (&json!(300), &json!(300)));
    assert_eq!(server.end()["accepted"], 300);
}

#[test]
fn who_freezes_is_found_on_time_and_each_close_is_counted() {
    let server = Server::start(&["--timeout", "1s", "--frame-limit", "500ms"]);
    let report = good(
        server.address(),
        "-c 100 --beat 250ms --timeout 1s --frame-timeout 500ms --duration 4s --fault \
         freeze:10%@200ms,no-answer:5@200ms,half-frame:4@200ms,drip:3@200ms,fin:2@200ms,reset:6@200ms \
         --threshold missed=0,early=0,false-deaths=0",
    );
    let of =
        |kind: &str| report["faults"].as_array().unwrap().iter().find(|fault| fault["kind"] == kind).unwrap().clone();
    for (kind, struck, after_ms) in
        [("freeze", 10, 1000.0), ("no-answer", 5, 1000.0), ("half-frame", 4, 500.0), ("drip", 3, 500.0)]
    {
        let fault = of(kind);
        assert_eq!((&fault["struck"], &fault["closed"]), (&json!(struck), &json!(struck)), "{fault:#}");
        assert_eq!(fault["overshoot_ms"]["count"], json!(struck), "{fault:#}");
        within(&fault["overshoot_ms"]["max"], 0.0, SLACK_MS);
        within(&fault["closed_after_ms"]["p50"], after_ms, after_ms + SLACK_MS);
        assert_eq!((&fault["missed"], &fault["early"], &fault["open"]), (&json!(0), &json!(0), &json!(0)));
        assert_eq!(fault["closed_by_reset"], json!(struck), "the server aborts the dead: {fault:#}");
    }
    assert_eq!((&of("fin")["closed"], &of("fin")["closed_by_reset"]), (&json!(2), &json!(0)));
    assert_eq!(of("reset")["struck"], 6);
    assert_eq!(report["connections"]["open_at_end"], 70);
    let closed = server.end()["closed"].clone();
    let reasons = |names: [&str; 5]| names.map(|name| closed[name].as_u64().unwrap_or(0));
    let [silent, stalled, reset, left, mute] =
        reasons(["silent", "frame_stalled", "peer_reset", "peer_closed", "health_check"]);
    // The seventy that lived leave at the end, with a reset whom an answer has reached that it had not read; who was reset
    // before its first beat had not said a byte.
    assert!((silent, stalled, reset + left + mute) == (15, 7, 78) && left >= 2 && mute <= 6, "{closed}");
}

#[test]
fn a_server_that_finds_nobody_misses_all_and_one_that_hurries_is_early() {
    let blind = Server::start(&["--timeout", "0"]);
    let flags =
        "-c 20 --beat 200ms --timeout 600ms --duration 2500ms --fault freeze:5@100ms --threshold missed=0,early=0";
    let (output, report) = load(blind.address(), flags);
    assert_eq!(output.status.code(), Some(3));
    let fault = &report["faults"][0];
    assert_eq!((&fault["closed"], &fault["missed"], &fault["early"]), (&json!(0), &json!(5), &json!(0)), "{fault:#}");
    let hasty = Server::start(&["--timeout", "500ms"]);
    let (output, report) = load(hasty.address(), &flags.replace("--timeout 600ms", "--timeout 1500ms"));
    assert_eq!(output.status.code(), Some(3));
    let fault = &report["faults"][0];
    assert_eq!((&fault["closed"], &fault["early"]), (&json!(5), &json!(5)), "{fault:#}");
    assert_eq!(fault["overshoot_ms"]["count"], 0);
}

#[test]
fn the_well_who_are_closed_are_false_deaths_and_come_back_if_told() {
    let server = Server::start(&["--timeout", "400ms"]);
    let (output, report) = load(server.address(), "-c 10 --beat 0 --duration 1500ms --threshold false-deaths=0");
    assert_eq!((output.status.code(), &report["false_deaths"]), (Some(3), &json!(10)), "{report:#}");
    assert_eq!(report["connections"]["open_at_end"], 0);
    let (_, report) = load(server.address(), "-c 10 --beat 0 --duration 4s --reconnect --backoff none");
    assert!(count(&report["false_deaths"]) >= 20 && count(&report["connections"]["opened"]) >= 30, "{report:#}");
}

#[test]
fn a_storm_comes_back_as_its_backoff_says() {
    let server = Server::start(&[]);
    let report = good(
        server.address(),
        "-c 60 --duration 3500ms --fault storm/fixed:300ms@200ms,storm:50%/full-jitter:800ms..800ms@1500ms --threshold false-deaths=0",
    );
    let (fixed, jitter) = (&report["faults"][0], &report["faults"][1]);
    assert_eq!((&fixed["struck"], &fixed["back"], &jitter["back"]), (&json!(60), &json!(60), &json!(30)), "{report:#}");
    within(&fixed["back_ms"]["p50"], 300.0, 300.0 + SLACK_MS);
    within(&fixed["recovery_ms"], 300.0, 300.0 + SLACK_MS);
    // Anything up to 800 ms: not all at once.
    within(&jitter["back_ms"]["p50"], 100.0, 800.0);
    assert!(number(&jitter["back_ms"]["max"]) - number(&jitter["back_ms"]["p50"]) > 100.0, "{jitter:#}");
    assert_eq!((&report["connections"]["open_at_end"], &server.end()["accepted"]), (&json!(60), &json!(150)));
}

#[test]
fn who_floods_and_who_reads_slowly_is_counted_and_the_others_live() {
    let server = Server::start(&["--output-limit", "700ms", "--high-mark", "64K"]);
    let report = good(
        server.address(),
        "-c 40 --beat 500ms --rate 100 --duration 8s --fault flood:1@200ms,slow-reader:4@200ms --threshold false-deaths=0,errors=0",
    );
    let (flood, slow) = (&report["faults"][0], &report["faults"][1]);
    assert!(count(&flood["bytes_back"]) > 100_000, "{flood:#}");
    assert_eq!((&slow["struck"], &slow["closed"]), (&json!(4), &json!(4)), "{slow:#}");
    assert_eq!(server.end()["closed"]["output_stalled"], 4);
}

#[test]
fn every_connect_failure_is_counted_by_its_cause() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (output, report) = load(nobody, "-c 7 --duration 200ms");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["connections"]["failed"], json!({"refused": 7}));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not one of 7 connections"));
    // Nothing answers there; the kernel would try for two minutes.
    let (_, report) = load("192.0.2.1:9".parse().unwrap(), "-c 2 --connect-timeout 300ms --duration 100ms");
    let failed = report["connections"]["failed"].as_object().unwrap();
    assert_eq!(failed.values().filter_map(Value::as_u64).sum::<u64>(), 2, "{failed:?}");
}

#[test]
fn the_check_of_the_machine_says_what_to_do() {
    let (status, said) = refused(&["127.0.0.1:9", "-c", "10000000", "--dry-run"]);
    assert_eq!(status, Some(1), "{said}");
    for remedy in ["ulimit -n", "--threads", "sysctl -w fs.file-max="] {
        assert!(said.contains(remedy), "{remedy}: {said}");
    }
    let (status, said) = refused(&["127.0.0.1:9", "-c", "100", "--dry-run"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("100 connections to 127.0.0.1:9"), "{said}");
    let (status, said) = refused(&["127.0.0.1:9", "--source", "203.0.113.9"]);
    assert!(status == Some(1) && said.contains("ip addr add 203.0.113.9"), "{said}");
}

#[test]
fn flags_that_make_no_sense_are_told_with_what_can_be() {
    for (flags, named) in [
        (&["127.0.0.1:9", "--fault", "melt:1%@1s"][..], &["--fault", "melt", "half-frame"][..]),
        (&["127.0.0.1:9", "--threshold", "p98<1ms"], &["--threshold", "p98", "p99.9"]),
        (&["127.0.0.1:9", "--backoff", "soon"], &["--backoff", "full-jitter"]),
        (&["127.0.0.1:9", "--source", "here"], &["--source", "here", "127.0.0.40"]),
        (&["127.0.0.1:9", "--rate", "5", "--in-flight", "5"], &["--rate", "--in-flight"]),
        (&["127.0.0.1"], &["127.0.0.1", "IP:PORT"]),
        (&[], &["<ADDR>"]),
    ] {
        let (status, said) = refused(flags);
        assert_eq!(status, Some(2), "{flags:?}: {said}");
        for name in named {
            assert!(said.contains(name), "{flags:?} should name {name:?}: {said}");
        }
    }
}

#[test]
fn ctrl_c_ends_early_with_a_report() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    let run = heartline(&["load", &address, "-c", "10", "--rate", "200", "--duration", "1h", "--json", "-"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(1500));
    kill(Pid::from_raw(run.id() as i32), Signal::SIGINT).unwrap();
    let output = run.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &report["interrupted"]), (Some(0), &json!(true)));
    assert!(count(&report["messages"]["received"]) > 50, "{report:#}");
    within(&report["seconds"], 0.5, 1.5 + SLACK_MS / 1000.0);
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(lines.contains("10 open, ") && lines.contains("messages/s, p50 ") && !lines.contains('\u{1b}'), "{lines}");
}

/// `script` gives it a terminal of its own: one line that is drawn anew, and the table below it.
#[test]
fn on_a_terminal_one_line_shows_the_progress() {
    let server = Server::start(&[]);
    let program = heartline(&[]).get_program().to_str().unwrap().to_owned();
    let flags = "-c 12 --beat 100ms --in-flight 1 --spin off --duration 2s";
    let line = format!("stty rows 30 cols 160; exec {program} load {} {flags}", server.address());
    let output = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("script: {error}; scripts/install-tools installs it"));
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout);
    let (progress, table) = shown.split_once("connections            ").unwrap_or_else(|| panic!("{shown}"));
    for word in ["12 open", "asks/s", "messages/s", "p50", "p99", "0 closed", "0 errors"] {
        assert!(progress.contains(word), "no {word}: {shown}");
    }
    // Drawn over what stood there, not below it.
    assert!(
        progress.matches("asks/s").count() >= 2 && progress.contains('\r') && table.contains("false deaths"),
        "{shown}"
    );
}

#[test]
fn the_server_process_is_watched() {
    let server = Server::start(&[]);
    let pid = server.pid();
    let report = good(
        server.address(),
        &format!("-c 20 --rate 2000 --duration 2s --server-pid {pid} --threshold server-cpu<100%,server-memory<1G"),
    );
    assert!(number(&report["server"]["cpu_percent"]) > 0.1, "{report:#}");
    assert!(
        count(&report["server"]["memory_bytes"]) > 100_000 && count(&report["server"]["switches"]["voluntary"]) > 10
    );
    let (status, said) = refused(&[&server.address().to_string(), "--server-pid", "4194303"]);
    assert!(status == Some(1) && said.contains("--server-pid 4194303"), "{said}");
}

#[test]
fn a_search_finds_about_the_rate_that_the_server_can_do() {
    // One message in 5 ms at most: 200 a second.
    let server = answering(|connection, message, _| {
        thread::sleep(Duration::from_millis(5));
        connection.send(&message)
    });
    let report = good(server.address, "-c 1 --rate 40 --search p99<60ms --search-step 800ms --beat 0");
    within(&report["search"]["rate"], 70.0, 205.0);
    let steps = report["search"]["steps"].as_array().unwrap();
    let best = steps.iter().filter(|step| step["met"] == true).map(|step| number(&step["rate"])).fold(0.0, f64::max);
    assert_eq!(best, number(&report["search"]["rate"]), "{steps:?}");
    assert!(steps.iter().any(|step| step["met"] == false), "{steps:?}");
}

#[test]
fn the_table_and_the_distribution_say_what_the_json_says() {
    let server = Server::start(&["--timeout", "700ms"]);
    let (json_file, hdr_file) = (path("load.json"), path("load.hgrm"));
    let address = server.address().to_string();
    let output = outcome(&[
        "load",
        &address,
        "-c",
        "20",
        "--beat",
        "200ms",
        "--rate",
        "200",
        "--duration",
        "2s",
        "--timeout",
        "700ms",
        "--fault",
        "freeze:2@100ms",
        "--threshold",
        "p99<5s",
        "--json",
        json_file.to_str().unwrap(),
        "--hdr",
        hdr_file.to_str().unwrap(),
    ]);
    let table = String::from_utf8(output.stdout).unwrap();
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&json_file).unwrap()).unwrap();
    let sent = count(&report["messages"]["sent"]);
    for row in [
        &format!("{sent} sent")[..],
        "every message came back as it was sent",
        "2 closed by the server",
        "goal met",
        "false deaths           0 ",
    ] {
        assert!(table.contains(row), "{row}: {table}");
    }
    let distribution = std::fs::read_to_string(&hdr_file).unwrap();
    let last = distribution.lines().rfind(|line| !line.starts_with('#')).unwrap();
    let columns: Vec<&str> = last.split_whitespace().collect();
    assert_eq!(columns[2], report["latency_ms"]["count"].to_string(), "{distribution}");
    assert!(
        (columns[0].parse::<f64>().unwrap() - number(&report["latency_ms"]["max"])).abs() < 0.001,
        "{distribution}"
    );
    assert!(distribution.trim_start().starts_with("Value"), "{distribution}");

    let name = json_file.to_str().unwrap();
    let compared = outcome(&["report", name, name]);
    let text = String::from_utf8(compared.stdout).unwrap();
    let row = text.lines().find(|line| line.starts_with("messages sent")).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        ["messages", "sent", &sent.to_string(), &sent.to_string(), "1.000"]
    );
    let wrong = outcome(&["report", name, "/nowhere/b.json"]);
    assert!(wrong.status.code() == Some(1) && String::from_utf8_lossy(&wrong.stderr).contains("/nowhere/b.json"));
    let _ = (std::fs::remove_file(json_file), std::fs::remove_file(hdr_file));
}

#[test]
fn the_page_is_whole_and_a_browser_shows_its_plots() {
    let server = Server::start(&["--timeout", "700ms"]);
    let (page, picture) = (path("load.html"), path("load.png"));
    let flags = format!(
        "-c 50 --beat 200ms --rate 500 --duration 4s --timeout 700ms --fault freeze:10@1s --server-pid {} --html {}",
        server.pid(),
        page.display()
    );
    good(server.address(), &flags);
    let html = std::fs::read_to_string(&page).unwrap();
    for outside in ["http:", "https:", "src=", "url(", "@import", "<link", "<script", "href="] {
        assert!(!html.contains(outside), "{outside}: the page is not self-contained");
    }
    for title in [
        "Connections",
        "Rate",
        "Latency over time",
        "Latency by percentile",
        "Detection overshoot: freeze:10",
        "Server CPU",
        "Server memory",
    ] {
        assert!(html.contains(&format!("<h2>{title}</h2>")), "{title}");
    }
    let plots = html.matches("<svg").count();
    assert!(plots >= 8 && !html.contains("NaN") && !html.contains("inf"), "{plots} plots");
    let shown = Picture::take(&format!("file://{}", page.display()), (1000, 3600), &picture);
    // The first colour of the plots, the mark of the fault, and text: a blank page has one colour.
    assert!(shown.count([0x00, 0x72, 0xb2]) > 1000, "{} pixels of lines and bars", shown.count([0x00, 0x72, 0xb2]));
    assert!(shown.count([0xd5, 0x5e, 0x00]) > 50, "the fault is not marked");
    assert!(shown.colours() > 50 && shown.rows_with_something() > 1500, "{} rows", shown.rows_with_something());
    let _ = std::fs::remove_file(page);
    if std::env::var_os("HEARTLINE_KEEP").is_none() {
        let _ = std::fs::remove_file(picture);
    }
}

#[test]
fn a_load_that_had_no_core_says_so() {
    let server = Server::start(&[]);
    let address = server.address().to_string();
    // Both on one core, and both always ready: each has half of it.
    let run = |core: &str| {
        let output = std::process::Command::new("taskset")
            .args(["-c", core, env!("CARGO_BIN_EXE_heartline"), "load", &address])
            .args(["--rate", "1000", "--duration", "2s", "--spin", "on", "--json", "-"])
            .stderr(Stdio::null())
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| run("0"));
        (run("0"), one.join().unwrap())
    });
    for report in [one, other] {
        let why = report["limited_by_client"].as_str().unwrap_or_else(|| panic!("{report:#}"));
        assert!(why.contains("had no core"), "{why}");
        within(&report["client"]["starved_percent"], 20.0, 100.0);
    }
}
