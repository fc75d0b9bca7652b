#!/usr/bin/env python3
"""`make mutants`: tests that are tested. Each mutant is one wrong turn in the product, and each must be caught.

    scripts/mutants.py [WORD...]      only those whose names contain one of the words

The list is tests/mutants.toml. The tree is copied to target/mutants, one mutant at a time is put in, and its tests run
until one fails. A mutant that survives, or whose place is no longer in the source, makes the exit status 1.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
TREE = ROOT / "target" / "mutants" / "tree"
BUILD = ROOT / "target" / "mutants" / "build"
LIMIT_S = 600


class Broken(Exception):
    """The mutant does not compile: it says nothing about the tests."""


def copy_tree():
    shutil.rmtree(TREE, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        source = ROOT / name
        if source.is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, TREE / name)


def run(test):
    """The first failed case of a test target, or None. `sim` is the simulator with fewer seeds than usual; `capi::sends` is
    the case of that name, a C program with the C library of the tree."""
    target, _, case = test.partition("::")
    profile = ["--profile", "sim"] if target == "sim" else []
    features = "sim,capi" if target == "capi" else "sim"
    command = ["cargo", "test", "--quiet", *profile, "--features", features, "--test", target]
    command += ["--", "--exact", case] if case else []
    try:
        done = subprocess.run(
            command, cwd=TREE, capture_output=True, text=True, errors="replace", timeout=LIMIT_S,
            env={**os.environ, "CARGO_TARGET_DIR": str(BUILD), "SEEDS": "300"},
        )
    except subprocess.TimeoutExpired:
        return f"{test}: it does not end"
    if done.returncode == 0:
        return None
    if re.search(r"^error(\[E\d+\])?: ", done.stderr, re.M) and "test failed" not in done.stderr:
        raise Broken(done.stderr[-2000:])
    case = re.search(r"^    (\S+)$", done.stdout, re.M) or re.search(r"thread '([^']+)'", done.stderr)
    return f"{test}::{case[1]}" if case else test


def try_out(mutant):
    path = TREE / mutant["file"]
    source = path.read_text()
    if source.count(mutant["find"]) != 1:
        return False, f"its place is {source.count(mutant['find'])} times in {mutant['file']}"
    path.write_text(source.replace(mutant["find"], mutant["put"]))
    try:
        for test in mutant["tests"]:
            if caught := run(test):
                return True, caught
        return False, f"SURVIVED {', '.join(mutant['tests'])}"
    except Broken as broken:
        return False, f"it does not compile\n{broken}"
    finally:
        path.write_text(source)


def main():
    words = sys.argv[1:]
    mutants = tomllib.loads((ROOT / "tests" / "mutants.toml").read_text())["mutant"]
    chosen = [mutant for mutant in mutants if not words or any(word in mutant["name"] for word in words)]
    copy_tree()
    survivors = 0
    for mutant in chosen:
        begin = time.monotonic()
        caught, how = try_out(mutant)
        survivors += not caught
        print(f"  {'caught' if caught else 'FAILED':7}{time.monotonic() - begin:6.0f} s  {mutant['name']}: {how}", flush=True)
    print(f"{len(chosen)} mutants, {len(chosen) - survivors} caught, {survivors} not")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
