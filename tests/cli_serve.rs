//! `heartline serve` from outside: flags, config file, signals, listeners, lines.
#![cfg(feature = "cli")]

mod cli_support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use cli_support::{Client, ConfigFile, Server, frame, outcome, path, refusal};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

#[test]
fn messages_come_back_and_beats_are_answered() {
    let server = Server::start(&[]);
    let mut client = server.connect();
    client.echo(b"hello");
    client.send(b"");
    assert_eq!(client.receive(), b"");
    let summary = server.end();
    assert_eq!(
        (&summary["messages_in"], &summary["asks_in"], &summary["answers_out"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert!(summary["advice"].as_str().unwrap().contains("silence"), "{summary}");
}

#[test]
fn the_head_comes_back_as_it_was_sent() {
    let server = Server::start(&["--frame", "length:2be,at=4,head=6"]);
    let mut client = server.connect();
    client.0.write_all(b"TYPE\0\x05hello").unwrap();
    let mut echo = [0; 11];
    client.0.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"TYPE\0\x05hello");
}

#[test]
fn what_comes_with_the_fin_is_still_echoed() {
    let mut server = Server::start(&[]);
    let mut client = server.connect();
    client.0.write_all(&frame(b"last words")).unwrap();
    client.0.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.receive(), b"last words");
    assert!(client.reads_the_end());
    let closed = server.line("closed");
    assert_eq!((&closed["reason"], &closed["by"]), (&json!("peer_closed"), &json!("peer")));
}

#[test]
fn a_slow_reader_gets_every_echo_and_is_not_read_meanwhile() {
    let server = Server::start(&["--high-mark", "64K", "--frame", "length:4be,max=1M"]);
    let client = server.connect();
    let (mut reader, mut writer) = (client.0.try_clone().unwrap(), client.0);
    let messages: Vec<Vec<u8>> = (0..400_u32).map(|n| n.to_be_bytes().repeat(1 + (n as usize * 37) % 16_000)).collect();
    let sent: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
    let expected = sent.clone();
    let writing = thread::spawn(move || {
        writer.write_all(&sent).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    // Not a byte is read until the writer is held up by full buffers all along the way.
    thread::sleep(Duration::from_millis(500));
    assert!(!writing.is_finished(), "nothing held the writer back");
    let mut received = Vec::new();
    reader.read_to_end(&mut received).unwrap();
    writing.join().unwrap();
    assert!(received == expected, "{} bytes of {}", received.len(), expected.len());
    let summary = server.end();
    assert_eq!(summary["messages_in"], summary["messages_out"]);
    assert!(summary["messages_refused"].as_u64() > Some(0), "the mark was never reached: this tests nothing");
    assert_eq!(summary["closed"], json!({"peer_closed": 1}));
}

#[test]
fn the_dead_are_found_on_time_and_told() {
    let mut server = Server::start(&["--timeout", "700ms"]);
    let mut client = server.connect();
    client.echo(b"x");
    let from = Instant::now();
    assert!(!client.reads_the_end(), "a death is a reset");
    assert!(from.elapsed() >= Duration::from_millis(699));
    let closed = server.line("closed");
    assert_eq!(closed["reason"], "silent");
    assert_eq!(closed["remote"], json!(client.0.local_addr().unwrap().to_string()));
    assert_eq!((&closed["code"], &closed["by"]), (&json!(3), &json!("heartline")));
    assert_eq!((&closed["messages_in"], &closed["messages_out"]), (&json!(1), &json!(1)));
    assert!(closed["tcp"]["rto_us"].as_u64().unwrap() > 0 && closed["detail"].is_null(), "{closed}");
    assert!(closed["silence_ms"].as_u64() >= Some(700), "{closed}");
}

#[test]
fn a_bad_frame_is_told_with_its_limit() {
    let mut server = Server::start(&["--frame", "length:4be,max=1K"]);
    let mut client = server.connect();
    client.0.write_all(b"\0\0\x10\0").unwrap();
    client.reads_the_end();
    let closed = server.line("closed");
    let detail = closed["detail"].as_str().unwrap();
    assert!(detail.contains("1024") && detail.contains("4096"), "{closed}");
}

#[test]
fn errors_name_the_thing_the_limit_and_the_value() {
    for (arguments, named) in [
        (&["--timeout", "35"][..], &["--timeout", "'35'", "35s"][..]),
        (&["--interval", "40s"], &["interval 40000 ms", "timeout 35000 ms"]),
        (&["--timeout", "30ms"], &["interval_ms is 8", "20"]),
        (&["--frame", "lenght:4be"], &["--frame", "lenght", "length"]),
        (&["--frame", "raw", "--role", "ask"], &["--role ask", "raw"]),
        (&["--threads", "0"], &["--threads", "'0'", "1..=256"]),
        (&["--threads", "4", "--max-connections", "3"], &["--max-connections is 3", "--threads 4"]),
        (&["--max-connections", "99999999"], &["99999999", "16776958"]),
        (&["--high-mark", "1K", "--low-mark", "2K"], &["--low-mark is 2048", "--high-mark, 1024"]),
        (&["--keepalive", "60s,20s"], &["--keepalive", "IDLE,INTERVAL,COUNT"]),
        (&["--mass-silence", "150/5s"], &["150", "1 to 100"]),
        (&["--listen", "localhost"], &["localhost", "IP:PORT"]),
        (&["--role", "asks"], &["asks", "ask"]),
        (&["--when-full", "drop"], &["--when-full", "drop-oldest"]),
        (&["--config", "/nowhere/at.all"], &["/nowhere/at.all", "No such file"]),
    ] {
        let said = refusal(arguments);
        for name in named {
            assert!(said.contains(name), "{arguments:?} should name {name:?}: {said}");
        }
    }
}

#[test]
fn an_address_in_use_is_named_and_ends_with_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = outcome(&["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&address) && said.contains("in use"), "{said}");
}

#[test]
fn two_servers_share_a_port_only_if_both_have_threads() {
    for (first, second) in [("1", "1"), ("1", "2"), ("2", "1")] {
        let first = Server::start(&["--threads", first]);
        let address = &first.addresses[0];
        let mut second = Server::start_as(&["serve", "--listen", address, "--threads", second], 0);
        assert_eq!(second.wait().code(), Some(1));
        let said: Vec<String> = second.last_lines().iter().map(Value::to_string).collect();
        let why = format!("listening on {address}: ");
        assert!(said.iter().any(|line| line.contains(&why) && line.contains("in use")), "{said:?}");
        first.connect().echo(b"still there");
    }
    let first = Server::start(&["--threads", "2"]);
    let second = Server::start(&["--threads", "2", "--listen", &first.addresses[0]]);
    assert_eq!(first.addresses, second.addresses);
}

#[test]
fn help_has_an_example_for_each_common_use() {
    let help = String::from_utf8(outcome(&["serve", "--help"]).stdout).unwrap();
    for example in ["127.0.0.1:0", "--profile game", "--timeout 12s", "--threads 4", "fd:3", "unix:/run", "--config"] {
        assert!(help.contains(example), "{example}: {help}");
    }
}

#[test]
fn an_unknown_config_key_suggests_the_nearest() {
    let file = ConfigFile::new("time-out = '3s'\n");
    let said = refusal(&["--config", file.name()]);
    assert!(said.contains(file.name()) && said.contains("`time-out`; did you mean `timeout`?"), "{said}");
}

#[test]
fn flags_win_over_the_file() {
    let file = ConfigFile::new("timeout = '60s'\nframe = 'delimiter:\\n'\nlog = 'json'\n");
    let config = ["serve", "--listen", "127.0.0.1:0", "--config", file.name(), "--timeout", "500ms"];
    let mut server = Server::start_as(&config, 1);
    let mut client = server.connect();
    client.0.write_all(b"a line\n").unwrap();
    let mut echo = [0; 7];
    client.0.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"a line\n", "the file's frame holds");
    assert_eq!(server.line("closed")["reason"], "silent", "the flag's timeout holds");
}

#[test]
fn a_profile_sets_the_times_and_a_timeout_scales_them() {
    let file = ConfigFile::new("");
    let mut server = Server::start(&["--profile", "lan", "--config", file.name(), "--log-level", "debug"]);
    server.signal(Signal::SIGHUP);
    assert_eq!(
        server.line("reloaded")["policy"],
        "role=answer,interval=2000ms,suspect=4000ms,timeout=8000ms,jitter=10%"
    );
    file.write("timeout = '800ms'\n");
    server.signal(Signal::SIGHUP);
    server.line("reloaded");
    let _silent = server.connect();
    // That of the default would be suspect after 342 ms.
    let suspect = server.line("suspect");
    assert!(suspect["silence_ms"].as_u64() >= Some(400), "{suspect}");
    assert_eq!(server.line("closed")["reason"], "silent");
}

#[test]
fn without_statistics_a_close_tells_what_is_known_without_them() {
    let mut server = Server::start(&["--statistics", "off", "--timeout", "300ms"]);
    let mut client = server.connect();
    client.echo(b"x");
    let closed = server.line("closed");
    assert_eq!((&closed["reason"], &closed["by"]), (&json!("silent"), &json!("heartline")));
    assert!(closed["id"].as_u64() > Some(0) && closed["silence_ms"].as_u64() >= Some(300), "{closed}");
    for name in ["remote", "last_out_ms", "tcp"] {
        assert!(closed[name].is_null(), "{name}: {closed}");
    }
    for name in ["age_ms", "bytes_in", "bytes_out", "messages_in", "messages_out", "stalls"] {
        assert_eq!(closed[name], 0, "{name}: {closed}");
    }
}

#[test]
fn sighup_changes_the_policy_of_live_connections_and_names_what_needs_a_restart() {
    let file = ConfigFile::new("timeout = '60s'\n");
    let mut server = Server::start(&["--config", file.name()]);
    let mut client = server.connect();
    client.echo(b"x");
    file.write("timeout = '500ms'\nthreads = 2\napp = 'discard'\n");
    server.signal(Signal::SIGHUP);
    assert_eq!(server.line("restart_needed")["flags"], "app, threads");
    let reloaded = server.line("reloaded");
    assert_eq!((&reloaded["connections"], &reloaded["failed"]), (&json!(1), &json!(0)));
    assert_eq!(server.line("closed")["reason"], "silent");
}

#[test]
fn sighup_changes_limits_of_live_connections() {
    let file = ConfigFile::new("frame-limit = '60s'\n");
    let mut server = Server::start(&["--config", file.name()]);
    let mut client = server.connect();
    client.echo(b"x");
    file.write("frame-limit = '300ms'\n");
    server.signal(Signal::SIGHUP);
    server.line("reloaded");
    client.0.write_all(b"\0\0\0\x09half").unwrap();
    assert_eq!(server.line("closed")["reason"], "frame_stalled");
}

#[test]
fn a_bad_config_file_is_reported_and_changes_nothing() {
    let file = ConfigFile::new("timeout = '60s'\n");
    let mut server = Server::start(&["--config", file.name()]);
    let mut client = server.connect();
    for bad in ["timeout = '300ms'\nprofil = 'im'\n", "timeout = 300\n", "timeout = \n"] {
        file.write(bad);
        server.signal(Signal::SIGHUP);
        let failed = server.line("reload_failed");
        assert!(failed["error"].as_str().unwrap().contains(file.name()), "{failed}");
    }
    thread::sleep(Duration::from_millis(600));
    client.echo(b"still alive");
    assert!(!server.has_line("reloaded"));
}

#[test]
fn sighup_changes_the_log_level() {
    let file = ConfigFile::new("log-level = 'error'\n");
    let mut server = Server::start(&["--config", file.name()]);
    let mut unheard = server.connect();
    unheard.echo(b"x");
    drop(unheard);
    server.connect().echo(b"the end before this was handled");
    file.write("log-level = 'debug'\n");
    server.signal(Signal::SIGHUP);
    server.line("reloaded");
    assert!(!server.has_line("closed"));
    let mut heard = server.connect();
    heard.echo(b"y");
    server.line("opened");
    drop(heard);
    server.line("closed");
}

#[test]
fn sigterm_and_sigint_drain_and_exit_0_with_every_counter() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::start(&[]);
        let mut clients: Vec<Client> = (0..10).map(|_| server.connect()).collect();
        for client in &mut clients {
            client.echo(b"x");
        }
        server.signal(signal);
        assert_eq!(server.line("draining")["connections"], 10);
        for client in &mut clients {
            assert!(client.reads_the_end(), "a drain is no reset");
        }
        drop(clients);
        assert_eq!(server.wait().code(), Some(0));
        let lines = server.last_lines();
        assert_eq!(lines.iter().filter(|line| line["reason"] == "drained").count(), 10);
        let summary = lines.last().unwrap();
        assert_eq!(summary["closed"], json!({"drained": 10}));
        for (name, _) in heartline::reactor::Counters::default().each() {
            assert!(summary[name].is_u64(), "{name}: {summary}");
        }
    }
}

#[test]
fn closes_of_a_drain_are_spread_and_the_limit_holds() {
    let mut server = Server::start(&["--drain-spread", "1s", "--drain-limit", "1500ms"]);
    let mut clients: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.echo(b"x");
    }
    // One reads its FIN and does not answer it.
    let holds_on = clients.pop();
    let from = Instant::now();
    server.signal(Signal::SIGTERM);
    let ends: Vec<_> = clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                client.reads_the_end();
                from.elapsed()
            })
        })
        .collect();
    let mut ends: Vec<Duration> = ends.into_iter().map(|end| end.join().unwrap()).collect();
    ends.sort();
    assert!(ends[0] < Duration::from_millis(400), "{ends:?}");
    assert!(ends[18] > Duration::from_millis(700), "{ends:?}");
    let half = ends.iter().filter(|end| **end < Duration::from_millis(500)).count();
    assert!((6..=13).contains(&half), "not even: {ends:?}");
    assert_eq!(server.wait().code(), Some(0));
    assert!(from.elapsed() < Duration::from_millis(4000), "{:?}", from.elapsed());
    assert_eq!(server.line("summary")["closed"], json!({"drained": 20}));
    drop(holds_on);
}

