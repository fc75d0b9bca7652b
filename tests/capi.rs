//! The C ABI from C: every program in tests/c, under gcc and clang, with the sanitizers, under valgrind.
//!
//! Two libraries are built once and shared: the one of `make lib`, and a *checked* one with debug assertions, overflow
//! checks and the order for a panic (tests/c/alone/panic.c).

mod capi_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use capi_support::library::{Library, checked, compile, released};
use capi_support::process::{in_silence, outcome, said};
use capi_support::root;

const STRICT_C: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1", "-pthread"];
const STRICT_CXX: &[&str] = &["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1", "-pthread"];
const SANITIZERS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/// The programs; a test checks that none is forgotten.
const PROGRAMS: &[&str] = &[
    "codecs",
    "config",
    "custom",
    "ends",
    "events",
    "fork",
    "full",
    "ids",
    "limits",
    "listeners",
    "nested",
    "null",
    "numbers",
    "order",
    "policies",
    "sends",
    "sets",
    "sigpipe",
    "sizes",
    "sockets",
    "threads",
    "transfer",
    "users",
    "verdicts",
];

fn source(name: &str) -> PathBuf {
    root().join("tests/c").join(name)
}

/// One program of tests/c in all the ways there are.
fn in_every_way(name: &str) {
    let file = source(&format!("{name}.c"));
    let plain = compile("gcc", STRICT_C, &[&file], &released(Library::Shared), &format!("{name}-gcc"));
    let archived = compile("clang", STRICT_C, &[&file], &released(Library::Static), &format!("{name}-clang"));
    in_silence(&mut Command::new(&plain));
    in_silence(&mut Command::new(archived));

    for compiler in ["gcc", "clang"] {
        let flags = [STRICT_C, SANITIZERS].concat();
        let sanitized = compile(compiler, &flags, &[&file], &checked(), &format!("{name}-{compiler}-sanitized"));
        let symbols = said(Command::new("nm").arg(&sanitized));
        assert!(symbols.contains("__asan_init") && symbols.contains("__ubsan_handle"), "the sanitizers are not on");
        in_silence(&mut Command::new(&sanitized));
    }

    let valgrind = ["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all"];
    let mut watched = Command::new("valgrind");
    watched
        .args(valgrind)
        .args(["--errors-for-leak-kinds=all", "--fair-sched=yes", "--child-silent-after-fork=yes"])
        .arg(&plain);
    in_silence(&mut watched);
}

macro_rules! programs {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            in_every_way(stringify!($name));
        }
    )*};
}
programs!(
    codecs config custom ends events fork full ids limits listeners nested null numbers order policies sends sets sigpipe
    sizes sockets threads transfer users verdicts
);

#[test]
fn no_program_is_forgotten() {
    let mut found: Vec<String> = fs::read_dir(source(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".c").map(str::to_owned))
        .collect();
    found.sort();
    assert_eq!(found, PROGRAMS);
}

#[test]
fn null_is_tried_on_every_export() {
    let tried = fs::read_to_string(source("null.c")).unwrap();
    let symbols = fs::read_to_string(root().join("include/heartline.symbols")).unwrap();
    for symbol in symbols.lines() {
        assert!(tried.contains(&format!("{symbol}(")), "tests/c/null.c does not call {symbol}");
    }
}

#[test]
fn the_header_may_be_included_twice_in_one_file_and_in_two_as_c_and_as_cpp() {
    let files = [source("alone/twice_a.c"), source("alone/twice_b.c")];
    let files: Vec<&Path> = files.iter().map(PathBuf::as_path).collect();
    for compiler in ["gcc", "clang"] {
        let program = compile(compiler, STRICT_C, &files, &released(Library::Shared), &format!("twice-{compiler}"));
        in_silence(&mut Command::new(program));
    }
    for compiler in ["g++", "clang++"] {
        let as_cxx = [STRICT_CXX, &["-x", "c++", "-c"]].concat();
        let object = |file: &&Path| {
            let name = format!("{}-{compiler}.o", file.file_stem().unwrap().to_str().unwrap());
            compile(compiler, &as_cxx, &[file], &[], &name)
        };
        let objects: Vec<PathBuf> = files.iter().map(object).collect();
        let objects: Vec<&Path> = objects.iter().map(PathBuf::as_path).collect();
        let program = compile(compiler, &[], &objects, &released(Library::Shared), &format!("twice-{compiler}"));
        in_silence(&mut Command::new(program));
    }
}

#[test]
fn a_bug_inside_poisons_the_object_and_the_host_lives() {
    let file = source("alone/panic.c");
    for (compiler, more, name) in [("gcc", SANITIZERS, "panic-sanitized"), ("clang", &[][..], "panic-clang")] {
        let flags = [STRICT_C, more].concat();
        let program = compile(compiler, &flags, &[&file], &checked(), name);
        // A panic prints nothing either.
        in_silence(&mut Command::new(program));
    }
}

#[test]
fn a_cpp_exception_in_a_callback_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    let file = source("alone/throw.cc");
    for (compiler, library) in [("g++", released(Library::Shared)), ("clang++", released(Library::Static))] {
        let program = compile(compiler, STRICT_CXX, &[&file], &library, &format!("throw-{compiler}"));
        for place in ["log", "cut", "encode"] {
            let (status, output) = outcome(Command::new(&program).arg(place));
            assert_eq!(status.signal(), Some(6), "{place} under {compiler}: {status}\n{output}");
        }
    }
}
