//! Signing in and out by the API, by HTTP Basic and by plain forms; who is refused, and how.

use crate::test_app::{PASSWORD, TestApp, redact_times};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use protocol::{Timestamp, UserId};
use serde_json::json;
use server::auth::Hasher;
use server::config::{Config, Variables};
use server::store::users::{self, NewPassword};
use std::path::Path;

const CHALLENGE: &str = "Basic realm=\"TestArena\"";

#[tokio::test]
async fn a_session_lives_from_sign_in_to_sign_out() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let browser = app.anybody();
    let answer = browser.post("/api/login", json!({"username": "Ada", "password": PASSWORD})).await;
    let expected = json!({
        "id": 1, "username": "ada", "is_admin": false, "must_change_password": false, "created_at": "…", "last_login_at": "…",
    });
    assert_eq!(redact_times(answer.expect(200)), expected);
    let cookie = answer.header("set-cookie");
    assert!(
        cookie.starts_with("testarena_session=")
            && cookie.contains("; HttpOnly; SameSite=Lax; Path=/; Max-Age=1209600")
    );
    assert!(!cookie.contains("Secure"), "the public URL is plain http");

    let browser = browser.with_session(&answer);
    assert_eq!(redact_times(browser.get("/api/me").await.expect(200)), expected);
    let answer = browser.post("/api/logout", json!({})).await;
    answer.expect(204);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(browser.get("/api/me").await.code(), "unauthenticated");
}

#[tokio::test]
async fn the_cookie_is_secure_where_the_public_url_is_however_it_is_written() {
    for (public_url, is_secure) in [
        ("https://arena.example", true),
        ("HTTPS://arena.example", true),
        ("http://arena.example:3000", false),
        ("HTTP://arena.example:3000", false),
    ] {
        let variables = Variables::from([("TESTARENA_PUBLIC_URL", public_url)]);
        let read = Config::parse("", Path::new(""), &variables).unwrap();
        let app = TestApp::with_config(|config| config.public_url = read.public_url).await;
        app.user("ada").await;
        let answer = app.anybody().post("/api/login", json!({"username": "ada", "password": PASSWORD})).await;
        assert_eq!(answer.header("set-cookie").ends_with("; Secure"), is_secure, "{public_url}");
        // A browser takes no cookie of plain http in the place of one that is secure.
        let (browser, other) = (app.anybody().with_session(&answer), app.anybody().sign_in("ada").await);
        for left in [browser.post_form("/logout", "").await, other.send_nothing("/api/logout").await] {
            let expected = if is_secure { "Max-Age=0; Secure" } else { "Max-Age=0" };
            assert!(left.header("set-cookie").ends_with(expected), "{public_url}: {}", left.header("set-cookie"));
        }
        assert_eq!(!answer.header("strict-transport-security").is_empty(), is_secure, "{public_url}");
    }
}

