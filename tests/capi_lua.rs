//! bindings/lua under Lua 5.1, 5.4 and LuaJIT, and its two examples with players.
#![cfg(feature = "capi")]

mod support_bindings;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support_bindings::{Process, library_dir, programs_in, require, root, run, scratch};

const STRICT: [&str; 5] = ["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-pedantic"];

fn compile(compiler: &str, headers: &str, sources: &[&str], program: &Path, flags: &[&str]) {
    let headers = Path::new("/usr/include").join(headers);
    assert!(headers.join("lua.h").is_file(), "{} has no lua.h: scripts/install-tools", headers.display());
    require(&[compiler]);
    let library = library_dir();
    let mut command = Command::new(compiler);
    command.args(STRICT).args(["-O1", "-g"]).arg("-I").arg(root().join("include")).arg("-I").arg(headers);
    command.args(sources.iter().map(|source| root().join(source))).arg("-o").arg(program);
    command.arg("-L").arg(&library).arg("-lheartline").arg(format!("-Wl,-rpath,{}", library.display())).args(flags);
    run(&mut command);
}

fn module(lua: &str, headers: &str) {
    require(&[lua]);
    let dir = scratch(&format!("lua-{lua}"));
    for compiler in ["gcc", "clang"] {
        compile(compiler, headers, &["bindings/lua/heartline.c"], &dir.join("heartline.so"), &["-fPIC", "-shared"]);
        let said = run(Command::new(lua)
            .arg(root().join("bindings/lua/test.lua"))
            .env("LUA_CPATH", dir.join("?.so"))
            .env("LUA_PATH", "/nowhere"));
        assert!(said.starts_with("ok Lua"), "{said}");
    }
}

#[test]
fn lua_5_1() {
    module("lua5.1", "lua5.1");
}

#[test]
fn lua_5_4() {
    module("lua5.4", "lua5.4");
}

#[test]
fn luajit() {
    module("luajit", "luajit-2.1");
}

/// The same script with every access to memory checked.
#[test]
fn lua_5_4_under_valgrind() {
    require(&["lua5.4", "valgrind"]);
    let dir = scratch("lua-valgrind");
    compile("gcc", "lua5.4", &["bindings/lua/heartline.c"], &dir.join("heartline.so"), &["-fPIC", "-shared"]);
    run(Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite", "lua5.4"])
        .arg(root().join("bindings/lua/test.lua"))
        .env("LUA_CPATH", dir.join("?.so")));
}

/// It echoes on the port that it names, for ever: here, on another and once.
#[test]
fn the_program_in_the_readme_runs() {
    require(&["lua5.1"]);
    let dir = scratch("lua-readme");
    compile("gcc", "lua5.1", &["bindings/lua/heartline.c"], &dir.join("heartline.so"), &["-fPIC", "-shared"]);
    for program in programs_in("bindings/lua/README.md", "lua") {
        let once = program
            .replace("127.0.0.1:7001", "127.0.0.1:0")
            .replace("while true do", "for round = 1, 2 do")
            .replace("reactor:poll()", "reactor:poll(10)");
        assert!(once.contains("reactor:poll(10)") && once.contains("round") && once.contains(":0\""), "{once}");
        run(Command::new("lua5.1").arg("-e").arg(once).env("LUA_CPATH", dir.join("?.so")));
    }
}

fn example(name: &str) -> PathBuf {
    let program = scratch(&format!("lua-{name}")).join(name);
    let sources = [format!("examples/lua/{name}.c"), "bindings/lua/heartline.c".to_owned()];
    compile("gcc", "lua5.4", &[&sources[0], &sources[1]], &program, &["-llua5.4"]);
    program
}

fn connect(host: &mut Process) -> TcpStream {
    let line = host.line();
    let at = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("it says `{line}`"));
    player(at)
}

fn player(at: &str) -> TcpStream {
    let player = TcpStream::connect(at).unwrap();
    player.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    player
}

/// The next message of a frame whose length has so many bytes.
fn message(from: &mut TcpStream, width: usize) -> String {
    let mut head = [0; 4];
    from.read_exact(&mut head[4 - width..]).unwrap();
    let mut message = vec![0; u32::from_be_bytes(head) as usize];
    from.read_exact(&mut message).unwrap();
    String::from_utf8(message).unwrap()
}

#[test]
fn a_host_with_lua_inside() {
    let mut command = Command::new(example("embedded"));
    let mut host = Process::start(command.arg(root().join("examples/lua/embedded.lua")).args(["127.0.0.1:0", "40"]));
    let mut player = connect(&mut host);
    player.write_all(b"\0\0\0\x05hello").unwrap();
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
    let mut command = Command::new(example("gate_host"));
    command.args(["0", "lan,role=both,interval=300ms,suspect=600ms,timeout=900ms", "10"]);
    let mut host = Process::start(command.env("LUA_PATH", root().join("examples/lua/?.lua")));
    let mut mute = connect(&mut host);
    let at = mute.peer_addr().unwrap().to_string();
    let mut living = player(&at);
    living.write_all(b"\0").unwrap(); // a frame may be cut anywhere
    living.write_all(b"\x05hello").unwrap();
    assert_eq!(message(&mut living, 2), "HELLO");

    // One says nothing and is cut off on time; the other answers beats and stays.
    let began = Instant::now();
    let cut_off = std::thread::spawn(move || {
        while message_or_end(&mut mute).is_some_and(|text| text.is_empty()) {}
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

fn message_or_end(from: &mut TcpStream) -> Option<String> {
    let mut head = [0; 2];
    from.read_exact(&mut head).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(head))];
    from.read_exact(&mut message).ok()?;
    String::from_utf8(message).ok()
}
