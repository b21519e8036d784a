//! Nothing of a task outlives it, however it hides, and nothing that died stays behind unreaped.
//! Some of these run the runner in a process of its own, as process 1 or to be killed.

use crate::test_database::execute;
use crate::test_runner::{
    Client, INSTANCE, TestRunner, git, is_alive, statuses, tasks, until_dead, wait_until, write_scenario,
};
use protocol::QueueStatus;
use protocol::TaskStatus::{Aborted, Error, Passed};
use runner::Runner;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::process::Command;

/// Twenty that gave up their environment and session, ten of them also their parent.
const DAEMONS: &str = "for i in 1 2 3 4 5 6 7 8 9 10; do
    env -i /usr/bin/setsid /bin/sleep $SECONDS_LONG & echo pid $!
    (env -i /bin/sh -c 'cd /; /usr/bin/setsid -f /bin/sleep '$SECONDS_LONG' </dev/null >/dev/null 2>&1')
done";

/// A number of seconds that nobody else sleeps, so that what one run left on a machine is not taken for another's.
fn own_seconds() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}", 1_000_000 + u64::from(std::process::id()) * 100 + u64::from(count))
}

/// Processes whose command line is this `sleep`.
fn sleepers(seconds: &str) -> HashSet<String> {
    let wanted = format!("/bin/sleep\0{seconds}\0");
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    ids.filter(|id| std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| line == wanted.as_bytes())).collect()
}

/// Waits until most of them have become what they are to be: each of them is three programs, one after the other.
async fn until_most_sleep(seconds: &str) {
    wait_until("sleepers enough", async || sleepers(seconds).len() >= 10).await;
}

#[tokio::test]
async fn daemons_without_environment_session_or_parent_end_with_their_task() {
    let (end, stay) = (own_seconds(), own_seconds());
    let daemons = DAEMONS.replace("$SECONDS_LONG", &end);
    let staying = format!("{}\necho ready; sleep 600", DAEMONS.replace("$SECONDS_LONG", &stay));
    let server = TestRunner::start(&[("end", &daemons), ("stay", &staying)]).await;
    assert_eq!(statuses(&server.run("1", &["end"]).await), (QueueStatus::Finished, vec![Passed]));
    assert_eq!(sleepers(&end), HashSet::new());
    server.submit("2", &["stay"]).await;
    server.client.logged("2-1", "ready").await;
    until_most_sleep(&stay).await;
    // The task beside it is none of this.
    server.submit("3", &["stay"]).await;
    server.client.logged("3-1", "ready").await;
    server.client.abort("2").await;
    assert_eq!(statuses(&server.client.ended("2").await), (QueueStatus::Aborted, vec![Aborted]));
    // The other task's live on.
    until_most_sleep(&stay).await;
    server.client.abort("3").await;
    server.client.ended("3").await;
    assert_eq!(sleepers(&stay), HashSet::new());
}

#[tokio::test]
async fn a_task_past_its_time_takes_its_daemons_along() {
    let seconds = own_seconds();
    let text = format!("{}\nsleep 600", DAEMONS.replace("$SECONDS_LONG", &seconds));
    let server = TestRunner::start_with(&[("a", &text)], |config| config.task_timeout = Duration::from_secs(2)).await;
    assert_eq!(statuses(&server.run("1", &["a"]).await), (QueueStatus::Finished, vec![Error]));
    assert_eq!(sleepers(&seconds), HashSet::new());
}

#[tokio::test]
async fn a_task_that_asks_at_a_terminal_finds_none() {
    let text = "echo before; read x </dev/tty; echo after $?; [ $$ = $(ps -o sid= $$) ] && echo own session";
    let server = TestRunner::start(&[("a", text)]).await;
    let start = Instant::now();
    assert_eq!(statuses(&server.run("1", &["a"]).await), (QueueStatus::Finished, vec![Passed]));
    // Less than the time that a task has.
    assert!(start.elapsed() < Duration::from_secs(50));
    let log = server.client.log("1-1").await;
    assert!(log.contains("after 1") && log.contains("own session"), "{log}");
}

