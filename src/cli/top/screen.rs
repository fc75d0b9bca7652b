//! Where it stands on the terminal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};

use super::view::View;

const TITLE: Style = Style::new().bold();

pub(super) fn draw(frame: &mut Frame<'_>, view: &View) {
    let [head, numbers, lines, tables] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(view.numbers.len().div_ceil(2) as u16 + 2),
        Constraint::Length(7),
        Constraint::Min(4),
    ])
    .areas(frame.area());
    let state = match &view.lost {
        Some(why) => Line::from(why.as_str()).red(),
        None => Line::from(format!("{}   q ends", view.title)).bold(),
    };
    frame.render_widget(state, head);
    draw_numbers(frame, view, numbers);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(lines);
    draw_line(frame, left, "connections", &view.connections);
    draw_line(frame, right, "messages in, per second", &view.messages);
    let [left, right] = Layout::horizontal([Constraint::Fill(1); 2]).areas(tables);
    let times = view.times.iter().map(|row| Row::new(row.clone()));
    let widths = [Constraint::Fill(2), Constraint::Fill(1), Constraint::Fill(1), Constraint::Fill(1)];
    let header = Row::new(["", "p50", "p99", "of"]).style(TITLE);
    frame.render_widget(Table::new(times, widths).header(header).block(Block::bordered().title("times")), left);
    let ends = view.ends.iter().map(|row| Row::new(row.clone()));
    let widths = [Constraint::Fill(2), Constraint::Fill(1), Constraint::Fill(1)];
    frame.render_widget(Table::new(ends, widths).block(Block::bordered().title("ends by reason")), right);
}

fn draw_numbers(frame: &mut Frame<'_>, view: &View, area: Rect) {
    let block = Block::bordered().title("now");
    let inside = Layout::horizontal([Constraint::Fill(1); 2]).areas::<2>(block.inner(area));
    frame.render_widget(block, area);
    let half = view.numbers.len().div_ceil(2);
    for (column, area) in view.numbers.chunks(half.max(1)).zip(inside) {
        let lines: Vec<Line<'_>> = column
            .iter()
            .map(|(name, value)| Line::from(vec![format!("{name:20}").into(), value.clone().bold()]))
            .collect();
        frame.render_widget(Paragraph::new(lines), area);
    }
}

/// The newest on the right, as many as there is room for.
fn draw_line(frame: &mut Frame<'_>, area: Rect, title: &str, values: &[u64]) {
    let room = usize::from(area.width.saturating_sub(2));
    let shown = &values[values.len().saturating_sub(room)..];
    let top = shown.iter().max().copied().unwrap_or(0);
    let block = Block::bordered().title(format!("{title}, top {top}"));
    frame.render_widget(Sparkline::default().block(block).data(shown).max(top.max(1)).style(Color::Red), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::top::samples::Samples;
    use crate::cli::top::view::History;
    use heartline::reactor::Metrics;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn a_screen_shows_numbers_times_ends_and_lines() {
        let mut metrics = Metrics::default();
        let mut history = History::default();
        for round in 1..=3 {
            metrics.counters.connections_now = round * 1000;
            metrics.counters.stalls = 2;
            metrics.counters.stalled_ms = 4_500;
            metrics.overshoots_ms.record(3);
            metrics.round_trips_ms.record(40);
            history.add(Samples::read(&metrics.text()).unwrap());
        }
        let mut view = View::of("127.0.0.1:9100", &history);
        view.ends.push(["silent".to_owned(), "12".to_owned(), "+3".to_owned()]);
        for (width, height) in [(100, 30), (60, 20), (10, 5), (1, 1)] {
            let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &view)).unwrap();
            if width < 100 {
                continue;
            }
            let shown: Vec<String> = (0..height)
                .map(|y| (0..width).map(|x| terminal.backend().buffer()[(x, y)].symbol()).collect())
                .collect();
            let screen = shown.join("\n");
            for words in [
                "heartline 127.0.0.1:9100",
                "connections         3000",
                "stalls              2 (4.5 s)",
                "connections, top 3000",
                "< 4.0 ms",
                "< 64.0 ms",
                "silent",
                "+3",
                "█",
            ] {
                assert!(screen.contains(words), "{words:?} is not in\n{screen}");
            }
        }
        view.lost = Some("127.0.0.1:9100 is gone".to_owned());
        let mut terminal = Terminal::new(TestBackend::new(40, 10)).unwrap();
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        assert_eq!(terminal.backend().buffer()[(0, 0)].symbol(), "1");
    }
}
