//! How a job that is waited for is shown: a line for each thing that happened and, on a terminal, below them
//! what is going on now, drawn anew in place.

use super::failure::Failure;
use super::out::{Out, columns_of, note, printable, write_all};
use super::words::{counts, duration, elapsed, reason, remark};
use protocol::TaskStatus;
use protocol::api::{Job, JobSummary, SyncState, Task};
use std::future::Future;
use std::time::{Duration, Instant};

/// Of the clocks in the drawing.
const REDRAW_INTERVAL: Duration = Duration::from_secs(1);
/// Where a terminal does not say how large it is.
const USUAL_SIZE: (usize, usize) = (80, 24);
/// Of a progress bar, in columns.
const BAR_WIDTH: usize = 20;
/// Status words are as wide as the widest, `in_progress`.
const WORD_WIDTH: usize = 11;
const GAP: usize = 2;

pub(super) struct View {
    out: Out,
    start: Instant,
    last: Option<Job>,
    /// What comes before the first line.
    head: Option<String>,
    /// The body that was printed last.
    printed: Option<String>,
    /// Lines of the drawing that stand on the terminal.
    drawn: usize,
}

impl View {
    pub(super) fn new(out: Out) -> Self {
        Self { out, start: Instant::now(), last: None, head: None, printed: None, drawn: 0 }
    }

    /// `head`: a line to begin with as soon as the job is known to exist.
    pub(super) fn with_head(self, head: String) -> Self {
        Self { head: Some(head), ..self }
    }

    /// `body`: of the API's, which the caller has printed already.
    pub(super) fn after_body(self, body: String) -> Self {
        Self { printed: Some(body), ..self }
    }

    /// What has changed, and how it stands now.
    pub(super) fn show(&mut self, job: &Job, body: &str) -> Result<(), Failure> {
        if self.out.is_json {
            if self.printed.as_deref() != Some(body) {
                self.out.body(body)?;
                self.printed = Some(body.to_owned());
            }
            return Ok(());
        }
        let mut text = self.erasure();
        text.extend(self.head.take().map(|head| head + "\n"));
        for line in news(self.last.as_ref(), job, !self.out.is_terminal) {
            text.push_str(&self.printed_line(&line, usize::MAX));
        }
        self.last = Some(job.clone());
        text.push_str(&self.drawing());
        write_all(text.as_bytes())
    }

    /// Says something on standard error, clear of the drawing.
    pub(super) fn note(&mut self, told: Option<String>) {
        if let Some(told) = told {
            self.clear();
            note(told);
        }
    }

    /// Keeps the clocks going while something is waited for.
    pub(super) async fn draw_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            if let Ok(done) = tokio::time::timeout(REDRAW_INTERVAL, &mut work).await {
                return done;
            }
            let text = self.erasure() + &self.drawing();
            // Who has closed the terminal learns of it at the next change.
            let _unseen = write_all(text.as_bytes());
        }
    }

    /// Takes the drawing away.
    pub(super) fn clear(&mut self) {
        let _unseen = write_all(self.erasure().as_bytes());
    }

    fn erasure(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}F\x1b[J"),
        }
    }

    /// What is going on now, for a terminal.
    fn drawing(&mut self) -> String {
        let Some(job) = self.last.as_ref().filter(|job| !job.summary.status.is_terminal()) else {
            return String::new();
        };
        if !self.out.is_terminal {
            return String::new();
        }
        let (width, height) = terminal_size();
        let running = job.tasks.iter().filter(|task| task.status == TaskStatus::Running);
        let mut lines: Vec<Line> = running.map(running_line).collect();
        // One line for the job, one for the cursor.
        let room = height.saturating_sub(2);
        if lines.len() > room {
            lines.truncate(room.saturating_sub(1));
            lines.push(Line { word: "running".to_owned(), rest: format!("… {} in all", job.summary.counts.running) });
        }
        lines.push(job_line(job, self.start.elapsed()));
        self.drawn = lines.len();
        lines.iter().map(|line| self.printed_line(line, width.saturating_sub(1))).collect()
    }

    fn printed_line(&self, line: &Line, width: usize) -> String {
        let gap = " ".repeat(WORD_WIDTH.saturating_sub(line.word.len()) + GAP);
        let rest = cut(&line.rest, width.saturating_sub(WORD_WIDTH + GAP));
        format!("{}{gap}{rest}\n", self.out.colored(&line.word))
    }
}

