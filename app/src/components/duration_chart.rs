//! How long the runs took, as columns with lines at round values. One text of SVG, the same on server and browser.

use crate::words;
use leptos::prelude::*;
use protocol::TaskStatus;
use std::fmt::Write;
use std::time::Duration;

/// The picture's own units; it is stretched to its place.
const HEIGHT: i64 = 1_000;
const COLUMN: i64 = 10;
const BAR: i64 = 7;
/// So that a run which took next to no time is seen as well.
const LEAST_BAR: i64 = 8;
const MOST_LINES: i64 = 4;

/// One run; without a duration it leaves its column empty.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) status: TaskStatus,
    pub(crate) ms: Option<i64>,
}

/// The columns, from the oldest run to the newest, and beside them what the lines mean.
#[component]
pub(crate) fn DurationChart(points: Vec<Point>, median_ms: Option<i64>, label: String) -> impl IntoView {
    let lines = lines(longest(&points));
    let top = lines.last().copied().unwrap_or(1);
    let figure = |ms: &i64| {
        let place = format!("bottom:{}%", ms * 100 / top);
        view! { <span style=place>{round(*ms)}</span> }
    };
    let axis = lines.iter().map(figure).collect_view();
    view! {
        <div class="chart-axis" aria-hidden="true">{axis}</div>
        <div role="img" aria-label=label inner_html=svg(&points, median_ms, &lines)></div>
    }
}

fn longest(points: &[Point]) -> i64 {
    points.iter().filter_map(|point| point.ms).max().unwrap_or(0)
}

fn svg(points: &[Point], median_ms: Option<i64>, lines: &[i64]) -> String {
    let top = lines.last().copied().unwrap_or(1);
    let height = |ms: i64| ms.clamp(0, top) * HEIGHT / top;
    let width = i64::try_from(points.len()).unwrap_or(0).max(1) * COLUMN;
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {width} {HEIGHT}\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
    );
    let mut line = |ms: i64, class: &str| {
        let y = HEIGHT - height(ms);
        // Writing to a text never fails.
        let _ = write!(svg, "<line{class} x1=\"0\" x2=\"{width}\" y1=\"{y}\" y2=\"{y}\"/>");
    };
    for ms in lines {
        line(*ms, "");
    }
    if let Some(ms) = median_ms {
        line(ms, " class=\"chart-median\"");
    }
    for (at, Point { status, ms }) in (0_i64..).zip(points) {
        let Some(ms) = ms else { continue };
        let (x, height) = (at * COLUMN + (COLUMN - BAR) / 2, height(*ms).max(LEAST_BAR));
        let _ = write!(
            svg,
            "<rect data-status=\"{}\" x=\"{x}\" y=\"{}\" width=\"{BAR}\" height=\"{height}\"><title>{}: {}</title></rect>",
            status.as_str(),
            HEIGHT - height,
            words::task_status(*status),
            words::duration(Duration::from_millis(ms.unsigned_abs())),
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Round values from 0 to one that nothing exceeds.
fn lines(longest_ms: i64) -> Vec<i64> {
    let longest = longest_ms.max(1);
    let step = steps().find(|step| longest <= step * MOST_LINES).unwrap_or(longest);
    (0..=(longest + step - 1) / step).map(|at| at * step).collect()
}

/// What people count in: milliseconds and seconds by tens, minutes and hours by parts of a clock.
fn steps() -> impl Iterator<Item = i64> {
    const SECOND: i64 = 1_000;
    const MINUTE: i64 = 60 * SECOND;
    const HOUR: i64 = 60 * MINUTE;
    let decimal = [1, 10, 100, 1_000].into_iter().flat_map(|unit| [unit, 2 * unit, 5 * unit]);
    let of_the_clock = [10, 15, 30].into_iter().map(|seconds| seconds * SECOND);
    let minutes = [1, 2, 5, 10, 15, 30].into_iter().map(|minutes| minutes * MINUTE);
    let hours = [1, 2, 4, 8, 12, 24, 48, 168, 672, 8_736].into_iter().map(|hours| hours * HOUR);
    decimal.chain(of_the_clock).chain(minutes).chain(hours)
}

/// A round value without its zeros: `500 ms`, `15 s`, `2 min`, `1 h 30 min`.
fn round(ms: i64) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    match (seconds, rest) {
        (0, 0) => "0".to_owned(),
        (0, ms) => format!("{ms} ms"),
        (seconds @ 0..60, 0) => format!("{seconds} s"),
        (seconds @ 0..60, ms) => format!("{seconds}.{} s", ms / 100),
        (seconds @ 60..3_600, _) if seconds % 60 == 0 => format!("{} min", seconds / 60),
        (seconds @ 60..3_600, _) => format!("{} min {} s", seconds / 60, seconds % 60),
        (seconds, _) if seconds % 3_600 == 0 => format!("{} h", seconds / 3_600),
        (seconds, _) => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(longest_ms: i64) -> Vec<String> {
        lines(longest_ms).into_iter().map(round).collect()
    }

    #[test]
    fn lines_stand_at_round_values_and_the_topmost_is_above_all() {
        assert_eq!(told(0), ["0", "1 ms"]);
        assert_eq!(told(812), ["0", "500 ms", "1 s"]);
        assert_eq!(told(5_500), ["0", "2 s", "4 s", "6 s"]);
        assert_eq!(told(47_000), ["0", "15 s", "30 s", "45 s", "1 min"]);
        assert_eq!(told(95_000), ["0", "30 s", "1 min", "1 min 30 s", "2 min"]);
        assert_eq!(told(5_400_000), ["0", "30 min", "1 h", "1 h 30 min"]);
        for longest in [1, 7, 99, 1_001, 59_999, 3_600_001, 90_000_000_000] {
            let lines = lines(longest);
            assert!(lines.len() <= 5 && lines.last() >= Some(&longest), "{longest}: {lines:?}");
        }
    }

    #[test]
    fn a_run_without_a_duration_leaves_its_column_empty() {
        let point = |status, ms| Point { status, ms };
        let points = [
            point(TaskStatus::Passed, Some(500)),
            point(TaskStatus::Skipped, None),
            point(TaskStatus::Failed, Some(1_000)),
        ];
        let drawn = svg(&points, Some(750), &lines(1_000));
        assert_eq!(drawn.matches("<rect").count(), 2);
        assert!(drawn.contains("viewBox=\"0 0 30 1000\""), "{drawn}");
        assert!(
            drawn.contains("<rect data-status=\"failed\" x=\"21\" y=\"0\" width=\"7\" height=\"1000\">"),
            "{drawn}"
        );
        assert!(drawn.contains("class=\"chart-median\" x1=\"0\" x2=\"30\" y1=\"250\""), "{drawn}");
    }
}