/// As python-requests and Java write them.
#[tokio::test]
async fn a_password_may_come_in_latin_1() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    let new = json!({"username": "ada", "password": "Grüße-1234", "is_admin": false});
    root.post("/api/users", new).await.expect(201);
    let latin_1 = STANDARD.encode(b"ada:Gr\xfc\xdfe-1234");
    let answer = app.anybody().with("authorization", &format!("Basic {latin_1}")).get("/api/me").await;
    assert_eq!(answer.expect(200)["username"], "ada");
    app.anybody().with_password("ada", "Grüße-1234").get("/api/me").await.expect(200);
    let other = STANDARD.encode(b"ada:Gr\xfc\xdfe-1235");
    let answer = app.anybody().with("authorization", &format!("Basic {other}")).get("/api/me").await;
    assert_eq!(answer.code(), "unauthenticated");
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_all_look_alike() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let nobody = app.anybody();
    for (username, password) in [("ada", "wrong horse"), ("bob", PASSWORD), ("", ""), ("a/b", PASSWORD)] {
        let by_login = nobody.post("/api/login", json!({"username": username, "password": password})).await.problem();
        let by_basic = nobody.clone().with_password(username, password).get("/api/me").await.problem();
        assert_eq!(by_login, by_basic);
        assert_eq!(by_login.detail, "the user name or the password is wrong");
    }
    for authorization in ["Bearer ta_unknown", "Basic !", "Basic YWRh"] {
        assert_eq!(ada.clone().with("authorization", authorization).get("/api/me").await.code(), "unauthenticated");
    }
    ada.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn only_a_client_that_is_no_page_is_asked_for_a_password() {
    let app = TestApp::start().await;
    let script = app.anybody();
    let challenge = async |client: &crate::test_app::Client| {
        let answer = client.get("/api/me").await;
        assert_eq!(answer.code(), "unauthenticated");
        answer.header("www-authenticate").to_owned()
    };
    assert_eq!(challenge(&script).await, CHALLENGE);
    let login = script.post("/api/login", json!({"username": "ada", "password": "wrong horse"})).await;
    assert_eq!(login.header("www-authenticate"), CHALLENGE);
    assert_eq!(challenge(&script.clone().with("testarena-page", "1")).await, "");
    assert_eq!(challenge(&script.clone().with("testarena-page", "0")).await, CHALLENGE);
    assert_eq!(challenge(&script.with("origin", "http://127.0.0.1:3000")).await, "");
}

#[tokio::test]
async fn a_page_that_was_drawn_for_one_user_is_answered_by_no_other_ones_session() {
    let app = TestApp::start().await;
    app.user("ada").await;
    app.user("bob").await;
    let id = app.store_job("bob", "bench-a", "main", &["smoke/boot"]).await;
    let browser = app.anybody().sign_in("bob").await;
    let mine = browser.get("/api/me").await.expect(200)["id"].as_i64().unwrap();
    let as_page_of = |user: &str| browser.clone().with("testarena-drawn-for", user);
    as_page_of(&mine.to_string()).get("/api/jobs").await.expect(200);
    for other in [(mine - 1).to_string(), "0".to_owned(), String::new(), "x".to_owned()] {
        assert_eq!(as_page_of(&other).get("/api/jobs").await.code(), "unauthenticated", "{other}");
        let abort = as_page_of(&other).send_nothing(&format!("/api/job/{id}/abort")).await;
        assert_eq!(abort.code(), "unauthenticated", "{other}");
    }
    assert_eq!(browser.get(&format!("/api/job/{id}")).await.expect(200)["abort_requested"], false);
}

#[tokio::test]
async fn the_eleventh_wrong_password_of_a_minute_is_not_even_checked() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    app.user("bob").await;
    ada.get("/api/me").await.expect(200);
    let attempt = |username: &'static str| {
        let client = app.anybody();
        async move { client.post("/api/login", json!({"username": username, "password": "wrong horse"})).await }
    };
    for _ in 0..10 {
        assert_eq!(attempt("ada").await.code(), "unauthenticated");
    }
    let refused = attempt("ada").await;
    assert_eq!(refused.code(), "rate_limited");
    let pause: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&pause), "{pause}");
    let by_basic = app.anybody().with_password("ada", "wrong horse").get("/api/me").await;
    assert_eq!(by_basic.code(), "rate_limited");

    // What was checked before stays good; other names and other addresses are not concerned.
    ada.get("/api/me").await.expect(200);
    assert_eq!(attempt("bob").await.code(), "unauthenticated");
    let elsewhere = app.anybody().at([192, 0, 2, 9]);
    elsewhere.post("/api/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200);
}