#[test]
fn a_second_signal_quits_at_once() {
    let mut server = Server::start(&[]);
    let mut holds_on = server.connect();
    holds_on.echo(b"x");
    server.signal(Signal::SIGTERM);
    server.line("draining");
    let from = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(128 + 15));
    assert!(from.elapsed() < Duration::from_secs(2));
}

#[test]
fn it_listens_on_a_unix_socket_and_on_an_inherited_descriptor() {
    let inherited = TcpListener::bind("127.0.0.1:0").unwrap();
    fcntl(&inherited, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let fd = format!("fd:{}", inherited.as_raw_fd());
    let socket = path("socket");
    let unix = format!("unix:{}", socket.display());
    let server = Server::start(&["--listen", &fd, "--listen", &unix, "--listen", "127.0.0.1:0", "--threads", "2"]);
    assert_eq!(server.addresses[0], inherited.local_addr().unwrap().to_string());
    assert_eq!(server.addresses[1], unix);
    Client::connect(inherited.local_addr().unwrap()).echo(b"inherited");
    Client::connect(server.addresses[2].parse().unwrap()).echo(b"tcp");
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(&frame(b"unix")).unwrap();
    let mut echo = [0; 8];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(echo[..], frame(b"unix"));
    drop(stream);
    let summary = server.end();
    assert_eq!(summary["accepted"], 3);
    assert!(!socket.exists(), "the socket's file goes with the server");
}

#[test]
fn threads_share_port_0_and_a_broadcast_reaches_them_all() {
    let mut server = Server::start(&["--threads", "3", "--app", "broadcast", "--max-connections", "100"]);
    let shares: Vec<Value> = (0..3).map(|_| server.line("share")).collect();
    let connections: Vec<u64> = shares.iter().map(|share| share["max_connections"].as_u64().unwrap()).collect();
    assert_eq!(connections, [34, 33, 33]);
    for share in &shares {
        assert_eq!(share["outbox_bytes_max"], (1 << 30) / 3, "{share}");
        assert_eq!(share["partial_bytes_max"], (256 << 20) / 3, "{share}");
    }
    let mut clients: Vec<Client> = (0..30).map(|_| server.connect()).collect();
    for client in &mut clients {
        // A beat's answer: it is accepted.
        client.send(b"");
        assert_eq!(client.receive(), b"");
    }
    clients[0].send(b"news");
    for client in &mut clients[1..] {
        assert_eq!(client.receive(), b"news");
    }
    drop(clients);
    let summary = server.end();
    assert_eq!((&summary["accepted"], &summary["messages_out"]), (&json!(30), &json!(29)));
}

#[test]
fn a_broadcast_keeps_its_head_on_every_thread() {
    let server = Server::start(&["--threads", "2", "--app", "broadcast", "--frame", "length:2be,at=4,head=6"]);
    let mut clients: Vec<Client> = (0..16).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.0.write_all(b"BEAT\0\0").unwrap();
        client.0.read_exact(&mut [0; 6]).unwrap();
    }
    clients[0].0.write_all(b"TYPE\0\x02hi").unwrap();
    for client in &mut clients[1..] {
        let mut message = [0; 8];
        client.0.read_exact(&mut message).unwrap();
        assert_eq!(&message, b"TYPE\0\x02hi");
    }
}

