#!/usr/bin/env python3
"""What Cargo knows about this package: its targets of one kind (lib, bin, test, bench, example), one name to a line.

    scripts/targets.py bench
"""

import functools
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


@functools.cache
def package():
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps"]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)["packages"][0]


def targets(kind):
    return [target for target in package()["targets"] if kind in target["kind"]]


def enabled_features(asked):
    """These features and all that they switch on."""
    enabled, left = set(), set(asked)
    while left:
        feature = left.pop()
        enabled.add(feature)
        left |= set(package()["features"].get(feature, ())) - enabled
    return enabled


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for target in targets(sys.argv[1]):
        print(target["name"])