/// Or else who guesses would know the right password by its being the only one that is not refused.
#[tokio::test]
async fn a_remembered_password_opens_no_door_past_the_limits_but_its_own_scripts() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    ada.get("/api/me").await.expect(200);
    let (here, elsewhere) = (app.anybody(), app.anybody().at([192, 0, 2, 9]));
    for client in [&here, &elsewhere] {
        for _ in 0..10 {
            let wrong = json!({"username": "ada", "password": "wrong horse"});
            assert_eq!(client.post("/api/login", wrong).await.code(), "unauthenticated");
        }
        let right = json!({"username": "ada", "password": PASSWORD});
        assert_eq!(client.post("/api/login", right).await.code(), "rate_limited");
    }
    let change = json!({"current_password": PASSWORD, "new_password": "battery staple"});
    assert_eq!(ada.post("/api/me/password", change).await.code(), "rate_limited");
    let by_basic = elsewhere.with_password("ada", PASSWORD).get("/api/me").await;
    assert_eq!(by_basic.code(), "rate_limited");
    ada.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn many_wrong_passwords_at_once_are_counted_as_well() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let attempts = (0..30).map(|_| {
        let client = app.anybody();
        async move { client.post("/api/login", json!({"username": "ada", "password": "wrong horse"})).await.code() }
    });
    let answers = join_all(attempts).await;
    let checked = answers.iter().filter(|code| **code == "unauthenticated").count();
    assert_eq!((checked, answers.len()), (10, 30), "{answers:?}");
}

#[tokio::test]
async fn a_proxy_that_is_trusted_tells_the_visitors_apart() {
    let app = TestApp::with_config(|config| config.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()]).await;
    app.user("ada").await;
    let attempt = async |forwarded: &str, password: &str| {
        let client = app.anybody().with("x-forwarded-for", forwarded);
        client.post("/api/login", json!({"username": "ada", "password": password})).await.status.as_u16()
    };
    for _ in 0..10 {
        assert_eq!(attempt("198.51.100.1", "wrong horse").await, 401);
    }
    assert_eq!(attempt("198.51.100.1", PASSWORD).await, 429);
    assert_eq!(attempt("198.51.100.2", PASSWORD).await, 200);
}

#[tokio::test]
async fn a_page_behind_two_proxies_is_known_by_the_name_that_either_was_asked_for() {
    let app = TestApp::with_config(|config| config.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()]).await;
    app.user("ada").await;
    let client = app.anybody().with("host", "upstream:3000").with("origin", "https://outside.example");
    let login = async |client: &crate::test_app::Client, forwarded: &str| {
        let client = client.clone().with("x-forwarded-host", forwarded);
        client.post("/api/login", json!({"username": "ada", "password": PASSWORD})).await.status.as_u16()
    };
    for forwarded in ["outside.example", "outside.example, inside:8080", "inside:8080,outside.example"] {
        assert_eq!(login(&client, forwarded).await, 200, "{forwarded}");
        assert_eq!(login(&client.clone().at([192, 0, 2, 2]), forwarded).await, 403, "{forwarded}");
    }
    assert_eq!(login(&client, "inside:8080, other.example").await, 403);
}

#[tokio::test]
async fn a_new_password_ends_the_old_one_and_its_sessions() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let session = ada.post("/api/login", json!({"username": "ada", "password": PASSWORD})).await;
    let browser = app.anybody().with_session(&session);
    for client in [&ada, &browser] {
        client.get("/api/me").await.expect(200);
    }
    let hash = Hasher::default().hash("battery staple".to_owned()).await.unwrap();
    let new = NewPassword { hash, must_change: false, kept_session: None };
    let changed = app.state.store.write(|connection| users::set_password(connection, UserId(1), new)).await;
    assert!(changed.unwrap());
    app.state.auth.forget_user(UserId(1));
    for client in [&ada, &browser] {
        assert_eq!(client.get("/api/me").await.code(), "unauthenticated");
    }
    app.anybody().with_password("ada", "battery staple").get("/api/me").await.expect(200);
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_the_name_is_free() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    app.state.store.write(|connection| users::remove_user(connection, UserId(1), Timestamp(1))).await.unwrap().unwrap();
    app.state.auth.forget_user(UserId(1));
    assert_eq!(ada.get("/api/me").await.code(), "unauthenticated");

    let namesake = app.user("ada").await;
    assert_eq!(namesake.get("/api/me").await.expect(200)["id"], 2);
    assert_eq!(namesake.get("/api/jobs").await.expect(200)["jobs"], json!([]));
    let job = namesake.get(&format!("/api/job/{id}")).await.expect(200);
    assert_eq!(job["user"], json!({"id": 1, "username": "ada"}));
    assert_eq!(namesake.delete(&format!("/api/job/{id}")).await.code(), "forbidden");
}

