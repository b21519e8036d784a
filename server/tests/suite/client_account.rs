//! The command-line client: signing in and out, the file that it keeps, and whom it shows a token to.

use crate::client_desk::{Desk, bare_client, finish, finish_with_input};
use crate::test_app::PASSWORD;
use reqwest::Method;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

#[tokio::test]
async fn a_token_is_made_kept_for_its_owner_alone_and_deleted_again() {
    let desk = Desk::set_up().await;
    let client = |words: &[&str]| bare_client(&desk.home(), words);
    let login = client(&["login", "--url", &format!("{}/", desk.url)]);
    // As a script from Windows writes it.
    let told = finish_with_input(login, &format!("\u{feff}Ada\r\n{PASSWORD}\r\n")).await;
    let host = host_name();
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.contains(&format!("as ada. The token \"{host}\" is kept in ")), "{told:?}");
    assert!(!told.out.contains("ta_") && !told.err.contains("ta_"), "{told:?}");
    // What to do next, and how somebody does without this.
    assert!(told.out.contains("testarena job submit") && told.out.contains("TESTARENA_URL"), "{told:?}");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&desk.kept_file()), mode(desk.kept_file().parent().unwrap())), (0o600, 0o700));
    assert_eq!(finish(client(&["env", "list"])).await.code, 0);

    // Signing in again leaves one token of this machine, and a file that was open to others is closed.
    fs::set_permissions(desk.kept_file(), Permissions::from_mode(0o644)).unwrap();
    let open = finish(client(&["env", "list"])).await;
    assert!(open.code == 0 && open.err.contains("others can read the token"), "{open:?}");
    let first = fs::read_to_string(desk.kept_file()).unwrap();
    assert_eq!(finish_with_input(client(&["login"]), &format!("ada\n{PASSWORD}\n")).await.code, 0);
    assert_eq!((mode(&desk.kept_file()), fs::read_to_string(desk.kept_file()).unwrap() == first), (0o600, false));
    let listed = desk.call(Method::GET, "/api/tokens", Value::Null).await;
    let names: Vec<&str> =
        listed["tokens"].as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| **name == host).count(), 1, "{names:?}");

    let told = finish(client(&["logout"])).await;
    assert_eq!((told.code, told.out), (0, format!("Signed out of {}.\n", desk.url)));
    assert!(!desk.kept_file().exists());
    let listed = desk.call(Method::GET, "/api/tokens", Value::Null).await;
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(finish(client(&["env", "list"])).await.code, 3);
    assert_eq!(finish(client(&["logout"])).await.code, 0);

    // As JSON there is only what the API answers: the user, and then nothing.
    let login = client(&["login", "--url", &desk.url, "--json"]);
    let told = finish_with_input(login, &format!("ada\n{PASSWORD}\n")).await;
    assert_eq!(serde_json::from_str::<Value>(&told.out).unwrap()["username"], "ada", "{told:?}");
    let told = finish(client(&["logout", "--json"])).await;
    assert_eq!((told.code, told.out.as_str()), (0, ""), "{told:?}");
    assert!(!desk.kept_file().exists());
}

fn host_name() -> String {
    let output = std::process::Command::new("uname").arg("-n").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_wrong_password_leaves_nothing_behind() {
    let desk = Desk::set_up().await;
    for (input, why) in [
        ("ada\nwrong password\n", "(unauthenticated)"),
        ("ada\n", "a user name and a password are needed"),
        ("", "a user name and a password are needed"),
        ("a:b\npassword\n", "no user name has a colon"),
    ] {
        let told = finish_with_input(bare_client(&desk.home(), &["login", "--url", &desk.url]), input).await;
        assert!(told.code == 3 && told.err.contains(why), "{input:?}: {told:?}");
    }
    let told = finish_with_input(bare_client(&desk.home(), &["login"]), "ada\nx\n").await;
    assert!(told.code == 3 && told.err.contains("--url, or in TESTARENA_URL"), "{told:?}");
    assert!(!desk.kept_file().exists());
    // A token that can't be kept is not left at the server either.
    fs::write(desk.home(), "a file in the way").unwrap();
    let login = bare_client(&desk.home(), &["login", "--url", &desk.url]);
    let told = finish_with_input(login, &format!("ada\n{PASSWORD}\n")).await;
    assert!(told.code == 3, "{told:?}");
    let listed = desk.call(Method::GET, "/api/tokens", Value::Null).await;
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1, "{listed}");
}

