//! A password asked for at the terminal, which shows what is typed again also when a signal ends the program meanwhile.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What shells add to a signal's number for the exit code of a program that it has ended.
const SHELL_OFFSET: i32 = 128;

/// From here on the signals that end a program end this one with the terminal as it was.
pub(super) async fn ask_password(words: &'static str) -> io::Result<String> {
    let asking = Arc::new(Asking::open()?);
    for kind in [SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup(), SignalKind::terminate()] {
        tokio::spawn(end_on(kind, signal(kind)?, Arc::clone(&asking)));
    }
    // On a thread of its own, since signals are heard on this one.
    tokio::task::spawn_blocking(move || asking.ask(words)).await.map_err(io::Error::other)?
}

async fn end_on(kind: SignalKind, mut heard: Signal, asking: Arc<Asking>) {
    if heard.recv().await.is_none() {
        return;
    }
    // Kept to the end, so that the question changes nothing any more.
    let _last = asking.show_typing();
    let _unseen = writeln!(&asking.terminal);
    std::process::exit(SHELL_OFFSET + kind.as_raw_value());
}

struct Asking {
    terminal: File,
    before: Termios,
    /// Held by who changes the terminal.
    turn: Mutex<()>,
}

impl Asking {
    /// The terminal itself, whatever the program's own input and output are.
    fn open() -> io::Result<Self> {
        let terminal = File::options().read(true).write(true).open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        Ok(Self { terminal, before, turn: Mutex::default() })
    }

    fn ask(&self, words: &str) -> io::Result<String> {
        self.hide_typing()?;
        let answer = self.read_answer(words);
        drop(self.show_typing());
        answer
    }

    fn read_answer(&self, words: &str) -> io::Result<String> {
        write!(&self.terminal, "{words}")?;
        let mut line = String::new();
        if BufReader::new(&self.terminal).read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn hide_typing(&self) -> io::Result<()> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut hidden = self.before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        // Where the line ends is shown all the same, or else what comes next would stand beside the question.
        hidden.local_modes.insert(LocalModes::ECHONL);
        Ok(tcsetattr(&self.terminal, OptionalActions::Now, &hidden)?)
    }

    /// The turn, for who wants to be the last one.
    fn show_typing(&self) -> MutexGuard<'_, ()> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        // A terminal that has gone away shows nothing any more.
        let _gone = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
        turn
    }
}
