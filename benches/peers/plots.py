"""The plots of docs/benchmarks.md: one row for each server, dots with their spread, as SVG. matplotlib, from Debian."""

import sys

try:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter
except ImportError:
    sys.exit("matplotlib is missing: install the package python3-matplotlib and run /usr/bin/python3 (make test installs it)")

OURS, OTHERS, GUIDE = "#1f4e79", "#555555", "#dddddd"
MARKERS = ("o", "s", "^", "D")

plt.rcParams.update({
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "svg.hashsalt": "heartline",  # the same figures give the same file
})


def dots(path, title, axis, series, ours, log=False, zero=False, label="{1:,.0f}".format, guide=None, hollow=()):
    """Draws `series`, a dictionary of name -> {server: value, or (least, value, most)}, into `path`.

    Servers are told apart by their row, series by their marker; Heartline's rows (`ours`) are blue. `label`
    makes the text beside a dot from (least, value, most); `guide` is a line that everything is to be read against;
    the dots of `hollow` servers are.
    """
    names = list(next(iter(series.values())))
    step = 0.22
    figure, axes = plt.subplots(figsize=(7.4, 1.0 + 0.36 * len(names) * max(1, len(series) * 0.7)), layout="constrained")
    for row in range(len(names)):
        axes.axhline(row, color=GUIDE, linewidth=0.8, zorder=0)
    if guide is not None:
        axes.axvline(guide, color=OTHERS, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    for number, values in enumerate(series.values()):
        shift = (number - (len(series) - 1) / 2) * step
        for row, name in enumerate(names):
            least, value, most = values[name] if isinstance(values[name], tuple) else (values[name],) * 3
            colour = OURS if name in ours else OTHERS
            inside = "white" if name in hollow else colour
            axes.plot([least, most], [row + shift] * 2, color=colour, linewidth=1.4, solid_capstyle="butt")
            axes.plot(value, row + shift, MARKERS[number], color=colour, markersize=5, clip_on=False, markerfacecolor=inside)
            axes.annotate(label(least, value, most), (most, row + shift), (6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    if log:
        axes.set_xscale("log")
        axes.minorticks_off()
    axes.margins(x=0.12)
    if zero:
        axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_title(title)
    axes.set_xlabel(axis)
    if len(series) > 1:
        # Grey markers of their own: a series has dots of both colours.
        keys = [Line2D([], [], color=OTHERS, marker=marker, linestyle="", markersize=5) for marker in MARKERS]
        axes.legend(keys, series, frameon=False, ncols=len(series), loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
    figure.savefig(path, facecolor="white", metadata={"Date": None, "Creator": None})
    plt.close(figure)


if __name__ == "__main__":
    sys.exit("this is a part of benches/peers/compare.py: run `make bench-peers`")