#[tokio::test]
async fn the_plain_form_leads_to_the_page_that_was_asked_for() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let browser = app.anybody().with("sec-fetch-site", "same-origin");
    let good = browser.post_form("/login", "username=ada&password=correct+horse&next=%2Fjobs%2F42%3Ftab%3Dlogs").await;
    assert_eq!((good.status.as_u16(), good.header("location")), (303, "/jobs/42?tab=logs"));
    let browser = browser.with_session(&good);
    browser.get("/api/me").await.expect(200);

    let bad = browser.post_form("/login", "username=ada&password=x&next=%2Fjobs%2F42%3Ftab%3Dlogs").await;
    let expected = "/login?error=unauthenticated&next=/jobs/42%3Ftab%3Dlogs&username=ada";
    assert_eq!((bad.status.as_u16(), bad.header("location")), (303, expected));
    for incomplete in ["", "username=", "password=x", "next=%2F%2Fevil.example"] {
        let again = browser.post_form("/login", incomplete).await;
        assert_eq!((again.status.as_u16(), again.header("location")), (303, "/login?error=unauthenticated"));
    }
    let twice = browser.post_form("/login", "username=a&username=b").await;
    assert_eq!((twice.status.as_u16(), twice.header("location")), (303, "/login?error=invalid_input"));
    let elsewhere = browser.post_form("/login", "username=ada&password=correct+horse&next=%2F%2Fevil.example").await;
    assert_eq!(elsewhere.header("location"), "/");

    let left = browser.post_form("/logout", "").await;
    assert_eq!((left.status.as_u16(), left.header("location")), (303, "/login"));
    assert_eq!(browser.get("/api/me").await.code(), "unauthenticated");
}

#[tokio::test]
async fn somebody_elses_page_can_not_use_a_session() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let session = ada.post("/api/login", json!({"username": "ada", "password": PASSWORD})).await;
    let browser = app.anybody().with_session(&session).with("host", "127.0.0.1:3000");
    let foreign = browser.clone().with("sec-fetch-site", "cross-site").with("origin", "https://evil.example");
    let silent = browser.clone().without("sec-fetch-site");
    for client in [&foreign, &silent] {
        assert_eq!(client.post("/api/logout", json!({})).await.code(), "cross_site");
        client.get("/api/me").await.expect(200);
        assert_eq!(client.post_form("/logout", "").await.header("location"), "/");
    }
    let login = foreign.post("/api/login", json!({"username": "ada", "password": PASSWORD})).await;
    assert_eq!(login.code(), "cross_site");
    let form = foreign.post_form("/login", "username=ada&password=correct+horse").await;
    assert_eq!(form.header("location"), "/login?error=cross_site");
    assert_eq!(ada.with("origin", "https://evil.example").post("/api/logout", json!({})).await.code(), "cross_site");

    let own = silent.with("origin", "http://127.0.0.1:3000");
    own.post("/api/logout", json!({})).await.expect(204);
}

