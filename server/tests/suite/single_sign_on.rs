//! Single sign-on with a real provider in a process of its own (`oidc-provider-mock`, which `scripts/setup.sh test` installs).

use crate::test_app::{Answer, Client, PASSWORD, TestApp};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use server::config::{OidcConfig, Secret};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

struct Provider {
    process: Child,
    issuer: String,
    http: reqwest::Client,
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Provider {
    async fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let started_at = Instant::now();
        let mut provider = Self::begin();
        while provider.http.get(format!("{}/jwks", provider.issuer)).send().await.is_err() {
            assert!(started_at.elapsed() < Duration::from_mins(1), "the provider does not answer");
            if provider.process.try_wait().unwrap().is_some() {
                // Somebody else has taken its port in between.
                provider = Self::begin();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        provider
    }

    /// At a port that was free.
    fn begin() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/oidc/bin/oidc-provider-mock");
        let process = Command::new(&program)
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; run scripts/setup.sh test", program.display()));
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().tls_certs_only([]).build().unwrap();
        Self { process, issuer: format!("http://127.0.0.1:{port}"), http }
    }

    fn config(&self) -> OidcConfig {
        OidcConfig {
            issuer: self.issuer.clone(),
            client_id: "testarena".to_owned(),
            client_secret: Some(Secret::new("s3cret".to_owned())),
            label: "Company account".to_owned(),
            username_claim: "preferred_username".to_owned(),
            groups_claim: "groups".to_owned(),
            allowed_groups: vec!["hardware".to_owned()],
            admin_groups: vec!["hardware-admins".to_owned()],
        }
    }

    async fn app(&self) -> TestApp {
        let config = self.config();
        TestApp::with_config(move |all| all.oidc = Some(config)).await
    }

    async fn set_user(&self, subject: &str, claims: Value) {
        let sent = self.http.put(format!("{}/users/{subject}", self.issuer)).json(&claims).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.status());
    }

    /// What somebody does at the provider's own page; tells the address that the browser is sent back to.
    async fn authorize(&self, url: &str, form: &str) -> String {
        let request = self.http.post(url).header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(form.to_owned()).send().await.unwrap();
        let back = answer.headers()["location"].to_str().unwrap();
        back.strip_prefix("http://127.0.0.1:3000").unwrap().to_owned()
    }
}

/// A browser that has been sent to the provider, and where to.
async fn begin(app: &TestApp) -> (Client, String) {
    let begun = app.anybody().get("/login/oidc?next=%2Fjobs%2F42%3Ftab%3Dlogs").await;
    assert_eq!(begun.status.as_u16(), 303, "{}", begun.body);
    let cookie = begun.header("set-cookie");
    assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
    let browser = app.anybody().with("cookie", cookie.split(';').next().unwrap());
    (browser, begun.header("location").to_owned())
}

async fn sign_in(app: &TestApp, provider: &Provider, subject: &str) -> Answer {
    let (browser, url) = begin(app).await;
    browser.get(&provider.authorize(&url, &format!("sub={subject}")).await).await
}

/// With the page that was asked for, so that a local account can sign in and go on.
const DENIED: &str = "/login?error=oidc_denied&next=/jobs/42%3Ftab%3Dlogs";
const FAILED: &str = "/login?error=oidc_failed&next=/jobs/42%3Ftab%3Dlogs";

fn state_of(url: &str) -> &str {
    url.split(['&', '?']).find_map(|part| part.strip_prefix("state=")).unwrap()
}

fn person(name: &str, groups: &[&str]) -> Value {
    json!({ "preferred_username": name, "groups": groups })
}

