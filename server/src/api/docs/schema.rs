//! Schemas for people: a table of fields for each body, and each type in a few words.

use super::{escape, fields_of, text};
use serde_json::Value;
use std::fmt::{self, Write};

pub(super) fn write_schema(html: &mut String, document: &Value, name: &str, schema: &Value) -> fmt::Result {
    let name = escape(name);
    writeln!(
        html,
        "<article id=\"{name}\">\n<h3>{name} <a class=\"link\" href=\"#{name}\" aria-label=\"Link to {name}\">#</a></h3>"
    )?;
    write_about(html, schema)?;
    let resolved = whole(document, schema);
    if resolved.is_empty() {
        writeln!(html, "<p>{}</p>", kind(schema))?;
    } else {
        write_fields(html, &resolved)?;
    }
    if let Some(example) = schema["examples"].get(0) {
        write_example(html, "Example", example)?;
    }
    html.push_str("</article>\n");
    Ok(())
}

pub(super) fn write_about(html: &mut String, thing: &Value) -> fmt::Result {
    match thing["description"].as_str() {
        Some(about) => writeln!(html, "<p>{}</p>", code_words(&escape(about))),
        None => Ok(()),
    }
}

/// A field of a body.
struct Field<'a> {
    name: &'a str,
    schema: &'a Value,
    is_required: bool,
}

/// All fields of a schema, also those that it takes over from others.
fn whole<'a>(document: &'a Value, schema: &'a Value) -> Vec<Field<'a>> {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let own = fields_of(&schema["properties"]).map(|(name, schema)| {
        let is_required = required.iter().any(|required| required == name);
        Field { name, schema, is_required }
    });
    let mut fields: Vec<Field<'_>> = own.collect();
    for part in schema["allOf"].as_array().into_iter().flatten().chain(schema.get("$ref").map(|_| schema)) {
        let pointer = part["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        fields.extend(
            pointer.and_then(|pointer| document.pointer(pointer)).map_or(Vec::new(), |part| whole(document, part)),
        );
    }
    fields
}

fn write_fields(html: &mut String, fields: &[Field<'_>]) -> fmt::Result {
    html.push_str("<table>\n<thead><tr><th>Field</th><th>Type</th><th>What it is</th></tr></thead>\n<tbody>\n");
    for Field { name, schema, is_required } in fields {
        let optional = if *is_required { "" } else { " <em>may be left out</em>" };
        let about = code_words(&text(&schema["description"]));
        writeln!(
            html,
            "<tr><td><code>{}</code></td><td>{}{optional}</td><td>{about}</td></tr>",
            escape(name),
            kind(schema)
        )?;
    }
    html.push_str("</tbody>\n</table>\n");
    Ok(())
}

/// A type in words, with links to bodies.
pub(super) fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escape(reference.rsplit('/').next().unwrap_or(reference));
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(only) = schema.get("const") {
        return format!("<code>{}</code>", escape(&only.to_string()));
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> =
            words.iter().map(|word| format!("<code>{}</code>", escape(&word.to_string()))).collect();
        return words.join(" ");
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let Some(choices) = schema[several].as_array() {
            return choices.iter().map(kind).collect::<Vec<_>>().join(" or ");
        }
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(|word| of_type(schema, word)).collect::<Vec<_>>().join(" or "),
        word => of_type(schema, word),
    };
    format!("{types}{}", limits(schema))
}

fn of_type(schema: &Value, word: &Value) -> String {
    match word.as_str() {
        Some("array") => format!("list of {}", kind(&schema["items"])),
        Some("object") if schema["additionalProperties"].is_object() => {
            format!("names with {}", kind(&schema["additionalProperties"]))
        }
        Some("string") if schema["format"] == "date-time" => "time".to_owned(),
        Some(word) => escape(word),
        None => "anything".to_owned(),
    }
}

fn limits(schema: &Value) -> String {
    let told = |key: &str| schema.get(key).filter(|value| !value.is_null()).map(|value| escape(&value.to_string()));
    let between = |least: &str, most: &str, unit: &str| match (told(least), told(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", at least {least}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (None, None) => String::new(),
    };
    [
        between("minimum", "maximum", ""),
        between("minLength", "maxLength", " characters"),
        between("minItems", "maxItems", " of them"),
        told("default").map_or_else(String::new, |default| format!(", usually {default}")),
    ]
    .concat()
}

pub(super) fn write_example(html: &mut String, title: &str, example: &Value) -> fmt::Result {
    let json = serde_json::to_string_pretty(example).unwrap_or_default();
    writeln!(html, "<details>\n<summary>{title}</summary>\n<pre>{}</pre>\n</details>", escape(&json))
}

/// Escaped text whose words between backquotes are code.
pub(super) fn code_words(text: &str) -> String {
    let mut html = String::new();
    for (nth, part) in text.split('`').enumerate() {
        if nth % 2 == 0 {
            html.push_str(part);
            continue;
        }
        html.push_str("<code>");
        html.push_str(part);
        html.push_str("</code>");
    }
    html
}
