//! Writes the document: puts routes, words, codes and schemas together and makes one answer of each code's status.

use super::calls::{CALLS, Call};
use super::inputs::WAYS_IN;
use super::parts::{CODES, settings};
use crate::state::AppState;
use aide::axum::ApiRouter;
use aide::generate::in_context;
use aide::openapi::OpenApi;
use axum::Router;
use protocol::api::{ErrorCode, Problem, SESSION_COOKIE};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const ABOUT: &str = "Submits jobs to remote test servers, watches them, and reads their logs and results. \
    Every answer carries `X-Request-Id`. A refusal is `application/problem+json` with a stable `code`. \
    Unknown fields and unknown query parameters are refused. `null` leaves out a field that may be left out, an empty \
    text in a query a parameter that may be; a whole number is written in digits alone (`60`, not `60.0`). \
    Bodies are not taken compressed. Headers over 32 KiB are answered `431`, a body that takes over 30 s `408`.";
const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// Begins a table of routes whose handlers are collected for the document.
pub(in crate::api) fn router() -> ApiRouter<AppState> {
    in_context(|ctx| {
        ctx.schema = settings().for_serialize().into_generator();
        ctx.schema.subschema_for::<Problem>();
    });
    ApiRouter::new()
}

/// What has been collected so far.
#[derive(Default)]
pub(in crate::api) struct Collected {
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Collected {
    /// Ends a table of routes that will stand below `prefix`.
    pub(in crate::api) fn finish(&mut self, table: ApiRouter<AppState>, prefix: &str) -> Router<AppState> {
        let mut document = OpenApi::default();
        let router = table.finish_api(&mut document);
        let mut document = serde_json::to_value(document).unwrap_or_default();
        for (path, item) in take_object(&mut document["paths"]) {
            self.paths.insert(format!("{prefix}{}", path.replace("{*", "{")), item);
        }
        self.schemas.extend(take_object(&mut document["components"]["schemas"]));
        router
    }

    /// The whole document.
    pub(in crate::api) fn write(mut self) -> Value {
        for (path, item) in &mut self.paths {
            for method in METHODS {
                if let Some(operation) = item.get_mut(method) {
                    complete(path, method, operation);
                }
            }
        }
        add_examples(&mut self.schemas);
        let tags: Vec<&str> = CALLS.iter().map(|(tag, _)| *tag).collect();
        json!({
            "openapi": "3.1.0",
            "info": { "title": "TestArena", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT },
            "tags": tags.iter().map(|tag| json!({ "name": tag })).collect::<Vec<_>>(),
            "paths": self.paths,
            "components": {
                "schemas": self.schemas,
                "examples": problem_examples(),
                "securitySchemes": security_schemes(),
            },
        })
    }
}

fn take_object(value: &mut Value) -> Map<String, Value> {
    value.as_object_mut().map(std::mem::take).unwrap_or_default()
}

fn security_schemes() -> Value {
    let [token, basic, session] = WAYS_IN;
    json!({
        token: { "type": "http", "scheme": "bearer", "description": "A personal API token, `ta_…`." },
        basic: { "type": "http", "scheme": "basic", "description": "User name and password." },
        session: {
            "type": "apiKey", "in": "cookie", "name": SESSION_COOKIE,
            "description": "The page's own way; with it a request that changes something must come from the page's origin.",
        },
    })
}

/// A handler's line in `calls.rs`, and the group in which it stands.
fn find_call(handler: &str) -> Option<(&'static str, &'static Call)> {
    let mut all = CALLS.iter().flat_map(|(tag, calls)| calls.iter().map(move |call| (*tag, call)));
    all.find(|(_, call)| call.handler == handler)
}

fn complete(path: &str, method: &str, operation: &mut Value) {
    let handler = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let id = operation_id(&handler, path);
    operation["summary"] = sentence(&id).into();
    operation["operationId"] = id.into();
    let mut codes: Vec<ErrorCode> = serde_json::from_value(operation[CODES].take()).unwrap_or_default();
    if let Some((tag, call)) = find_call(&handler) {
        operation["tags"] = json!([tag]);
        operation["description"] = call.about.into();
        codes.extend(call.codes);
    }
    if path.starts_with("/api/") {
        // A query that the call does not have.
        codes.push(ErrorCode::InvalidInput);
        codes.extend([
            ErrorCode::MalformedRequest,
            ErrorCode::HeadersTooLarge,
            ErrorCode::TooSlow,
            ErrorCode::TooLarge,
        ]);
        codes.push(ErrorCode::Internal);
        codes.push(ErrorCode::Unavailable);
        if method != "get" {
            codes.push(ErrorCode::CrossSite);
        }
    }
    add_path_parameters(path, operation);
    add_refusals(operation, &codes);
    if let Some(fields) = operation.as_object_mut() {
        fields.remove(CODES);
    }
}

/// The queue's own log and a task's have the same handlers.
fn operation_id(handler: &str, path: &str) -> String {
    match handler.split_once('_') {
        Some((verb, noun @ ("log" | "lines"))) if path.contains("{task_id}") => format!("{verb}_task_{noun}"),
        _ => handler.to_owned(),
    }
}

fn sentence(id: &str) -> String {
    let words = id.replace('_', " ");
    words[..1].to_uppercase() + &words[1..]
}

fn add_path_parameters(path: &str, operation: &mut Value) {
    let names = path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    for name in names {
        let (about, schema) = match name {
            "id" => ("Its number.", json!({ "type": "integer", "format": "int64", "minimum": 1 })),
            "task_id" => ("`<remote_queue_id>-<n>`, as the job's tasks say.", json!({ "type": "string" })),
            "path" => ("The file's path, whose slashes stay as they are.", json!({ "type": "string" })),
            _ => ("Its name.", json!({ "type": "string" })),
        };
        let parameter = json!({ "in": "path", "name": name, "required": true, "description": about, "schema": schema });
        match operation["parameters"].as_array_mut() {
            Some(parameters) => parameters.push(parameter),
            None => operation["parameters"] = json!([parameter]),
        }
    }
}

fn add_refusals(operation: &mut Value, codes: &[ErrorCode]) {
    let mut by_status = BTreeMap::<u16, Vec<ErrorCode>>::new();
    for code in codes {
        let same_status = by_status.entry(code.status()).or_default();
        if !same_status.contains(code) {
            same_status.push(*code);
        }
    }
    for (status, codes) in by_status {
        let reference =
            |code: &ErrorCode| (code.to_string(), json!({ "$ref": format!("#/components/examples/{code}") }));
        let words: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
        operation["responses"][status.to_string()] = json!({
            "description": words.join(", "),
            CODES: codes,
            "content": {
                "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" },
                    "examples": codes.iter().map(reference).collect::<Map<_, _>>(),
                },
            },
        });
    }
}

fn problem_examples() -> Map<String, Value> {
    let example = |code: &ErrorCode| {
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: code.title().to_owned(),
            status: code.status(),
            code: *code,
            detail: "What is wrong, in a sentence for people.".to_owned(),
            fields: None,
        };
        (code.to_string(), json!({ "summary": code.title(), "value": problem }))
    };
    ErrorCode::ALL.iter().map(example).collect()
}

/// Examples of bodies stand in a file of their own, each under its schema's name.
fn add_examples(schemas: &mut Map<String, Value>) {
    let examples: Map<String, Value> = serde_json::from_str(include_str!("examples.json")).unwrap_or_default();
    for (name, example) in examples {
        if let Some(schema) = schemas.get_mut(&name) {
            schema["examples"] = json!([example]);
        }
    }
}
