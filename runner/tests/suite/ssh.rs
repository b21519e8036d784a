//! The runner's SSH server, asked by OpenSSH's own client.
//! Keys and known hosts lie in a folder of each test's own.

use crate::clones::queue_on;
use crate::damage::{file_of, replace};
use crate::fetches::{WHEN_TOLD, answer_by};
use crate::test_runner::{TestRunner, wait_until};
use runner::SshConfig;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};
use tokio::process::Command;

struct SshTest {
    server: TestRunner,
    keys: tempfile::TempDir,
}

/// Status, stdout, stderr.
type Said = (i32, String, String);

impl SshTest {
    async fn start(scenarios: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path();
        for name in ["mine", "other"] {
            let key = keys.join(name);
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
            assert!(made.await.unwrap().success());
        }
        let public = std::fs::read_to_string(keys.join("mine.pub")).unwrap();
        std::fs::write(keys.join("authorized_keys"), format!("# bench users\nnot a key\n{public}")).unwrap();
        let ssh = SshConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            host_key: keys.join("made/host_key"),
            authorized_keys: keys.join("authorized_keys"),
        };
        let server = TestRunner::start_with(scenarios, |config| config.ssh = Some(ssh)).await;
        Self { server, keys: folder }
    }

    fn client(&self, key: &str) -> Command {
        let address = self.server.running.as_ref().unwrap().ssh_addr.unwrap();
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
        command.args(["-o", "StrictHostKeyChecking=accept-new", "-o", "LogLevel=ERROR"]);
        command.arg("-o").arg(format!("UserKnownHostsFile={}", self.keys.path().join("known_hosts").display()));
        command.arg("-i").arg(self.keys.path().join(key)).args(["-p", &address.port().to_string(), "tests@127.0.0.1"]);
        command.kill_on_drop(true);
        command
    }

    async fn run(&self, line: &str) -> Said {
        said(&self.client("mine").arg(line).output().await.unwrap())
    }

    async fn git(&self, line: &str) -> Said {
        self.run(&format!("git -C {} {line}", quoted(&self.server.config.repository))).await
    }
}

fn said(output: &Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

#[tokio::test]
async fn branches_commits_and_scenarios_are_told_as_git_tells_them() {
    let ssh = SshTest::start(&[("smoke/boot.sh", "true"), ("a", "true")]).await;
    let commit = ssh.server.commit.clone();
    let line = |name: &str| format!("{commit}\trefs/heads/{name}\n");
    // Not a shell's business, any of these.
    let odd = "it's-$(touch${IFS}x)-`y`;z";
    for branch in [odd, "evil/refs/heads/main"] {
        ssh.server.git_at_source(&["branch", branch]);
    }
    let (exit, branches, _) = ssh.git("ls-remote --heads origin").await;
    assert_eq!((exit, branches.lines().count()), (0, 3));
    let (_, matching, _) = ssh.git("ls-remote --heads origin refs/heads/'main'").await;
    assert_eq!(matching, line("evil/refs/heads/main") + &line("main"));
    let quoted_odd = odd.replace('\'', "'\\''");
    let answer = ssh.git(&format!("ls-remote --heads origin refs/heads/'{quoted_odd}'")).await;
    assert_eq!(answer, (0, line(odd), String::new()));
    assert_eq!(ssh.git("ls-remote --heads origin refs/heads/none").await, (0, String::new(), String::new()));

    assert_eq!(ssh.git(&format!("cat-file -e '{commit}^{{commit}}'")).await, (0, String::new(), String::new()));
    let (exit, _, complaint) = ssh.git(&format!("cat-file -e {}^{{commit}}", "0".repeat(40))).await;
    assert!(exit != 0 && !complaint.is_empty(), "{exit} {complaint}");
    let (exit, listing, _) = ssh.git(&format!("ls-tree -rz --full-tree {commit} -- 'scenarios'")).await;
    let paths: Vec<&str> = listing.split_terminator('\0').map(|entry| entry.split_once('\t').unwrap().1).collect();
    assert_eq!((exit, paths), (0, vec!["scenarios/a", "scenarios/smoke/boot.sh"]));
}

#[tokio::test]
async fn a_new_commit_is_there_after_a_fetch() {
    let ssh = SshTest::start(&[("a", "true")]).await;
    ssh.server.git_at_source(&["commit", "--quiet", "--allow-empty", "--message", "new"]);
    let commit = ssh.server.git_at_source(&["rev-parse", "HEAD"]);
    let present = format!("cat-file -e '{commit}'^{{commit}}");
    assert_ne!(ssh.git(&present).await.0, 0);
    assert_eq!(ssh.git("fetch --quiet origin refs/heads/'main'").await.0, 0);
    assert_eq!(ssh.git(&present).await.0, 0);
    let (exit, _, complaint) = ssh.git("fetch --quiet origin refs/heads/none").await;
    assert!(exit == 128 && complaint.contains("couldn't find remote ref"), "{exit} {complaint}");
}

#[tokio::test]
async fn a_fetch_goes_on_when_the_one_who_asked_for_it_has_gone() {
    let ssh = SshTest::start(&[("a", "true")]).await;
    let folder = ssh.server.folder.path().to_owned();
    answer_by(&folder, &ssh.server.config.repository, WHEN_TOLD);
    let queue = queue_on(&ssh.server, "41", "feature");
    let repository = quoted(&ssh.server.config.repository);
    let line = format!("git -C {repository} fetch --quiet origin refs/heads/feature");
    let mut client = ssh.client("mine").arg(line).spawn().unwrap();
    wait_until("a fetch", async || folder.join("first").exists()).await;
    client.kill().await.unwrap();
    // Another connection is served after the first one's end has been seen.
    let present = format!("cat-file -e {}^{{commit}}", queue.commit);
    assert_ne!(ssh.git(&present).await.0, 0);
    std::fs::write(folder.join("go"), "").unwrap();
    let start = Instant::now();
    while ssh.git(&present).await.0 != 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "the fetch did not go on");
    }
}

