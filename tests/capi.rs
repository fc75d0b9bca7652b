//! The C ABI from C: every program in tests/c, under gcc and clang, with the sanitizers, under valgrind.
//!
//! Two libraries are built once and shared: the one of `make lib`, and a *checked* one with debug assertions, overflow
//! checks and the order for a panic (tests/c/alone/panic.c).

mod capi_support;

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use capi_support::library::{Library, archive_in, checked, compile, make, released};
use capi_support::process::{in_silence, outcome, said};
use capi_support::{root, scratch};

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
    "system",
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
        in_silence(&mut Command::new(sanitized(compiler, STRICT_C, &[&file], &checked(), name)));
    }
    in_silence(&mut watched(&plain, "all"));
}

/// A program with the sanitizers, which are shown to be on.
fn sanitized(compiler: &str, flags: &[&str], files: &[&Path], library: &[OsString], name: &str) -> PathBuf {
    let flags = [flags, SANITIZERS].concat();
    let program = compile(compiler, &flags, files, library, &format!("{name}-{compiler}-sanitized"));
    let symbols = said(Command::new("nm").arg(&program));
    assert!(symbols.contains("__asan_init") && symbols.contains("__ubsan_handle"), "the sanitizers are not on");
    program
}

/// A program under valgrind; `leaks` are those that are errors.
fn watched(program: &Path, leaks: &str) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full"])
        .args([format!("--show-leak-kinds={leaks}"), format!("--errors-for-leak-kinds={leaks}")])
        .args(["--fair-sched=yes", "--child-silent-after-fork=yes"])
        .arg(program);
    command
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
    codecs config custom ends events fork full ids limits listeners nested null numbers order policies sends sets sigpipe sizes
    sockets system threads transfer users verdicts
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
        in_silence(&mut Command::new(&program));
        if compiler == "gcc" {
            in_silence(&mut watched(&program, "all"));
        }
        in_silence(&mut Command::new(sanitized(compiler, STRICT_C, &files, &checked(), "twice")));
    }
    for compiler in ["g++", "clang++"] {
        for more in [&[][..], SANITIZERS] {
            let as_cxx = [STRICT_CXX, more, &["-x", "c++", "-c"]].concat();
            let object = |file: &&Path| {
                let name = format!("{}-{compiler}-{}.o", file.file_stem().unwrap().to_str().unwrap(), more.len());
                compile(compiler, &as_cxx, &[file], &[], &name)
            };
            let objects: Vec<PathBuf> = files.iter().map(object).collect();
            let objects: Vec<&Path> = objects.iter().map(PathBuf::as_path).collect();
            let program = match more {
                [] => compile(compiler, &[], &objects, &released(Library::Shared), &format!("twice-{compiler}")),
                _ => sanitized(compiler, &["-pthread"], &objects, &checked(), "twice"),
            };
            in_silence(&mut Command::new(program));
        }
    }
}

#[test]
fn a_bug_inside_poisons_the_object_and_the_host_lives() {
    let file = source("alone/panic.c");
    // A panic prints nothing either.
    for compiler in ["gcc", "clang"] {
        in_silence(&mut Command::new(sanitized(compiler, STRICT_C, &[&file], &checked(), "panic")));
        let plain = compile(compiler, STRICT_C, &[&file], &checked(), &format!("panic-{compiler}"));
        in_silence(&mut Command::new(&plain));
        if compiler != "gcc" {
            continue; // valgrind does not read what clang says for debuggers
        }
        // The text of the bug stays for heartline_last_bug.
        in_silence(&mut watched(&plain, "definite,indirect,possible"));
    }
}

#[test]
fn a_cpp_exception_in_a_callback_ends_the_process() {
    let file = source("alone/throw.cc");
    let aborts = |program: &Path| {
        for place in ["log", "cut", "encode"] {
            let (status, output) = outcome(Command::new(program).arg(place));
            assert_eq!(status.signal(), Some(6), "{place} in {program:?}: {status}\n{output}");
            assert!(!output.contains("Sanitizer"), "{place}: {output}");
        }
    };
    for (compiler, library) in [("g++", released(Library::Shared)), ("clang++", released(Library::Static))] {
        aborts(&compile(compiler, STRICT_CXX, &[&file], &library, &format!("throw-{compiler}")));
        aborts(&sanitized(compiler, STRICT_CXX, &[&file], &checked(), "throw"));
    }
}

#[test]
fn it_starts_no_thread_handles_no_signal_and_reads_no_environment() {
    let file = source("alone/quiet.c");
    let shared = compile("gcc", STRICT_C, &[&file], &released(Library::Shared), "quiet");
    let imported = said(Command::new("nm").args(["-D", "--defined-only"]).arg(&shared));
    assert!(imported.contains(" getenv\n"), "the program's own functions are not those of the library:\n{imported}");
    in_silence(Command::new(shared).env("RUST_BACKTRACE", "1"));
    let forced = [STRICT_C, &["-DFORCED"]].concat();
    let forced = compile("gcc", &forced, &[&file], &checked(), "quiet-forced");
    in_silence(Command::new(forced).env("RUST_BACKTRACE", "1"));
}

#[test]
fn a_dropped_result_is_a_warning_in_every_language_version_and_can_be_allowed() {
    let file = source("alone/dropped.c");
    let warnings = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-O1", "-Iinclude", "-c"];
    let run = |compiler: &str, version: &str, more: &[&str]| {
        let language = if compiler.ends_with("++") { "c++" } else { "c" };
        let mut command = Command::new(compiler);
        command.arg(format!("-std={version}")).args(warnings).args(["-x", language]).args(more).arg(&file);
        command.arg("-o").arg(scratch(&format!("dropped-{compiler}-{version}.o")));
        outcome(command.current_dir(root()))
    };
    for (compiler, versions) in [
        ("gcc", &["c99", "c11", "c2x"]),
        ("clang", &["c99", "c11", "c2x"]),
        ("g++", &["c++11", "c++17", "c++20"]),
        ("clang++", &["c++11", "c++17", "c++20"]),
    ] {
        for version in versions {
            let (status, output) = run(compiler, version, &[]);
            assert!(!status.success() && output.contains("unused-result"), "{compiler} {version}: {status}\n{output}");
            let (status, output) = run(compiler, version, &["-DHEARTLINE_NODISCARD="]);
            assert!(status.success(), "{compiler} {version}: {output}");
        }
    }
}

/// `make lib PANIC=abort`, for whoever prefers a core dump: it builds, serves, and a bug ends the process.
#[test]
fn built_to_abort_a_bug_ends_the_process() {
    let folder = root().join("target/capi-abort");
    let target = format!("TARGET_DIR={}", folder.display());
    make(&["lib", "lib-checked", "PANIC=abort", &target]);
    for name in ["order", "users"] {
        let file = source(&format!("{name}.c"));
        let library = archive_in(&folder.join("capi"));
        in_silence(&mut Command::new(compile("gcc", STRICT_C, &[&file], &library, &format!("{name}-abort"))));
    }
    let library = archive_in(&folder.join("capi-checked"));
    let program = compile("gcc", STRICT_C, &[&source("alone/panic.c")], &library, "panic-abort");
    let (status, output) = outcome(&mut Command::new(program));
    assert_eq!(status.signal(), Some(6), "{status}\n{output}");
}
