//! The C in the pages for users: each piece compiles and runs. A whole program runs as it stands; any other has a program in
//! tests/c/guide that includes it.

mod capi_support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use capi_support::client::{PATIENCE, connect, receive, send};
use capi_support::library::{Library, compile, released};
use capi_support::process::{Process, in_silence};
use capi_support::{folder, programs_in, root};

const STRICT: [&str; 6] = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", "-pedantic"];
const PAGES: [&str; 2] = ["README.md", "docs/c-guide.md"];

fn compiled(compiler: &str, source: &Path, more: &[&str], name: &str) -> PathBuf {
    let flags = [&STRICT, more].concat();
    compile(compiler, &flags, &[source], &released(Library::Shared), &format!("documentation-{name}-{compiler}"))
}

/// The programs of tests/c/guide by name.
fn programs() -> BTreeMap<String, PathBuf> {
    let files = fs::read_dir(root().join("tests/c/guide")).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

#[test]
fn no_page_with_c_is_forgotten() {
    let folders = [".", "docs", "bindings/cpp", "bindings/lua", "bindings/python"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let pages = files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "md"));
    let mut with_c: Vec<String> = pages
        .filter(|page| fs::read_to_string(page).unwrap().contains("```c\n"))
        .map(|page| page.strip_prefix(root()).unwrap().to_str().unwrap().trim_start_matches("./").to_owned())
        .collect();
    with_c.sort();
    assert_eq!(with_c, PAGES);
}

#[test]
fn each_piece_of_the_guide_runs() {
    let pieces = folder("documentation");
    let programs = programs();
    let sources: String = programs.values().map(|source| fs::read_to_string(source).unwrap()).collect();
    for (number, piece) in (1..).zip(programs_in("docs/c-guide.md", "c")) {
        let name = format!("c-guide-{number}.c");
        fs::write(pieces.join(&name), piece).unwrap();
        let include = format!("#include \"{name}\"");
        assert_eq!(sources.matches(&include).count(), 1, "one program of tests/c/guide includes {name}");
    }
    let include = format!("-I{}", pieces.display());
    for (name, source) in programs {
        for compiler in ["gcc", "clang"] {
            in_silence(&mut Command::new(compiled(compiler, &source, &[&include], &name)));
        }
    }
}

/// On a port of its own; all else as it stands.
#[test]
fn the_program_in_the_readme_echoes() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = format!("127.0.0.1:{port}");
    let [program] = programs_in("README.md", "c").try_into().expect("one program");
    assert!(program.contains("int main") && program.contains("127.0.0.1:7001"), "{program}");
    let source = folder("readme").join("echo.c");
    fs::write(&source, program.replace("127.0.0.1:7001", &at)).unwrap();
    let _server = Process::start(&mut Command::new(compiled("gcc", &source, &[], "readme")));
    // It does not say when it listens.
    let give_up = Instant::now() + PATIENCE;
    while TcpStream::connect(&at).is_err() {
        assert!(Instant::now() < give_up, "nobody listens on {at}");
        thread::sleep(Duration::from_millis(10));
    }
    let (mut first, mut second) = (connect(&at), connect(&at));
    for number in 0..200_u32 {
        let message = vec![number as u8; 1 + 300 * number as usize];
        send(&mut first, &message);
        send(&mut second, b"and you");
        assert_eq!(receive(&mut first), message);
        assert_eq!(receive(&mut second), b"and you");
    }
    send(&mut first, b"");
    assert_eq!(receive(&mut first), b"", "a beat is answered");
    // A message over 64 KiB is refused at its head; the other stays.
    first.write_all(&65537_u32.to_be_bytes()).unwrap();
    assert!(!matches!(first.read(&mut [0]), Ok(1..)), "it was taken");
    send(&mut second, b"still here");
    assert_eq!(receive(&mut second), b"still here");
}
