#!/usr/bin/env python3
"""`make autobahn`: the Autobahn test suite against `heartline serve --frame websocket`. Status 1 unless all its cases pass.

    scripts/autobahn.py [CASES...]      only these, such as 6.* 9.1.1

The suite is on PyPI and needs CPython 2.7 with pip, which Debian no longer has: `python2.7` on the PATH, or PYTHON2=... It
is installed under target/autobahn. About seven minutes, most of them in the compressed cases. The report for a browser is
target/autobahn/report/index.html.
"""

import collections
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACE = ROOT / "target" / "autobahn"
SUITE = "autobahntestsuite==25.10.1"
SERVE = "serve --listen 127.0.0.1:0 --frame websocket,max=64M,deflate --app echo --log off"
# Its packages share a namespace, which only a site folder makes whole.
RUN = "import site, sys; site.addsitedir(sys.argv.pop(1)); from autobahntestsuite.wstest import run; run()"
PASSED = ("OK", "INFORMATIONAL")


def install(python):
    packages = PLACE / "packages"
    if not (packages / "autobahntestsuite").exists():
        shutil.rmtree(packages, ignore_errors=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--target", packages, SUITE], check=True)
    return packages


def run_against(port, python, packages, cases):
    shutil.rmtree(PLACE / "report", ignore_errors=True)
    spec = {
        "outdir": str(PLACE / "report"),
        "servers": [{"agent": "heartline", "url": f"ws://127.0.0.1:{port}"}],
        "cases": cases or ["*"],
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    (PLACE / "spec.json").write_text(json.dumps(spec))
    with open(PLACE / "log", "w", encoding="utf-8") as log:
        command = [python, "-c", RUN, packages, "-m", "fuzzingclient", "-s", PLACE / "spec.json"]
        subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=True)
    return json.loads((PLACE / "report" / "index.json").read_text())["heartline"]


def main():
    python = os.environ.get("PYTHON2", "python2.7")
    if shutil.which(python) is None:
        sys.exit(f"autobahn: {python} is missing: install CPython 2.7 with pip, or set PYTHON2")
    PLACE.mkdir(parents=True, exist_ok=True)
    packages = install(python)
    subprocess.run(["cargo", "build", "--release", "--quiet", "--bin", "heartline"], cwd=ROOT, check=True)
    command = [ROOT / "target" / "release" / "heartline", *SERVE.split()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = re.search(r":(\d+)$", server.stdout.readline().strip())[1]
            results = run_against(port, python, packages, sys.argv[1:])
        finally:
            server.send_signal(signal.SIGTERM)
    failed = {
        case: result
        for case, result in results.items()
        if result["behavior"] not in PASSED or result["behaviorClose"] not in PASSED
    }
    for case, result in failed.items():
        print(f"{case}: {result['behavior']}, its close {result['behaviorClose']}")
    counts = collections.Counter(result["behavior"] for result in results.values())
    print(f"{len(results)} cases: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
