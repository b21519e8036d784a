//! Compares answers with the OpenAPI document: route, method, status, content type, code and body must stand in it,
//! and of requests that were taken the query's names and the body as well. Every client of the tests asks here.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use flate2::read::GzDecoder;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;
use tower::ServiceExt;

/// What is wrong at any path before a handler is found.
const ANYWHERE: [&str; 5] = ["not_found", "cross_site", "invalid_input", "unauthenticated", "rate_limited"];

/// Fields of a body by name: whether each is needed, and its type.
type Fields = Vec<(String, (bool, String))>;

/// Of a request whose test does not say one.
const SOME_HOST: HeaderValue = HeaderValue::from_static("arena.test");

/// One request with its answer.
pub struct Exchange<'a> {
    pub method: &'a Method,
    /// With its query.
    pub path: &'a str,
    pub sent: &'a [u8],
    pub status: StatusCode,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// The document, of which every server of the tests serves the same; `read` is how to get it.
pub async fn document(read: impl Future<Output = Bytes>) -> &'static Document {
    static DOCUMENT: OnceCell<Document> = OnceCell::const_new();
    let make = async || Document { json: serde_json::from_slice(&read.await).unwrap(), validators: Mutex::default() };
    DOCUMENT.get_or_init(make).await
}

/// As a router serves it.
pub async fn document_of(router: &Router) -> &'static Document {
    let request = Request::get("/api/openapi.json").header(HOST, SOME_HOST).body(Body::empty()).unwrap();
    let read =
        async { to_bytes(router.clone().oneshot(request).await.unwrap().into_body(), usize::MAX).await.unwrap() };
    document(read).await
}

/// Sends a request and compares the answer with the document; the answer with its body.
pub async fn send(router: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, Bytes) {
    let (mut parts, body) = request.into_parts();
    parts.headers.entry(HOST).or_insert(SOME_HOST);
    let sent = to_bytes(body, usize::MAX).await.unwrap();
    let (method, path) = (parts.method.clone(), parts.uri.to_string());
    let request = Request::from_parts(parts, Body::from(sent.clone()));
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let (status, headers, body) = (parts.status, parts.headers, to_bytes(body, usize::MAX).await.unwrap());
    let plain = if headers.contains_key(CONTENT_ENCODING) { unpacked(&body) } else { Some(body.to_vec()) };
    if let Some(plain) = plain.filter(|_| is_documented(&path)) {
        let exchange = Exchange { method: &method, path: &path, sent: &sent, status, headers: &headers, body: &plain };
        document_of(router).await.check(&exchange);
    }
    (status, headers, body)
}

/// Pages and their files are not.
fn is_documented(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    path == "/api" || path.starts_with("/api/") || ["/healthz", "/readyz", "/metrics"].contains(&path)
}

fn unpacked(body: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    GzDecoder::new(body).read_to_end(&mut plain).ok().map(|_| plain)
}

pub struct Document {
    json: Value,
    /// By where the schema stands in the document.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Document {
    /// Every call: its method in capitals and the template of its path.
    pub fn calls(&self) -> Vec<(String, String)> {
        let mut calls = Vec::new();
        for (path, item) in self.json["paths"].as_object().unwrap() {
            calls.extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
        }
        calls
    }

    /// Every parameter of a query: its call's method and template, its name, whether it is a text, and whether it is needed.
    pub fn query_parameters(&self) -> Vec<(String, String, String, bool, bool)> {
        let mut found = Vec::new();
        for (method, path) in self.calls() {
            let parameters = self.json["paths"][&path][method.to_lowercase()]["parameters"].as_array();
            for parameter in parameters.into_iter().flatten().filter(|parameter| parameter["in"] == "query") {
                let name = parameter["name"].as_str().unwrap().to_owned();
                let is_text = ["string", "array"].contains(&parameter["schema"]["type"].as_str().unwrap());
                found.push((method.clone(), path.clone(), name, is_text, parameter["required"] == true));
            }
        }
        found
    }