#[tokio::test]
async fn a_password_longer_than_any_is_as_wrong_as_another() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let nobody = app.anybody();
    for length in [257, 1_000_000] {
        for username in ["ada", "nobody"] {
            let body = json!({"username": username, "password": "x".repeat(length)});
            let problem = nobody.post("/api/login", body).await.problem();
            assert_eq!(problem.detail, "the user name or the password is wrong", "{length}");
        }
    }
    for _ in 0..8 {
        nobody.post("/api/login", json!({"username": "ada", "password": "x".repeat(257)})).await;
    }
    assert_eq!(nobody.post("/api/login", json!({"username": "ada", "password": "x"})).await.code(), "rate_limited");
    let long_name = json!({"username": "ada".repeat(100_000), "password": PASSWORD});
    assert_eq!(nobody.post("/api/login", long_name).await.code(), "unauthenticated");
}

#[tokio::test]
async fn a_right_password_counts_as_no_failure_even_if_nobody_waits_for_the_answer() {
    let app = TestApp::start().await;
    app.user("ada").await;
    for _ in 0..12 {
        app.state.auth.forget_user(UserId(1));
        let client = app.anybody();
        let mut attempt = Box::pin(client.post("/api/login", json!({"username": "ada", "password": PASSWORD})));
        for _ in 0..50 {
            if futures_util::poll!(&mut attempt).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    app.anybody().post("/api/login", json!({"username": "ada", "password": PASSWORD})).await.expect(200);
}

#[tokio::test]
async fn beyond_those_who_will_soon_have_their_turn_nobody_waits_to_sign_in() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let browser = ada.sign_in("ada").await;
    let attempts = (0..150u8).map(|n| {
        let client = app.anybody().at([198, 51, 100, n]);
        async move { client.post("/api/login", json!({"username": "nobody", "password": "wrong horse"})).await }
    });
    let answers = join_all(attempts).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.code() == "unavailable").collect();
    assert!(!refused.is_empty() && refused.len() <= 60, "{}", refused.len());
    assert!(refused.iter().all(|answer| answer.header("retry-after") == "2"));
    // Who is signed in does not notice.
    for client in [&ada, &browser] {
        client.get("/api/me").await.expect(200);
    }
}

#[tokio::test]
async fn a_password_kept_under_weaker_parameters_is_kept_better_after_a_sign_in() {
    let app = TestApp::start().await;
    app.user("ada").await;
    let before = app.find_user("ada").await.password_hash;
    // Of the tests' password, with a twentieth of the memory and one pass.
    let hash = "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$RMnlO2yJjUzUJ1vqMJdgdgriWoTT+H4XFqGo/gwMfPA";
    app.sql(format!("UPDATE users SET password_hash = '{hash}'")).await;
    app.state.auth.forget_user(UserId(1));
    let ada = app.anybody().with_password("ada", PASSWORD);
    ada.get("/api/me").await.expect(200);
    let after = app.find_user("ada").await.password_hash;
    assert!(after.contains("m=19456,t=2,p=1") && after != before, "{after}");
    ada.get("/api/me").await.expect(200);
}

#[tokio::test]
async fn origins_are_compared_as_browsers_do_and_a_refusal_names_both() {
    let app = TestApp::with_config(|config| config.public_url = "https://ci.example:443".into()).await;
    app.user("ada").await;
    let login = json!({"username": "ada", "password": PASSWORD});
    let from = |origin: &str| app.anybody().with("origin", origin).with("host", "upstream:3000");
    for origin in ["https://ci.example", "https://ci.example:443", "https://CI.example"] {
        from(origin).post("/api/login", login.clone()).await.expect(200);
    }
    // Past the proxy, at the server's own address.
    from("http://127.0.0.1:3000").with("host", "127.0.0.1:3000").post("/api/login", login.clone()).await.expect(200);
    let refused = from("http://evil.example").with("host", "ci.example").post("/api/login", login).await.problem();
    assert_eq!(refused.code.as_str(), "cross_site");
    for part in ["http://evil.example", "https://ci.example:443", "public_url"] {
        assert!(refused.detail.contains(part), "{}", refused.detail);
    }
}