#[tokio::test]
async fn scenarios_are_told_of_a_clone_that_has_lost_them() {
    for object in ["HEAD:scenarios", "HEAD^{tree}"] {
        let ssh = SshTest::start(&[("a", "true")]).await;
        replace(&file_of(&ssh.server.config.repository, object), Some(b""));
        let line = format!("ls-tree -rz --full-tree {} -- scenarios", ssh.server.commit);
        let (exit, listing, complaint) = ssh.git(&line).await;
        assert!(exit == 0 && listing.ends_with("\tscenarios/a\0"), "{exit} {listing} {complaint}");
        // What is nowhere is no damage.
        let (exit, _, complaint) = ssh.git(&line.replace(&ssh.server.commit, &"1".repeat(40))).await;
        assert_eq!((exit, complaint.as_str()), (128, "fatal: not a tree object\n"));
    }
}

#[tokio::test]
async fn only_the_contracts_commands_are_run() {
    let ssh = SshTest::start(&[("a", "true")]).await;
    for line in ["id", "touch /tmp/x", "git --version", "git -C . ls-remote --heads origin; id", "sh -c id", "scp -t /"]
    {
        let (exit, out, complaint) = ssh.run(line).await;
        assert_eq!((exit, out.as_str()), (127, ""), "{line}");
        assert!(complaint.contains("only the commands of the TestArena contract"), "{complaint}");
    }
    let (exit, _, complaint) = ssh.run("git -C /etc ls-remote --heads origin").await;
    assert!(exit == 126 && complaint.contains("repository is "), "{exit} {complaint}");
    let shell = ssh.client("mine").arg("-T").stdin(Stdio::null()).output().await.unwrap();
    assert!(!shell.status.success() && shell.stdout.is_empty());
    let forwarded = ssh.client("mine").args(["-W", "127.0.0.1:22"]).output().await.unwrap();
    assert!(!forwarded.status.success());
}

#[tokio::test]
async fn clean_up_removes_an_ended_queues_workspace_and_nothing_else() {
    let ssh = SshTest::start(&[("a", "mkdir ro; touch ro/x; chmod 555 ro"), ("wait", "echo started; sleep 600")]).await;
    ssh.server.run("42", &["a"]).await;
    ssh.server.submit("43", &["wait"]).await;
    ssh.server.client.logged("43-1", "started").await;
    let root = &ssh.server.config.workspace_root;
    let remove = |id: &str| format!("rm -rf -- {}/'{id}'", quoted(root));
    for _ in 0..2 {
        assert_eq!(ssh.run(&remove("42")).await, (0, String::new(), String::new()));
    }
    assert!(!ssh.server.workspace("42").exists());
    let (exit, _, complaint) = ssh.run(&remove("43")).await;
    assert!(exit == 1 && complaint.contains("has not ended"), "{exit} {complaint}");
    for line in [remove(".."), remove("../data"), format!("rm -rf -- {}", quoted(root)), "rm -rf -- /etc/42".to_owned()]
    {
        assert_eq!(ssh.run(&line).await.0, 126, "{line}");
    }
    assert!(ssh.server.workspace("43").is_dir());
    assert_eq!(ssh.server.client.log("42-1").await, "");
}

