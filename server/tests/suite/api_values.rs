//! How values are written, by one rule for all calls: what is left out, what is empty, what is no number, and what a
//! refusal says of it.

use crate::api_document;
use crate::remote_environment::environment_config;
use crate::test_app::{Client, PASSWORD, TestApp};
use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

async fn start() -> (TestApp, Client) {
    let app = TestApp::with_environments(vec![environment_config("http://127.0.0.1:9".to_owned())]).await;
    let root = app.admin("root").await;
    app.store_job("root", "bench-a", "main", &["smoke/boot"]).await;
    (app, root)
}

#[tokio::test]
async fn an_id_has_one_way_to_be_written() {
    let app = TestApp::start().await;
    let ada = app.user("ada").await;
    let id = app.store_job("ada", "bench-a", "main", &["smoke/boot"]).await;
    ada.get(&format!("/api/job/{id}")).await.expect(200);
    for other in ["+1", "01", "0001", "%2B1", "1.0", "99999999999999999999", "%00", "1%00"] {
        assert_eq!(ada.get(&format!("/api/job/{other}")).await.code(), "not_found", "{other}");
        assert_eq!(ada.get(&format!("/api/job/{other}/log/lines")).await.code(), "not_found", "{other}");
        assert_eq!(ada.send_nothing(&format!("/api/job/{other}/abort")).await.code(), "not_found", "{other}");
    }
}

#[tokio::test]
async fn a_number_in_a_query_is_written_in_digits() {
    let (_app, root) = start().await;
    for (path, field) in [
        ("/api/jobs?limit=", "limit"),
        ("/api/audit?limit=", "limit"),
        ("/api/scenarios/history?environment=bench-a&scenario=smoke/boot&limit=", "limit"),
        ("/api/job/1?wait=", "wait"),
        ("/api/job/1/log/lines?from=", "from"),
        ("/api/job/1/log/lines?limit=", "limit"),
        ("/api/job/1/tasks/1-1/log/lines?tail=", "tail"),
        ("/api/job/1/log/search?q=x&from=", "from"),
        ("/api/job/1/log/search?q=x&limit=", "limit"),
        ("/api/compare?a=1&b=", "b"),
        ("/api/compare?b=1&a=", "a"),
    ] {
        root.get(&format!("{path}1")).await.expect(200);
        for bad in ["%2B1", "+1", "1+", "-1", "1.0", "1e0", "0x1", "%C2%B9", "%D9%A1", "1_0", "99999999999999999999"] {
            let problem = root.get(&format!("{path}{bad}")).await.problem();
            assert_eq!(problem.code.as_str(), "invalid_input", "{path}{bad}");
            assert!(problem.fields.unwrap().contains_key(field), "{path}{bad}");
        }
    }
    // A job has one number, wherever it is written.
    assert_eq!(root.get("/api/compare?a=01&b=1").await.code(), "invalid_input");
}

/// What a call needs besides the parameter in question.
fn others(template: &str, name: &str) -> String {
    let needed: &[(&str, &str)] = match template {
        "/api/scenarios/history" => &[("scenario", "smoke/boot")],
        "/api/compare" => &[("a", "1"), ("b", "1")],
        path if path.ends_with("/log/search") => &[("q", "x")],
        "/api/scenarios" => &[("branch", "main")],
        _ => &[],
    };
    let needed = needed.iter().filter(|(other, _)| *other != name);
    needed.fold(String::new(), |query, (other, value)| query + "&" + other + "=" + value)
}