    /// By method and template of every call with a JSON body: its fields, whether each is needed, and of what type it is.
    pub fn bodies(&self) -> HashMap<(String, String), Fields> {
        let mut found = HashMap::new();
        for (method, path) in self.calls() {
            let operation = &self.json["paths"][&path][method.to_lowercase()];
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            let Some(reference) = schema["$ref"].as_str() else { continue };
            let schema = self.json.pointer(reference.trim_start_matches('#')).unwrap();
            let field = |(name, about): (&String, &Value)| {
                let is_required = schema["required"].as_array().is_some_and(|names| names.contains(&json!(name)));
                let kind = about["type"].as_str().or_else(|| about["type"][0].as_str()).unwrap_or_default();
                (name.clone(), (is_required, kind.to_owned()))
            };
            found.insert((method, path), schema["properties"].as_object().unwrap().iter().map(field).collect());
        }
        found
    }

    /// The template that a path without its query is an address of; what is written out goes before parameters.
    pub fn template_of(&self, path: &str) -> Option<&str> {
        let fitting = self.json["paths"].as_object().unwrap().keys().filter(|template| fits(template, path));
        fitting.min_by_key(|template| template.matches('{').count()).map(String::as_str)
    }

    #[track_caller]
    pub fn check(&self, exchange: &Exchange<'_>) {
        if let Err(why) = self.compare(exchange) {
            let Exchange { method, path, status, body, .. } = exchange;
            let shown = String::from_utf8_lossy(&body[..body.len().min(2_000)]);
            panic!("the OpenAPI document does not say so: {why}\n{method} {path}: {status}\n{shown}");
        }
    }

    fn compare(&self, exchange: &Exchange<'_>) -> Result<(), String> {
        let (path, query) = exchange.path.split_once('?').unwrap_or((exchange.path, ""));
        let Some(template) = self.template_of(path) else {
            return if is_documented(path) { one_of(&ANYWHERE, exchange) } else { Ok(()) };
        };
        // Who may GET may HEAD.
        let method = if exchange.method == Method::HEAD { "get" } else { &exchange.method.as_str().to_lowercase() };
        let operation = &self.json["paths"][template][method];
        if operation.is_null() {
            return one_of(&["method_not_allowed", "cross_site", "invalid_input"], exchange);
        }
        let place = format!("/paths/{}/{method}", template.replace('/', "~1"));
        self.compare_answer(operation, &place, exchange)?;
        if exchange.status.is_success() { self.compare_request(operation, &place, query, exchange) } else { Ok(()) }
    }

    fn compare_answer(&self, operation: &Value, place: &str, exchange: &Exchange<'_>) -> Result<(), String> {
        let status = exchange.status.as_u16().to_string();
        let answer = &operation["responses"][&status];
        if answer.is_null() {
            return Err(format!("no {status} at this call"));
        }
        let place = format!("{place}/responses/{status}");
        let Some(content) = answer["content"].as_object() else {
            return if exchange.body.is_empty() { Ok(()) } else { Err("no body".to_owned()) };
        };
        if exchange.method == Method::HEAD {
            return if exchange.body.is_empty() { Ok(()) } else { Err("no body of a HEAD".to_owned()) };
        }
        let kind = media_type(exchange.headers);
        if !content.keys().any(|media| essence(media) == kind) {
            let any = content.contains_key("*/*") && !kind.is_empty();
            return if any { Ok(()) } else { Err(format!("no \"{kind}\", but {:?}", content.keys())) };
        }
        if !kind.ends_with("json") {
            return Ok(());
        }
        if kind == "application/problem+json" {
            let code = problem_code(exchange)?;
            let codes = answer["x-codes"].as_array().ok_or("no codes at this status")?;
            if !codes.contains(&json!(code)) {
                return Err(format!("no code {code}, but {codes:?}"));
            }
        }
        self.validate(&format!("{place}/content/{}/schema", kind.replace('/', "~1")), exchange.body, true)
    }

