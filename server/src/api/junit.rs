//! A job as JUnit XML, as build servers read it: a suite for the job, a case for each task.
//! JUnit knows neither "aborted" nor "not yet": an aborted task is an error, one that has not ended counts as skipped.

use super::answers::Xml;
use super::jobs::no_such_job;
use super::logs::{is_gone, kept_bytes};
use crate::auth::CurrentUser;
use crate::error::{ApiError, ApiResult, Path};
use crate::logs::{self, LogId, Window};
use crate::state::AppState;
use crate::store::jobs::{self, Job, WholeJob};
use crate::store::tasks::Task;
use axum::extract::State;
use protocol::{JobId, TaskStatus, Timestamp};
use std::collections::HashMap;
use std::fmt::{self, Write};

/// Of a failed task's log: what usually tells why, and not so much that a thousand failures are too much.
const LOG_LINES: u64 = 50;
const LOG_BYTES: usize = 16 * 1024;

pub(super) async fn read_junit(_: CurrentUser, State(state): State<AppState>, Path(id): Path<JobId>) -> ApiResult<Xml> {
    let found = state.store.read(move |connection| jobs::find_whole_job(connection, id)).await?;
    let WholeJob { job, tasks, .. } = found.ok_or_else(|| no_such_job(id))?;
    let mut logs = log_ends(&state, id, &tasks).await?;
    let with_log = |task: Task| {
        let log = logs.remove(&task.n).unwrap_or_default();
        (task, log)
    };
    let cases: Vec<(Task, String)> = tasks.into_iter().map(with_log).collect();
    let xml = write_report(&job, &cases).map_err(ApiError::internal)?;
    Ok(Xml(xml))
}

/// The ends of the failed tasks' logs, by the tasks' numbers. A report without one that was kept would be taken for whole.
async fn log_ends(state: &AppState, id: JobId, tasks: &[Task]) -> ApiResult<HashMap<i64, String>> {
    let failed: Vec<&Task> = tasks.iter().filter(|task| outcome(task).shows_log()).collect();
    let wanted = failed.iter().map(|task| LogId::Task(task.n)).collect();
    let ends = state.logs.tails(id, wanted, LOG_LINES, log_end).await.map_err(ApiError::internal)?;
    let check = |(task, (bytes, end)): (&Task, (u64, String))| {
        if bytes >= kept_bytes(task) { Ok((task.n, end)) } else { Err(is_gone(&format!("the log of task {}", task.n))) }
    };
    failed.into_iter().zip(ends).map(check).collect()
}

/// With the bytes of the whole log.
fn log_end(window: Window) -> (u64, String) {
    let text = logs::without_escapes(&window.lines.join("\n"));
    let start = text.ceil_char_boundary(text.len().saturating_sub(LOG_BYTES));
    (window.bytes, text[start..].to_owned())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failure,
    Error,
    Skipped,
}

impl Outcome {
    const fn shows_log(self) -> bool {
        matches!(self, Self::Failure | Self::Error)
    }
}

fn outcome(task: &Task) -> Outcome {
    match task.status {
        TaskStatus::Passed => Outcome::Passed,
        TaskStatus::Failed => Outcome::Failure,
        TaskStatus::Error | TaskStatus::Aborted => Outcome::Error,
        TaskStatus::Skipped | TaskStatus::Waiting | TaskStatus::Running => Outcome::Skipped,
    }
}

fn write_report(job: &Job, cases: &[(Task, String)]) -> Result<String, fmt::Error> {
    let count = |wanted| cases.iter().filter(|(task, _)| outcome(task) == wanted).count();
    // Jenkins' schema knows `skipped` on a suite only, and Surefire's no `hostname`.
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{}\"",
        cases.len(),
        count(Outcome::Failure),
        count(Outcome::Error),
        seconds(job.started_at, job.finished_at),
    );
    let skipped = count(Outcome::Skipped);
    let (name, branch, environment) = (format!("Job {}", job.id), quoted(&job.branch_name), quoted(&job.environment));
    let began = without_zone(job.started_at.unwrap_or(job.created_at));
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    writeln!(xml, "<testsuites name=\"{name}\" {totals}>")?;
    writeln!(xml, "  <testsuite name=\"{name}\" {totals} skipped=\"{skipped}\" timestamp=\"{began}\">")?;
    writeln!(xml, "    <properties>")?;
    writeln!(xml, "      <property name=\"environment\" value=\"{environment}\"/>")?;
    writeln!(xml, "      <property name=\"branch\" value=\"{branch}\"/>")?;
    writeln!(xml, "      <property name=\"commit\" value=\"{}\"/>", quoted(&job.commit_hash))?;
    writeln!(xml, "      <property name=\"status\" value=\"{}\"/>", job.status)?;
    writeln!(xml, "    </properties>")?;
    for (task, log) in cases {
        write_case(&mut xml, task, log)?;
    }
    writeln!(xml, "  </testsuite>\n</testsuites>")?;
    Ok(xml)
}

