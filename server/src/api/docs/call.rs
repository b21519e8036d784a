//! A call for people: what it is for, what it takes, what it answers, and how it refuses.

use super::schema::{code_words, kind, write_about, write_example};
use super::{Call, escape, fields_of, text};
use serde_json::Value;
use std::fmt::{self, Write};

pub(super) fn write_call(html: &mut String, document: &Value, call: &Call<'_>) -> fmt::Result {
    let (id, method, path) = (escape(call.id()), call.method, escape(call.path));
    writeln!(html, "<article id=\"{id}\">")?;
    writeln!(
        html,
        "<h3><b class=\"{method}\">{}</b> <code>{path}</code> <a class=\"link\" href=\"#{id}\" aria-label=\"Link to {id}\">#</a></h3>",
        method.to_uppercase()
    )?;
    write_about(html, call.operation)?;
    if call.operation["security"].as_array().is_none_or(Vec::is_empty) {
        html.push_str("<p class=\"note\">For anybody.</p>\n");
    }
    write_parameters(html, call.operation)?;
    write_body(html, document, &call.operation["requestBody"])?;
    write_answers(html, document, &call.operation["responses"])?;
    html.push_str("</article>\n");
    Ok(())
}

fn write_parameters(html: &mut String, operation: &Value) -> fmt::Result {
    let Some(parameters) = operation["parameters"].as_array().filter(|parameters| !parameters.is_empty()) else {
        return Ok(());
    };
    html.push_str("<h4>Takes</h4>\n<table>\n<thead><tr><th>Name</th><th>In</th><th>Type</th><th>What it is</th></tr></thead>\n<tbody>\n");
    for parameter in parameters {
        let needed = if parameter["required"] == true { " <em>needed</em>" } else { "" };
        let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
        let about = code_words(&text(&parameter["description"]));
        let kind = kind(&parameter["schema"]);
        writeln!(html, "<tr><td><code>{name}</code></td><td>{place}</td><td>{kind}{needed}</td><td>{about}</td></tr>")?;
    }
    html.push_str("</tbody>\n</table>\n");
    Ok(())
}

fn write_body(html: &mut String, document: &Value, body: &Value) -> fmt::Result {
    for (media, content) in fields_of(&body["content"]) {
        let optional = if body["required"] == true { "" } else { ", may be left out" };
        let (kind, media) = (kind(&content["schema"]), escape(media));
        writeln!(html, "<h4>Body</h4>\n<p>{kind} as <code>{media}</code>{optional}</p>")?;
        if let Some(example) = example_of(document, &content["schema"]) {
            write_example(html, "Example of a body", example)?;
        }
    }
    Ok(())
}

fn write_answers(html: &mut String, document: &Value, answers: &Value) -> fmt::Result {
    html.push_str("<h4>Answers</h4>\n<table>\n<thead><tr><th>Status</th><th>Body</th><th>When, or with which code</th></tr></thead>\n<tbody>\n");
    for (status, answer) in fields_of(answers) {
        let bodies: Vec<String> =
            fields_of(&answer["content"]).map(|(media, content)| body_of(media, &content["schema"])).collect();
        let body = if bodies.is_empty() { "none".to_owned() } else { bodies.join(", ") };
        let when = when(answer);
        writeln!(
            html,
            "<tr class=\"s{}\"><td>{}</td><td>{body}</td><td>{when}</td></tr>",
            &status[..1],
            escape(status)
        )?;
    }
    html.push_str("</tbody>\n</table>\n");
    let example = ["200", "201", "202"]
        .iter()
        .find_map(|status| example_of(document, &answers[*status]["content"]["application/json"]["schema"]));
    if let Some(example) = example {
        write_example(html, "Example of an answer", example)?;
    }
    Ok(())
}

/// Every refusal is told in the same form, which is told once.
fn body_of(media: &str, schema: &Value) -> String {
    let kind = kind(schema);
    if media == "application/problem+json" { kind } else { format!("{kind} as <code>{}</code>", escape(media)) }
}

/// What it means, and the headers that come with it; of a refusal its codes.
fn when(answer: &Value) -> String {
    if let Some(codes) = answer["x-codes"].as_array() {
        let link = |code: &Value| format!("<a href=\"#code-{0}\"><code>{0}</code></a>", text(code));
        return codes.iter().map(link).collect::<Vec<_>>().join(" ");
    }
    let mut when = code_words(&text(&answer["description"]));
    for (name, header) in fields_of(&answer["headers"]) {
        let about = code_words(&text(&header["description"]));
        // Writing to a string does not fail.
        let _ = write!(when, "<br><code>{}</code>: {about}", escape(name));
    }
    when
}

fn example_of<'a>(document: &'a Value, schema: &'a Value) -> Option<&'a Value> {
    let pointer = schema["$ref"].as_str()?.strip_prefix('#')?;
    document.pointer(pointer)?["examples"].get(0)
}
