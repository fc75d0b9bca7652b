//! `heartline serve --metrics` from outside: the text, its sum over threads, health and readiness, the live page in a
//! browser, who may ask how often, and `heartline top`.
#![cfg(feature = "cli")]

mod cli_support;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cli_support::http::{await_sample, connect, get, metrics, sample};
use cli_support::{Client, PATIENCE, Server, heartline, outcome, path};
use nix::sys::signal::Signal;

fn server(arguments: &[&str]) -> (Server, SocketAddr) {
    let server = Server::start(&[&["--metrics", "127.0.0.1:0"], arguments].concat());
    let at = server.metrics.unwrap();
    (server, at)
}

/// What a tool makes of this text.
fn through(command: &mut Command, text: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; scripts/install-tools installs it"));
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

fn root(file: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

#[test]
fn prometheus_own_tools_read_the_text_and_have_nothing_to_say_against_it() {
    let (server, at) = server(&["--timeout", "400ms", "--role", "both"]);
    let mut client = server.connect();
    client.echo(b"x");
    let text = await_sample(at, "heartline_closed_total{reason=\"silent\"}", 1.0);
    let families = through(Command::new("/usr/bin/python3").arg(root("tests/python/prometheus.py")), &text);
    for family in [
        "counter heartline_messages_in",
        "counter heartline_closed",
        "counter heartline_false_deaths",
        "gauge heartline_connections_now",
        "gauge heartline_listeners_paused_now",
        "gauge heartline_turn_max_seconds",
        "histogram heartline_silence_seconds",
        "histogram heartline_round_trip_seconds",
        "histogram heartline_overshoot_seconds",
        "histogram heartline_turn_seconds",
    ] {
        assert!(families.lines().any(|line| line == family), "{family} is not in\n{families}");
    }
    assert_eq!(through(Command::new("promtool").args(["check", "metrics"]), &text), "");
    assert_eq!(sample(&text, "heartline_overshoot_seconds_count"), 1.0);
    assert!(sample(&text, "heartline_asks_out_total") >= 1.0);
    // Who asks is not one of those who are served.
    assert_eq!(sample(&text, "heartline_accepted_total"), 1.0);
    assert_eq!(sample(&text, "heartline_connections_now"), 0.0);
}

/// Names in an expression: what follows `heartline_`, up to where the name ends.
fn names_in(text: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let found =
        text.match_indices("heartline_").map(|(at, _)| text[at..].chars().take_while(|c| is_name(*c)).collect());
    found.collect()
}

#[test]
fn dashboard_and_alerts_speak_of_what_is_there() {
    let (_server, at) = server(&[]);
    let text = metrics(at);
    // Names of samples, and those of families.
    let name = |line: &str| line.trim_start_matches("# TYPE ").split([' ', '{']).next().unwrap().to_owned();
    let known: BTreeSet<String> = text.lines().filter(|line| !line.starts_with("# HELP")).map(name).collect();
    let read = |file| std::fs::read_to_string(root(file)).unwrap();
    let (alerts, board) = (read("docs/alerts.yml"), read("docs/grafana.json"));
    let parsed: serde_json::Value = serde_json::from_str(&board).unwrap();
    let panels = parsed["panels"].as_array().unwrap();
    assert!(panels.len() > 15 && panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()));
    for (file, text) in [("alerts.yml", &alerts), ("grafana.json", &board)] {
        let names = names_in(text);
        assert!(names.len() > 8, "{names:?}");
        for name in names {
            assert!(known.contains(&name), "docs/{file} speaks of {name}, which is not in\n{text}");
        }
    }
    // Each histogram and each gauge that somebody looks at is on the board.
    for name in
        ["turn_seconds_bucket", "overshoot_seconds_bucket", "silence_seconds_bucket", "round_trip_seconds_bucket"]
    {
        assert!(board.contains(name), "{name}");
    }
    let said = through(Command::new("promtool").args(["check", "rules"]).arg(root("docs/alerts.yml")), "");
    assert!(said.contains("SUCCESS"), "{said}");
}

/// The alerts fire on what they are for, and not on what is usual: tests/alerts.yml has the series.
#[test]
fn the_alerts_fire_when_they_should() {
    let said = through(Command::new("promtool").args(["test", "rules"]).arg(root("tests/alerts.yml")), "");
    assert!(said.contains("SUCCESS"), "{said}");
}

#[test]
fn all_threads_are_added_up() {
    let (server, at) = server(&["--threads", "3"]);
    let mut clients: Vec<Client> = (0..24).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.echo(b"x");
    }
    let text = metrics(at);
    for (name, value) in [("connections_now", 24.0), ("messages_in_total", 25.0), ("accepted_total", 24.0)] {
        // The request itself is a message of the first thread, though of nobody who is served.
        assert_eq!(sample(&text, &format!("heartline_{name}")), value, "{name}");
    }
    drop(clients);
    await_sample(at, "heartline_closed_total{reason=\"peer_closed\"}", 24.0);
}

