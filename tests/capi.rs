//! The C ABI from C: every program in tests/c, under gcc and clang, with the sanitizers, under valgrind.
//!
//! Two libraries are built once and shared: the one of `make lib`, and a *checked* one with debug assertions, overflow
//! checks and the order for a panic (tests/c/alone/panic.c).

mod capi_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use capi_support::{Library, checked, compile, released, root, run, run_limited, scratch};

const STRICT_C: &[&str] = &["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1", "-pthread"];
const STRICT_CXX: &[&str] = &["-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1", "-pthread"];
const SANITIZERS: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/// The programs; a test checks that none is forgotten.
const PROGRAMS: &[&str] = &[
    "custom", "ends", "fork", "full", "ids", "nested", "null", "numbers", "order", "sigpipe", "sizes", "threads",
    "transfer", "users",
];

fn source(name: &str) -> PathBuf {
    root().join("tests/c").join(name)
}

/// One program of tests/c in all the ways there are.
fn in_every_way(name: &str) {
    let file = source(&format!("{name}.c"));
    let plain = compile("gcc", STRICT_C, &[&file], &released(Library::Shared), &format!("{name}-gcc"));
    run(&plain, &[]);
    run(&compile("clang", STRICT_C, &[&file], &released(Library::Static), &format!("{name}-clang")), &[]);

    for compiler in ["gcc", "clang"] {
        let flags = [STRICT_C, SANITIZERS].concat();
        let sanitized = compile(compiler, &flags, &[&file], &checked(), &format!("{name}-{compiler}-sanitized"));
        let symbols = Command::new("nm").arg(&sanitized).output().expect("nm").stdout;
        let symbols = String::from_utf8_lossy(&symbols);
        assert!(symbols.contains("__asan_init") && symbols.contains("__ubsan_handle"), "the sanitizers are not on");
        run(&sanitized, &[]);
    }

    let valgrind = ["--quiet", "--error-exitcode=99", "--leak-check=full", "--show-leak-kinds=all"];
    let mut watched = Command::new("valgrind");
    watched
        .args(valgrind)
        .args(["--errors-for-leak-kinds=all", "--fair-sched=yes", "--child-silent-after-fork=yes"])
        .arg(&plain);
    let (status, output) = run_limited(&mut watched);
    assert!(status.success() && output.is_empty(), "{name} under valgrind: {status}\n{output}");
}

macro_rules! programs {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            in_every_way(stringify!($name));
        }
    )*};
}
programs!(custom ends fork full ids nested null numbers order sigpipe sizes threads transfer users);

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
        run(&compile(compiler, STRICT_C, &files, &released(Library::Shared), &format!("twice-{compiler}")), &[]);
    }
    for compiler in ["g++", "clang++"] {
        let as_cxx = [STRICT_CXX, &["-x", "c++"]].concat();
        let objects: Vec<PathBuf> = files
            .iter()
            .map(|file| {
                let object = scratch(&format!("{}-{compiler}.o", file.file_stem().unwrap().to_str().unwrap()));
                let mut command = Command::new(compiler);
                command.args(&as_cxx).arg("-I").arg(root().join("include")).arg("-c").arg(file).arg("-o").arg(&object);
                assert!(command.status().expect(compiler).success());
                object
            })
            .collect();
        let objects: Vec<&Path> = objects.iter().map(PathBuf::as_path).collect();
        run(&compile(compiler, &[], &objects, &released(Library::Shared), &format!("twice-{compiler}")), &[]);
    }
}

#[test]
fn a_bug_inside_poisons_the_object_and_the_host_lives() {
    let file = source("alone/panic.c");
    for (compiler, more, name) in [("gcc", SANITIZERS, "panic-sanitized"), ("clang", &[][..], "panic-clang")] {
        let flags = [STRICT_C, more].concat();
        let program = compile(compiler, &flags, &[&file], &checked(), name);
        let (status, output) = run_limited(&mut Command::new(program));
        assert!(status.success(), "{status}\n{output}");
        assert_eq!(output, "", "a panic prints nothing");
    }
}

#[test]
fn a_cpp_exception_in_a_callback_ends_the_process() {
    use std::os::unix::process::ExitStatusExt;
    let file = source("alone/throw.cc");
    for (compiler, library) in [("g++", released(Library::Shared)), ("clang++", released(Library::Static))] {
        let program = compile(compiler, STRICT_CXX, &[&file], &library, &format!("throw-{compiler}"));
        for place in ["log", "cut", "encode"] {
            let (status, output) = run_limited(Command::new(&program).arg(place));
            assert_eq!(status.signal(), Some(6), "{place} under {compiler}: {status}\n{output}");
        }
    }
}
