"""What the figures come to: a value for each server, with its spread, and who is the better one."""

import dataclasses
import statistics
import sys
import typing

import servers

import figures

SIZES = ("1000", "19000")
LEAST_SOUND = 3
NOTABLE = 0.02  # a difference below it is none


@dataclasses.dataclass
class Row:
    """One line of the overview. `values` has a number, or (least, median, most) of its rounds."""

    name: str
    values: dict
    text: typing.Callable
    lower_is_better: bool = True
    notes: dict = dataclasses.field(default_factory=dict)  # by server, for the cell
    least: float = 0  # a difference of no more than this is none either

    def middle(self, key):
        value = self.values[key]
        return value[1] if isinstance(value, tuple) else value

    def cell(self, key):
        return self.text(self.middle(key)) + self.notes.get(key, "")

    def better_than(self, ours):
        """The peers that are notably better than this one of ours: their spreads do not touch either. None if one is limited."""
        return [key for key in self.values if key not in (servers.FLOOR, servers.RUST, servers.C) and self._beats(key, ours)]

    def _beats(self, one, other):
        if one in self.notes or other in self.notes:
            return False
        sign = 1 if self.lower_is_better else -1
        gain = sign * (self.middle(other) - self.middle(one))
        apart = True
        if isinstance(self.values[one], tuple):
            worst = self.values[one][2 if self.lower_is_better else 0]
            best = self.values[other][0 if self.lower_is_better else 2]
            apart = sign * (best - worst) > 0
        return apart and gain > max(self.least, NOTABLE * abs(self.middle(other)))


def spread(values):
    values = list(values)
    return min(values), statistics.median(values), max(values)


def whole(value):
    return f"{value:,.0f}"


def two_digits(value):
    return f"{value:.2f}"


def three_digits(value):
    return f"{value:.3f}"


def one_digit(value):
    return f"{value:.1f}".replace("-", "−")


def sound(rounds):
    """The rounds in which neither the server nor the floor waited for the load."""
    return [each for each in rounds if each["least_busy"] >= figures.BUSY and each["load_busy"] < figures.LOAD_BUSY]


def counted(rounds):
    """The sound rounds, or all of them if those are too few; and whether there were enough."""
    good = sound(rounds)
    return (good, True) if len(good) >= LEAST_SOUND else (rounds, False)


def starved(taken):
    """The least share of its core that a server got in a round while the load could have done more: somebody else had it.
    None if the machine was quiet enough."""
    least = [one["least_busy"] for rounds in taken["throughput"].values() for one in rounds if one["load_busy"] < figures.LOAD_BUSY]
    enough = all(counted(rounds)[1] for rounds in taken["throughput"].values())
    return None if enough or not least or min(least) >= figures.BUSY else min(least)


def throughput(taken, what):
    values, notes = {}, {}
    for key, rounds in taken.items():
        these, enough = counted(rounds)
        values[key] = spread(each[what] for each in these)
        if not enough:
            notes[key] = " (limited)"
    return values, notes


def all_rows(taken):
    ratios, limited = throughput(taken["throughput"], "ratio")
    per_cpu, _ = throughput(taken["throughput"], "ratio_per_cpu_second")
    late = {key: [each["overshoot_ms"] for each in rounds] for key, rounds in taken["overshoot"].items()}
    crowd, deaths = taken["crowd"], taken["false-deaths"]

    def of_crowd(what):
        return {key: spread(each[what] for each in rounds) for key, rounds in crowd.items()}

    def total(what):
        return {key: sum(each[what] for each in rounds) for key, rounds in taken["overshoot"].items()}

    rows = {
        f"memory-{size}": Row(
            f"user memory per idle connection, {int(size):,} of them, bytes",
            {key: by_size[size] for key, by_size in taken["memory"].items()},
            whole,
        )
        for size in SIZES
    }
    rows |= {
        "instructions": Row("user instructions per echoed frame", {key: spread(each) for key, each in taken["instructions"].items()}, whole),
        "calls": Row(
            "system calls per echoed frame",
            {key: spread(each["per_frame"] for each in rounds) for key, rounds in taken["calls"].items()},
            two_digits,
        ),
        "throughput": Row("echoed frames per second ÷ floor", ratios, two_digits, False, limited),
        "per-cpu": Row("the same per CPU second of the server", per_cpu, two_digits, False, limited),
        "early": Row("silent peers closed early", total("early"), whole),
        "overshoot": Row(
            "overshoot, 99 of 100 silent peers, ms", {key: spread(each["p99"] for each in of) for key, of in late.items()},
            one_digit,
            least=0.5,
        ),
        "missed": Row("silent peers missed", total("missed"), whole),
        "false-deaths": Row("false deaths after a stop", {key: each["closed_by_server"] for key, each in deaths.items()}, whole),
        "accept": Row(f"seconds to accept {figures.CROWD:,}", of_crowd("accept_seconds"), two_digits),
        "accept-cpu": Row("CPU seconds of the server for it", of_crowd("accept_cpu_seconds"), two_digits),
        "drop": Row(f"seconds to drop {figures.CROWD:,}", of_crowd("drop_seconds"), two_digits),
        "drop-cpu": Row("CPU seconds of the server for it", of_crowd("drop_cpu_seconds"), two_digits),
    }  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit("this is a part of benches/peers/compare.py: run `make bench-peers`")