#[tokio::test]
async fn a_signal_that_is_taken_with_a_good_exit_is_no_success() {
    let trap = |exit: u8| {
        format!("trap 'echo x > $TESTARENA_RESULTS/x; exit {exit}' TERM; echo ready; while :; do sleep .1; done")
    };
    let (good, skip) = (trap(0), trap(77));
    let server = TestRunner::start(&[("good", &good), ("skip", &skip)]).await;
    for (id, scenario) in [("1", "good"), ("2", "skip")] {
        server.submit(id, &[scenario]).await;
        server.client.logged(&format!("{id}-1"), "ready").await;
        server.client.abort(id).await;
        assert_eq!(statuses(&server.client.ended(id).await), (QueueStatus::Aborted, vec![Aborted]));
        let results = server.client.get_json(&format!("/api/results/{id}-1")).await;
        assert_eq!(results["files"][0]["path"], "x");
    }
}

#[tokio::test]
async fn a_time_limits_signal_that_is_taken_with_a_good_exit_is_no_success_either() {
    let trap = |exit: u8, before: &str| {
        format!(
            "trap '{before} echo x > $TESTARENA_RESULTS/x; exit {exit}' TERM; echo ready; while :; do sleep .1; done"
        )
    };
    // The last one takes some of its grace to clear up.
    let texts = [trap(0, ""), trap(77, ""), trap(99, ""), trap(0, "sleep 2;")];
    let scenarios: Vec<(&str, &str)> = ["a", "b", "c", "d"].into_iter().zip(texts.iter().map(String::as_str)).collect();
    let server = TestRunner::start_with(&scenarios, |config| {
        // In which each has set its trap, also where all begin at once on a busy machine.
        config.task_timeout = Duration::from_secs(3);
        config.slots = vec![BTreeMap::new(); 4];
    })
    .await;
    let ended = server.run("1", &["a", "b", "c", "d"]).await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Error; 4]), "{:?}", tasks(&ended));
    for n in 1..=4 {
        let id = format!("1-{n}");
        let task = server.client.get_json(&format!("/api/status/{id}")).await;
        assert_eq!(task["message"], "timed out after 3 s", "{task}");
        let results = server.client.get_json(&format!("/api/results/{id}")).await;
        assert_eq!(results["files"][0]["path"], "x", "{id}");
    }
}

/// Starts the runner of `restart::a_runner_that_will_be_killed` on these folders by a command line in front of it.
pub async fn start_other(server: &mut TestRunner, front: &[&str]) -> tokio::process::Child {
    let folder = server.folder.path().to_owned();
    let _none_yet = std::fs::remove_file(folder.join("address"));
    let own = std::env::current_exe().unwrap();
    let mut words: Vec<&std::ffi::OsStr> = front.iter().map(std::ffi::OsStr::new).collect();
    words.push(own.as_os_str());
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", "restart::a_runner_that_will_be_killed"]);
    command.env("RUNNER_TEST_FOLDER", &folder).kill_on_drop(true).stdout(Stdio::null());
    let child = command.spawn().unwrap();
    server.client = Client::new(crate::restart::address_in(&folder).await, INSTANCE);
    child
}

#[tokio::test]
async fn as_process_one_the_runner_leaves_no_dead_behind() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let text =
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do (setsid -f sleep 0.2); (sleep 0.1 &) ; done
        git version; ps -o ppid= $$ | tr -d ' '";
    let mut server = TestRunner::start(&[("a", text)]).await;
    server.shut_down().await;
    let mut child = start_other(&mut server, &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]).await;
    for id in ["1", "2"] {
        let ended = server.run(id, &["a"]).await;
        assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]));
        assert!(server.client.log(&format!("{id}-1")).await.ends_with("\n1\n"), "it is process 1");
    }
    let unshare = child.id().unwrap();
    let first = children(unshare)[0];
    let all_live = async || children(first).into_iter().all(|pid| is_alive(&pid.to_string()));
    wait_until("an end of those that died and were not reaped", all_live).await;
    child.kill().await.unwrap();
}

pub fn children(pid: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |id: u32| {
        let line = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        line.rsplit_once(") ")?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    ids.filter(|id| parent(*id) == Some(pid)).collect()
}

#[tokio::test]
async fn a_killed_runners_daemons_are_ended_at_the_next_start() {
    let seconds = own_seconds();
    let text = format!("{}\necho ready; sleep 600", DAEMONS.replace("$SECONDS_LONG", &seconds));
    let mut server = TestRunner::start(&[("a", &text)]).await;
    server.shut_down().await;
    let mut other = start_other(&mut server, &["env"]).await;
    server.submit("1", &["a"]).await;
    server.client.logged("1-1", "ready").await;
    until_most_sleep(&seconds).await;
    other.kill().await.unwrap();
    assert!(sleepers(&seconds).len() >= 10, "nobody was there to end them");
    server.start_again().await;
    let ended = server.client.ended("1").await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Error]));
    for pid in sleepers(&seconds) {
        until_dead(&pid).await;
    }
}

