//! What the tests of the C ABI share: the libraries, compilers, and programs that do not run for ever.
#![allow(dead_code)] // each test uses a part

use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any program takes, also under valgrind on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A place for a file of this test run.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("capi");
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// How a program is linked with the library of `make lib`.
#[derive(Clone, Copy)]
pub(crate) enum Library {
    Shared,
    Static,
}

/// What the linker is told, and what the program needs at run time.
pub(crate) fn released(how: Library) -> Vec<OsString> {
    let built = library();
    match how {
        Library::Shared => {
            let mut path = OsString::from("-Wl,-rpath,");
            path.push(built);
            vec!["-L".into(), built.into(), "-lheartline".into(), path]
        }
        Library::Static => with_system_libraries(built.join("libheartline.a"), built),
    }
}

/// The folder in which `make lib` leaves the libraries; it runs once for a test program, and builds only what is old.
pub(crate) fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        make(&["lib"]);
        root().join("target/capi")
    })
}

/// The library with debug assertions, overflow checks and a panic that can be ordered, as an archive.
pub(crate) fn checked() -> Vec<OsString> {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        make(&["lib-checked"]);
        root().join("target/capi-checked")
    });
    with_system_libraries(built.join("libheartline.a"), built)
}

fn with_system_libraries(archive: PathBuf, folder: &Path) -> Vec<OsString> {
    let system = fs::read_to_string(folder.join("native-static-libs")).unwrap();
    std::iter::once(archive.into()).chain(system.split_whitespace().map(OsString::from)).collect()
}

pub(crate) fn make(arguments: &[&str]) {
    let mut command = Command::new("make");
    command.arg("--no-print-directory").args(arguments).current_dir(root());
    if std::env::var_os("CARGO_LLVM_COV").is_some() {
        // The libraries are what users get, not a build that counts its lines.
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"] {
            command.env_remove(name);
        }
    }
    let output = command.output().expect("make");
    assert!(output.status.success(), "make {arguments:?}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Compiles a program, and fails with what the compiler said.
pub(crate) fn compile(compiler: &str, flags: &[&str], files: &[&Path], library: &[OsString], name: &str) -> PathBuf {
    let program = scratch(name);
    let mut command = Command::new(compiler);
    command.args(flags).arg("-I").arg(root().join("include")).arg("-o").arg(&program).args(files).args(library);
    let output = command.output().unwrap_or_else(|error| panic!("{compiler}: {error} (scripts/install-tools)"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    program
}

/// Runs a program that must succeed and print nothing.
pub(crate) fn run(program: &Path, arguments: &[&str]) {
    let (status, output) = run_limited(Command::new(program).args(arguments));
    assert!(status.success() && output.is_empty(), "{}: {status}\n{output}", program.display());
}

/// How it ended and all it printed. After the limit it is killed, which is a failure.
pub(crate) fn run_limited(command: &mut Command) -> (ExitStatus, String) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error} (scripts/install-tools)"));
    let mut output = child.stdout.take().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let readers = [thread::spawn(move || read_all(&mut output)), thread::spawn(move || read_all(&mut errors))];
    let begin = Instant::now();
    let mut late = false;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > LIMIT {
            late = true;
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(5));
    };
    let output: String = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(!late, "{command:?} ran for more than {LIMIT:?}\n{output}");
    (status, output)
}

fn read_all(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
