//! Branches as they are in the field: named oddly, very many, moving and vanishing while they are read,
//! in clones that are not whole.

use crate::remote_bench::{Bench, git};
use crate::test_app::TestApp;
use serde_json::json;
use server::remote::QuestionError;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

/// Names that git takes and people or shells stumble over.
const NASTY: &str = r#"
    it's "quoted" $(touch${IFS}pwned) `id` a;b a&&b a|b a>b a<b a#b #b a!b !b %00 %2e%2e a%20b {repository} {branch}
    {commit} a{b,c}d (a) a(b a)b ] a]b a=b = a,b ' '' '"'"' a'b'c $HOME $'x' ${x} @a a@ a@b a{1} +a +refs/heads/x
    refs/heads/main heads/main origin/main evil/refs/heads/main HEAD/x FETCH_HEAD main2 MAIN master 1 42 0
    ünïcödé 日本語 😀 a.b a.lockx a-.b a--b a_b null true NaN undefined <script> a"b ';DROP_TABLE_jobs;-- %s%n % a%b
    &amp; a+b a&b=c a/b/c/d release/2026.11 feature/JIRA-1 user@host é/è tab→ $ $$ !! %d a;rm${IFS}-rf${IFS}x ||true
    & ; | < > ﬀ İ ß ı"#;

fn nasty_names() -> Vec<String> {
    let mut names: Vec<String> = NASTY.split_ascii_whitespace().map(str::to_owned).collect();
    let unseen =
        ["a\u{a0}b", "e\u{301}", "\u{e9}", "\u{200b}zero", "\u{202e}rtl", "\u{feff}bom", "a\u{85}b", "a\u{2028}b"];
    names.extend(unseen.map(str::to_owned));
    names.extend(["a".repeat(200), "x/".repeat(60) + "y"]);
    names.sort();
    names.dedup();
    // A name and what lies below it can't both be branches.
    let is_folder = |name: &str| names.iter().any(|other| other.starts_with(&format!("{name}/")));
    let names: Vec<String> = names.iter().filter(|name| !is_folder(name)).cloned().collect();
    assert!(names.len() >= 100, "{}", names.len());
    names
}

#[tokio::test]
async fn a_hundred_nasty_branch_names_are_listed_validated_and_read() {
    let bench = Bench::start();
    let commit = bench.commit("net.py");
    let names = nasty_names();
    bench.push("net");
    bench.add_packed_branches(&commit, names.iter().cloned());
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let ada = app.user("ada").await;
    let listed = ada.get("/api/branches").await.expect(200)["branches"].clone();
    let listed: Vec<&str> = listed.as_array().unwrap().iter().map(|branch| branch["name"].as_str().unwrap()).collect();
    for name in &names {
        assert!(listed.contains(&name.as_str()), "{name:?} is not listed");
        let body = json!({ "branch_name": name });
        assert_eq!(ada.post("/api/validate_branch", body).await.expect(200)["commit"], commit.as_str(), "{name:?}");
    }
    for name in ["it's", "$(touch${IFS}pwned)", "日本語", "a&b=c", "%00"] {
        let encoded: String = name.bytes().fold(String::new(), |mut all, byte| {
            write!(all, "%{byte:02X}").unwrap();
            all
        });
        let found = ada.get(&format!("/api/scenarios?branch={encoded}")).await.expect(200);
        assert_eq!(found["scenarios"], json!(["net", "smoke/boot"]), "{name:?}");
    }
    assert!(!bench.path("home/pwned").exists() && !bench.path("repository/pwned").exists());
}

#[tokio::test]
async fn names_that_no_branch_can_have_are_refused_before_anybody_is_asked() {
    let bench = Bench::start();
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let ada = app.user("ada").await;
    for name in [
        "",
        " ",
        "-x",
        "--upload-pack=touch x",
        "a b",
        "a\nb",
        "a\0b",
        "a\tb",
        "a..b",
        "a~1",
        "a^",
        "a:b",
        "a?b",
        "a*b",
        "a[b",
        "a\\b",
        "@{-1}",
        "@",
        "HEAD",
        "a.lock",
        "a/.b",
        "a//b",
        "/a",
        "a/",
        "a.",
        "\u{7f}",
    ] {
        let answer = ada.post("/api/validate_branch", json!({ "branch_name": name })).await;
        assert_eq!(answer.problem().code.as_str(), "invalid_input", "{name:?}: {answer:?}");
        assert!(answer.json()["fields"]["branch_name"].is_string(), "{name:?}: {answer:?}");
    }
    assert_eq!(bench.sshd.connection_count(), 0);
}

