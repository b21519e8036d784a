//! The JUnit report held against what its readers take, by xmllint, with names and logs as nasty as they come.

use crate::test_app::TestApp;
use protocol::{JobId, JobStatus, TaskStatus, Timestamp};
use server::logs::LogId;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const NASTY: &str =
    "<&\"'>]]>\u{0}\u{1}\u{b}\u{1b}[31m\u{7f}\u{85}\u{2028}\u{202e}\u{fffe}\u{ffff}\r\n\t😀ä \u{10ffff}";

struct Report {
    folder: TempDir,
    xml: String,
}

impl Report {
    async fn of(app: &TestApp, id: JobId) -> Self {
        let ada = app.anybody().with_password("ada", crate::test_app::PASSWORD);
        let answer = ada.get(&format!("/api/job/{id}/junit.xml")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("job.xml"), &answer.body).unwrap();
        Self { folder, xml: answer.body }
    }

    /// What xmllint says to the report, given these options.
    fn xmllint(&self, options: &[&str], file: &str) -> String {
        let output = Command::new("xmllint").args(options).arg(self.folder.path().join(file)).output().unwrap();
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), self.xml);
        String::from_utf8(output.stdout).unwrap()
    }

    fn value_of(&self, xpath: &str) -> String {
        self.xmllint(&["--xpath", &format!("string({xpath})")], "job.xml").trim_end_matches('\n').to_owned()
    }

    /// The whole report, and the suite in it.
    fn validate(&self) {
        std::fs::write(self.folder.path().join("suite.xml"), self.xmllint(&["--xpath", "/*/testsuite"], "job.xml"))
            .unwrap();
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/junit");
        let rng = |name: &str| ours.join(name).display().to_string();
        self.xmllint(&["--noout", "--relaxng", &rng("xunit-plugin.rng")], "job.xml");
        self.xmllint(&["--noout", "--relaxng", &rng("surefire.rng")], "suite.xml");
        let Some(originals) = std::env::var_os("TESTARENA_JUNIT_SCHEMAS").map(PathBuf::from) else { return };
        let xsd = |name: &str| originals.join(name).display().to_string();
        self.xmllint(&["--noout", "--schema", &xsd("junit-10.xsd")], "job.xml");
        self.xmllint(&["--noout", "--schema", &xsd("surefire-test-report.xsd")], "suite.xml");
    }
}

/// A job with a task of each status, whose message, scenario and log are these words.
async fn job_of(app: &TestApp, words: &str) -> JobId {
    let scenarios: Vec<String> = TaskStatus::ALL.iter().map(|status| format!("{words}/{status}{words}")).collect();
    // Only what a database takes at all.
    let scenarios: Vec<String> = scenarios.iter().map(|name| name.replace('\0', "")).collect();
    let scenarios: Vec<&str> = scenarios.iter().map(String::as_str).collect();
    let (environment, branch) = (words.replace('\0', ""), words.replace('\0', ""));
    let id = app.store_job("ada", &environment, &branch, &scenarios).await;
    app.change_job(id, |job, tasks| {
        job.status = JobStatus::Failed;
        (job.started_at, job.finished_at) = (Some(Timestamp(1_767_520_803_194)), Some(Timestamp(1_767_524_404_812)));
        for (task, status) in tasks.iter_mut().zip(TaskStatus::ALL) {
            task.status = *status;
            task.message = words.replace('\0', "");
            (task.started_at, task.finished_at) = (job.started_at, job.finished_at);
        }
    })
    .await;
    for n in 1..=i64::try_from(TaskStatus::ALL.len()).unwrap() {
        app.state.logs.append(id, LogId::Task(n), 0, format!("{words}\n").repeat(60).into_bytes()).await.unwrap();
    }
    id
}

#[tokio::test]
async fn a_report_is_valid_for_its_readers_whatever_stands_in_it() {
    let app = TestApp::start().await;
    app.user("ada").await;
    for words in ["plain", NASTY, "", "]]>", "\u{1f468}\u{200d}\u{1f469}", "&#0;", "<!--", "\r"] {
        let id = job_of(&app, words).await;
        let report = Report::of(&app, id).await;
        report.validate();
        for kept in words.chars().filter(|c| "<&\"'>]😀ä\u{10ffff}\u{1f468}".contains(*c)) {
            let (message, log) = (report.value_of("//failure/@message"), report.value_of("//testcase/system-out"));
            assert!(message.contains(kept) && log.contains(kept), "{kept} in {message:?} and {log:?}");
        }
    }
}

#[tokio::test]
async fn the_outermost_element_counts_no_skipped_ones_and_times_are_plain() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let id = job_of(&app, "smoke").await;
    let report = Report::of(&app, id).await;
    for (xpath, expected) in [
        ("name(/*)", "testsuites"),
        ("/testsuites/@skipped", ""),
        ("/testsuites/testsuite/@skipped", "3"),
        ("/testsuites/@tests", "7"),
        ("/testsuites/@failures", "1"),
        ("/testsuites/@errors", "2"),
        ("/testsuites/testsuite/@timestamp", "2026-01-04T10:00:03"),
        ("/testsuites/@time", "3601.618"),
        ("count(//testcase)", "7"),
        ("count(//system-out)", "3"),
        ("//property[@name='environment']/@value", "smoke"),
    ] {
        assert_eq!(report.value_of(xpath), expected, "{xpath}");
    }
}

#[tokio::test]
async fn a_job_that_has_not_begun_has_a_valid_report_too() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot", "top"]).await;
    let report = Report::of(&app, id).await;
    report.validate();
    assert_eq!(report.value_of("//testcase[2]/@classname"), "scenarios");
}