#[test]
fn readiness_says_whether_new_clients_are_welcome() {
    let (mut server, at) = server(&["--max-connections", "1", "--threads", "1", "--drain-limit", "5s"]);
    assert_eq!(get(at, "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(get(at, "/readyz"), (200, "ready\n".to_owned()));
    let mut client = server.connect();
    client.echo(b"x");
    let second = server.connect();
    server.line("accept_paused");
    assert_eq!(get(at, "/readyz"), (503, "accepting is paused\n".to_owned()));
    assert_eq!(sample(&metrics(at), "heartline_listeners_paused_now"), 1.0);
    drop(second);
    // A drain is over when its last client has gone: this one stays as long as it may.
    server.signal(Signal::SIGTERM);
    server.line("draining");
    assert_eq!(get(at, "/readyz"), (503, "draining\n".to_owned()));
    assert_eq!(get(at, "/healthz").0, 200);
    assert_eq!(sample(&metrics(at), "heartline_connections_now"), 1.0);
    drop(client);
    assert_eq!(server.wait().code(), Some(0));
    let summary = server.line("summary");
    assert_eq!(summary["accepted"].as_u64(), Some(1), "{summary}");
}

#[test]
fn a_thread_still_drains_while_the_first_answers_for_it() {
    let (mut server, at) = server(&["--threads", "2", "--drain-limit", "3s"]);
    let mut clients: Vec<Client> = (0..16).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.echo(b"x");
    }
    server.signal(Signal::SIGTERM);
    server.line("draining");
    server.line("draining");
    for _ in 0..15 {
        drop(clients.pop());
    }
    // Whichever thread the last one is with.
    await_sample(at, "heartline_connections_now", 1.0);
    assert_eq!(get(at, "/readyz").0, 503);
    drop(clients);
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn a_health_check_has_its_own_reason_and_no_line() {
    let (mut server, at) = server(&[]);
    for _ in 0..3 {
        drop(server.connect());
    }
    let text = await_sample(at, "heartline_closed_total{reason=\"health_check\"}", 3.0);
    assert_eq!(sample(&text, "heartline_closed_total{reason=\"peer_closed\"}"), 0.0);
    let mut client = server.connect();
    client.echo(b"x");
    drop(client);
    assert_eq!(server.line("closed")["reason"], "peer_closed");
    assert!(!server.has_line("closed"), "a health check is no news");
    let summary = server.end();
    assert_eq!(summary["closed"]["health_check"].as_u64(), Some(3), "{summary}");
}

#[test]
fn what_is_asked_for_wrongly_is_refused_and_harms_nobody() {
    let (mut server, at) = server(&[]);
    assert_eq!(get(at, "/nothing").0, 404);
    let status = |request: &[u8]| {
        let mut stream = connect(at);
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        // A refusal at the head's limit may be a reset.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).get(9..12).map(str::to_owned)
    };
    assert_eq!(status(b"POST /metrics HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody").as_deref(), Some("405"));
    assert_eq!(status(b"what is this\r\n\r\n").as_deref(), Some("400"));
    assert_eq!(status(&[b'a'; 20_000]), None, "a head of 20,000 bytes");
    // The end of its sending is not the end of its waiting.
    let mut stream = connect(at);
    stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("heartline_turns_total"), "{answer}");
    // One connection, many requests.
    let mut stream = connect(at);
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
        let mut answer = [0; 512];
        let count = stream.read(&mut answer).unwrap();
        assert!(answer[..count].ends_with(b"\r\n\r\nok\n"));
    }
    assert!(!server.has_line("closed") && !server.has_line("opened"), "they are none of those who are served");
}