#[test]
fn at_max_connections_accepting_pauses_and_resumes() {
    let mut server = Server::start(&["--max-connections", "2"]);
    let mut first = server.connect();
    first.echo(b"1");
    server.connect().echo(b"2 and gone");
    let mut second = server.connect();
    second.echo(b"2");
    let mut waits = server.connect();
    waits.send(b"3");
    let paused = server.line("accept_paused");
    assert_eq!(paused["cause"], "connections_max");
    drop(first);
    assert_eq!(waits.receive(), b"3");
    // The pause is over when nobody waits any more.
    drop(second);
    server.line("accept_resumed");
}

#[test]
fn one_address_too_many_is_reset_and_the_others_live() {
    let mut server = Server::start(&["--per-address", "1"]);
    let mut first = server.connect();
    first.echo(b"1");
    assert!(!server.connect().reads_the_end(), "over the limit is a reset");
    first.echo(b"still there");
    drop(first);
    server.line("closed");
    server.connect().echo(b"2");
    assert_eq!(server.end()["closed"]["over_limit"], 1);
}

#[test]
fn accepts_per_second_make_the_rest_wait_in_the_queue() {
    let server = Server::start(&["--accepts-per-second", "5"]);
    let from = Instant::now();
    let mut clients: Vec<Client> = (0..11).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.echo(b"x");
    }
    assert!(from.elapsed() > Duration::from_millis(1900), "{:?}", from.elapsed());
}

