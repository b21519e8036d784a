//! The OpenAPI document, made from the handlers' own types: what they take, what they return, and a line of words for
//! each in `openapi/calls.rs`. A handler without its line, or a line without its handler, fails a test.

mod calls;
mod inputs;
mod outputs;
mod parts;
mod write;

use crate::error::NoQuery;
use crate::state::AppState;
use aide::OperationInput;
use aide::axum::routing::{self, ApiMethodRouter};
use aide::operation::{OperationHandler, OperationOutput};
use aide::transform::TransformOperation;
use axum::body::Bytes;
use axum::handler::Handler;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::any::type_name;
use std::sync::OnceLock;

pub(super) use write::{Collected, router};

/// A method of a route, documented after its handler.
macro_rules! method {
    ($name:ident, $with:ident) => {
        pub(super) fn $name<H, I, O, T>(handler: H) -> ApiMethodRouter<AppState>
        where
            H: Handler<T, AppState> + OperationHandler<I, O>,
            I: OperationInput,
            O: OperationOutput,
            T: 'static,
        {
            routing::$with(handler, named_after::<H>)
        }
    };
}

method!(delete, delete_with);
method!(get, get_with);
method!(patch, patch_with);
method!(post, post_with);

/// Handlers are called `verb_noun`, each its own.
fn named_after<H>(operation: TransformOperation<'_>) -> TransformOperation<'_> {
    let path = type_name::<H>();
    operation.id(path.rsplit("::").next().unwrap_or(path))
}

/// The same in every router of the process.
static DOCUMENT: OnceLock<Document> = OnceLock::new();

/// The document as it is sent.
pub(super) struct Document {
    json: Bytes,
}

/// Ends the collecting.
pub(super) fn publish(collected: Collected) {
    DOCUMENT.get_or_init(|| Document { json: Bytes::from(collected.write().to_string()) });
}

/// The document, to be looked into; nothing before the routes are made.
pub(super) fn document() -> Value {
    DOCUMENT.get().and_then(|document| serde_json::from_slice(&document.json).ok()).unwrap_or_default()
}

/// `application/json` that has been written before.
pub(super) struct OpenApiJson(Bytes);

impl IntoResponse for OpenApiJson {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// The OpenAPI document itself.
pub(super) async fn show_openapi(_: NoQuery) -> OpenApiJson {
    OpenApiJson(DOCUMENT.get().map(|document| document.json.clone()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Variables};
    use std::collections::BTreeSet;
    use tokio_util::sync::CancellationToken;

    async fn made() -> Value {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::parse("", folder.path(), &Variables::default()).unwrap();
        drop(crate::api::routes(AppState::new(config, CancellationToken::new()).await.unwrap()));
        serde_json::from_slice(&DOCUMENT.get().unwrap().json).unwrap()
    }

    fn operations(document: &Value) -> impl Iterator<Item = &Value> {
        let items = document["paths"].as_object().unwrap().values();
        items.flat_map(|item| item.as_object().unwrap().values())
    }

    #[tokio::test]
    async fn every_handler_has_its_line_of_words_and_every_line_its_handler() {
        let document = made().await;
        let mut ids = BTreeSet::new();
        for operation in operations(&document) {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "two calls are named {id}");
            assert!(operation["description"].is_string(), "{id} has no line in openapi/calls.rs");
        }
        for call in calls::CALLS.iter().flat_map(|(_, calls)| *calls) {
            assert!(ids.contains(call.handler), "{} is no handler in the table of routes", call.handler);
        }
    }

    #[tokio::test]
    async fn every_body_has_an_example_that_is_of_its_shape() {
        let document = made().await;
        let mut without = Vec::new();
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let Some(properties) = schema["properties"].as_object() else { continue };
            let Some(example) = schema["examples"][0].as_object() else {
                without.push(name);
                continue;
            };
            for field in example.keys() {
                assert!(properties.contains_key(field), "{name} has no field {field}");
            }
            for required in schema["required"].as_array().into_iter().flatten() {
                assert!(example.contains_key(required.as_str().unwrap()), "{name}'s example lacks {required}");
            }
        }
        assert!(without.is_empty(), "these have no example in openapi/examples.json: {without:?}");
    }
}