#[tokio::test]
async fn only_listed_keys_get_in() {
    let ssh = SshTest::start(&[]).await;
    let line = format!("git -C {} ls-remote --heads origin", quoted(&ssh.server.config.repository));
    let stranger = said(&ssh.client("other").arg(&line).output().await.unwrap());
    assert!(stranger.0 == 255 && stranger.2.contains("Permission denied (publickey)"), "{stranger:?}");
    assert_eq!(ssh.run(&line).await.0, 0);
    // A change of the file holds at once; a restriction that would not be kept is no licence.
    let public = std::fs::read_to_string(ssh.keys.path().join("other.pub")).unwrap();
    std::fs::write(ssh.keys.path().join("authorized_keys"), format!("restrict,no-pty {public}")).unwrap();
    assert_eq!(ssh.run(&line).await.0, 255);
    assert_eq!(said(&ssh.client("other").arg(&line).output().await.unwrap()).0, 0);
    // As an editor on Windows leaves it.
    let marked = format!("\u{feff}{}\r\n", public.trim_end());
    std::fs::write(ssh.keys.path().join("authorized_keys"), marked).unwrap();
    assert_eq!(said(&ssh.client("other").arg(&line).output().await.unwrap()).0, 0);
    std::fs::write(ssh.keys.path().join("authorized_keys"), format!("command=\"id\" {public}")).unwrap();
    assert_eq!(said(&ssh.client("other").arg(&line).output().await.unwrap()).0, 255);
}

#[tokio::test]
async fn the_host_key_is_made_once_and_only_its_owner_reads_it() {
    let mut ssh = SshTest::start(&[]).await;
    let key = ssh.keys.path().join("made/host_key");
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let fingerprint = |ssh: &SshTest| ssh.server.running.as_ref().unwrap().ssh_host_key_fingerprint.clone().unwrap();
    let before = fingerprint(&ssh);
    let shown = Command::new("ssh-keygen").arg("-lf").arg(&key).output().await.unwrap();
    assert!(said(&shown).1.contains(&before), "{before}");
    ssh.server.shut_down().await;
    ssh.server.start_again().await;
    assert_eq!(fingerprint(&ssh), before);
}

#[tokio::test]
async fn one_connection_serves_many_channels_at_once() {
    let ssh = SshTest::start(&[]).await;
    let socket = ssh.keys.path().join("control");
    let share = |command: &mut Command, master: &str| {
        command
            .arg("-o")
            .arg(format!("ControlPath={}", socket.display()))
            .arg("-o")
            .arg(format!("ControlMaster={master}"));
    };
    let mut master = ssh.client("mine");
    share(&mut master, "yes");
    let mut master = master.arg("-N").spawn().unwrap();
    wait_until("a connection", async || socket.exists()).await;
    let line = format!("git -C {} ls-remote --heads origin", quoted(&ssh.server.config.repository));
    let calls = (0..8).map(|_| {
        let mut call = ssh.client("mine");
        share(&mut call, "no");
        call.arg(&line);
        tokio::spawn(async move { said(&call.output().await.unwrap()) })
    });
    for call in calls.collect::<Vec<_>>() {
        let (exit, out, complaint) = call.await.unwrap();
        assert_eq!((exit, out.ends_with("\trefs/heads/main\n")), (0, true), "{complaint}");
    }
    master.kill().await.unwrap();
}

#[tokio::test]
async fn large_answers_come_whole() {
    let names: Vec<String> = (0..3000).map(|n| format!("group/{n:0>100}.sh")).collect();
    let scenarios: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "true")).collect();
    let ssh = SshTest::start(&scenarios).await;
    let (exit, listing, _) = ssh.git(&format!("ls-tree -rz --full-tree {} -- scenarios", ssh.server.commit)).await;
    assert_eq!((exit, listing.split_terminator('\0').count()), (0, 3000));
}

#[tokio::test]
async fn one_connection_serves_any_number_of_commands() {
    let ssh = SshTest::start(&[("a", "true")]).await;
    let socket = format!("ControlPath={}", ssh.keys.path().join("kept").display());
    let kept = |arguments: &[&str]| {
        let mut client = ssh.client("mine");
        client.args(["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", &socket]).args(arguments);
        client
    };
    let line = format!("git -C {} ls-remote --heads origin", quoted(&ssh.server.config.repository));
    for n in 0..40 {
        // The first one's connection stays and keeps the error stream open, so that stream is not waited for.
        let status = kept(&[&line]).stdout(Stdio::null()).stderr(Stdio::null()).status().await.unwrap();
        assert!(status.success(), "command {n}");
    }
    let ended = kept(&["-O", "exit"]).stderr(Stdio::null()).status().await.unwrap();
    assert!(ended.success());
}

#[tokio::test]
async fn connections_on_which_nobody_signs_in_shut_nobody_out() {
    let ssh = SshTest::start(&[("pass", "true")]).await;
    let address = ssh.server.running.as_ref().unwrap().ssh_addr.unwrap();
    let mut silent = Vec::new();
    for _ in 0..1_500 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let (status, listing, complaint) = ssh.git("ls-remote --heads origin").await;
    assert_eq!(status, 0, "{complaint}");
    assert!(listing.contains("refs/heads/main"), "{listing}");
    drop(silent);
}
