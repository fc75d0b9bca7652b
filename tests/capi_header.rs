//! include/heartline.h is what cbindgen makes of src/capi, with the rules in front.
//! `make header` writes it.
#![allow(unsafe_code, reason = "strings of the C ABI")]

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs;
use std::path::Path;

use heartline::capi::codes::heartline_strerror;
use heartline::capi::names::{
    HEARTLINE_NAMES_ERRORS, HEARTLINE_NAMES_EVENTS, HEARTLINE_NAMES_REASONS, HEARTLINE_NAMES_VERDICTS, heartline_name,
};

/// Folders of src/capi and files in them, in reading order: what is common, then one part for each level.
const PARTS: &[(&str, &[&str])] = &[
    ("", &["library", "codes", "names", "policy"]),
    ("monitor", &["life", "verdict", "peer", "advance", "report"]),
    ("codec", &["life", "settings", "cut", "write", "custom"]),
    ("reactor", &["config", "event", "life", "listen", "connect", "close", "poll", "set"]),
    ("reactor", &["send", "report", "metrics", "mailbox"]),
];

#[test]
fn the_header_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = header(root);
    let path = root.join("include/heartline.h");
    if std::env::var_os("HEARTLINE_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if let Some((number, (made, kept))) =
        made.lines().zip(kept.lines()).enumerate().find(|(_, (made, kept))| made != kept)
    {
        panic!("include/heartline.h is stale in line {}:\n  it has   {kept}\n  made is  {made}\n{BLESS}", number + 1);
    }
    assert!(made == kept, "include/heartline.h is cut off or too long\n{BLESS}");
}

#[test]
fn each_function_says_who_may_call_it_and_what_it_returns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let kept = fs::read_to_string(root.join("include/heartline.h")).unwrap();
    let lines: Vec<&str> = kept.lines().collect();
    let mut functions = 0;
    for (at, line) in lines.iter().enumerate() {
        let line = line.strip_prefix("HEARTLINE_NODISCARD ").unwrap_or(line);
        let is_function = line.contains(" heartline_") && line.contains('(') && !line.starts_with([' ', '/', '#', 't']);
        if !is_function || line.contains("HEARTLINE_") {
            continue;
        }
        functions += 1;
        let above = lines[..at].iter().rev().skip_while(|line| **line == "HEARTLINE_NODISCARD");
        let above = above.take_while(|line| line.starts_with("//"));
        let text: Vec<&str> = above.copied().collect();
        let says = |word: &str| text.iter().any(|line| line.contains(word));
        assert!(says("hread"), "{line}: who may call it?");
        assert!(says("eturns") || line.starts_with("void") || text.len() < 3, "{line}: what does it return?");
    }
    assert!(functions > 60, "{functions} functions found");
}

/// Each `#define PREFIX_NAME NUMBER` of the header, as name and number.
fn numbers(header: &str, prefix: &str) -> Vec<(String, i32)> {
    let defined =
        header.lines().filter_map(|line| line.strip_prefix("#define ")?.strip_prefix(prefix)?.split_once(' '));
    let number = |text: &str| text.trim_matches(['(', ')']).parse().unwrap_or_else(|_| panic!("{prefix}: {text}"));
    let found: Vec<_> = defined.map(|(name, text)| (name.to_owned(), number(text))).collect();
    assert!(found.len() > 5, "{prefix}: {found:?}");
    found
}

#[test]
fn every_number_has_its_own_name_and_every_error_a_sentence() {
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/heartline.h")).unwrap();
    let name = |table, number| {
        // SAFETY: static strings.
        unsafe { CStr::from_ptr(heartline_name(table, number)) }.to_str().unwrap()
    };
    // SAFETY: a static string.
    let sentence = |error| unsafe { CStr::from_ptr(heartline_strerror(error)) }.to_str().unwrap();
    let mut sentences = HashSet::new();
    for (error, number) in numbers(&header, "HEARTLINE_ERR_") {
        assert_eq!(name(HEARTLINE_NAMES_ERRORS, number), format!("HEARTLINE_ERR_{error}"));
        assert!(sentence(number) != "unknown error" && sentences.insert(sentence(number)), "{error}");
    }
    let least = -(sentences.len() as i32) - 1;
    for unknown in [-1, least - 1, i32::MIN] {
        assert_eq!((name(HEARTLINE_NAMES_ERRORS, unknown), sentence(unknown)), ("unknown", "unknown error"));
    }
    assert_eq!((name(HEARTLINE_NAMES_ERRORS, 0), sentence(7)), ("HEARTLINE_OK", "success"));
    let tables = [
        (HEARTLINE_NAMES_REASONS, "HEARTLINE_REASON_"),
        (HEARTLINE_NAMES_EVENTS, "HEARTLINE_EVENT_"),
        (HEARTLINE_NAMES_VERDICTS, "HEARTLINE_VERDICT_"),
    ];
    for (table, prefix) in tables {
        let known = numbers(&header, prefix);
        for (what, number) in &known {
            assert_eq!(name(table, *number), what.to_lowercase());
        }
        let most = known.iter().map(|(_, number)| *number).filter(|number| *number < 256).max().unwrap();
        assert_eq!((name(table, most + 1), name(table, -1)), ("unknown", "unknown"), "{prefix}");
    }
}

