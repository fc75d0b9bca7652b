//! libheartline.so as `make lib` builds it: what it exports, what it asks of the system, how large it is.

mod capi_support;

use std::fs;
use std::process::Command;

use capi_support::library::library;
use capi_support::{process, root, scratch};

/// For people without Rust: RHEL 9, Debian 12, Ubuntu 22.04 and later have it.
const GLIBC_NEWEST: (u32, u32) = (2, 34);
const STRIPPED_BYTES_MAX: u64 = 600_000;

fn said(program: &str, arguments: &[&str]) -> String {
    process::said(Command::new(program).args(arguments).arg(library().join("libheartline.so")))
}

#[test]
fn it_exports_what_is_written_down_and_nothing_else() {
    let output = said("nm", &["-D", "--defined-only"]);
    let mut symbols: Vec<&str> = output.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    symbols.sort_unstable();
    let exported = symbols.join("\n") + "\n";
    let path = root().join("include/heartline.symbols");
    if std::env::var_os("HEARTLINE_BLESS").is_some() {
        fs::write(&path, &exported).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap();
    assert_eq!(exported, kept, "include/heartline.symbols is stale: `make header` writes it");
    for symbol in symbols {
        assert!(symbol.starts_with("heartline_"), "{symbol} is exported");
    }
}

#[test]
fn every_export_is_in_the_header_and_the_other_way_round() {
    let header = fs::read_to_string(root().join("include/heartline.h")).unwrap();
    let mut declared: Vec<&str> = header
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.starts_with("typedef"))
        .filter_map(|line| {
            let (before, _) = line.split_once('(')?;
            let name = before.rsplit([' ', '*']).next()?;
            (name.starts_with("heartline_") && !line.starts_with(' ')).then_some(name)
        })
        .collect();
    declared.sort_unstable();
    let symbols = fs::read_to_string(root().join("include/heartline.symbols")).unwrap();
    assert_eq!(declared, symbols.lines().collect::<Vec<_>>());
}

#[test]
fn it_needs_no_newer_glibc_than_promised() {
    let output = said("objdump", &["-T"]);
    let mut versions = 0;
    for version in output.split("GLIBC_").skip(1) {
        let number = version.split([')', ' ', '\n']).next().unwrap();
        let mut parts = number.split('.').map(|part| part.parse::<u32>().unwrap_or_else(|_| panic!("GLIBC_{number}")));
        let version = (parts.next().unwrap(), parts.next().unwrap_or(0));
        assert!(version <= GLIBC_NEWEST, "it needs GLIBC_{number}");
        versions += 1;
    }
    assert!(versions > 10, "objdump -T says nothing of glibc:\n{output}");
}

#[test]
fn it_has_a_soname_and_stays_when_it_is_closed() {
    let output = said("readelf", &["-d"]);
    let version = env!("CARGO_PKG_VERSION").split('.').collect::<Vec<_>>();
    let soname = format!("Library soname: [libheartline.so.{}.{}]", version[0], version[1]);
    assert!(output.contains(&soname), "no {soname}\n{output}");
    assert!(output.contains("NODELETE"), "a thread's destructors could outlive it\n{output}");
    let needed: Vec<&str> = output.lines().filter(|line| line.contains("(NEEDED)")).collect();
    for line in &needed {
        let known = ["libc.so.6", "libgcc_s.so.1", "ld-linux"].iter().any(|name| line.contains(name));
        assert!(known, "it needs more than the C library: {line}");
    }
}

#[test]
fn it_is_small() {
    let stripped = scratch("stripped.so");
    let stripped_name = stripped.to_str().unwrap();
    said("strip", &["--strip-unneeded", "-o", stripped_name]);
    let bytes = fs::metadata(&stripped).unwrap().len();
    assert!(bytes <= STRIPPED_BYTES_MAX, "{bytes} bytes stripped, {STRIPPED_BYTES_MAX} at most");
}
