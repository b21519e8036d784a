//! What each kind of answer adds to the document. `axum::Json` brings its own; what an error looks like is the same
//! everywhere, and which codes there may be is noted elsewhere.

use super::parts::{answer, takes_header};
use crate::api::answers::{Accepted, Created, CreatedOnce, Figures, Removed, SignedIn, SignedOut, Xml};
use crate::api::conditional::{Conditional, Listed};
use crate::api::docs::Page;
use crate::api::download::{Download, PlainLog};
use crate::api::openapi::OpenApiJson;
use crate::error::ApiError;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response};
use aide::operation::OperationOutput;
use protocol::api::SYNCED_AT_HEADER;
use schemars::{JsonSchema, Schema, json_schema};

const JSON: &str = "application/json";
const LOCATION: (&str, &str) = ("Location", "Where it is from now on.");
const ETAG: (&str, &str) = ("ETag", "Weak; send it in `If-None-Match` to learn whether anything has changed.");
const COOKIE: (&str, &str) = ("Set-Cookie", "Carries the session, or ends it.");

type Answers = Vec<(Option<u16>, Response)>;

fn body<T: JsonSchema>(ctx: &mut GenContext) -> (&'static str, Schema) {
    (JSON, ctx.schema.subschema_for::<T>())
}

/// Describes what a type answers as a list of statuses.
macro_rules! answers {
    ($type:ident$(<$body:ident>)?, |$ctx:ident, $operation:ident| $answers:expr) => {
        impl$(<$body: JsonSchema>)? OperationOutput for $type$(<$body>)? {
            type Inner = Self;

            fn inferred_responses($ctx: &mut GenContext, $operation: &mut Operation) -> Answers {
                let answers = $answers;
                answers.into_iter().map(|(status, answer)| (Some(status), answer)).collect()
            }
        }
    };
}

answers!(ApiError, |_ctx, _operation| []);
answers!(Created<T>, |ctx, _operation| [(201, answer("Made.", Some(body::<T>(ctx)), &[LOCATION]))]);
answers!(CreatedOnce<T>, |ctx, _operation| [
    (201, answer("Made.", Some(body::<T>(ctx)), &[LOCATION])),
    (200, answer("Made before with the same idempotency key.", Some(body::<T>(ctx)), &[LOCATION])),
]);
answers!(Accepted<T>, |ctx, _operation| [(202, answer("Noted; it is carried through.", Some(body::<T>(ctx)), &[]))]);
answers!(Removed<T>, |ctx, _operation| [
    (204, answer("Gone.", None, &[])),
    (202, answer("Noted; the remote server still has to confirm.", Some(body::<T>(ctx)), &[])),
]);
answers!(SignedIn<T>, |ctx, _operation| [(200, answer("Signed in.", Some(body::<T>(ctx)), &[COOKIE]))]);
answers!(SignedOut, |_ctx, _operation| [(204, answer("Signed out.", None, &[COOKIE]))]);
answers!(Figures, |_ctx, _operation| [(200, answer("Figures.", Some(("text/plain", text())), &[]))]);
answers!(Xml, |_ctx, _operation| [(200, answer("XML.", Some(("application/xml", text())), &[]))]);

answers!(Page, |_ctx, _operation| [(200, answer("A page.", Some(("text/html", text())), &[]))]);

answers!(OpenApiJson, |_ctx, _operation| [(
    200,
    answer("OpenAPI 3.1.", Some((JSON, json_schema!({ "type": "object" }))), &[])
),]);

answers!(Conditional<T>, |ctx, operation| {
    let synced_at = (SYNCED_AT_HEADER, "How old the facts are: when the remote server last vouched for them.");
    versions(operation, body::<T>(ctx), &[ETAG, synced_at])
});

answers!(Listed<T>, |ctx, operation| versions(operation, body::<T>(ctx), &[ETAG]));

/// What has a version that a client can name.
fn versions(operation: &mut Operation, body: (&str, Schema), headers: &[(&str, &str)]) -> [(u16, Response); 2] {
    let known = "Answers 304 if this is still the version that there is.";
    takes_header(operation, "If-None-Match", known, json_schema!({ "type": "string" }));
    [
        (200, answer("As it is now.", Some(body), headers)),
        (304, answer("Nothing has changed since the version that the request names.", None, headers)),
    ]
}

answers!(Download, |_ctx, _operation| stored("*/*"));
answers!(PlainLog, |_ctx, _operation| stored("text/plain"));

fn stored(media: &str) -> [(u16, Response); 2] {
    let part = [("Content-Range", "Which part of how much.")];
    [
        (200, answer("All of it.", Some((media, text())), &[])),
        (206, answer("The part that was asked for.", Some((media, text())), &part)),
    ]
}

fn text() -> Schema {
    json_schema!({ "type": "string" })
}
