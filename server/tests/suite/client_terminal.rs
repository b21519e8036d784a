//! The command-line client at a terminal: the live view, colours, completions and the manual.

use crate::client_desk::{Desk, PATIENCE, Working, bare_client, finish};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt};
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
    let page = finish(bare_client(home.path(), &["man", "job", "submit"])).await.out;
    assert!(page.contains("testarena\\-job\\-submit") || page.contains("testarena-job-submit"), "{page}");
}
