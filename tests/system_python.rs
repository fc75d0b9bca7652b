//! A client in Python that no Rust code of ours touches (`tests/python/client.py`): frames cut anywhere, echoes, beats,
//! bad frames, oversize and silence, for `length:4be`, `line-header` in its three forms, and `delimiter`.

mod support_system;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support_system::server::Server;
use support_system::{ms, report, require};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs the client against a server of its own in each of these forms, all at once.
fn check(forms: &[(&str, &str)], role: &str) {
    require(&["python3"]);
    std::thread::scope(|scope| {
        for (form, frame) in forms {
            scope.spawn(move || {
                let times = ["--interval", "500ms", "--suspect", "1s", "--timeout", "2s"];
                let server =
                    Server::serve(&[&["--frame", frame, "--role", role, "--app", "echo"][..], &times[..]].concat());
                let said = client(&server.address.port().to_string(), form, role);
                report(&format!("{frame}: {said}"));
                server.finish();
            });
        }
    });
}

fn client(port: &str, form: &str, role: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/client.py");
    let mut command = Command::new("python3");
    command.args([script, port, form, role]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("python3 starts");
    let began = Instant::now();
    while child.try_wait().expect("our child").is_none() {
        if began.elapsed() > LIMIT {
            let _ = child.kill();
            panic!("the {form} client still runs after {LIMIT:?}");
        }
        std::thread::sleep(ms(10));
    }
    let output = child.wait_with_output().expect("our child");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "the {form} client: {}", String::from_utf8_lossy(&output.stderr));
    assert!(said.starts_with("ok"), "the {form} client says `{said}`");
    said
}

/// What the client writes, and what the server is set to.
const FORMS: [(&str, &str); 5] = [
    ("length", "length:4be,max=1K"),
    ("number", "line-header,max=1K"),
    ("pairs", "line-header,form=pairs,max=1K"),
    ("json", "line-header,form=json,max=1K"),
    ("delimiter", r"delimiter:\r\n,max=1K"),
];

/// Each form of `line-header` is read whatever is set.
const OTHER_FORMS: [(&str, &str); 3] = [
    ("number", "line-header,form=pairs,max=1K"),
    ("pairs", "line-header,form=json,max=1K"),
    ("json", "line-header,max=1K"),
];

#[test]
fn a_python_client_is_echoed_answered_and_held_to_the_rules() {
    check(&[&FORMS[..], &OTHER_FORMS[..]].concat(), "answer");
}

#[test]
fn a_python_client_that_only_answers_is_asked_in_the_form_that_is_set_and_lives() {
    check(&FORMS, "ask");
}
