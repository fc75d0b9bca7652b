//! Plots as SVG: lines over time, and bars. Nothing but text comes in and goes out.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 28.0;
/// Where what the y axis counts is written: above its highest tick.
const UNIT_Y: f64 = 12.0;
const BOTTOM: f64 = 34.0;
/// Told apart by those who do not see red and green, too.
const COLOURS: [&str; 4] = ["#0072b2", "#e69f00", "#009e73", "#cc79a7"];

/// One line: its name, and points from left to right.
pub(super) struct Line<'a> {
    pub(super) name: &'a str,
    pub(super) points: Vec<(f64, f64)>,
}

/// What a plot is of.
pub(super) struct Plot<'a> {
    /// What the axes count: `s`, `ms`.
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Decades instead of steps: for what spans from microseconds to seconds.
    pub(super) logarithmic: bool,
    /// Moments worth a mark.
    pub(super) marks: &'a [(f64, String)],
}

struct Frame {
    x: (f64, f64),
    y: (f64, f64),
    logarithmic: bool,
}

impl Frame {
    fn x(&self, value: f64) -> f64 {
        LEFT + (value - self.x.0) / (self.x.1 - self.x.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let of = |value: f64| if self.logarithmic { value.max(self.y.0).log10() } else { value };
        let (low, high) = (of(self.y.0), of(self.y.1));
        HEIGHT - BOTTOM - (of(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    }

    fn y_ticks(&self) -> Vec<f64> {
        if !self.logarithmic {
            return ticks(self.y.0, self.y.1, 5);
        }
        let (low, high) = (self.y.0.log10().round() as i32, self.y.1.log10().round() as i32);
        (low..=high).map(|exponent| 10_f64.powi(exponent)).collect()
    }
}

impl Plot<'_> {
    pub(super) fn lines(&self, lines: &[Line<'_>]) -> String {
        let points = || lines.iter().flat_map(|line| &line.points);
        if points().next().is_none() {
            return nothing();
        }
        let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(f64::MIN, f64::max);
        let least = points().map(|point| point.0).fold(f64::MAX, f64::min);
        let frame = Frame {
            x: spanned(least.min(0.0), most(|point| point.0)),
            y: self.range(points().map(|point| point.1)),
            logarithmic: self.logarithmic,
        };
        let mut svg = self.open(&frame);
        for (at, text) in self.marks {
            let x = frame.x(*at);
            let _ = write!(
                svg,
                r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{:.1}" class="mark"/><text x="{:.1}" y="{:.1}" class="mark">{}</text>"##,
                HEIGHT - BOTTOM,
                x + 3.0,
                TOP + 9.0,
                escaped(text)
            );
        }
        for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            let path: Vec<String> =
                line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", frame.x(*x), frame.y(*y))).collect();
            let _ = write!(
                svg,
                r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.6"/>"#,
                path.join(" ")
            );
            if let [(x, y)] = line.points[..] {
                let _ = write!(svg, r#"<circle cx="{:.1}" cy="{:.1}" r="3" fill="{colour}"/>"#, frame.x(x), frame.y(y));
            }
        }
        svg.push_str("</svg>");
        let names: Vec<String> = lines
            .iter()
            .zip(COLOURS.iter().cycle())
            .map(|(line, colour)| format!(r#"<span style="color:{colour}">&#9632;</span> {}"#, escaped(line.name)))
            .collect();
        format!("{svg}<p class=\"legend\">{}</p>", names.join(" &nbsp; "))
    }

    /// Bars, each from a value to the next one's, and as high as its count.
    pub(super) fn bars(&self, width: f64, bars: &[(f64, u64)]) -> String {
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return nothing() };
        let frame = Frame {
            x: spanned(first.0, last.0 + width),
            y: self.range(bars.iter().map(|bar| bar.1 as f64)),
            logarithmic: false,
        };
        let mut svg = self.open(&frame);
        for (from, count) in bars {
            let (x, y) = (frame.x(*from), frame.y(*count as f64));
            let _ = write!(
                svg,
                r#"<rect x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}" fill="{}"><title>{count}</title></rect>"#,
                (frame.x(from + width) - x - 1.0).max(1.0),
                HEIGHT - BOTTOM - y,
                COLOURS[0]
            );
        }
        svg.push_str("</svg>");
        svg
    }

    fn range(&self, values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
        let most = values.clone().fold(0.0, f64::max);
        if !self.logarithmic {
            return (0.0, nice_above(most));
        }
        let least = values.filter(|value| *value > 0.0).fold(f64::MAX, f64::min).min(most.max(0.001));
        let (low, high) = (least.max(1e-6).log10().floor(), most.max(1e-6).log10().ceil());
        (10_f64.powf(low), 10_f64.powf(high.max(low + 1.0)))
    }

    /// The ground: axes, their ticks, what they count.
    fn open(&self, frame: &Frame) -> String {
        let mut svg = format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">"#);
        for tick in frame.y_ticks() {
            let y = frame.y(tick);
            let _ = write!(
                svg,
                r#"<line x1="{LEFT}" y1="{y:.1}" x2="{:.1}" y2="{y:.1}" class="grid"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                number(tick)
            );
        }
        for tick in ticks(frame.x.0, frame.x.1, 8) {
            let _ = write!(
                svg,
                r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                frame.x(tick),
                HEIGHT - BOTTOM + 16.0,
                number(tick)
            );
        }
        let _ = write!(
            svg,
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text><text x="4" y="{UNIT_Y}">{}</text>"#,
            WIDTH - RIGHT,
            HEIGHT - 3.0,
            escaped(self.x),
            escaped(self.y)
        );
        svg
    }
}

fn nothing() -> String {
    "<p class=\"legend\">Nothing was measured.</p>".to_owned()
}

/// A range with some width.
fn spanned(low: f64, high: f64) -> (f64, f64) {
    if high > low { (low, high) } else { (low, low + 1.0) }
}

/// Round numbers within a range, about so many.
fn ticks(low: f64, high: f64, about: u32) -> Vec<f64> {
    let step = nice_above((high - low) / f64::from(about) / 1.0001);
    let first = (low / step).ceil() as i64;
    (first..).map(|number| number as f64 * step).take_while(|tick| *tick <= high + step * 1e-6).collect()
}

/// The next of 1, 2, 2.5, 5 times a power of ten.
fn nice_above(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0].into_iter().map(|factor| factor * power).find(|nice| *nice >= value).unwrap_or(10.0 * power)
}

/// `2.5`, `20 k`, `1.5 M`.
fn number(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        1e6.. => (value / 1e6, " M"),
        1e4.. => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let text = format!("{scaled:.3}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    format!("{short}{unit}")
}

/// Text that is nothing but text in a page.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Plot<'_> = Plot { x: "s", y: "ms", logarithmic: false, marks: &[] };

    #[test]
    fn ticks_are_round_and_within() {
        assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(0.0, 0.7, 8).len(), 8);
        assert_eq!((nice_above(3.0), nice_above(0.0), nice_above(7.0)), (5.0, 1.0, 10.0));
        assert_eq!((number(0.25), number(20_000.0), number(1.5e6)), ("0.25".into(), "20 k".into(), "1.5 M".into()));
    }

    #[test]
    fn a_line_is_where_its_values_are() {
        let svg = PLOT.lines(&[Line { name: "p99 <b>", points: vec![(0.0, 0.0), (10.0, 5.0)] }]);
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        assert!(svg.contains(&format!("points=\"{LEFT:.1},{bottom:.1} {right:.1},{TOP:.1}\"")), "{svg}");
        assert!(svg.contains("p99 &lt;b&gt;") && !svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn decades_are_evenly_apart() {
        let plot = Plot { logarithmic: true, ..PLOT };
        let frame = Frame { x: (0.0, 1.0), y: plot.range([0.02, 5.0].into_iter()), logarithmic: true };
        assert_eq!(frame.y_ticks(), [0.01, 0.1, 1.0, 10.0]);
        assert!((frame.y(0.1) - frame.y(1.0) - (frame.y(1.0) - frame.y(10.0))).abs() < 1e-6);
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        assert!(PLOT.lines(&[]).contains("Nothing was measured"));
        assert!(PLOT.bars(1.0, &[]).contains("Nothing was measured"));
        assert!(PLOT.bars(1.0, &[(0.0, 3), (1.0, 1)]).matches("<rect").count() == 2);
    }
}