#[tokio::test]
async fn whoever_the_provider_vouches_for_is_signed_in_and_made_at_the_first_visit() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    let root = app.admin("root").await;
    provider.set_user("s-1", person("Ada", &["hardware"])).await;
    let (browser, url) = begin(&app).await;
    for part in ["response_type=code", "code_challenge_method=S256", "scope=openid", "nonce=", "client_id=testarena"] {
        assert!(url.contains(part), "{part} is not in {url}");
    }
    let answer = browser.get(&provider.authorize(&url, "sub=s-1").await).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/jobs/42?tab=logs"));
    let ada = app.anybody().with_session(&answer);
    let me = ada.get("/api/me").await.expect(200);
    assert_eq!((&me["id"], &me["username"], &me["is_admin"]), (&json!(2), &json!("ada"), &json!(false)));
    assert!(me["last_login_at"].is_string());

    // No password fits a user who has none; tokens work as for everybody.
    for password in ["", "x", "correct horse"] {
        assert_eq!(app.anybody().with_password("ada", password).get("/api/me").await.code(), "unauthenticated");
    }
    let change = json!({"current_password": "", "new_password": PASSWORD});
    assert_eq!(ada.post("/api/me/password", change).await.code(), "wrong_password");
    ada.post("/api/tokens", json!({"name": "ci"})).await.expect(201);
    // The same subject is the same user, under whatever name, and the provider decides who is an administrator.
    provider.set_user("s-1", person("lovelace", &["hardware-admins"])).await;
    let again = app.anybody().with_session(&sign_in(&app, &provider, "s-1").await).get("/api/me").await.expect(200);
    assert_eq!((&again["id"], &again["username"], &again["is_admin"]), (&json!(2), &json!("ada"), &json!(true)));
    provider.set_user("s-1", person("lovelace", &["hardware"])).await;
    let again = app.anybody().with_session(&sign_in(&app, &provider, "s-1").await).get("/api/me").await.expect(200);
    assert_eq!(again["is_admin"], false);

    let entries = root.get("/api/audit").await.expect(200)["entries"].clone();
    let by_oidc = entries.as_array().unwrap().iter().filter(|entry| entry["via"] == "oidc");
    let deeds: Vec<_> = by_oidc
        .map(|entry| json!([entry["actor"], entry["action"], entry["object"], entry["address"], entry["detail"]]))
        .collect();
    let deed = |action: &str, detail: Value| json!(["ada", action, "user:2", "192.0.2.1", detail]);
    let signed_in = deed("user.sign_in", json!({}));
    let expected = [
        signed_in.clone(),
        deed("user.update", json!({"is_admin": false})),
        signed_in.clone(),
        deed("user.update", json!({"is_admin": true})),
        signed_in,
        deed("user.create", json!({"username": "ada", "is_admin": false})),
    ];
    assert_eq!(deeds, expected);
}

#[tokio::test]
async fn who_is_not_to_come_in_is_told_why_at_the_sign_in_page() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    app.user("ada").await;
    for (subject, claims, code) in [
        ("s-1", person("bob", &["software"]), "oidc_not_allowed"),
        ("s-2", json!({"preferred_username": "bob"}), "oidc_not_allowed"),
        ("s-3", person("bob@example.org", &["hardware"]), "oidc_username"),
        ("s-4", json!({"groups": ["hardware"]}), "oidc_username"),
        // Whoever has the name here already is somebody else.
        ("s-5", person("ada", &["hardware"]), "oidc_username_taken"),
    ] {
        provider.set_user(subject, claims).await;
        let answer = sign_in(&app, &provider, subject).await;
        let expected = format!("/login?error={code}&next=/jobs/42%3Ftab%3Dlogs");
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, expected.as_str()));
        assert!(
            !answer.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().contains("session="))
        );
    }
    let (browser, url) = begin(&app).await;
    // This provider leaves out the state, which others send back.
    let back = provider.authorize(&url, "action=deny").await;
    let denied = browser.get(&format!("{back}&state={}", state_of(&url))).await;
    assert_eq!(denied.header("location"), DENIED);
}

#[tokio::test]
async fn only_the_browser_that_began_can_come_back_and_only_once() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    provider.set_user("s-1", person("ada", &["hardware"])).await;
    let (browser, url) = begin(&app).await;
    let back = provider.authorize(&url, "sub=s-1").await;
    let (other, _) = begin(&app).await;
    let forged = back.replace("state=", "state=x");
    let doubled = format!("{back}&state={}", state_of(&url));
    for (client, path) in [
        (&app.anybody(), back.as_str()),
        (&other, &back),
        (&browser, &forged),
        (&browser, &doubled),
        (&browser, "/login/oidc/callback"),
        (&browser, "/login/oidc/callback?state=%ff"),
    ] {
        let answer = client.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/login?error=oidc_expired"), "{path}");
    }
    let astray = app.anybody().get("/login/oidc?next=/a&next=/b").await;
    assert!(astray.header("location").starts_with(&provider.issuer), "{astray:?}");
    let elsewhere = browser.get(&format!("{back}&iss=https%3A%2F%2Fevil.example")).await;
    assert_eq!(elsewhere.header("location"), FAILED);
    assert_eq!(browser.get(&back).await.header("location"), "/jobs/42?tab=logs");
    assert_eq!(browser.get(&back).await.header("location"), FAILED);
    // Another flow's verifier and nonce do not fit this code.
    let (mine, url) = begin(&app).await;
    let (_, other_url) = begin(&app).await;
    let back = provider.authorize(&other_url, "sub=s-1").await.replace(state_of(&other_url), state_of(&url));
    assert_eq!(mine.get(&back).await.header("location"), FAILED);
}

