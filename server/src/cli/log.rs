//! The log: one line an event, to standard error, as text or JSON, of what `TESTARENA_LOG` asks for.
//! Whatever somebody else's words hold, they make no line of their own and reach no terminal as commands.

mod plain;
mod writing;

use super::CommandResult;
use crate::config::Variables;
use plain::PlainLines;
use std::error::Error;
use std::io::{IsTerminal, Write, stderr};
use std::panic::PanicHookInfo;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
pub(super) use writing::Writing;

/// Parts of the program that may be named without their level; any other single word is most likely a typo.
const PARTS: [&str; 3] = ["server", "runner", "app"];
const LOST: &str = "lines of the log were lost here, because nobody read it";

/// The server's: whoever reads the log and stalls must not hold up the work.
pub(super) fn start(variables: &Variables) -> Result<Writing, Box<dyn Error + Send + Sync>> {
    let is_json = is_json(variables)?;
    let tell = if is_json { lost_in_json } else { lost_in_text };
    let (lines, writing) = writing::start(stderr(), tell).map_err(|error| format!("can't start: {error}"))?;
    set_up(variables, "info", move || lines.clone())?;
    Ok(writing)
}

/// The client's, between its own words on standard error and in their order.
pub(super) fn start_in_place(variables: &Variables) -> CommandResult {
    set_up(variables, "warn", stderr)
}

/// `default` is what is logged where nothing is asked for.
fn set_up<W: Write>(
    variables: &Variables,
    default: &str,
    output: impl Fn() -> W + Send + Sync + 'static,
) -> CommandResult {
    let filter = filter(variables.get("TESTARENA_LOG").unwrap_or(default))?;
    let is_terminal = stderr().is_terminal();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A reader of the log who has gone away must not bring anything down.
        .log_internal_errors(false);
    if is_json(variables)? {
        log.json().with_ansi(false).with_writer(move || PlainLines::json(output())).init();
    } else {
        log.with_ansi(is_terminal).with_writer(move || PlainLines::text(output(), is_terminal)).init();
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn is_json(variables: &Variables) -> Result<bool, String> {
    match variables.get("TESTARENA_LOG_FORMAT") {
        None | Some("text") => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(format!("TESTARENA_LOG_FORMAT: {other:?} is neither text nor json")),
    }
}

/// In the words of an event: those who read the log look for lines like these.
fn lost_in_text(lost: u64) -> String {
    format!("{}  WARN {}: {LOST} lost={lost}\n", now(), module_path!())
}

fn lost_in_json(lost: u64) -> String {
    let fields = serde_json::json!({ "message": LOST, "lost": lost });
    let event = serde_json::json!({ "timestamp": now(), "level": "WARN", "fields": fields, "target": module_path!() });
    format!("{event}\n")
}

fn now() -> String {
    let mut now = String::new();
    // Writing to a string does not fail.
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    now
}

/// Such as `debug` or `info,server::poller=debug`.
fn filter(directives: &str) -> Result<EnvFilter, String> {
    for directive in directives.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let is_level = directive.parse::<LevelFilter>().is_ok();
        let is_part = PARTS.contains(&directive.split("::").next().unwrap_or_default());
        if !is_level && !is_part && !directive.contains(['=', '[']) {
            let told = "is neither a level (off, error, warn, info, debug, trace) nor a part with its level, such as \
                        server::poller=debug";
            return Err(format!("TESTARENA_LOG: {directive:?} {told}"));
        }
    }
    EnvFilter::try_new(directives).map_err(|error| format!("TESTARENA_LOG: {directives:?}: {error}"))
}

/// In the log like everything else, with the request in which it happened. Its words may be somebody else's.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let words = panic.payload_as_str().unwrap_or("it has no words");
    let backtrace = std::backtrace::Backtrace::capture();
    if backtrace.status() == std::backtrace::BacktraceStatus::Captured {
        tracing::error!(place, %backtrace, "a defect at {place}: {words}");
    } else {
        tracing::error!(place, "a defect at {place}: {words}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_one_line_that_names_its_request() {
        let (kept, before) = (Kept::default(), std::panic::take_hook());
        let lines = kept.clone();
        let log = tracing_subscriber::fmt().with_ansi(false);
        let log = log.with_writer(move || PlainLines::text(lines.clone(), false)).finish();
        std::panic::set_hook(Box::new(log_panic));
        let caught = tracing::subscriber::with_default(log, || {
            let _span = tracing::info_span!("request", request.id = "mine").entered();
            std::panic::catch_unwind(|| panic!("a defect\nERROR forged"))
        });
        std::panic::set_hook(before);
        assert!(caught.is_err());
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("request.id=\"mine\"") && text.contains("a defect\\nERROR forged"), "{text}");
    }

    #[test]
    fn what_is_said_of_lost_lines_is_a_line_like_the_others() {
        let (text, json) = (lost_in_text(7), lost_in_json(7));
        for line in [&text, &json] {
            assert!(line.ends_with('\n') && line.lines().count() == 1, "{line:?}");
        }
        assert!(text.starts_with("20") && text.contains("Z  WARN server::cli::log: ") && text.contains(" lost=7"));
        let event: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&event["level"], &event["fields"]["lost"]), (&"WARN".into(), &7.into()));
    }

    #[test]
    fn a_filter_that_asks_for_nothing_is_refused() {
        for good in ["info", "DEBUG", "off", "info,server::poller=debug", "server", "server::poller", "hyper=warn"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["inof", "info,debgu", "server=loud", "all the things"] {
            assert!(filter(bad).unwrap_err().starts_with("TESTARENA_LOG: "), "{bad}");
        }
    }
}
