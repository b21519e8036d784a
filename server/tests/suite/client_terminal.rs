//! The command-line client at a terminal: the live view, colours, completions and the manual.

use crate::client_desk::{Desk, PATIENCE, Working, bare_client, finish};
use std::path::Path;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The client on a terminal of its own.
fn terminal(desk: &Desk, words: &str, more: &[(&str, &str)]) -> Command {
    let line = format!("stty cols 60 rows 12; exec {} {words}", env!("CARGO_BIN_EXE_testarena"));
    let mut command = Command::new("script");
    command.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh").envs(more.iter().copied());
    command.env("TESTARENA_URL", &desk.url).env("TESTARENA_TOKEN", &desk.token).env("XDG_CONFIG_HOME", desk.home());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn a_terminal_shows_what_is_going_on_in_place() {
    let desk = Desk::set_up().await;
    let words = "job submit --branch main --scenario slow smoke/pass --wait";
    let mut waiting = Working::start(terminal(&desk, words, &[("NO_COLOR", "")]));
    let mut screen = String::new();
    let reading = async {
        // Drawn once when it is news, and again as the clock goes on; the other one's end stays where it was drawn.
        while screen.matches("half way").count() < 2 || !screen.contains("passed\x1b[0m       smoke/pass") {
            assert!(waiting.out.read_line(&mut screen).await.unwrap() > 0, "{screen}");
        }
        desk.bench.open_gate();
        waiting.out.read_to_string(&mut screen).await.unwrap();
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    let code = waiting.code().await;
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("\x1b[36mrunning\x1b[0m      slow  [##########----------]  50 %  half way\r\n"),
        "{screen}"
    );
    assert!(screen.contains("\x1b[2F\x1b[J"), "nothing was drawn in place: {screen}");
    assert!(screen.contains("\x1b[32mpassed\x1b[0m       smoke/pass"), "{screen}");
    let end = screen.rsplit("\x1b[J").next().unwrap();
    assert!(end.contains("job 1: 2 passed in ") && !end.contains("running"), "{end}");
    let widest = screen.split(['\n', 'J']).map(|line| line.replace("\x1b[36m", "").replace("\x1b[0m", "").len()).max();
    assert!(widest < Some(70), "{widest:?}");

    let listed = finish(terminal(&desk, "job list", &[])).await.out;
    assert!(listed.starts_with("ID  STATUS  ENVIRONMENT") && listed.contains("\x1b[32mpassed\x1b[0m"), "{listed}");
    let plain = finish(terminal(&desk, "job list", &[("NO_COLOR", "1")])).await.out;
    assert!(plain.contains("passed") && !plain.contains('\x1b'), "{plain}");
    let dumb = finish(terminal(&desk, "job wait 1", &[("TERM", "dumb")])).await.out;
    assert!(dumb.contains("passed") && !dumb.contains('\x1b'), "{dumb}");
}

const INTERRUPT_KEY: &[u8] = b"\x03";

/// What a shell's terminal shows of a command whose password prompt ends in another way than by a password, and of the
/// terminal after it. `end`: with the process's id.
async fn ended_while_asking(
    folder: &Path,
    words: &str,
    answers: &str,
    end: impl AsyncFn(&str) -> &'static [u8],
) -> String {
    let asking = format!("echo pid $$; exec {} {words}", env!("CARGO_BIN_EXE_testarena"));
    let shell = format!("trap : INT QUIT; sh -c '{asking}'; echo \"code $?\"; stty -a");
    let mut command = Command::new("script");
    command.args(["-qec", &shell, "/dev/null"]).env_clear().env("SHELL", "/bin/sh").env("XDG_CONFIG_HOME", folder);
    command.env("PATH", std::env::var_os("PATH").unwrap()).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut shown = Working::start(command);
    let mut keys = shown.child.stdin.take().unwrap();
    let mut screen = Vec::new();
    let typing = async {
        keys.write_all(answers.as_bytes()).await.unwrap();
        while !screen.ends_with(b"Password: ") {
            screen.push(shown.out.read_u8().await.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&screen))));
        }
        let told = String::from_utf8_lossy(&screen).into_owned();
        let pid = told.split_once("pid ").unwrap().1.split_whitespace().next().unwrap();
        keys.write_all(end(pid).await).await.unwrap();
        shown.out.read_to_end(&mut screen).await.unwrap();
    };
    tokio::time::timeout(PATIENCE, typing).await.unwrap();
    String::from_utf8_lossy(&screen).into_owned()
}