/// A start that dies as well, be it killed or refused by its disk, must not make the next one forget what it has not ended.
#[tokio::test]
async fn a_start_that_ends_before_it_has_noted_anything_has_ended_a_killed_runners_daemons() {
    let seconds = own_seconds();
    let text = format!("{}\necho ready; sleep 600", DAEMONS.replace("$SECONDS_LONG", &seconds));
    let mut server = TestRunner::start(&[("a", &text)]).await;
    server.shut_down().await;
    let mut other = start_other(&mut server, &["env"]).await;
    server.submit("1", &["a"]).await;
    server.client.logged("1-1", "ready").await;
    until_most_sleep(&seconds).await;
    other.kill().await.unwrap();
    let dies = "CREATE TRIGGER dies BEFORE UPDATE ON tasks BEGIN SELECT RAISE(ABORT, 'it dies here'); END";
    execute(&server.config.data_dir, dies);
    assert!(Runner::start(server.config.clone()).await.is_err());
    for pid in sleepers(&seconds) {
        until_dead(&pid).await;
    }
    execute(&server.config.data_dir, "DROP TRIGGER dies");
    server.start_again().await;
    let ended = server.client.ended("1").await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Error]));
}

/// A source whose checkout takes a while: a filter waits at one file, and there are many others.
pub fn make_slow(folder: &Path) {
    let source = folder.join("source");
    std::fs::create_dir(source.join("many")).unwrap();
    for n in 0..2_000 {
        std::fs::write(source.join(format!("many/{n}")), "x").unwrap();
    }
    std::fs::write(source.join("slow"), "x").unwrap();
    std::fs::write(source.join(".gitattributes"), "slow filter=slow\n").unwrap();
    write_scenario(&source, "a", "ls many | wc -l");
    git(&source, &["add", "--all"]);
    git(&source, &["commit", "--quiet", "--message", "slow"]);
    let wait =
        format!("sh -c 'touch {0}/slow-began; while ! [ -e {0}/go ]; do sleep 0.05; done; cat'", folder.display());
    git(&folder.join("repository"), &["config", "filter.slow.smudge", &wait]);
}

pub async fn until_exists(path: &Path) {
    wait_until(&path.display().to_string(), async || path.exists()).await;
}

#[tokio::test]
async fn an_abort_during_a_checkout_ends_at_once_and_leaves_no_half_workspace() {
    let server = TestRunner::start_in(&[("a", "true")], |_, folder| make_slow(folder)).await;
    let queue = server.queue_of_newest("1", &["a"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    until_exists(&server.folder.path().join("slow-began")).await;
    server.client.abort("1").await;
    assert_eq!(statuses(&server.client.ended("1").await), (QueueStatus::Aborted, vec![Aborted]));
    wait_until("a workspace that is gone", async || !server.workspace("1").exists()).await;
    assert_eq!(server.client.delete("1").await.status(), 204);
}

#[tokio::test]
async fn a_runner_killed_during_a_checkout_runs_the_queue_once_after_its_start() {
    let mut server = TestRunner::start_in(&[("a", "true")], |_, folder| make_slow(folder)).await;
    server.shut_down().await;
    let mut other = start_other(&mut server, &["env"]).await;
    let queue = server.queue_of_newest("1", &["a"]);
    assert_eq!(server.client.post_queue(&queue).await.status(), 202);
    until_exists(&server.folder.path().join("slow-began")).await;
    other.kill().await.unwrap();
    assert!(server.workspace("1").join(".git/index.lock").exists(), "git was at work");
    std::fs::write(server.folder.path().join("go"), "").unwrap();
    server.start_again().await;
    let ended = server.client.ended("1").await;
    assert_eq!(statuses(&ended), (QueueStatus::Finished, vec![Passed]), "{:?}", tasks(&ended));
    assert_eq!(server.client.log("1-1").await.trim(), "2000");
    assert_eq!(server.client.log("1").await.matches("starts in slot").count(), 1);
}
