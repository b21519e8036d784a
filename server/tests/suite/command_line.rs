//! The program itself: users, migration, check, and a server that starts, answers and ends when it is asked to.

use protocol::api::Via;
use serde_json::{Value, json};
use server::store::audit::{AuditFilter, list_entries};
use server::store::{DatabaseUrl, Store};
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub fn program(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testarena"));
    command.args(words).args(["--config", "testarena.toml"]).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn folder(config: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("testarena.toml"), config).unwrap();
    folder
}

pub fn run(folder: &Path, words: &[&str], input: &str) -> Output {
    let mut child = program(folder, words).spawn().unwrap();
    // A program that says no before it reads may have ended by now.
    let _unread = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
pub fn good(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn bad(output: &Output) -> String {
    assert!(!output.status.success(), "{}", text(&output.stdout));
    text(&output.stderr)
}

#[tokio::test]
async fn users_are_added_listed_changed_and_removed() {
    let folder = folder("");
    let user = |words: &[&str], input: &str| run(folder.path(), words, input);
    assert_eq!(good(&user(&["user", "add", "--admin", "Ada"], "correct horse\n")), "Added ada.\n");
    good(&user(&["user", "add", "bob"], "battery staple\n"));
    assert!(bad(&user(&["user", "add", "bob"], "battery staple\n")).contains("there is a user bob already"));
    assert!(bad(&user(&["user", "add", "eve"], "short\n")).contains("8 to 256 characters"));
    assert!(bad(&user(&["user", "add", "e/e"], "long enough\n")).contains("user name"));
    let listed = good(&user(&["user", "list"], ""));
    let words: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    assert_eq!(words, [["ada", "admin"], ["bob", "user"]]);
    assert!(bad(&user(&["user", "remove", "ada"], "")).contains("the last administrator"));
    good(&user(&["user", "passwd", "bob"], "another password\n"));
    assert_eq!(good(&user(&["user", "remove", "bob"], "")), "Removed bob.\n");
    assert!(bad(&user(&["user", "passwd", "bob"], "another password\n")).contains("there is no user bob"));
    let store = Store::open(&DatabaseUrl::Sqlite(folder.path().join("data/testarena.db")));
    let noted = store.read(|connection| list_entries(connection, AuditFilter::default(), None, 10)).await.unwrap();
    assert!(noted.iter().all(|entry| entry.via == Via::Cli && entry.actor.is_none()), "{noted:?}");
    let detail = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let told = noted.iter().rev().map(|entry| json!([entry.action, entry.object, detail(&entry.detail)]));
    let expected = [
        json!(["user.create", "user:1", {"username": "ada", "is_admin": true}]),
        json!(["user.create", "user:2", {"username": "bob", "is_admin": false}]),
        json!(["user.password", "user:2", {}]),
        json!(["user.delete", "user:2", {"username": "bob"}]),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn a_bad_configuration_stops_the_start_with_its_name() {
    let folder = folder("poll_intervall = \"20s\"\n");
    assert!(bad(&run(folder.path(), &["serve"], "")).contains("poll_intervall"));
    fs::write(folder.path().join("testarena.toml"), "").unwrap();
    let unknown = program(folder.path(), &["migrate"]).env("TESTARENA_POL_INTERVAL", "20s").output().unwrap();
    assert!(bad(&unknown).contains("TESTARENA_POL_INTERVAL"));
    fs::write(folder.path().join(".env"), "TESTARENA_JOB_TIMEOUT=soon\n").unwrap();
    let message = bad(&run(folder.path(), &["migrate"], ""));
    assert!(message.contains("TESTARENA_JOB_TIMEOUT") && message.contains("soon"), "{message}");
}

#[test]
fn a_variable_that_is_no_text_is_a_bad_value_and_not_left_out() {
    let folder = folder("");
    let bytes = OsStr::from_bytes(b"caf\xe9");
    for name in ["TESTARENA_METRICS_TOKEN", "TESTARENA_LISTEN", "TESTARENA_TYPO", "TESTARENA_TOKEN"] {
        let refused = bad(&program(folder.path(), &["migrate"]).env(name, bytes).output().unwrap());
        assert!(refused.contains(&format!("{name} is no text in UTF-8")) && !refused.contains("caf"), "{refused}");
        let mut client = Command::new(env!("CARGO_BIN_EXE_testarena"));
        let refused = client.args(["env", "list"]).env(name, bytes).output().unwrap();
        assert_eq!(refused.status.code(), Some(3));
        assert!(bad(&refused).contains(&format!("{name} is no text in UTF-8")), "{refused:?}");
    }
    let mut migrate = program(folder.path(), &["migrate"]);
    good(&migrate.env("ANOTHER", bytes).env(OsStr::from_bytes(b"N\xe4me"), "x").output().unwrap());
}

#[test]
fn what_windows_puts_around_lines_is_no_part_of_them() {
    let folder = folder("\u{feff}# comment\r\nlisten = \"127.0.0.1:0\"\r\n");
    let path = |name: &str| folder.path().join(name);
    fs::write(path(".env"), "\u{feff}TESTARENA_DATABASE_URL=sqlite://from-env-file.db\r\n\r\n# comment\r\n").unwrap();
    good(&run(folder.path(), &["migrate"], ""));
    assert!(path("from-env-file.db").exists());
    // As a supervisor takes it from a file of its own.
    let mut migrate = program(folder.path(), &["migrate"]);
    good(&migrate.env("TESTARENA_DATABASE_URL", "sqlite://from-process.db\r").output().unwrap());
    assert!(path("from-process.db").exists());
    // The mark counts for no character of the password.
    let short = run(folder.path(), &["user", "add", "ada"], "\u{feff}1234567\r\n");
    assert!(bad(&short).contains("8 to 256 characters"));
    fs::write(path(".env"), b"\xff\xfeA\0=\0b\0").unwrap();
    let told = bad(&run(folder.path(), &["migrate"], ""));
    assert!(told.contains(".env can't be read: it is in UTF-16") && told.contains("save it as UTF-8"), "{told}");
}

#[test]
fn a_mistyped_variable_stops_demo_and_runner_too() {
    let folder = folder("");
    let mut demo = Command::new(env!("CARGO_BIN_EXE_testarena"));
    // An address that nobody here has: without a check it would end there.
    demo.args(["demo", "--listen", "192.0.2.1:1"]).current_dir(folder.path()).env("TESTARENA_LISTN", "x");
    assert!(bad(&demo.output().unwrap()).contains("TESTARENA_LISTN"));
    // A port of another's: without a check it would end there.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = format!(
        "name = \"a\"\nrepository = \"repo\"\nworkspace_root = \"work\"\nlisten = \"{}\"\n",
        taken.local_addr().unwrap()
    );
    fs::write(folder.path().join("testarena.toml"), text).unwrap();
    let typo = program(folder.path(), &["runner"]).env("TESTARENA_LISTN", "x").output().unwrap();
    assert!(bad(&typo).contains("TESTARENA_LISTN"));
    let mut demo = Command::new(env!("CARGO_BIN_EXE_testarena"));
    demo.args(["demo", "--listen", "192.0.2.1:1"]).current_dir(folder.path());
    assert!(bad(&demo.env("TESTARENA_DATA_DIR", "x").output().unwrap()).contains("TESTARENA_DATA_DIR"));
    let known = program(folder.path(), &["runner"]).env("TESTARENA_SLOT", "1").output().unwrap();
    assert!(!bad(&known).contains("TESTARENA_"));
}

#[test]
fn programs_that_start_at_once_on_a_new_database_all_do_their_work() {
    let folder = folder("");
    let programs: Vec<Child> = (0..8).map(|_| program(folder.path(), &["migrate"]).spawn().unwrap()).collect();
    for program in programs {
        good(&program.wait_with_output().unwrap());
    }
}

#[test]
fn a_second_server_on_one_data_folder_is_refused() {
    let folder = folder("listen = \"127.0.0.1:0\"\n");
    let mut first = program(folder.path(), &["serve"]).spawn().unwrap();
    wait_for_line(&mut first, "serving at");
    assert!(bad(&run(folder.path(), &["serve"], "")).contains("another server is at work there"));
    // The lock goes with its process, however that ends.
    first.kill().unwrap();
    first.wait().unwrap();
    let mut next = program(folder.path(), &["serve"]).spawn().unwrap();
    wait_for_line(&mut next, "serving at");
    next.kill().unwrap();
    next.wait().unwrap();
}

#[test]
fn a_second_server_on_a_database_that_it_names_by_a_link_is_refused() {
    let folder = folder("listen = \"127.0.0.1:0\"\n");
    good(&run(folder.path(), &["migrate"], ""));
    let mut first = program(folder.path(), &["serve"]).spawn().unwrap();
    wait_for_line(&mut first, "serving at");
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(folder.path().join("data/testarena.db"), link).unwrap();
    let config = "listen = \"127.0.0.1:0\"\ndata_dir = \"other\"\ndatabase_url = \"sqlite://link.db\"\n";
    fs::write(folder.path().join("testarena.toml"), config).unwrap();
    assert!(bad(&run(folder.path(), &["serve"], "")).contains("another server is at work there"));
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_database_whose_lock_is_that_of_the_data_folder_keeps_out_others_only() {
    let folder = folder("listen = \"127.0.0.1:0\"\ndatabase_url = \"sqlite://data/testarena\"\n");
    let mut first = program(folder.path(), &["serve"]).spawn().unwrap();
    wait_for_line(&mut first, "serving at");
    assert!(bad(&run(folder.path(), &["serve"], "")).contains("another server is at work there"));
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn check_says_what_does_not_work_and_changes_nothing() {
    let config = r#"
        [[environments]]
        name = "bench-a"
        url = "http://127.0.0.1:9"
        [environments.ssh]
        host = "127.0.0.1"
        port = 9
        user = "tests"
        identity_file = "missing"
        known_hosts = "missing"
        repository = "/srv/tests/repo"
        workspace_root = "/srv/tests/workspaces"
    "#;
    let folder = folder(config);
    let output = run(folder.path(), &["check"], "");
    assert!(!output.status.success());
    let lines = text(&output.stdout);
    for words in ["ok     Database", "ok     Storage", "FAILED bench-a: HTTP API", "FAILED bench-a: SSH"] {
        assert!(lines.contains(words), "{words} is not in {lines}");
    }
    assert!(!folder.path().join("data").exists());
}

#[test]
fn a_reader_who_goes_away_and_a_full_disk_are_no_defects() {
    let folder = folder("");
    good(&run(folder.path(), &["user", "add", "--admin", "ada"], "correct horse\n"));
    for words in [&["migrate"][..], &["user", "list"], &["check"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let unread = program(folder.path(), words).stdout(writer).output().unwrap();
        assert_eq!((unread.status.code(), text(&unread.stderr)), (Some(141), String::new()), "{words:?}");
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let unsaid = program(folder.path(), words).stdout(full).output().unwrap();
        let wanted = "testarena: can't write the output: No space left on device (os error 28)\n";
        assert_eq!((unsaid.status.code(), text(&unsaid.stderr).as_str()), (Some(1), wanted), "{words:?}");
    }
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let unheard = program(folder.path(), &["user", "passwd", "nobody"]).stderr(full).output().unwrap();
    assert_eq!(unheard.status.code(), Some(1));
}

#[test]
fn what_is_stored_is_for_its_owner_alone() {
    let folder = folder("listen = \"127.0.0.1:0\"\n");
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    // Under a mask that would let everybody read.
    let words = format!("umask 0; exec {} migrate --config testarena.toml", env!("CARGO_BIN_EXE_testarena"));
    good(&Command::new("sh").args(["-c", &words]).current_dir(folder.path()).output().unwrap());
    assert_eq!((mode("data"), mode("data/testarena.db")), (0o700, 0o600));
    let mut child = program(folder.path(), &["serve"]).spawn().unwrap();
    wait_for_line(&mut child, "serving at");
    for file in ["data/testarena.db", "data/testarena.db-wal", "data/testarena.db-shm"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_server_ends_soon_after_it_is_asked_to() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let folder = folder("listen = \"127.0.0.1:0\"\n");
        let mut child = program(folder.path(), &["serve"]).spawn().unwrap();
        wait_for_line(&mut child, "serving at");
        let start = Instant::now();
        send(&child, signal);
        assert!(child.wait().unwrap().success(), "{signal}");
        assert!(start.elapsed() < Duration::from_secs(10), "{signal}");
        assert!(folder.path().join("data/testarena.db").exists());
    }
}

#[test]
fn under_nohup_a_server_outlives_its_terminal() {
    let folder = folder("listen = \"127.0.0.1:0\"\n");
    let words = format!("trap '' HUP; exec {} serve --config testarena.toml", env!("CARGO_BIN_EXE_testarena"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &words]).current_dir(folder.path()).stderr(Stdio::piped());
    let mut child = shell.spawn().unwrap();
    wait_for_line(&mut child, "serving at");
    // The lowest bit is the signal 1.
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    assert_eq!(u64::from_str_radix(caught.trim(), 16).unwrap() & 1, 0);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn wait_for_line(child: &mut Child, words: &str) {
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    // The pipe ends with the process, so this ends too. What comes later is written to nobody.
    let found = lines.map_while(Result::ok).any(|line| line.contains(words));
    assert!(found, "the program ended without saying \"{words}\"");
}