#[tokio::test]
async fn thirty_thousand_branches_are_listed_and_a_hundred_thousand_say_that_they_are_too_many() {
    let bench = Bench::start();
    let commit = git(&bench.work(), &["rev-parse", "HEAD"]);
    let names = |range: std::ops::Range<usize>| range.map(|n| format!("feature/ticket-{n:06}-a-name-of-usual-length"));
    bench.add_packed_branches(&commit, names(0..30_000));
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    let start = Instant::now();
    let listed = ada.get("/api/branches").await.expect(200);
    assert_eq!(listed["branches"].as_array().unwrap().len(), 30_001);
    assert_eq!(listed["branches"][0]["name"], "main");
    // Debug build on a busy machine; it takes a fraction of that.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());

    bench.add_packed_branches(&commit, names(30_000..100_000));
    let fresh = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let client = fresh.user("ada").await;
    let problem = client.get("/api/branches").await.problem();
    assert_eq!(problem.code.as_str(), "environment_unreachable");
    assert_eq!(problem.detail, "bench-a has too many branches to list them; give the name of one");
    // That is no failure of the bench's, and each branch can still be used.
    assert_eq!(fresh.admin("root").await.get("/api/environments").await.expect(200)["environments"][0]["ssh"], "ok");
    let name = json!({ "branch_name": "feature/ticket-099999-a-name-of-usual-length" });
    assert_eq!(client.post("/api/validate_branch", name).await.expect(200)["commit"], commit.as_str());
    drop((root, app));
}

#[tokio::test]
async fn a_branch_that_moved_once_while_it_was_read_is_read_as_it_is_now() {
    let bench = Bench::start();
    let app = TestApp::with_environments(vec![bench.config_with(|_| {})]).await;
    let ada = app.user("ada").await;
    // Remembered for some seconds, and gone from the origin before anybody fetched it.
    bench.commit("gone.sh");
    bench.push("main");
    let validated = ada.post("/api/validate_branch", json!({ "branch_name": "main" })).await.expect(200);
    git(&bench.work(), &["reset", "-q", "--hard", "HEAD~1"]);
    let now = bench.commit("here.sh");
    bench.push("main");
    git(&bench.path("origin"), &["reflog", "expire", "--expire=now", "--all"]);
    git(&bench.path("origin"), &["prune", "--expire=now"]);
    let found = ada.get("/api/scenarios?branch=main").await.expect(200);
    assert_ne!(validated["commit"], found["commit"]);
    assert_eq!((found["commit"].as_str(), &found["scenarios"]), (Some(&*now), &json!(["here", "smoke/boot"])));
}

#[tokio::test]
async fn a_branch_that_moves_at_each_look_is_given_up_as_moved() {
    let bench = Bench::start();
    let random = "printf '%s\\trefs/heads/main\\n' $(head -c 20 /dev/urandom | od -An -v -tx1 | tr -d ' \\n')";
    let fixed = format!("printf '%s\\trefs/heads/main\\n' {}", "a1".repeat(20));
    for validate in [random.to_owned(), fixed] {
        let config = bench.config_with(|ssh| ssh.commands.validate = validate);
        let app = TestApp::with_environments(vec![config]).await;
        let ada = app.user("ada").await;
        assert_eq!(ada.get("/api/scenarios?branch=main").await.code(), "branch_moved");
        let body = json!({ "branch_name": "main", "scenarios": ["smoke/boot"] });
        assert_eq!(ada.post("/api/submit_job", body).await.code(), "branch_moved");
    }
}

