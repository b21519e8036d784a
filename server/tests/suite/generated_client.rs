//! A client of another make: generated from the OpenAPI document by `openapi-python-client`, which knows nothing of us,
//! it submits a job to the real server with a real runner, waits for its end and reads the report.

use crate::client_desk::{Desk, finish};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::Command;

/// What `scripts/setup.sh test` installs.
fn tool(name: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/api/bin").join(name);
    assert!(program.exists(), "{} is missing; run scripts/setup.sh test", program.display());
    program
}

#[tokio::test]
async fn a_generated_python_client_submits_waits_and_reads_the_report() {
    let desk = Desk::set_up().await;
    let folder = tempfile::tempdir().unwrap();
    let document = reqwest::get(format!("{}/api/openapi.json", desk.url)).await.unwrap().bytes().await.unwrap();
    std::fs::write(folder.path().join("openapi.json"), document).unwrap();
    let mut generate = Command::new(tool("openapi-python-client"));
    generate.args(["generate", "--meta", "none", "--path", "openapi.json", "--output-path", "testarena_client"]);
    generate.current_dir(folder.path()).env("NO_COLOR", "1").stdin(Stdio::null()).kill_on_drop(true);
    let generated = finish(generate).await;
    let words = format!("{}{}", generated.out, generated.err);
    assert_eq!(generated.code, 0, "{words}");
    assert!(!words.contains("ERROR"), "{words}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/generated_client.py");
    let mut run = Command::new(tool("python"));
    run.arg(script).arg(&desk.url).env("TOKEN", &desk.token).env("PYTHONPATH", folder.path()).kill_on_drop(true);
    let ran = finish(run).await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "ok\n"), "{}", ran.err);
}