    fn compare_request(
        &self,
        operation: &Value,
        place: &str,
        query: &str,
        exchange: &Exchange<'_>,
    ) -> Result<(), String> {
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let name = pair.split('=').next().unwrap();
            if !parameters.iter().any(|parameter| parameter["in"] == "query" && parameter["name"] == name) {
                return Err(format!("no parameter {name}, which was taken"));
            }
        }
        let body = &operation["requestBody"];
        if exchange.sent.is_empty() {
            return if body["required"] == true { Err("a body, but none was needed".to_owned()) } else { Ok(()) };
        }
        // A body where none is read does no harm.
        if body["content"]["application/json"]["schema"].is_null() {
            return Ok(());
        }
        let sent = exchange.sent.strip_prefix("\u{feff}".as_bytes()).unwrap_or(exchange.sent);
        self.validate(&format!("{place}/requestBody/content/application~1json/schema"), sent, false)
    }

    /// `closed`: a field that the schema does not name is wrong.
    fn validate(&self, place: &str, body: &[u8], closed: bool) -> Result<(), String> {
        let body: Value = serde_json::from_slice(body).map_err(|error| format!("JSON, but {error}"))?;
        let validator = self.validator(place, closed);
        let wrong: Vec<String> =
            validator.iter_errors(&body).map(|error| format!("{} at {}", error, error.instance_path())).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    fn validator(&self, place: &str, closed: bool) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        let made = validators.entry(place.to_owned()).or_insert_with(|| {
            let mut components = self.json["components"].clone();
            if closed {
                components["schemas"].as_object_mut().unwrap().values_mut().for_each(close);
            }
            let schema = self.json.pointer(place).unwrap();
            let whole = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "components": components,
                "allOf": [schema],
            });
            Arc::new(jsonschema::validator_for(&whole).unwrap())
        });
        Arc::clone(made)
    }
}

fn close(schema: &mut Value) {
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema["unevaluatedProperties"] = json!(false);
    }
}

/// `{path}` at a template's end stands for several segments.
fn fits(template: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    let mut wanted = template.split('/').peekable();
    while let Some(part) = wanted.next() {
        let Some(segment) = segments.next() else { return false };
        if part == "{path}" && wanted.peek().is_none() {
            return !segment.is_empty() || segments.next().is_some();
        }
        let is_parameter = part.starts_with('{') && !segment.is_empty();
        if !is_parameter && part != segment {
            return false;
        }
    }
    segments.next().is_none()
}

fn media_type(headers: &HeaderMap) -> &str {
    essence(headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or_default()))
}

/// A media type without its parameters.
fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or_default().trim()
}

fn problem_code(exchange: &Exchange<'_>) -> Result<String, String> {
    let problem: Value = serde_json::from_slice(exchange.body).map_err(|error| format!("a problem, but {error}"))?;
    problem["code"].as_str().map(str::to_owned).ok_or_else(|| "a problem with its code".to_owned())
}

/// What may be answered where the document has no call.
fn one_of(codes: &[&str], exchange: &Exchange<'_>) -> Result<(), String> {
    if media_type(exchange.headers) != "application/problem+json" {
        return Err("anything but a problem where there is no call".to_owned());
    }
    if exchange.method == Method::HEAD {
        return Ok(());
    }
    let code = problem_code(exchange)?;
    if codes.contains(&code.as_str()) { Ok(()) } else { Err(format!("{code} where there is no call")) }
}

#[test]
fn a_template_is_found_by_its_segments() {
    for (template, path, is) in [
        ("/api/job/{id}", "/api/job/7", true),
        ("/api/job/{id}", "/api/job/", false),
        ("/api/job/{id}", "/api/job/7/log", false),
        ("/results/{path}", "/results/a/b", true),
        ("/results/{path}", "/results/", false),
        ("/results/{path}", "/results", false),
    ] {
        assert_eq!(fits(template, path), is, "{template} {path}");
    }
}