#[tokio::test]
async fn a_fetch_that_brings_the_commit_and_fails_afterwards_is_good_enough() {
    let bench = Bench::start();
    let repository = bench.environment().repository;
    bench.commit("one.sh");
    bench.push("feature");
    git(&bench.path("repository"), &["fetch", "-q"]);
    git(&bench.path("origin"), &["update-ref", "-d", "refs/heads/feature"]);
    bench.commit("two.sh");
    bench.push("feature/x");
    let (_, list) = repository.read_branch("feature/x").await.unwrap();
    assert_eq!(list.scenarios, ["one", "smoke/boot", "two"]);
    // A lock that a power cut left behind.
    std::fs::write(bench.path("repository/.git/refs/remotes/origin/main.lock"), "").unwrap();
    bench.commit("three.sh");
    bench.push("main");
    let (_, list) = repository.read_branch("main").await.unwrap();
    assert!(list.scenarios.contains(&"three".to_owned()), "{list:?}");
    // One that brings nothing is a failure, with git's words for admins.
    let broken = bench.environment_with(|ssh| ssh.commands.fetch = "echo no space >&2; exit 1".into()).repository;
    bench.commit("four.sh");
    bench.push("main");
    let Err(QuestionError::Unreachable(failure)) = broken.read_branch("main").await else { panic!() };
    assert!(failure.private().contains("no space") && !failure.public().contains("no space"), "{failure:?}");
}

#[tokio::test]
async fn clones_that_are_not_whole_serve_every_branch() {
    let bench = Bench::start();
    bench.commit("one.sh");
    bench.push("one");
    git(&bench.path("origin"), &["config", "uploadpack.allowFilter", "true"]);
    git(&bench.path("origin"), &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let origin = format!("file://{}", bench.path("origin").display());
    for (n, options) in [
        &["--depth", "1"][..],
        &["--single-branch"][..],
        &["--filter=blob:none"][..],
        &["--filter=tree:0", "--no-checkout"][..],
        &["--bare"][..],
        &["--mirror"][..],
        &["--depth", "1", "--filter=blob:none", "--no-checkout"][..],
    ]
    .into_iter()
    .enumerate()
    {
        let clone = format!("clone{n}");
        git(&bench.path(""), &[&["clone", "-q"], options, &[&origin, &clone]].concat());
        let environment = bench.environment_with(|ssh| ssh.repository = bench.path(&clone).display().to_string());
        for (branch, scenarios) in [("main", &["smoke/boot"][..]), ("one", &["one", "smoke/boot"][..])] {
            let (_, list) = environment.repository.read_branch(branch).await.unwrap();
            assert_eq!(list.scenarios, scenarios, "{options:?} {branch}");
        }
        // And a commit that came after the clone.
        bench.commit(&format!("late{n}.sh"));
        bench.push(&format!("late{n}"));
        let (_, list) = environment.repository.read_branch(&format!("late{n}")).await.unwrap();
        assert!(list.scenarios.contains(&format!("late{n}")), "{options:?}: {list:?}");
    }
}

#[tokio::test]
async fn a_repository_of_another_user_is_told_with_the_command_that_mends_it() {
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return; // only root can give a folder away
    }
    let bench = Bench::start();
    let status = std::process::Command::new("chown").args(["-R", "nobody"]).arg(bench.path("repository")).status();
    assert!(status.unwrap().success());
    let config = bench.config_with(|_| {});
    let app = TestApp::with_environments(vec![config]).await;
    let (ada, root) = (app.user("ada").await, app.admin("root").await);
    for path in ["/api/branches", "/api/scenarios?branch=main"] {
        let told = root.get(path).await.problem();
        assert_eq!(told.code.as_str(), "environment_unreachable");
        assert!(told.detail.contains("git config --global --add safe.directory"), "{}", told.detail);
        let told = ada.get(path).await.problem().detail;
        assert!(told.contains("can't be read there") && !told.contains("safe.directory"), "{told}");
    }
    // Git itself says more where it looks into the repository.
    let repository = bench.environment().repository;
    let Err(QuestionError::Unreachable(failure)) = repository.commit_is_present(&"a1".repeat(20)).await else {
        panic!()
    };
    assert!(failure.private().contains("dubious ownership"), "{failure:?}");
    assert!(failure.public().contains("belongs to another user"), "{failure:?}");
}