#[tokio::test]
async fn as_json_every_refusal_is_the_apis_own_body() {
    let desk = Desk::set_up().await;
    for (words, input) in [
        (&["login", "--url", &desk.url][..], "ada\nwrong password\n"),
        (&["env", "list"], ""),
        (&["branches"], ""),
        (&["scenarios", "--branch", "main"], ""),
        (&["job", "list"], ""),
    ] {
        let mut command = bare_client(&desk.home(), &[words, &["--json"]].concat());
        command.env("TESTARENA_URL", &desk.url).env("TESTARENA_TOKEN", "ta_wrong");
        let told = finish_with_input(command, input).await;
        let problem: Value =
            serde_json::from_str(&told.out).unwrap_or_else(|error| panic!("{words:?}: {error}: {told:?}"));
        assert_eq!((told.code, &problem["code"]), (3, &Value::from("unauthenticated")), "{words:?}: {told:?}");
        assert!(told.err.contains("(unauthenticated)"), "{words:?}: {told:?}");
    }
}

#[tokio::test]
async fn address_and_token_come_from_the_environment_or_the_file_and_no_token_goes_astray() {
    let desk = Desk::set_up().await;
    let file = desk.kept_file();
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let keep = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    };
    let client = || bare_client(&desk.home(), &["env", "list"]);
    // As an editor on Windows saves it.
    keep(&format!("\u{feff}url = \"{}\"\r\ntoken = \"{}\"\r\n", desk.url, desk.token));
    let told = finish(client()).await;
    assert!(told.code == 0 && told.err.is_empty(), "{told:?}");
    // A carriage return is no part of a secret.
    let mut command = client();
    command.env("TESTARENA_URL", format!("{}/\r", desk.url)).env("TESTARENA_TOKEN", format!("{}\r\n", desk.token));
    assert_eq!(finish(command).await.code, 0);
    // The environment's address does not get the token of another's.
    let mut command = client();
    command.env("TESTARENA_URL", "http://127.0.0.1:9");
    let told = finish(command).await;
    assert!(told.code == 3 && told.err.contains(&format!("is for {}", desk.url)), "{told:?}");
    let mut command = client();
    command.env("TESTARENA_TOKEN", "ta_wrong");
    let told = finish(command).await;
    assert!(told.code == 3 && told.err.contains("(unauthenticated)"), "{told:?}");
    // HOME, where XDG_CONFIG_HOME says nothing.
    let home = tempfile::tempdir().unwrap();
    fs::create_dir_all(home.path().join(".config")).unwrap();
    fs::rename(file.parent().unwrap(), home.path().join(".config/testarena")).unwrap();
    let mut command = client();
    command.env("XDG_CONFIG_HOME", "").env("HOME", home.path());
    assert_eq!(finish(command).await.code, 0);
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_named() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("testarena");
    fs::create_dir_all(&folder).unwrap();
    for (text, why) in
        [("ur = \"http://tests\"\n", "`ur`"), ("url = \"tests\"\n", "is no address"), ("url =", "config.toml")]
    {
        fs::write(folder.join("config.toml"), text).unwrap();
        let told = finish(bare_client(home.path(), &["env", "list"])).await;
        assert!(told.code == 3 && told.err.contains(why), "{text}: {told:?}");
    }
    let mut command = bare_client(home.path(), &["env", "list"]);
    command.env("TESTARENA_TOKNE", "x");
    let told = finish(command).await;
    assert!(told.code == 3 && told.err.contains("TESTARENA_TOKNE"), "{told:?}");
    // A checkout's `.env` is other people's: it says neither where to go nor keeps anybody from going.
    fs::write(home.path().join(".env"), "TESTARENA_URL=http://127.0.0.1:9\nno line of ours\n").unwrap();
    fs::write(folder.join("config.toml"), "").unwrap();
    let mut command = bare_client(home.path(), &["env", "list"]);
    command.current_dir(home.path());
    let told = finish(command).await;
    assert!(told.code == 3 && told.err.contains("no server is known; sign in with"), "{told:?}");
}
