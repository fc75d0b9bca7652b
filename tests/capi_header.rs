//! include/heartline.h is what cbindgen makes of src/capi, with the rules in front.
//! `make header` writes it.

use std::fs;
use std::path::Path;

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
        let is_function = line.contains(" heartline_") && line.contains('(') && !line.starts_with([' ', '/', '#', 't']);
        if !is_function || line.contains("HEARTLINE_") {
            continue;
        }
        functions += 1;
        let above = lines[..at].iter().rev().take_while(|line| line.starts_with("//"));
        let text: Vec<&str> = above.copied().collect();
        let says = |word: &str| text.iter().any(|line| line.contains(word));
        assert!(says("hread"), "{line}: who may call it?");
        assert!(says("eturns") || line.starts_with("void") || text.len() < 3, "{line}: what does it return?");
    }
    assert!(functions > 60, "{functions} functions found");
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
    let mut lines: Vec<&str> = Vec::new();
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
                lines.push(line);
            }
        }
    }
    lines.join("\n") + "\n"
}

fn first_page(root: &Path) -> String {
    let rules = fs::read_to_string(root.join("src/capi/rules.txt")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap());
    let (major, minor, patch) = (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap());
    format!(
        "{rules}\n#define HEARTLINE_VERSION \"{version}\"\n#define HEARTLINE_VERSION_MAJOR {major}\n#define \
         HEARTLINE_VERSION_MINOR {minor}\n#define HEARTLINE_VERSION_PATCH {patch}\n#define HEARTLINE_VERSION_NUMBER {}\n",
        major * 1_000_000 + minor * 1000 + patch
    )
}
