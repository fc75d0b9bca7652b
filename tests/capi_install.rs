//! `make install` into a folder, programs built against what lies there by pkg-config and CMake, and `make uninstall`.

mod capi_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use capi_support::library::{library, make};
use capi_support::process::said;
use capi_support::{folder, root, scratch};

fn install(what: &str, into: &Path) {
    library();
    make(&[what, "PREFIX=/usr", &format!("DESTDIR={}", into.display())]);
}

/// Every file and link below a folder, by its path in it.
fn files(below: &Path) -> BTreeSet<String> {
    let output = said(Command::new("find").arg(below).args(["!", "-type", "d", "-printf", "%P\n"]));
    output.lines().map(str::to_owned).collect()
}

/// A program of tests/c that uses all three levels, and two in C++: a compiler for each, the source and its arguments.
const CONSUMERS: [(&str, &str, &str, &[&str]); 3] = [
    ("gcc", "-std=c99", "tests/c/ids.c", &[]),
    ("g++", "-std=c++17", "tests/cpp/reactor.cpp", &[]),
    ("g++", "-std=c++17", "examples/cpp/game_tick.cpp", &["127.0.0.1:0", "3"]),
];

/// All of them compiled with these flags alone, and run; what the loader loads for each.
fn consumers(name: &str, flags: &str) -> Vec<String> {
    let loaded = CONSUMERS.iter().enumerate().map(|(index, (compiler, standard, source, arguments))| {
        let program = scratch(&format!("{name}-{index}"));
        let mut command = Command::new(compiler);
        command.args([standard, "-Wall", "-Werror", "-o"]).arg(&program).arg(root().join(source));
        said(command.args(flags.split_whitespace()));
        runs(&program, source, arguments);
        said(Command::new("ldd").arg(&program))
    });
    loaded.collect()
}

fn runs(program: &Path, source: &str, arguments: &[&str]) {
    let said = said(Command::new(program).args(arguments));
    match source {
        "tests/c/ids.c" => assert_eq!(said, ""),
        "tests/cpp/reactor.cpp" => assert_eq!(said, "ok reactor\n"),
        _ => assert!(said.contains("\n3 ticks in "), "{said}"),
    }
}

fn flags(arguments: &[&str], prefix: &Path) -> String {
    let path = prefix.join("lib/pkgconfig");
    said(Command::new("pkg-config").args(arguments).arg("heartline").env("PKG_CONFIG_PATH", path))
}

#[test]
fn what_is_installed_builds_programs_by_pkg_config_and_is_removed_again() {
    let stage = folder("install");
    install("install", &stage);
    let prefix = stage.join("usr");
    let found = files(&stage);
    let version = env!("CARGO_PKG_VERSION");
    let series = version.rsplit_once('.').unwrap().0;
    for file in [
        "include/heartline.h",
        "include/heartline.hpp",
        "lib/libheartline.a",
        "lib/libheartline.so",
        &format!("lib/libheartline.so.{series}"),
        &format!("lib/libheartline.so.{version}"),
        "lib/pkgconfig/heartline.pc",
        "lib/cmake/Heartline/HeartlineConfig.cmake",
        "lib/cmake/Heartline/HeartlineConfigVersion.cmake",
        "share/man/man1/heartline.1",
        "share/man/man3/heartline.3",
    ] {
        assert!(found.contains(&format!("usr/{file}")), "{file} is missing of {found:#?}");
    }

    assert_eq!(flags(&["--modversion"], &prefix).trim(), version);
    let shared = flags(&["--cflags", "--libs"], &prefix);
    for loaded in consumers("by-pkg-config", &format!("{shared} -Wl,-rpath,{}", prefix.join("lib").display())) {
        let place = prefix.join(format!("lib/libheartline.so.{series}"));
        assert!(loaded.contains(place.to_str().unwrap()), "{loaded}");
    }

    // The same tree, moved, with the archive alone.
    let moved = folder("install-moved").join("elsewhere");
    said(Command::new("cp").arg("-a").arg(&prefix).arg(&moved));
    for file in files(&moved).iter().filter(|file| file.contains(".so")) {
        fs::remove_file(moved.join(file)).unwrap();
    }
    let archive = flags(&["--static", "--cflags", "--libs"], &moved);
    for loaded in consumers("by-pkg-config-static", &archive) {
        assert!(!loaded.contains("libheartline"), "{loaded}");
    }

    make(&["uninstall", "PREFIX=/usr", &format!("DESTDIR={}", stage.display())]);
    assert_eq!(files(&stage), BTreeSet::new(), "all that was installed is gone");
}

#[test]
fn the_tarball_unpacked_anywhere_builds_programs_by_cmake() {
    library();
    make(&["dist"]);
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("heartline-{version}-{}-linux", std::env::consts::ARCH);
    let folder = folder("dist");
    said(Command::new("tar").arg("-xzf").arg(root().join(format!("target/{name}.tar.gz"))).arg("-C").arg(&folder));
    let project = folder.join("project");
    fs::create_dir_all(&project).unwrap();
    let mut listing = format!(
        "cmake_minimum_required(VERSION 3.10)\nproject(consumer C CXX)\nset(CMAKE_C_STANDARD 99)\n\
         set(CMAKE_CXX_STANDARD 17)\nfind_package(Heartline {version} REQUIRED)\n\
         find_package(Heartline 0.999 QUIET)\n\
         if(Heartline_FOUND)\n  message(FATAL_ERROR \"0.999 was found\")\nendif()\n",
    );
    for (index, (_, _, source, _)) in CONSUMERS.iter().enumerate() {
        for (kind, target) in [("shared", "heartline::heartline"), ("static", "heartline::static")] {
            let source = root().join(source);
            listing += &format!(
                "add_executable({kind}{index} {})\ntarget_link_libraries({kind}{index} {target})\n",
                source.display()
            );
        }
    }
    fs::write(project.join("CMakeLists.txt"), listing).unwrap();
    let build = project.join("build");
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", folder.join(&name).display());
    said(Command::new("cmake").arg("-S").arg(&project).arg("-B").arg(&build).arg(prefix));
    said(Command::new("cmake").arg("--build").arg(&build));
    for (index, (_, _, source, arguments)) in CONSUMERS.iter().enumerate() {
        for (kind, is_shared) in [("shared", true), ("static", false)] {
            let program = build.join(format!("{kind}{index}"));
            runs(&program, source, arguments);
            assert_eq!(said(Command::new("ldd").arg(program)).contains("libheartline.so"), is_shared);
        }
    }
}