fn write_case(xml: &mut String, task: &Task, log: &str) -> fmt::Result {
    let folder = task.scenario.rsplit_once('/').map_or("scenarios", |(folder, _)| folder).replace('/', ".");
    let time = seconds(task.started_at, task.finished_at);
    let (folder, name) = (quoted(&folder), quoted(&task.scenario));
    write!(xml, "    <testcase classname=\"{folder}\" name=\"{name}\" time=\"{time}\"")?;
    let element = match outcome(task) {
        Outcome::Passed => return writeln!(xml, "/>"),
        Outcome::Failure => "failure",
        Outcome::Error => "error",
        Outcome::Skipped => "skipped",
    };
    let message = message(task);
    let message = quoted(&message);
    write!(xml, ">\n      <{element} message=\"{message}\"")?;
    // Surefire's schema knows a type of failures and errors only.
    if element != "skipped" {
        write!(xml, " type=\"{}\"", task.status)?;
    }
    writeln!(xml, "/>")?;
    if !log.is_empty() {
        writeln!(xml, "      <system-out>{}</system-out>", Escaped { text: log, within_quotes: false })?;
    }
    writeln!(xml, "    </testcase>")
}

/// The scenario's own words, or else what is known.
fn message(task: &Task) -> String {
    match task.exit_code {
        _ if !task.message.is_empty() => task.message.clone(),
        Some(code) => format!("exit code {code}"),
        None => task.status.to_string(),
    }
}

fn seconds(from: Option<Timestamp>, to: Option<Timestamp>) -> String {
    let took = from.zip(to).map(|(from, to)| to.since(from)).unwrap_or_default();
    format!("{}.{:03}", took.as_secs(), took.subsec_millis())
}

/// In UTC. The older schemas know neither a zone nor parts of a second.
fn without_zone(at: Timestamp) -> String {
    at.to_string().split(['.', 'Z']).next().unwrap_or_default().to_owned()
}

/// Text as XML 1.0 takes it between quotes or tags; what it can't hold at all becomes U+FFFD.
struct Escaped<'a> {
    text: &'a str,
    within_quotes: bool,
}

fn quoted(text: &str) -> Escaped<'_> {
    Escaped { text, within_quotes: true }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' if self.within_quotes => f.write_str("&quot;"),
            // As they are, they would be read back as blanks.
            '\n' | '\t' if self.within_quotes => write!(f, "&#{};", u32::from(c)),
            '\n' | '\t' => f.write_char(c),
            '\r' => f.write_str("&#13;"),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}'),
            c => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::jobs::NewJob;
    use protocol::{JobStatus, UserId};
    use std::time::Duration;

    fn job() -> Job {
        let new = NewJob {
            instance: String::new(),
            user_id: UserId(1),
            environment: "bench-a".to_owned(),
            queue_id_prefix: String::new(),
            branch_name: "a\"<b>&c".to_owned(),
            commit: "4f1c".to_owned(),
            scenarios: Vec::new(),
            rerun_of: None,
            timeout: Duration::from_mins(1),
        };
        let (began, ended) = (Some(Timestamp(1_767_520_803_000)), Some(Timestamp(1_767_520_804_812)));
        let job = Job::new(JobId(42), &new, Timestamp(1_767_520_800_000));
        Job { status: JobStatus::Failed, started_at: began, finished_at: ended, ..job }
    }

    fn case(n: i64, scenario: &str, status: TaskStatus, message: &str, log: &str) -> (Task, String) {
        let (began, ended) = (Some(Timestamp(1_000)), status.is_terminal().then_some(Timestamp(1_050)));
        let task = Task::new(JobId(42), n, scenario.to_owned());
        let task = Task { status, message: message.to_owned(), started_at: began, finished_at: ended, ..task };
        (task, log.to_owned())
    }

    #[test]
    fn a_job_with_every_kind_of_task_is_written_as_build_servers_read_it() {
        let mut exited = case(2, "net/deep/ping", TaskStatus::Failed, "", "a < b\n\"c\"\r\u{7}");
        exited.0.exit_code = Some(3);
        let cases = [
            case(1, "smoke/boot", TaskStatus::Passed, "fine", ""),
            exited,
            case(3, "top", TaskStatus::Aborted, "stopped\nby \u{1}\"ada\"", ""),
            case(4, "smoke/skip", TaskStatus::Skipped, "no device", ""),
            case(5, "smoke/later", TaskStatus::Running, "", ""),
        ];
        let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="Job 42" tests="5" failures="1" errors="1" time="1.812">
  <testsuite name="Job 42" tests="5" failures="1" errors="1" time="1.812" skipped="2" timestamp="2026-01-04T10:00:03">
    <properties>
      <property name="environment" value="bench-a"/>
      <property name="branch" value="a&quot;&lt;b&gt;&amp;c"/>
      <property name="commit" value="4f1c"/>
      <property name="status" value="failed"/>
    </properties>
    <testcase classname="smoke" name="smoke/boot" time="0.050"/>
    <testcase classname="net.deep" name="net/deep/ping" time="0.050">
      <failure message="exit code 3" type="failed"/>
      <system-out>a &lt; b
"c"&#13;�</system-out>
    </testcase>
    <testcase classname="scenarios" name="top" time="0.050">
      <error message="stopped&#10;by �&quot;ada&quot;" type="aborted"/>
    </testcase>
    <testcase classname="smoke" name="smoke/skip" time="0.050">
      <skipped message="no device"/>
    </testcase>
    <testcase classname="smoke" name="smoke/later" time="0.000">
      <skipped message="running"/>
    </testcase>
  </testsuite>
</testsuites>
"#;
        assert_eq!(write_report(&job(), &cases).unwrap(), expected);
    }
}
