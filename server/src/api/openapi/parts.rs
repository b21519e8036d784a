//! The pieces of an OpenAPI document that inputs and outputs are described with.

// The maps' type is a dependency of aide's and none of ours.
#![allow(clippy::default_trait_access)]

use aide::openapi::{
    Header, HeaderStyle, MediaType, Operation, Parameter, ParameterData, ParameterSchemaOrContent, QueryStyle,
    ReferenceOr, Response, SchemaObject,
};
use protocol::api::ErrorCode;
use schemars::generate::SchemaSettings;
use schemars::{Schema, json_schema};
use serde_json::json;

/// Where an operation keeps the codes that it may refuse with until the document is written.
pub(super) const CODES: &str = "x-codes";

pub(super) fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}

pub(super) fn refuses_with(operation: &mut Operation, codes: &[ErrorCode]) {
    let noted = operation.extensions.entry(CODES.to_owned()).or_insert_with(|| json!([]));
    if let Some(noted) = noted.as_array_mut() {
        noted.extend(codes.iter().map(|code| json!(code)));
    }
}

pub(super) fn schema_object(json_schema: Schema) -> SchemaObject {
    SchemaObject { json_schema, external_docs: None, example: None }
}

/// An optional parameter of the query.
pub(super) fn query_parameter(name: &str, description: Option<String>, required: bool, schema: Schema) -> Parameter {
    Parameter::Query {
        parameter_data: parameter_data(name, description, required, schema),
        allow_reserved: false,
        style: QueryStyle::Form,
        allow_empty_value: None,
    }
}

pub(super) fn header_parameter(name: &str, description: &str, schema: Schema) -> Parameter {
    let parameter_data = parameter_data(name, Some(description.to_owned()), false, schema);
    Parameter::Header { parameter_data, style: HeaderStyle::Simple }
}

fn parameter_data(name: &str, description: Option<String>, required: bool, schema: Schema) -> ParameterData {
    ParameterData {
        name: name.to_owned(),
        description,
        required,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(schema_object(schema)),
        example: None,
        examples: Default::default(),
        explode: None,
        extensions: Default::default(),
    }
}

/// Adds a header that the client may send, once.
pub(super) fn takes_header(operation: &mut Operation, name: &str, description: &str, schema: Schema) {
    let is_it = |known: &ReferenceOr<Parameter>| matches!(known, ReferenceOr::Item(Parameter::Header { parameter_data, .. }) if parameter_data.name == name);
    if !operation.parameters.iter().any(is_it) {
        operation.parameters.push(ReferenceOr::Item(header_parameter(name, description, schema)));
    }
}

pub(super) fn answer(description: &str, content: Option<(&str, Schema)>, headers: &[(&str, &str)]) -> Response {
    let media = |schema| MediaType { schema: Some(schema_object(schema)), ..MediaType::default() };
    Response {
        description: description.to_owned(),
        content: content.into_iter().map(|(name, schema)| (name.to_owned(), media(schema))).collect(),
        headers: headers.iter().map(|(name, why)| ((*name).to_owned(), ReferenceOr::Item(header(why)))).collect(),
        ..Response::default()
    }
}

fn header(description: &str) -> Header {
    Header {
        description: Some(description.to_owned()),
        style: HeaderStyle::Simple,
        required: false,
        deprecated: None,
        format: ParameterSchemaOrContent::Schema(schema_object(json_schema!({ "type": "string" }))),
        example: None,
        examples: Default::default(),
        extensions: Default::default(),
    }
}