/// A whole office may come from one address.
#[tokio::test]
async fn those_who_turn_back_keep_no_neighbour_out() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    provider.set_user("s-1", person("ada", &["hardware"])).await;
    let (browser, url) = begin(&app).await;
    let denied = format!("/login/oidc/callback?error=access_denied&state={}", state_of(&url));
    for _ in 0..59 {
        assert_eq!(browser.get(&denied).await.header("location"), DENIED);
    }
    for _ in 0..2 {
        assert_eq!(sign_in(&app, &provider, "s-1").await.header("location"), "/jobs/42?tab=logs");
    }
    assert_eq!(browser.get(&denied).await.header("location"), DENIED);
    assert_eq!(browser.get(&denied).await.header("location"), "/login?error=rate_limited&next=/jobs/42%3Ftab%3Dlogs");
}

#[tokio::test]
async fn a_provider_that_is_away_keeps_no_local_user_out() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    let ada = app.user("ada").await;
    let options = app.anybody().get("/api/login/options").await.expect(200);
    assert_eq!(options, json!({"single_sign_on": {"label": "Company account", "path": "/login/oidc"}}));
    let page = app.anybody().get("/login?next=%2Fjobs%2F42&error=oidc_not_allowed&username=ada").await.body;
    for part in ["href=\"/login/oidc?next=/jobs/42\"", ">Company account<", "none of the groups", "value=\"ada\""] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    drop(provider);
    let answer = app.anybody().get("/login/oidc?next=%2Fjobs%2F42").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (303, "/login?error=oidc_unavailable&next=/jobs/42")
    );
    ada.sign_in("ada").await.get("/api/me").await.expect(200);
}

/// Counts its callers and tells them nothing, and hangs up when it is over.
async fn silent_provider(is_over: CancellationToken) -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (caller, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::Relaxed);
            let is_over = is_over.clone();
            tokio::spawn(async move {
                is_over.cancelled().await;
                drop(caller);
            });
        }
    });
    (issuer, count)
}

#[tokio::test]
async fn a_provider_that_is_silent_is_asked_once_for_all_who_come() {
    let is_over = CancellationToken::new();
    let (issuer, count) = silent_provider(is_over.clone()).await;
    let config = OidcConfig {
        issuer,
        client_id: "testarena".to_owned(),
        client_secret: None,
        label: "Company account".to_owned(),
        username_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        allowed_groups: Vec::new(),
        admin_groups: Vec::new(),
    };
    let app = TestApp::with_config(move |all| all.oidc = Some(config)).await;
    let began_at = Instant::now();
    let mut begun: Vec<_> = (0..150)
        .map(|_| {
            let browser = app.anybody();
            Box::pin(async move { browser.get("/login/oidc").await.header("location").to_owned() })
        })
        .collect();
    let mut answers: Vec<String> = Vec::new();
    // Those for whom there is no place are told at once, the others wait.
    while answers.len() < 50 {
        assert!(began_at.elapsed() < Duration::from_secs(8), "{answers:?}");
        let (answer, _, rest) = futures_util::future::select_all(begun).await;
        answers.push(answer);
        begun = rest;
    }
    // Who hangs up makes no place for another call.
    drop(begun.split_off(50));
    assert!(futures_util::poll!(&mut begun[0]).is_pending());
    is_over.cancel();
    answers.extend(futures_util::future::join_all(begun).await);
    assert!(answers.iter().all(|answer| answer == "/login?error=oidc_unavailable"), "{answers:?}");
    assert_eq!(count.load(Ordering::Relaxed), 1);
    // Nor is it asked at once by those who come then.
    for _ in 0..20 {
        app.anybody().get("/login/oidc").await;
    }
    assert!(count.load(Ordering::Relaxed) < 10);
}

#[tokio::test]
async fn without_a_provider_there_is_no_single_sign_on() {
    let app = TestApp::start().await;
    assert_eq!(app.anybody().get("/api/login/options").await.expect(200), json!({"single_sign_on": null}));
    for path in ["/login/oidc", "/login/oidc/callback?code=x&state=y"] {
        let answer = app.anybody().get(path).await;
        // As every page that needs a sign-in.
        assert!(answer.header("location").starts_with("/login?next="), "{answer:?}");
    }
}

#[tokio::test]
async fn a_deleted_user_who_comes_again_is_somebody_new() {
    let provider = Provider::start().await;
    let app = provider.app().await;
    let root = app.admin("root").await;
    provider.set_user("s-1", person("ada", &["hardware"])).await;
    let first = app.anybody().with_session(&sign_in(&app, &provider, "s-1").await);
    let job = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    root.delete("/api/users/2").await.expect(204);
    assert_eq!(first.get("/api/me").await.code(), "unauthenticated");
    let second = app.anybody().with_session(&sign_in(&app, &provider, "s-1").await);
    assert_eq!(second.get("/api/me").await.expect(200)["id"], 3);
    assert_eq!(second.delete(&format!("/api/job/{job}")).await.code(), "forbidden");
}