#[test]
fn a_first_frame_must_come() {
    let mut server = Server::start(&["--first-frame", "300ms"]);
    let (mut speaks, mut waits) = (server.connect(), server.connect());
    speaks.echo(b"x");
    waits.reads_the_end();
    assert_eq!(server.line("closed")["reason"], "first_frame_late");
    speaks.echo(b"y");
}

#[test]
fn mass_silence_is_told_and_holds_the_verdicts() {
    let mut server = Server::start(&["--timeout", "700ms", "--mass-silence", "50/2s"]);
    let mut clients: Vec<Client> = (0..120).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.echo(b"x");
    }
    let told = server.line("mass_silence");
    assert!(told["silent"].as_u64() > Some(60) && told["of"] == 120, "{told}");
    thread::sleep(Duration::from_millis(800));
    assert!(!server.has_line("closed"));
    clients[0].echo(b"the uplink was ours");
}

#[test]
fn an_autopsy_counts_bytes_that_come_after_the_death() {
    let mut server = Server::start(&["--timeout", "300ms", "--autopsy", "500ms"]);
    let mut client = server.connect();
    client.echo(b"x");
    assert_eq!(server.line("closed")["reason"], "silent");
    client.0.write_all(b"I was only slow").unwrap();
    client.reads_the_end();
    thread::sleep(Duration::from_millis(700));
    let summary = server.end();
    assert_eq!(
        (&summary["autopsies"], &summary["false_deaths"], &summary["false_death_bytes"]),
        (&json!(1), &json!(1), &json!(15))
    );
}