/// What only the command needs is not built into the library.
#[test]
fn no_crate_of_the_command_is_inside() {
    let output = said(
        Command::new(env!("CARGO"))
            .args(["tree", "--edges", "normal", "--no-default-features", "--features", "capi", "--prefix", "none"])
            .args(["--target", "x86_64-unknown-linux-gnu"])
            .current_dir(root()),
    );
    let inside: BTreeSet<&str> = output.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let allowed = ["bitflags", "cfg-if", "heartline", "libc", "log", "memoffset", "mio", "nix", "slab"];
    assert_eq!(inside, BTreeSet::from(allowed));
}

#[test]
fn the_pages_name_every_flag_and_every_function() {
    let command = fs::read_to_string(root().join("packaging/heartline.1.in")).unwrap().replace("\\-", "-");
    let flags = fs::read_to_string(root().join("docs/serve.md")).unwrap();
    let flags = flags.lines().filter_map(|line| line.strip_prefix("| `--")?.split([' ', '`']).next());
    let mut count = 0;
    for flag in flags {
        assert!(command.contains(&format!("--{flag} ")) || command.contains(&format!("--{flag}\"")), "--{flag}");
        count += 1;
    }
    assert!(count > 20, "docs/serve.md lists {count} flags");

    let stage = folder("pages");
    install("install", &stage);
    let page = fs::read_to_string(stage.join("usr/share/man/man3/heartline.3")).unwrap();
    let symbols = fs::read_to_string(root().join("include/heartline.symbols")).unwrap();
    for symbol in symbols.lines() {
        assert!(page.contains(&format!("{symbol}(")), "{symbol}");
    }
    assert!(!page.contains('@') && page.contains("HEARTLINE_ERR_STALE"));
}

/// What cargo-c is told in Cargo.toml is what the Makefile and scripts/capi-install do: flags, names, features.
#[test]
fn cargo_c_is_told_what_make_does() {
    let mut command = Command::new(env!("CARGO"));
    let metadata = said(command.args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(root()));
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap();
    let package =
        metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == "heartline").unwrap();
    let capi = &package["metadata"]["capi"];

    // The flags that reach rustc. cargo-c makes the SONAME itself and asks for the system's libraries itself.
    let recipe = said(Command::new("make").args(["--no-print-directory", "--dry-run", "lib"]).current_dir(root()));
    let (cargo, rustc) = recipe.split_once(" -- ").expect("cargo rustc OPTIONS -- FLAGS");
    let rustc = rustc.replace("\\\n", " ");
    let rustc = rustc.lines().next().unwrap();
    let ours = |words: &str| -> BTreeSet<String> {
        let joined = words.replace("-C ", "-C").replace("--cfg ", "--cfg=").replace("--print ", "--print=");
        let own = |word: &&str| !word.contains("-soname") && !word.starts_with("--print=");
        joined.split_whitespace().filter(own).map(str::to_owned).collect()
    };
    let told = ours(capi["library"]["rustflags"].as_str().unwrap());
    assert_eq!(told, ours(rustc));
    assert!(told.contains("-Clink-arg=-Wl,-z,nodelete") && told.contains("--cfg=heartline_library"), "{told:?}");

    // cargo-c always asks for the feature `capi`; it must bring what the library needs and nothing of the command line.
    assert!(cargo.contains("--no-default-features --features capi"), "{cargo}");
    let with = |feature: &str| package["features"][feature].as_array().unwrap().clone();
    assert_eq!((with("capi"), with("net").contains(&"cli".into())), (vec!["net".into()], false));
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("cargo cinstall --profile capi --no-default-features --features capi`"));

    // What is installed has the same names.
    let place = folder("cargo-c");
    install("install", &place);
    let installed = files(&place);
    let name = |of: &str, key: &str| capi[of][key].as_str().unwrap().to_owned();
    let soversion = said(Command::new(root().join("scripts/capi-install")).arg("--soversion"));
    for path in [
        format!("usr/include/{}.h", name("header", "name")),
        format!("usr/lib/pkgconfig/{}.pc", name("pkg_config", "filename")),
        format!("usr/lib/lib{}.a", name("library", "name")),
        format!("usr/lib/lib{}.so.{}", name("library", "name"), soversion.trim()),
    ] {
        assert!(installed.contains(&path), "no {path} in {installed:#?}");
    }
    assert_eq!((&capi["header"]["subdirectory"], &capi["header"]["generation"]), (&false.into(), &false.into()));
    let assets = capi["install"]["include"]["asset"].as_array().unwrap();
    assert_eq!(assets.len(), 1);
    assert!(root().join(assets[0]["from"].as_str().unwrap()).is_file());
    let package_file = fs::read_to_string(place.join("usr/lib/pkgconfig/heartline.pc")).unwrap();
    assert!(package_file.contains(&format!("Name: {}", name("pkg_config", "name"))), "{package_file}");
}