#[test]
fn a_request_that_never_ends_is_given_up() {
    let (_server, at) = server(&[]);
    let began = Instant::now();
    let mut stream = connect(at);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: ").unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.is_empty() && (4..15).contains(&began.elapsed().as_secs()), "{:?} {rest:?}", began.elapsed());
}

/// Whether the other end has ended the connection by now, waiting a moment for it.
fn is_ended(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    match stream.read(&mut [0; 1]) {
        Ok(count) => count == 0,
        Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

#[test]
fn many_who_ask_and_do_not_read_harm_nobody() {
    let (server, at) = server(&[]);
    let mut client = server.connect();
    // More than there is room for: the first make place for the last.
    let mut idle: Vec<_> = (0..40).map(|_| connect(at)).collect();
    let text = metrics(at);
    assert_eq!(sample(&text, "heartline_connections_now"), 1.0);
    assert!(idle.iter_mut().rev().take(10).all(|stream| !is_ended(stream)), "the last may stay");
    assert!(idle.iter_mut().take(20).all(is_ended), "the first had to go");
    // Who asks again without waiting for the answer is cut off, and who reads nothing is.
    let mut rude = connect(at);
    rude.write_all(&b"GET /metrics HTTP/1.1\r\n\r\n".repeat(2000)).ok();
    let until = Instant::now() + PATIENCE;
    while !is_ended(&mut rude) {
        assert!(Instant::now() < until, "2,000 answers wait for it");
    }
    client.echo(b"still here");
    assert_eq!(sample(&metrics(at), "heartline_connections_now"), 1.0);
}

/// Nanoseconds of CPU of the first thread.
fn cpu_ns(server: &Server) -> u64 {
    let pid = server.pid();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/schedstat")).unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

/// A scrape costs at most 5 ms of CPU, and sixteen together no turn of 10 ms. It does not matter how many connections
/// there are; `HEARTLINE_LONG=1` sees that with 19,000.
#[test]
fn a_scrape_costs_little_however_many_are_served() {
    let long = std::env::var_os("HEARTLINE_LONG").is_some();
    let wanted = if long { 19_000 } else { 500 };
    let (_, most) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, most, most).unwrap();
    let (server, at) = server(&["--timeout", "0", "--threads", "1"]);
    let _clients: Vec<TcpStream> = (0..wanted).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    await_sample(at, "heartline_connections_now", f64::from(wanted));
    let began = cpu_ns(&server);
    for _ in 0..20 {
        metrics(at);
    }
    let each = Duration::from_nanos((cpu_ns(&server) - began) / 20);
    assert!(each <= Duration::from_millis(5), "a scrape takes {each:?} of CPU with {wanted} connections");
    let mut crowd: Vec<_> = (0..16).map(|_| connect(at)).collect();
    let began = cpu_ns(&server);
    for stream in &mut crowd {
        stream.write_all(b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    }
    for stream in &mut crowd {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("heartline_turns_total"));
    }
    let all = Duration::from_nanos(cpu_ns(&server) - began);
    // Shown with --nocapture.
    let _ = writeln!(
        std::io::stderr(),
        "with {wanted} connections a scrape takes {each:?} of CPU, sixteen together {all:?}"
    );
    assert!(all <= Duration::from_millis(10), "sixteen scrapes take {all:?} of CPU with {wanted} connections");
}

#[test]
fn the_page_shows_it_in_a_browser() {
    let (server, at) = server(&["--timeout", "500ms", "--role", "both"]);
    let mut clients: Vec<Client> = (0..7).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.echo(b"x");
    }
    await_sample(at, "heartline_closed_total{reason=\"silent\"}", 7.0);
    let profile = path("browser");
    let picture = profile.join("page.png");
    std::fs::create_dir_all(&profile).unwrap();
    let browse = |arguments: &[&str]| {
        let mut command = Command::new("chromium");
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]);
        command.args(["--virtual-time-budget=3500", "--window-size=1200,1000"]).args(arguments);
        command.arg(format!("--user-data-dir={}", profile.display())).arg(format!("http://{at}/"));
        let output = command.env("HOME", &profile).stdin(Stdio::null()).output();
        let output = output.unwrap_or_else(|error| panic!("chromium: {error}; scripts/install-tools installs it"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let dom = browse(&["--dump-dom"]);
    let page = dom.split("<script>").next().unwrap();
    for shown in [
        "found dead<b>7</b>",
        "silent</td><td>7</td>",
        "ready · asked every second",
        "7 in all · p50 &lt; ",
        "<polyline",
    ] {
        assert!(page.contains(shown), "{shown:?} is not in\n{page}");
    }
    assert!(!page.contains("does not answer") && !page.contains("NaN") && !page.contains("undefined"), "{page}");
    browse(&[&format!("--screenshot={}", picture.display())]);
    let said = through(Command::new("python3").arg(root("tests/python/picture.py")).arg(&picture), "");
    let counts: Vec<u32> = said.split_whitespace().map(|number| number.parse().unwrap()).collect();
    assert!(counts[0] > 50 && counts[1] < 98, "a picture of {} colours, one of them on {} %", counts[0], counts[1]);
    if let Some(keep) = std::env::var_os("HEARTLINE_PICTURE") {
        std::fs::copy(&picture, keep).unwrap();
    }
    let _ = std::fs::remove_dir_all(&profile);
}

#[test]
fn the_page_brings_all_that_it_needs() {
    let (_server, at) = server(&[]);
    let (status, page) = get(at, "/");
    assert_eq!(status, 200);
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "the page has {outside}");
    }
}