#[tokio::test]
async fn an_empty_text_of_a_query_is_left_out_and_an_empty_number_is_none() {
    let (app, root) = start().await;
    let document = api_document::document_of(app.router()).await;
    let mut seen = 0;
    for (method, template, name, is_text, is_required) in document.query_parameters() {
        let path = template.replace("{id}", "1").replace("{task_id}", "1-1");
        let method: Method = method.parse().unwrap();
        let query = format!("{path}?{name}={}", others(&template, &name));
        let answer = root.send(method.clone(), &query, Body::empty()).await;
        if is_text && !is_required {
            // The bench itself is not there.
            assert!(matches!(answer.status.as_u16(), 200 | 503), "{method} {query}: {answer:?}");
        } else {
            let problem = answer.problem();
            assert_eq!(problem.code.as_str(), "invalid_input", "{method} {query}");
            assert!(problem.fields.unwrap().contains_key(&name), "{method} {query}");
        }
        let twice = root.send(method.clone(), &format!("{query}&{name}="), Body::empty()).await;
        if name != "status" {
            assert_eq!(twice.problem().fields.unwrap()[&name], "must be there once", "{method} {query}");
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[tokio::test]
async fn null_leaves_out_what_may_be_left_out_of_a_body() {
    let (app, root) = start().await;
    let document = api_document::document_of(app.router()).await;
    let bodies = [
        (Method::POST, "/api/login", "/api/login", json!({"username": "root", "password": PASSWORD})),
        (
            Method::POST,
            "/api/me/password",
            "/api/me/password",
            json!({"current_password": "wrong", "new_password": "battery staple"}),
        ),
        (Method::POST, "/api/tokens", "/api/tokens", json!({"name": "ci"})),
        (Method::POST, "/api/users", "/api/users", json!({"username": "ada", "password": PASSWORD})),
        (Method::PATCH, "/api/users/{id}", "/api/users/1", json!({})),
        (Method::POST, "/api/validate_branch", "/api/validate_branch", json!({"branch_name": "main"})),
        (Method::POST, "/api/submit_job", "/api/submit_job", json!({"branch_name": "main", "scenarios": ["a"]})),
        (Method::POST, "/api/job/{id}/rerun", "/api/job/1/rerun", json!({})),
    ];
    let mut described = document.bodies();
    for (method, template, path, body) in bodies {
        let fields = described.remove(&(method.to_string(), template.to_owned())).unwrap();
        for (field, (is_required, kind)) in fields {
            let with = |value: Value| {
                let mut body = body.clone();
                body[&field] = value;
                body
            };
            let send = async |value: Value| {
                root.clone().with_json().send(method.clone(), path, Body::from(with(value).to_string())).await
            };
            let answer = send(Value::Null).await;
            let is_refused = answer.status == 422 && answer.problem().fields.unwrap_or_default().contains_key(&field);
            assert_eq!(is_refused, is_required, "{method} {path} {field}: {answer:?}");
            if kind == "integer" {
                // Where it may stand for the whole number, and where it can't: neither is read.
                for number in [json!(60.0), json!(60.5), json!("60"), json!(-1)] {
                    let problem = send(number.clone()).await.problem();
                    assert!(
                        problem.fields.unwrap()[&field].starts_with("must be a whole number"),
                        "{path} {field} {number}"
                    );
                }
            }
        }
    }
    assert_eq!(described.into_keys().collect::<Vec<_>>(), [], "bodies that are not tried");
    // A body that may be left out, too.
    for (method, path) in [(Method::POST, "/api/job/1/rerun"), (Method::POST, "/api/job/1/abort")] {
        let answer = root.clone().with_json().send(method, path, Body::from("null")).await;
        assert!(matches!(answer.status.as_u16(), 202 | 503), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn a_body_comes_as_it_is_and_not_compressed() {
    let (app, root) = start().await;
    let document = api_document::document_of(app.router()).await;
    let root = root.with_json();
    let calls = document.bodies().into_keys();
    let without = [("POST", "/api/job/{id}/abort"), ("DELETE", "/api/job/{id}"), ("POST", "/api/logout")];
    let calls = calls.chain(without.map(|(method, path)| (method.to_owned(), path.to_owned())));
    for (method, template) in calls {
        let path = template.replace("{id}", "1");
        let send = async |encoding: &str, body: &'static [u8]| {
            root.clone().with("content-encoding", encoding).send(method.parse().unwrap(), &path, Body::from(body)).await
        };
        for encoding in ["gzip", "GZIP", "br", "deflate", "identity, gzip", "aws-chunked"] {
            let problem = send(encoding, b"\x1f\x8b\x08").await.problem();
            assert_eq!(problem.code.as_str(), "unsupported_media_type", "{method} {path} {encoding}");
            assert!(problem.detail.contains("Content-Encoding"), "{}", problem.detail);
        }
        assert_eq!(send("identity", b"{").await.code(), "malformed_json", "{method} {path}");
    }
    let form = app.anybody().with("content-encoding", "gzip").post_form("/login", "username=root").await;
    assert_eq!(form.header("location"), "/login?error=unsupported_media_type");
}

/// Such as a script that leaves out the quotes of a password sends it.
#[tokio::test]
async fn a_value_of_the_wrong_type_is_not_repeated() {
    let app = TestApp::start().await;
    let root = app.admin("root").await;
    let change = |password: Value| json!({"current_password": password, "new_password": "battery staple"});
    for secret in [
        json!(31_415_926),
        json!(-31_415_926),
        json!(3_141.592_6),
        json!(true),
        json!(["31415926"]),
        json!({"a": "31415926"}),
    ] {
        for (path, field, body) in [
            ("/api/login", "password", json!({"username": "ada", "password": secret})),
            ("/api/me/password", "current_password", change(secret.clone())),
            ("/api/users", "password", json!({"username": "ada", "password": secret})),
        ] {
            let refused = root.post(path, body).await;
            let problem = refused.problem();
            assert_eq!(problem.code.as_str(), "invalid_input", "{path}");
            assert!(problem.fields.unwrap()[field].starts_with("must be a string, and is "), "{}", refused.body);
            for part in ["31415926", "3141.5926"] {
                assert!(!refused.body.contains(part), "{}", refused.body);
            }
        }
    }
    // Where it stands in the field beside it.
    let misplaced = json!({"username": "ada", "password": PASSWORD, "is_admin": format!("{PASSWORD}, expected x")});
    let refused = root.post("/api/users", misplaced).await;
    assert!(
        refused.problem().fields.unwrap()["is_admin"].starts_with("must be true or false, and is a string"),
        "{}",
        refused.body
    );
    assert!(!refused.body.contains(PASSWORD), "{}", refused.body);
}
