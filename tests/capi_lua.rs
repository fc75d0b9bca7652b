//! bindings/lua under Lua 5.1, 5.4 and LuaJIT, and its two examples with players.

mod capi_support;

use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use capi_support::client::{connect, receive_of, send};
use capi_support::example::Example;
use capi_support::library::{self, released_with};
use capi_support::process::{Process, said};
use capi_support::server::Server;
use capi_support::{programs_in, root};

const STRICT: [&str; 5] = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-pedantic"];
const BINDING: &str = "bindings/lua/heartline.c";

fn compile(compiler: &str, headers: &str, flags: &[&str], sources: &[&str], others: &[&str], name: &str) -> PathBuf {
    let headers = Path::new("/usr/include").join(headers);
    assert!(headers.join("lua.h").is_file(), "{} has no lua.h: scripts/install-tools", headers.display());
    let headers = format!("-I{}", headers.display());
    let flags = [&STRICT, flags, &["-O1", "-g", &headers]].concat();
    let sources: Vec<&Path> = sources.iter().map(Path::new).collect();
    library::compile(compiler, &flags, &sources, &released_with(others), name)
}

/// Compiles the module into a folder of its own; what LUA_CPATH must be.
fn module(compiler: &str, headers: &str, folder: &str) -> PathBuf {
    let file = format!("lua-{folder}/heartline.so");
    compile(compiler, headers, &["-fPIC", "-shared"], &[BINDING], &[], &file).with_file_name("?.so")
}

fn tests_pass(lua: &str, headers: &str) {
    for compiler in ["gcc", "clang"] {
        let said = said(
            Command::new(lua)
                .arg(root().join("bindings/lua/test.lua"))
                .env("LUA_CPATH", module(compiler, headers, lua))
                .env("LUA_PATH", "/nowhere"),
        );
        assert!(said.starts_with("ok Lua"), "{said}");
    }
}

#[test]
fn lua_5_1() {
    tests_pass("lua5.1", "lua5.1");
}

#[test]
fn lua_5_4() {
    tests_pass("lua5.4", "lua5.4");
}

#[test]
fn luajit() {
    tests_pass("luajit", "luajit-2.1");
}

/// As the head of the module says.
#[test]
fn a_reader_builds_the_module_and_runs_its_test() {
    let example = Example::built(BINDING, &STRICT);
    let said = said(&mut example.command("test.lua", &[]));
    assert!(said.starts_with("ok Lua 5.4"), "{said}");
}

/// The same script with every access to memory checked.
#[test]
fn lua_5_4_under_valgrind() {
    said(
        Command::new("valgrind")
            .args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite", "lua5.4"])
            .arg(root().join("bindings/lua/test.lua"))
            .env("LUA_CPATH", module("gcc", "lua5.4", "valgrind")),
    );
}

/// A script of tests/lua, which says at its end that it is well.
fn script(name: &str, argument: &str) {
    let modules = module("gcc", "lua5.4", name);
    let script = root().join("tests/lua").join(name).with_extension("lua");
    assert_eq!(said(Command::new("lua5.4").arg(script).arg(argument).env("LUA_CPATH", modules)), "ok\n");
}

#[test]
fn against_the_echo_server_in_c() {
    let server = Server::with("echo", &["127.0.0.1:0", "im,timeout=1s"]);
    script("echo", &server.at);
}

#[test]
fn what_a_script_writes_for_a_player_who_is_gone() {
    script("on_closed", "");
}

/// It echoes on the port that it names, for ever: here, on another and once.
#[test]
fn the_program_in_the_readme_runs() {
    let modules = module("gcc", "lua5.1", "readme");
    for program in programs_in("bindings/lua/README.md", "lua") {
        let once = program
            .replace("127.0.0.1:7001", "127.0.0.1:0")
            .replace("while true do", "for round = 1, 2 do")
            .replace("reactor:poll()", "reactor:poll(10)");
        assert!(once.contains("reactor:poll(10)") && once.contains("round") && once.contains(":0\""), "{once}");
        said(Command::new("lua5.1").arg("-e").arg(once).env("LUA_CPATH", &modules));
    }
}

fn example(name: &str) -> Example {
    Example::built(&format!("examples/lua/{name}.c"), &STRICT)
}

/// The next message of a frame whose length has so many bytes.
fn message(from: &mut TcpStream, width: usize) -> String {
    String::from_utf8(receive_of(from, width).unwrap()).unwrap()
}

#[test]
fn a_host_with_lua_inside() {
    let example = example("embedded");
    let mut host = Process::start(&mut example.command("./embedded", &[("[TICKS]", "40")]));
    let mut player = connect(&host.address());
    send(&mut player, b"hello");
    let mut said = Vec::new();
    while said.last().is_none_or(|last: &String| last != "the room closes") {
        said.push(message(&mut player, 4));
    }
    drop(player);
    assert!(said[0].ends_with(": hello") && said.iter().any(|text| text == "tick 40"), "{said:?}");
    let output = host.finish();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && told.contains(" left: drained after ") && told.contains("1 messages"), "{told}");
}

#[test]
fn the_gate_of_a_skynet_like_server() {
    let example = example("gate_host");
    let optional = ("[POLICY [SECONDS]]", "lan,role=both,interval=300ms,suspect=600ms,timeout=900ms 10");
    let mut host = Process::start(&mut example.command("./gate_host", &[optional]));
    let at = host.address();
    let [mut mute, mut living] = [connect(&at), connect(&at)];
    living.write_all(b"\0").unwrap(); // a frame may be cut anywhere
    living.write_all(b"\x05hello").unwrap();
    assert_eq!(message(&mut living, 2), "HELLO");

    // One says nothing and is cut off on time; the other answers beats and stays.
    let began = Instant::now();
    let cut_off = std::thread::spawn(move || {
        while receive_of(&mut mute, 2).is_ok_and(|asked| asked.is_empty()) {}
        began.elapsed()
    });
    let mut asked = 0;
    while began.elapsed() < Duration::from_millis(2500) {
        assert_eq!(message(&mut living, 2), "", "only asks come");
        asked += 1;
        living.write_all(b"\0\0").unwrap();
    }
    assert!(asked >= 4, "asked {asked} times");
    let lived = cut_off.join().unwrap();
    assert!(lived >= Duration::from_millis(850) && lived < Duration::from_millis(4000), "it lived {lived:?}");
    // Stopped for more than three times the timeout, it kills nobody on waking.
    host.stop_for(Duration::from_secs(3));
    for _ in 0..3 {
        assert_eq!(message(&mut living, 2), "", "only asks come");
        living.write_all(b"\0\0").unwrap();
    }
    living.write_all(b"\0\x03bye").unwrap();
    while message(&mut living, 2) != "BYE" {}
    drop(living);

    let output = host.finish();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.matches("dead after ").count(), 1, "{told}");
    assert!(told.contains("nobody dies of it"), "{told}");
    assert_eq!(told.matches("closed by its peer").count(), 1, "{told}");
}