#[test]
fn a_stop_of_the_process_is_told_and_kills_nobody() {
    let mut server = Server::start(&["--timeout", "800ms"]);
    let mut client = server.connect();
    client.echo(b"x");
    server.signal(Signal::SIGSTOP);
    thread::sleep(Duration::from_millis(1500));
    client.send(b"");
    server.signal(Signal::SIGCONT);
    assert!(server.line("stalled")["ms"].as_u64() > Some(400));
    assert_eq!(client.receive(), b"");
    client.echo(b"y");
    assert!(!server.has_line("closed"));
}

#[test]
fn an_idle_server_does_not_wake_up() {
    let server = Server::start(&["--threads", "2"]);
    let mut client = server.connect();
    client.echo(b"x");
    drop(client);
    thread::sleep(Duration::from_millis(300));
    let switches = || -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
        let statuses = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("status")).unwrap());
        let of = |status: String| -> u64 {
            let lines = status.lines().filter_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            lines.map(|count| count.trim().parse::<u64>().unwrap()).sum()
        };
        statuses.map(of).sum()
    };
    let before = switches();
    thread::sleep(Duration::from_secs(1));
    assert_eq!(switches(), before);
}

#[test]
fn a_broken_stderr_stops_nothing() {
    let mut child = cli_support::heartline(&["serve", "--listen", "127.0.0.1:0"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stderr.take());
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").unwrap().parse().unwrap();
    for _ in 0..20 {
        Client::connect(address).echo(b"x");
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_text_log_says_the_same_for_people() {
    let mut server = Server::start_as(&["serve", "--listen", "127.0.0.1:0", "--timeout", "300ms"], 1);
    let mut client = server.connect();
    client.echo(b"x");
    client.reads_the_end();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait().code(), Some(0));
    let lines: Vec<String> =
        server.last_lines().iter().map(|line| line.as_str().unwrap_or_default().to_owned()).collect();
    let says = |words: &[&str]| lines.iter().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(says(&["descriptor limit"]), "{lines:?}");
    assert!(says(&["closed", "silent by heartline", "ms over", "1 messages"]), "{lines:?}");
    assert!(says(&["advice: ", "silence"]), "{lines:?}");
}