#[tokio::test]
async fn a_terminal_has_its_echo_back_however_a_password_prompt_ends() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("testarena.toml"), "").unwrap();
    let kill = async |signal: &str, pid: &str| {
        assert!(Command::new("kill").args([signal, pid]).status().await.unwrap().success());
        &b""[..]
    };
    for (words, answers) in [("login --url http://127.0.0.1:9", "ada\n"), ("user add ada --config testarena.toml", "")]
    {
        for (code, screen) in [
            (130, ended_while_asking(folder.path(), words, answers, async |_| INTERRUPT_KEY).await),
            (131, ended_while_asking(folder.path(), words, answers, async |pid| kill("-QUIT", pid).await).await),
            (143, ended_while_asking(folder.path(), words, answers, async |pid| kill("-TERM", pid).await).await),
        ] {
            assert!(screen.contains(&format!("code {code}\r\n")), "{words}: {screen}");
            assert!(screen.contains(" echo ") && !screen.contains(" -echo "), "{words}: {screen}");
        }
    }
}

#[tokio::test]
async fn completions_and_manual_know_every_command() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let told = finish(bare_client(home.path(), &["completions", shell])).await;
        assert!(told.code == 0 && told.out.contains("idempotency-key"), "{shell}");
    }
    let script = finish(bare_client(home.path(), &["completions", "bash"])).await.out;
    let file = home.path().join("completions.bash");
    std::fs::write(&file, script).unwrap();
    assert!(Command::new("bash").arg("-n").arg(&file).status().await.unwrap().success());
    let page = finish(bare_client(home.path(), &["man"])).await.out;
    for words in
        [".TH testarena", "testarena job submit", "testarena serve", "\\-\\-idempotency\\-key", ".SH \"EXIT STATUS\""]
    {
        assert!(page.contains(words), "{words} is not in {page}");
    }
    for (words, has, has_not) in [
        (
            &["man"][..],
            &["TESTARENA_TOKEN", "TESTARENA_METRICS_TOKEN", ".B 130, 143", "config.toml", ".I .env"][..],
            "\0",
        ),
        (&["man", "login"], &["TESTARENA_TOKEN", ".B 4", "config.toml"], "TESTARENA_METRICS_TOKEN"),
        (&["man", "job", "wait"], &["TESTARENA_TOKEN", ".B 2", "config.toml"], "TESTARENA_METRICS_TOKEN"),
        (&["man", "serve"], &["TESTARENA_METRICS_TOKEN", ".B 1", "\\-\\-config"], "TESTARENA_TOKEN"),
        (&["man", "user", "add"], &["TESTARENA_DATABASE_URL", ".I FILE", ".I .env"], "TESTARENA_TOKEN"),
    ] {
        let page = finish(bare_client(home.path(), words)).await.out;
        for words in [".SH \"EXIT STATUS\"", ".SH ENVIRONMENT", ".SH FILES"].iter().chain(has) {
            assert_eq!(page.matches(words).count().min(1), 1, "{words} is not in {page}");
        }
        assert!(!page.contains(has_not), "{page}");
    }
    let page = finish(bare_client(home.path(), &["man", "job", "submit"])).await.out;
    assert!(page.contains("testarena\\-job\\-submit") || page.contains("testarena-job-submit"), "{page}");
}
