"""The servers that are set beside each other: builds them, and says what they are."""

import dataclasses
import functools
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import measure  # noqa: E402  (it lies in the folder above)

FLOOR, RUST, C = "floor", "heartline", "heartline-c"


@dataclasses.dataclass(frozen=True)
class Server:
    name: str
    command: tuple
    version: str
    source: str
    deadline: str  # how it finds who was silent for too long


def build(release=True):
    """All of them by key, in the order of the tables. Without `release` what is Rust has cargo's dev profile."""
    measure.build_programs()
    measure.build_c_programs("capi_echo")
    peers = measure.ROOT / "benches" / "peers"
    profile = ["--release"] if release else []
    # The tests are built with this feature: what they left is used.
    features = [] if release else ["--features", "sim"]
    rust = measure.cargo_executable("peers_heartline", "build", *profile, *features, "--example", "peers_heartline")
    target = str(measure.ROOT / "target" / "peers")
    tokio = measure.cargo_executable(
        "peers-tokio", "build", "--locked", "--target-dir", target, *profile, folder=peers / "tokio"
    )
    libevent = measure.compile_c(peers / "libevent.c", "-levent_core")
    libuv = measure.compile_c(peers / "libuv.c", "-luv")
    own, crates = crate_versions(measure.ROOT)["heartline"], crate_versions(peers / "tokio")
    timeout = "{timeout}"
    return {
        FLOOR: Server("floor (epoll, C)", (measure.FLOOR, "0", timeout), "–", "floor.c", "one list in the order of last bytes"),
        "libevent": Server(
            "libevent", (libevent, timeout), library_version("libevent"), "peers/libevent.c",
            "the bufferevent's read timeout, a common one"),
        "libuv": Server(
            "libuv", (libuv, timeout), library_version("libuv"), "peers/libuv.c",
            "a `uv_timer_t` per connection, `uv_timer_again` at each read"),
        "tokio": Server(
            "tokio", (tokio, timeout), f"{crates['tokio']}, tokio-util {crates['tokio-util']}", "peers/tokio/",
            "`timeout` around the next frame of `LengthDelimitedCodec`; `current_thread`"),
        RUST: Server("Heartline (Rust)", (rust, timeout), own, "peers/heartline.rs", "policy `im,timeout=T`"),
        C: Server("Heartline (C)", measure.C_ECHO, own, "capi_echo.c", "policy `im,timeout=T`"),
    }  # fmt: skip


def said(*command, **settings):
    done = subprocess.run(command, capture_output=True, text=True, **settings)
    if done.returncode != 0:
        raise measure.Failure(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def library_version(package):
    return said("pkg-config", "--modversion", package)


@functools.cache
def crate_versions(folder):
    metadata = json.loads(said("cargo", "metadata", "--locked", "--format-version", "1", cwd=folder))
    return {package["name"]: package["version"] for package in metadata["packages"]}


def compilers():
    return {"cc": said("cc", "--version").splitlines()[0], "rustc": said("rustc", "--version")}


if __name__ == "__main__":
    sys.exit("this is a part of benches/peers/compare.py: run `make bench-peers`")