#[test]
fn no_number_with_a_sign_stands_without_parentheses_and_nothing_is_included_twice() {
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/heartline.h")).unwrap();
    assert!(header.contains("#define HEARTLINE_ERR_NULL (-2)\n"));
    for line in header.lines().filter(|line| line.starts_with("#define ")) {
        assert!(!line.contains(" -"), "{line}");
    }
    for include in ["#include <stddef.h>", "#include <stdint.h>"] {
        assert_eq!(header.matches(include).count(), 1, "{include}");
    }
    assert_eq!(header.matches("#include").count(), 2);
}

/// Words of the parameters whose bytes, strings, structs or descriptors the callee gets, and of what it does with them.
#[test]
fn each_function_that_is_given_something_says_what_becomes_of_it() {
    let header = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/heartline.h")).unwrap();
    let (_, functions) = header.split_once("extern \"C\" {").unwrap();
    let mut seen = 0;
    for paragraph in functions.split("\n\n") {
        let Some((text, declaration)) = paragraph.rsplit_once("\n//").and_then(|(above, rest)| {
            let (last, declaration) = rest.split_once('\n')?;
            Some((format!("{above}{last}"), declaration))
        }) else {
            continue;
        };
        for kept in
            ["void *data", "_options *options", "_slice *parts", "_policy *policy", "_config *config", "int32_t fd"]
        {
            let in_only = declaration.contains(&format!("const {kept}"))
                || declaration.contains(&format!("const struct heartline{kept}"));
            if in_only || (kept == "int32_t fd" && declaration.contains(kept)) {
                seen += 1;
                let says = ["copied", "copies", "borrow", "taken"].iter().any(|word| text.contains(word));
                let refers = text.contains("The same") || text.contains("as heartline_");
                assert!(says || refers, "{declaration}\nborrows, copies or takes?");
            }
        }
        if declaration.contains("size_t len") || declaration.contains("message_len") {
            let says = text.contains("_INVALID") || text.contains("eturns as") || declaration.starts_with("void");
            assert!(says, "{declaration}\nwhat of a length over PTRDIFF_MAX?");
        }
    }
    assert!(seen > 12, "{seen} found");
}

const BLESS: &str = "`make header` writes it";

fn header(root: &Path) -> String {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml")).unwrap();
    config.after_includes = Some(first_page(root));
    let mut builder = cbindgen::Builder::new().with_config(config);
    for (folder, files) in PARTS {
        for file in *files {
            builder = builder.with_src(root.join("src/capi").join(folder).join(file).with_extension("rs"));
        }
    }
    let mut made = Vec::new();
    builder.generate().expect("src/capi is not what cbindgen reads").write(&mut made);
    // What Rust's callers must keep is said once, in the rules: C has no other way to call.
    let made = String::from_utf8(made).unwrap();
    let mut lines: Vec<String> = Vec::new();
    let mut in_safety = false;
    for line in made.lines() {
        match line.trim() {
            "// # Safety" => {
                in_safety = true;
                if lines.last().is_some_and(|last| last.trim() == "//") {
                    lines.pop();
                }
            }
            text if in_safety && text.starts_with("//") => {}
            _ => {
                in_safety = false;
                lines.push(in_parentheses(line));
            }
        }
    }
    lines.join("\n") + "\n"
}

/// A macro with a sign in front is safe within any expression only in parentheses.
fn in_parentheses(line: &str) -> String {
    match line.strip_prefix("#define ").and_then(|rest| rest.split_once(" -")) {
        Some((name, number)) => format!("#define {name} (-{number})"),
        None => line.to_owned(),
    }
}

fn first_page(root: &Path) -> String {
    let rules = fs::read_to_string(root.join("src/capi/rules.txt")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap());
    let (major, minor, patch) = (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap());
    format!(
        "\n{rules}\n#define HEARTLINE_VERSION \"{version}\"\n#define HEARTLINE_VERSION_MAJOR {major}\n#define \
         HEARTLINE_VERSION_MINOR {minor}\n#define HEARTLINE_VERSION_PATCH {patch}\n#define HEARTLINE_VERSION_NUMBER {}\n",
        major * 1_000_000 + minor * 1000 + patch
    )
}
