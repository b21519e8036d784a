//! `runner.toml`: what it may say, and that a mistake stops the start with a message that names it.
//! Files are written and loaded as an administrator's would be.

use runner::Config;
use std::time::Duration;

const SMALLEST: &str = "name = 'bench-a'\nrepository = 'repo'\nworkspace_root = 'work'\n";

fn load(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runner.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path).map_err(|error| error.to_string())
}

#[test]
fn a_small_file_is_enough_and_paths_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("runner.toml");
    std::fs::write(&path, SMALLEST).unwrap();
    let config = Config::load(&path).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:9000");
    assert_eq!((config.repository, config.data_dir), (folder.path().join("repo"), folder.path().join("data")));
    assert_eq!((config.slots.len(), config.task_timeout), (1, Duration::from_hours(1)));
    assert_eq!(config.max_log_bytes, 1 << 30);
    assert!(config.ssh.is_none() && config.token.is_none());
}

#[test]
fn a_full_file_is_understood() {
    let text = format!(
        "{SMALLEST}listen = '0.0.0.0:9100'\ntoken_env = 'PATH'\ndata_dir = '/srv/data'\nscenario_dir = 'tests/scenarios/'\n\
         task_timeout = '90m'\nmax_log_bytes = '4MiB'\nqueue_overtime = '10s'\n\
         [[slot]]\nenv = {{ DEVICE = '/dev/ttyUSB0' }}\n[[slot]]\n\
         [ssh]\nlisten = '127.0.0.1:2222'\nhost_key = 'keys/host'\nauthorized_keys = 'keys/authorized_keys'\n"
    );
    // As an editor on Windows saves it.
    let config = load(&format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
    assert_eq!((config.scenario_dir.as_str(), config.slots.len()), ("tests/scenarios", 2));
    assert_eq!(config.slots[0]["DEVICE"], "/dev/ttyUSB0");
    assert_eq!((config.task_timeout, config.queue_overtime), (Duration::from_mins(90), Duration::from_secs(10)));
    assert_eq!(config.max_log_bytes, 4 << 20);
    assert!(config.token.is_some_and(|token| token.matches(std::env::var("PATH").unwrap().trim())));
    assert_eq!(config.ssh.map(|ssh| ssh.listen.port()), Some(2222));
}

#[test]
fn a_mistake_is_named() {
    for (more, named) in [
        ("sluts = 3", "sluts"),
        ("[ssh]\nlisten = '127.0.0.1:22'\nhost_key = 'a'", "authorized_keys"),
        ("[ssh]\nport = 22", "port"),
        ("listen = 'here'", "listen"),
        ("slots = 0", "slots"),
        ("slots = 2\n[[slot]]", "not both"),
        ("[[slot]]\nenv = { TESTARENA_SLOT = '1' }", "TESTARENA_SLOT"),
        ("[[slot]]\nenv = { 'A=B' = '1' }", "A=B"),
        ("task_timeout = 'soon'", "task_timeout"),
        ("task_timeout = '0s'", "task_timeout"),
        ("queue_overtime = '2m'", "queue_overtime"),
        ("max_log_bytes = '4MB'", "max_log_bytes"),
        ("token_env = 'NO_SUCH_VARIABLE_AT_ALL'", "NO_SUCH_VARIABLE_AT_ALL"),
        ("scenario_dir = '../x'", "scenario_dir"),
        ("scenario_dir = ''", "scenario_dir"),
        ("data_dir = 'work/data'", "data_dir"),
    ] {
        let error = load(&format!("{SMALLEST}{more}\n")).unwrap_err();
        assert!(error.contains(named) && error.contains("runner.toml"), "{more}: {error}");
    }
    assert!(load("name = 'x'").unwrap_err().contains("repository"));
    assert!(Config::load("/no/such/runner.toml".as_ref()).unwrap_err().to_string().contains("/no/such/runner.toml"));
}
