//! What each extractor adds to the document: parameters, bodies, and the codes that it refuses with.
//! The codes are noted as words; `write.rs` makes answers of them.

use super::parts::{query_parameter, refuses_with, schema_object, settings, takes_header};
use crate::api::download::WantedPart;
use crate::api::idempotency::IdempotencyKey;
use crate::api::removal::{ForceQuery, Wish};
use crate::auth::{Admin, CurrentUser};
use crate::error::{Form, Json, NoBody, NoQuery, OptionalJson, Path, Query};
use aide::OperationInput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, ReferenceOr, RequestBody};
use protocol::JobId;
use protocol::api::ErrorCode;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// Of the security schemes in `write.rs`: any one of them will do.
pub(super) const WAYS_IN: [&str; 3] = ["token", "basic", "session"];

impl OperationInput for CurrentUser {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        operation.security = WAYS_IN.map(|way| [(way.to_owned(), Vec::new())].into_iter().collect()).to_vec();
        // Forbidden: a token may be of too small a scope.
        refuses_with(operation, &[ErrorCode::Unauthenticated, ErrorCode::Forbidden, ErrorCode::RateLimited]);
    }
}

impl OperationInput for Admin {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        CurrentUser::operation_input(ctx, operation);
    }
}

/// As its parts one after the other.
impl OperationInput for Wish {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        CurrentUser::operation_input(ctx, operation);
        Path::<JobId>::operation_input(ctx, operation);
        Query::<ForceQuery>::operation_input(ctx, operation);
    }
}

/// The parameters themselves are read from the route.
impl<T> OperationInput for Path<T> {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        refuses_with(operation, &[ErrorCode::NotFound]);
    }
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        let fields = as_read(ctx, T::json_schema);
        let required = fields.get("required").and_then(Value::as_array);
        for (name, schema) in fields.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let mut schema = schema.clone();
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            let description = description.and_then(|text| text.as_str().map(str::to_owned));
            let is_required = required.is_some_and(|names| names.iter().any(|required| required == name));
            let schema = Schema::try_from(without_null(schema)).unwrap_or_default();
            operation.parameters.push(ReferenceOr::Item(query_parameter(name, description, is_required, schema)));
        }
        refuses_with(operation, &[ErrorCode::InvalidInput]);
    }
}

/// Requests are described as they are read, answers as they are written: a field with a default may be left out of the
/// one and is always there in the other.
fn as_read(ctx: &mut GenContext, describe: impl FnOnce(&mut SchemaGenerator) -> Schema) -> Schema {
    let mut generator = settings().for_deserialize().into_generator();
    let schema = describe(&mut generator);
    ctx.schema.definitions_mut().extend(generator.take_definitions(false));
    schema
}

/// A query can leave a value out, but not say `null`.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|word| word != "null");
        if let [only] = types.as_slice() {
            schema["type"] = only.clone();
        }
    }
    match schema.get_mut("anyOf").and_then(Value::as_array_mut) {
        Some(choices) => choices.iter().find(|choice| choice["type"] != "null").cloned().unwrap_or_default(),
        None => schema,
    }
}

const REFUSED_BODIES: [ErrorCode; 3] =
    [ErrorCode::MalformedJson, ErrorCode::InvalidInput, ErrorCode::UnsupportedMediaType];

impl<T: JsonSchema> OperationInput for Json<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        takes_body::<T>(ctx, operation, "application/json", true);
        refuses_with(operation, &REFUSED_BODIES);
    }
}

impl<T: JsonSchema> OperationInput for OptionalJson<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        takes_body::<T>(ctx, operation, "application/json", false);
        refuses_with(operation, &REFUSED_BODIES);
    }
}

impl OperationInput for NoQuery {}

impl OperationInput for NoBody {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        refuses_with(operation, &REFUSED_BODIES);
    }
}

impl<T: JsonSchema> OperationInput for Form<T> {
    fn operation_input(ctx: &mut GenContext, operation: &mut Operation) {
        takes_body::<T>(ctx, operation, "application/x-www-form-urlencoded", true);
        refuses_with(operation, &[ErrorCode::InvalidInput]);
    }
}

fn takes_body<T: JsonSchema>(ctx: &mut GenContext, operation: &mut Operation, media: &str, required: bool) {
    let schema = as_read(ctx, SchemaGenerator::subschema_for::<T>);
    let content = MediaType { schema: Some(schema_object(schema)), ..MediaType::default() };
    let content = [(media.to_owned(), content)].into_iter().collect();
    operation.request_body = Some(ReferenceOr::Item(RequestBody { content, required, ..RequestBody::default() }));
}

impl OperationInput for WantedPart {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        let range = "One range of bytes, such as `bytes=100-`; several of them mean the whole file.";
        takes_header(operation, "Range", range, json_schema!({ "type": "string" }));
    }
}

impl OperationInput for IdempotencyKey {
    fn operation_input(_: &mut GenContext, operation: &mut Operation) {
        takes_header(
            operation,
            "Idempotency-Key",
            "Makes a retry by the same user within 24 h return the same job, with 200.",
            json_schema!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$" }),
        );
        refuses_with(operation, &[ErrorCode::InvalidInput, ErrorCode::IdempotencyKeyReused, ErrorCode::Gone]);
    }
}
