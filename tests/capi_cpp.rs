//! bindings/cpp/heartline.hpp under two compilers, two standards, with and without exceptions, and the sanitizers.

mod capi_support;

use std::path::{Path, PathBuf};
use std::process::Command;

use capi_support::client::{connect, receive, send};
use capi_support::example::Example;
use capi_support::library::{Library, released};
use capi_support::process::{Process, outcome, said};
use capi_support::{library, programs_in, root, scratch};

/// One for each class: tests/cpp/NAME.cpp.
const PROGRAMS: [&str; 8] = ["result", "views", "policy", "codec", "stream", "monitor", "reactor", "mailbox"];
const STRICT: [&str; 6] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow", "-Wconversion"];
const SANITIZED: [&str; 4] =
    ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
const WITH_EXCEPTIONS: &[&str] = &["-DHEARTLINE_EXCEPTIONS"];
const WITHOUT: &[&str] = &["-fno-exceptions", "-fno-rtti"];

fn compile(compiler: &str, standard: &str, flags: &[&str], sources: &[&Path], name: &str) -> PathBuf {
    let standard = format!("-std={standard}");
    let flags = [&STRICT, flags, &[&standard, "-Ibindings/cpp", "-pthread"]].concat();
    library::compile(compiler, &flags, sources, &released(Library::Shared), &format!("cpp-{name}"))
}

fn source(name: &str) -> PathBuf {
    root().join(format!("tests/cpp/{name}.cpp"))
}

fn check_all(compiler: &str, standard: &str, flags: &[&str], folder: &str) {
    for name in PROGRAMS {
        let program = compile(compiler, standard, flags, &[&source(name)], &format!("{folder}/{name}"));
        let said = said(Command::new(&program).env("ASAN_OPTIONS", "detect_leaks=1"));
        assert_eq!(said, format!("ok {name}\n"), "{}", program.display());
    }
}

#[test]
fn gcc_17_without_exceptions_and_sanitized() {
    check_all("g++", "c++17", &[WITHOUT, &SANITIZED].concat(), "gcc-17");
}

#[test]
fn gcc_20_with_exceptions() {
    check_all("g++", "c++20", &[WITH_EXCEPTIONS, &["-O2"]].concat(), "gcc-20");
}

#[test]
fn clang_17_with_exceptions_and_sanitized() {
    check_all("clang++", "c++17", &[WITH_EXCEPTIONS, &SANITIZED].concat(), "clang-17");
}

#[test]
fn clang_20_without_exceptions() {
    check_all("clang++", "c++20", &[WITHOUT, &["-O2"]].concat(), "clang-20");
}

/// A sanitizer that is not there finds nothing either.
#[test]
fn the_sanitizers_are_on() {
    let wrong = scratch("cpp-wrong.cpp");
    std::fs::write(
        &wrong,
        r#"#include "heartline.hpp"
#include <string>
int main(int, char **argv) {
    if (!heartline::Codec::parse("raw"))
        return 0;
    // Many, since a pointer left behind on the stack hides one.
    for (int i = 0; argv[1][0] == 'l' && i < 100; i++)
        *new std::string(100, argv[1][1]) += argv[1];
    std::vector<char> bytes(4);
    return bytes.data()[argv[1][0] == 'l' ? 3 : 4];
}
"#,
    )
    .unwrap();
    for compiler in ["g++", "clang++"] {
        let program = compile(compiler, "c++17", &SANITIZED, &[&wrong], &format!("wrong-{compiler}"));
        for (mistake, name) in [("overflow", "heap-buffer-overflow"), ("leak", "detected memory leaks")] {
            let (status, output) = outcome(Command::new(&program).arg(mistake));
            assert!(!status.success() && output.contains(name), "{compiler} does not see the {mistake}: {output}");
        }
    }
}

#[test]
fn two_files_of_one_program_include_it() {
    let sources = [source("double_include_a"), source("double_include_b")];
    for compiler in ["g++", "clang++"] {
        let name = format!("double-include-{compiler}");
        said(&mut Command::new(compile(compiler, "c++17", &[], &[&sources[0], &sources[1]], &name)));
    }
}

#[test]
fn the_program_in_the_readme_compiles() {
    for program in programs_in("bindings/cpp/README.md", "cpp") {
        let source = scratch("cpp-readme.cpp");
        std::fs::write(&source, program).unwrap();
        compile("g++", "c++17", &[], &[&source], "readme");
    }
}

/// examples/cpp/game_tick.cpp by the commands in its head, played by one player.
#[test]
fn the_game_loop_ticks() {
    let example = Example::built("examples/cpp/game_tick.cpp", &STRICT);
    let mut game = Process::start(&mut example.command("./game_tick", &[("[TICKS]", "60")]));
    let mut player = connect(&game.address());
    send(&mut player, b"2 -1");
    let mut said = Vec::new();
    while said.last().is_none_or(|last: &String| last != "the server ends") {
        said.push(String::from_utf8(receive(&mut player)).unwrap());
    }
    let ticks: Vec<u32> = said.iter().filter_map(|text| text.split(' ').next()?.parse().ok()).collect();
    assert!(ticks.len() > 30 && ticks.windows(2).all(|pair| pair[1] == pair[0] + 1), "{ticks:?}");
    assert_eq!(*ticks.last().unwrap(), 60);
    let (x, y) = said[said.len() - 2].lines().nth(1).unwrap().strip_prefix("1 ").unwrap().split_once(' ').unwrap();
    let (x, y): (i32, i32) = (x.parse().unwrap(), y.parse().unwrap());
    assert!(x > 20 && x == -2 * y, "it moved to {x}, {y}");
    drop(player);

    let output = game.finish();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("player 1 left: drained") && said.contains("60 ticks in "),
        "{said}"
    );
}
