#!/usr/bin/env python3
"""`make test`: every check in turn, all of them whatever fails, and at the end what was run and what came of it.

    scripts/test.py [--full] [--list] [WORD...]

--full adds what takes long: Miri, a minute of fuzzing per target, long stops (HEARTLINE_LONG=1), coverage. With words, only
the steps whose names contain one of them run. The last line reads "N passed, N failed" and counts test cases; a step that
fails without a failed test case counts as one failed.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

import targets

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULT = re.compile(r"^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored")
FAILED_CASE = re.compile(r"^test (.+?)(?: - .*)? \.\.\. FAILED")
FEATURE_SETS = (
    # arguments, and whether tests, benches and examples build with them too
    ("", True),
    ("--no-default-features", False),
    ("--no-default-features --features net", False),
    ("--no-default-features --features websocket", False),
    ("--no-default-features --features deflate", False),
    ("--no-default-features --features cli", False),
    ("--features capi", False),
    ("--features sim", True),
    ("--all-features", True),
)


@dataclasses.dataclass
class Step:
    name: str
    command: list
    limit_s: int = 900
    env: dict = dataclasses.field(default_factory=dict)
    counts: bool = True  # False: it runs test cases again that another step has counted
    passed: int = 0
    failed: int = 0
    ignored: int = 0
    seconds: float = 0
    status: int | None = None  # None: it took too long
    failed_cases: list = dataclasses.field(default_factory=list)
    last_line: str = ""

    @property
    def outcome(self):
        return "ok" if self.status == 0 else "FAILED"

    def run(self):
        print(f"\n=== {self.name}\n$ {shlex.join(self.command)}", flush=True)
        begin = time.monotonic()
        process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env={**os.environ, "CARGO_TERM_PROGRESS_WHEN": "never", **self.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        overdue = threading.Event()

        def stop():
            overdue.set()
            os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(self.limit_s, stop)
        timer.start()
        try:
            for line in process.stdout:
                sys.stdout.write(line)
                sys.stdout.flush()
                self._read(line)
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
        self.status = None if overdue.is_set() else status
        self.seconds = time.monotonic() - begin
        if self.outcome == "FAILED" and self.failed == 0:
            self.failed = 1

    def _read(self, line):
        self.last_line = line.strip() or self.last_line
        if not self.counts:
            return
        if result := RESULT.match(line):
            passed, failed, ignored = map(int, result.groups())
            self.passed += passed
            self.failed += failed
            self.ignored += ignored
        elif case := FAILED_CASE.match(line):
            self.failed_cases.append(case[1])

    def report(self):
        about = []
        if self.passed or self.failed_cases:
            about.append(f"{self.passed} passed")
        if self.failed_cases:
            about.append(f"{self.failed} failed: {', '.join(self.failed_cases)}")
        if self.ignored:
            about.append(f"{self.ignored} ignored")
        if self.status is None:
            about.append(f"stopped after {self.limit_s} s")
        tail = f" ({'; '.join(about)})" if about else ""
        return f"  {self.outcome:8}{self.seconds:7.1f} s  {self.name}{tail}"


def cargo(name, arguments, *more, **settings):
    return Step(name, ["cargo", *shlex.split(arguments), *more], **settings)


def named(kind, names):
    return [word for name in names for word in (f"--{kind}", name)]


def test_steps(env, release):
    """The tests of tests/system_*.rs watch the clock of real processes: they run one at a time, the others side by side."""
    enabled = targets.enabled_features({"default", "sim"})
    all_tests = targets.targets("test")
    # The simulator has a build of its own, fast and with every assertion, and its own step.
    simulated = [test["name"] for test in all_tests if test["name"] == "sim"]
    all_tests = [test for test in all_tests if test["name"] not in simulated]
    plain = [test["name"] for test in all_tests if set(test.get("required-features", ())) <= enabled]
    others = [test["name"] for test in all_tests if test["name"] not in plain]
    system = [name for name in plain if name.startswith("system_")]
    parallel = [name for name in plain if name not in system]

    run = "test --features sim --no-fail-fast"
    yield cargo("tests: units", f"{run} --lib --bins", env=env)
    if parallel:
        yield cargo("tests: tests/", run, *named("test", parallel), env=env)
    if system:
        one_at_a_time = [*named("test", system), "--", "--test-threads=1"]
        # With --full the soak alone takes more than three minutes of it.
        yield cargo("tests: the system, one at a time", run, *one_at_a_time, env=env | release, limit_s=1200)
    if simulated:
        yield cargo("tests: the simulator, 1,000 seeds", "test --profile sim --features sim", *named("test", simulated), env=env)
    if (ROOT / "src" / "capi").is_dir():
        yield cargo("tests: units of the C ABI", "test --all-features --no-fail-fast --lib capi::", env=env)
    if others:
        yield cargo(
            "tests: those with all features", "test --all-features --no-fail-fast", *named("test", others), env=env
        )
    alone = [test["name"] for test in all_tests if test["name"].startswith(("frame_", "liveness_"))]
    alone = [name for name in alone if name in plain]
    yield cargo(
        "tests: framing and liveness alone", "test --no-default-features --features deflate --no-fail-fast --lib", *named("test", alone), env=env
    )
    yield cargo("tests: examples in the documentation", "test --features sim --doc", env=env)


def steps(full):
    # What a server promises in milliseconds it promises in its release build.
    release = {"HEARTLINE_BIN": str(ROOT / "target" / "release" / "heartline")}
    env = {"HEARTLINE_LONG": "1"} if full else {}
    yield cargo("format", "fmt --all --check")
    for features, everything in FEATURE_SETS:
        wanted = f"{features} --all-targets" if everything else f"{features} --lib"
        yield cargo(f"lint: {features or 'default features'}", f"clippy {wanted} -- -D warnings")
    yield cargo("build: the server, as it is released", "build --release --bin heartline")
    yield Step("build: the C library, and one with assertions", ["make", "lib", "lib-checked"])
    yield from test_steps(env, release)
    warnings = {"RUSTDOCFLAGS": "-Dwarnings"}
    yield cargo("documentation: default features", "doc --no-deps", env=warnings)
    yield cargo("documentation: all features", "doc --no-deps --all-features", env=warnings)
    yield Step("the bench's C programs, against each other", ["python3", "benches/bench.py", "--smoke"])
    # Debian's Python has Debian's matplotlib, which draws the page's plots.
    yield Step("the peers' servers, and their page", ["/usr/bin/python3", "benches/peers/compare.py", "--smoke"])
    yield cargo("format: the peer on tokio", "fmt --check --manifest-path benches/peers/tokio/Cargo.toml")
    if not full:
        return
    yield cargo(
        "tests: the machine's own clock, set an hour back and forth",
        "test --features sim --test system_clock -- --ignored --test-threads=1",
        env={"HEARTLINE_SET_CLOCK": "3600", **release},
    )
    yield cargo(
        "the simulator, one seed with 100,000 connections",
        "test --profile sim --features sim --test sim seeds",
        env={"CONNECTIONS": "100000", "SEED": "1"},
    )
    yield Step("fuzzing, 60 s per target", ["scripts/fuzz", "60"], limit_s=3600)
    yield Step("Miri: framing, liveness, levels 1 and 2 of the C ABI", ["scripts/miri"], limit_s=3600, counts=False)
    yield Step("coverage", ["scripts/coverage"], limit_s=3600, counts=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--list", action="store_true", help="only name the steps")
    parser.add_argument("words", nargs="*", metavar="WORD")
    arguments = parser.parse_args()
    if shutil.which("cargo") is None:
        sys.exit("cargo is missing: install Rust from https://rustup.rs")

    chosen = [step for step in steps(arguments.full) if not arguments.words or any(w in step.name for w in arguments.words)]
    if arguments.list:
        for step in chosen:
            print(f"{step.name:48}{shlex.join(step.command)}")
        return 0
    for step in chosen:
        step.run()

    print("\nWhat was run")
    for step in chosen:
        print(step.report())
    print(f"  {'':8}{sum(step.seconds for step in chosen):7.1f} s  in all\n")
    print(f"{sum(step.passed for step in chosen)} passed, {sum(step.failed for step in chosen)} failed")
    return int(any(step.outcome == "FAILED" for step in chosen))


if __name__ == "__main__":
    sys.exit(main())