#[test]
fn top_prints_one_reading() {
    let (server, at) = server(&["--threads", "2"]);
    let mut client = server.connect();
    client.echo(b"x");
    let output = outcome(&["top", "--once", &at.to_string()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.lines().any(|line| line == "connections          1"), "{said}");
    assert!(said.contains("turns                p50 < "), "{said}");
    let nobody = outcome(&["top", "--once", "127.0.0.1:1"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("asking 127.0.0.1:1 for /metrics"));
    let other = outcome(&["top", "--once", &server.address().to_string()]);
    assert_eq!(other.status.code(), Some(1), "the port of the service is no HTTP");
}

/// What is drawn, without the orders to the terminal and without blanks: what is blank already is skipped.
fn letters(drawn: &str) -> String {
    let parts = drawn.split('\u{1b}').enumerate();
    let texts = parts.map(|(index, part)| if index == 0 { part } else { after_order(part) });
    texts.flat_map(str::chars).filter(|letter| !letter.is_whitespace()).collect()
}

fn after_order(part: &str) -> &str {
    let end = part.find(|letter: char| letter.is_ascii_alphabetic());
    end.map_or("", |end| &part[end + 1..])
}

/// `script` gives it a terminal of its own.
#[test]
fn top_draws_on_a_terminal_until_q() {
    let (server, at) = server(&[]);
    let _clients: Vec<Client> = (0..5).map(|_| server.connect()).collect();
    await_sample(at, "heartline_connections_now", 5.0);
    let program = heartline(&[]).get_program().to_str().unwrap().to_owned();
    let line = format!("stty rows 30 cols 100; exec {program} top --interval 200ms {at}");
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("script: {error}; scripts/install-tools installs it"));
    let mut stdout = child.stdout.take().unwrap();
    let mut shown = String::new();
    let (until, mut part) = (Instant::now() + PATIENCE, [0; 4096]);
    while !["connections,top5", "endsbyreason"].iter().all(|words| letters(&shown).contains(words)) {
        if Instant::now() > until {
            let _ = child.kill();
            panic!("{shown}");
        }
        let count = stdout.read(&mut part).unwrap();
        assert!(count > 0, "it ended: {shown}");
        shown.push_str(&String::from_utf8_lossy(&part[..count]));
    }
    child.stdin.take().unwrap().write_all(b"q").unwrap();
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    // The screen that was there before comes back.
    assert!(String::from_utf8_lossy(&rest).contains("\u{1b}[?1049l"));
}

#[test]
fn where_it_cannot_listen_is_said() {
    let (_server, at) = server(&[]);
    let output = outcome(&["serve", "--listen", "127.0.0.1:0", "--metrics", &at.to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("listening on {at} for metrics")));
}