struct Line {
    word: String,
    rest: String,
}

/// What has happened between two looks. `all`: also what the drawing on a terminal tells.
fn news(old: Option<&Job>, new: &Job, all: bool) -> Vec<Line> {
    let job = &new.summary;
    let mut lines = Vec::new();
    let before = old.map(|old| &old.summary);
    if all && !job.status.is_terminal() && before.is_none_or(|old| old.status != job.status) {
        let position = job.position.map_or(String::new(), |position| format!("  position {position}"));
        lines.push(Line { word: job.status.to_string(), rest: format!("job {}{position}", job.id) });
    }
    if is_unreachable(job) && !before.is_some_and(is_unreachable) {
        let why = printable(job.sync.error.as_deref().unwrap_or("it does not answer"));
        lines.push(Line { word: "unreachable".to_owned(), rest: format!("{}: {why}", job.environment) });
    }
    for task in &new.tasks {
        let known = old.and_then(|old| old.tasks.iter().find(|known| known.task_id == task.task_id));
        let is_new = known.is_none_or(|known| known.status != task.status) && task.status != TaskStatus::Waiting;
        if is_new && (all || task.status.is_terminal()) {
            lines.push(task_line(task));
        }
    }
    if job.status.is_terminal() {
        let time = job.started_at.zip(job.finished_at).map(|(start, end)| duration(end.0 - start.0));
        let took = time.map_or(String::new(), |time| format!(" in {time}"));
        let why = reason(job).map_or(String::new(), |why| format!(", {why}"));
        lines.push(Line {
            word: job.status.to_string(),
            rest: format!("job {}: {}{took}{why}", job.id, counts(&job.counts)),
        });
    }
    lines
}

/// Also one that could not be sent yet.
fn is_unreachable(job: &JobSummary) -> bool {
    let is_in_trouble = match job.sync.state {
        SyncState::Failing => true,
        SyncState::Pending => job.sync.error.is_some(),
        SyncState::Synced => false,
    };
    is_in_trouble && !job.status.is_terminal()
}

fn task_line(task: &Task) -> Line {
    let ended = task.status.is_terminal();
    let time = task.duration_ms.filter(|_| ended).map(|ms| format!("  {}", duration(ms)));
    // The message of a running task is its progress, and one of many.
    let remark = Some(remark(task)).filter(|remark| ended && !remark.is_empty()).map(|remark| format!("  {remark}"));
    let rest = format!("{}{}{}", printable(&task.scenario), time.unwrap_or_default(), remark.unwrap_or_default());
    Line { word: task.status.to_string(), rest }
}

fn running_line(task: &Task) -> Line {
    let progress = task.progress.map_or(String::new(), |progress| {
        let share = progress.clamp(0.0, 1.0);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let filled = (share * BAR_WIDTH as f64).round() as usize;
        format!("  [{}{}] {:>3.0} %", "#".repeat(filled), "-".repeat(BAR_WIDTH - filled), share * 100.0)
    });
    let remark = remark(task);
    let gap = if remark.is_empty() { "" } else { "  " };
    let rest = format!("{}{progress}{gap}{remark}", printable(&task.scenario));
    Line { word: "running".to_owned(), rest }
}

fn job_line(job: &Job, waited: Duration) -> Line {
    let job = &job.summary;
    let position = job.position.map_or(String::new(), |position| format!("  position {position}"));
    let aborting = if job.abort_requested { "  aborting" } else { "" };
    let rest = format!("job {}: {}{position}{aborting}  {}", job.id, counts(&job.counts), elapsed(waited));
    Line { word: job.status.to_string(), rest }
}

/// What fits into one line of the terminal.
fn cut(line: &str, width: usize) -> String {
    if columns_of(line) <= width {
        return line.to_owned();
    }
    let mut used = 1;
    let fits = line.chars().take_while(|c| {
        used += if c.is_ascii() { 1 } else { 2 };
        used <= width
    });
    fits.chain(['…']).collect()
}

/// Columns and rows.
fn terminal_size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => USUAL_SIZE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_to_the_terminal() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        assert!(columns_of(&cut("日本語日本語", 6)) <= 7);
    }
}
