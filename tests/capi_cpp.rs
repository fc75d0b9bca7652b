//! bindings/cpp/heartline.hpp under two compilers, two standards, with and without exceptions, and the sanitizers.
#![cfg(feature = "capi")]

mod support_bindings;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use support_bindings::{Process, library_dir, programs_in, require, root, run, scratch};

/// One for each class: tests/cpp/NAME.cpp.
const PROGRAMS: [&str; 8] = ["result", "views", "policy", "codec", "stream", "monitor", "reactor", "mailbox"];
const STRICT: [&str; 6] = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow", "-Wconversion"];
const SANITIZED: [&str; 4] =
    ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];
const WITH_EXCEPTIONS: &[&str] = &["-DHEARTLINE_EXCEPTIONS"];
const WITHOUT: &[&str] = &["-fno-exceptions", "-fno-rtti"];

fn compile(compiler: &str, standard: &str, flags: &[&str], sources: &[&Path], program: &Path) -> Command {
    let library = library_dir();
    let mut command = Command::new(compiler);
    command.arg(format!("-std={standard}")).args(STRICT).args(flags);
    command.arg("-I").arg(root().join("include")).arg("-I").arg(root().join("bindings/cpp"));
    command.args(sources).arg("-o").arg(program).arg("-pthread");
    command.arg("-L").arg(&library).arg("-lheartline").arg(format!("-Wl,-rpath,{}", library.display()));
    command
}

fn source(name: &str) -> PathBuf {
    root().join(format!("tests/cpp/{name}.cpp"))
}

fn check_all(compiler: &str, standard: &str, flags: &[&str], folder: &str) {
    require(&[compiler]);
    let dir = scratch(folder);
    for name in PROGRAMS {
        let program = dir.join(name);
        run(&mut compile(compiler, standard, flags, &[&source(name)], &program));
        let said = run(Command::new(&program).env("ASAN_OPTIONS", "detect_leaks=1"));
        assert_eq!(said, format!("ok {name}\n"), "{}", program.display());
    }
}

#[test]
fn gcc_17_without_exceptions_and_sanitized() {
    check_all("g++", "c++17", &[WITHOUT, &SANITIZED].concat(), "cpp-gcc-17");
}

#[test]
fn gcc_20_with_exceptions() {
    check_all("g++", "c++20", &[WITH_EXCEPTIONS, &["-O2"]].concat(), "cpp-gcc-20");
}

#[test]
fn clang_17_with_exceptions_and_sanitized() {
    check_all("clang++", "c++17", &[WITH_EXCEPTIONS, &SANITIZED].concat(), "cpp-clang-17");
}

#[test]
fn clang_20_without_exceptions() {
    check_all("clang++", "c++20", &[WITHOUT, &["-O2"]].concat(), "cpp-clang-20");
}

/// A sanitizer that is not there finds nothing either.
#[test]
fn the_sanitizers_are_on() {
    let dir = scratch("cpp-sanitizers");
    let wrong = dir.join("wrong.cpp");
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
        require(&[compiler]);
        let program = dir.join(compiler);
        run(&mut compile(compiler, "c++17", &SANITIZED, &[&wrong], &program));
        for (mistake, name) in [("overflow", "heap-buffer-overflow"), ("leak", "detected memory leaks")] {
            let output = Process::start(Command::new(&program).arg(mistake)).finish();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!output.status.success() && said.contains(name), "{compiler} does not see the {mistake}: {said}");
        }
    }
}

#[test]
fn two_files_of_one_program_include_it() {
    let dir = scratch("cpp-double-include");
    for compiler in ["g++", "clang++"] {
        require(&[compiler]);
        let program = dir.join(compiler);
        let sources = [source("double_include_a"), source("double_include_b")];
        run(&mut compile(compiler, "c++17", &[], &[&sources[0], &sources[1]], &program));
        run(&mut Command::new(&program));
    }
}

#[test]
fn the_program_in_the_readme_compiles() {
    require(&["g++"]);
    let dir = scratch("cpp-readme");
    for program in programs_in("bindings/cpp/README.md", "cpp") {
        let source = dir.join("readme.cpp");
        std::fs::write(&source, program).unwrap();
        run(&mut compile("g++", "c++17", &[], &[&source], &dir.join("readme")));
    }
}

/// examples/cpp/game_tick.cpp by the line in its head, played by one player.
#[test]
fn the_game_loop_ticks() {
    require(&["g++"]);
    let program = scratch("cpp-game-tick").join("game_tick");
    run(&mut compile("g++", "c++17", &["-O2"], &[&root().join("examples/cpp/game_tick.cpp")], &program));
    let mut game = Process::start(Command::new(&program).args(["127.0.0.1:0", "60"]));
    let line = game.line();
    let at = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("it says `{line}`"));

    let mut player = TcpStream::connect(at).unwrap();
    player.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    player.write_all(b"\0\0\0\x042 -1").unwrap();
    let mut said = Vec::new();
    loop {
        let mut head = [0; 4];
        player.read_exact(&mut head).unwrap();
        let mut message = vec![0; u32::from_be_bytes(head) as usize];
        player.read_exact(&mut message).unwrap();
        said.push(String::from_utf8(message).unwrap());
        if said.last().is_some_and(|last| last == "the server ends") {
            break;
        }
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
