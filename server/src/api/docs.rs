//! `/api/docs`: the OpenAPI document as a page for people, written here so that it needs neither a script nor anything
//! from elsewhere. It is made once, when the routes are; its only style is allowed by its hash.

mod call;
mod schema;

use super::openapi;
use crate::error::NoQuery;
use axum::body::Bytes;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schema::{code_words, write_schema};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::{self, Write};
use std::sync::OnceLock;

const STYLE: &str = include_str!("docs/style.css");
const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

/// A page that is the same for everybody.
#[derive(Clone)]
pub(super) struct Page {
    html: Bytes,
    policy: HeaderValue,
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (CONTENT_SECURITY_POLICY, self.policy),
            (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        (headers, self.html).into_response()
    }
}

/// The document for people.
pub(super) async fn show_docs(_: NoQuery) -> Page {
    static PAGE: OnceLock<Page> = OnceLock::new();
    PAGE.get_or_init(|| make(&openapi::document())).clone()
}

fn make(document: &Value) -> Page {
    let hash = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let mut html = String::new();
    // Writing to a string does not fail.
    let _ = write_page(&mut html, document);
    Page {
        html: html.into(),
        policy: HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'")),
    }
}

fn write_page(html: &mut String, document: &Value) -> fmt::Result {
    let (title, version) = (text(&document["info"]["title"]), text(&document["info"]["version"]));
    writeln!(
        html,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title} API</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">Skip to the calls</a>"
    )?;
    let groups = groups(document);
    write_contents(html, &groups, document)?;
    writeln!(html, "<main id=\"main\">\n<h1>{title} API <small>{version}</small></h1>")?;
    writeln!(html, "<p>{}</p>", code_words(&text(&document["info"]["description"])))?;
    write_ways_in(html, document)?;
    for (name, calls) in &groups {
        writeln!(html, "<section>\n<h2 id=\"{}\">{}</h2>", anchor(name), escape(name))?;
        for call in calls {
            call::write_call(html, document, call)?;
        }
        html.push_str("</section>\n");
    }
    write_codes(html, document)?;
    html.push_str("<section>\n<h2 id=\"bodies\">Bodies</h2>\n");
    for (name, schema) in fields_of(&document["components"]["schemas"]) {
        write_schema(html, document, name, schema)?;
    }
    html.push_str("</section>\n</main>\n</body>\n</html>\n");
    Ok(())
}

/// One method of one path.
struct Call<'a> {
    method: &'static str,
    path: &'a str,
    operation: &'a Value,
}

impl Call<'_> {
    fn id(&self) -> &str {
        self.operation["operationId"].as_str().unwrap_or_default()
    }
}

/// The calls by the groups in which they stand, in the document's order.
fn groups(document: &Value) -> Vec<(&str, Vec<Call<'_>>)> {
    let mut groups = Vec::new();
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = tag["name"].as_str().unwrap_or_default();
        let mut calls = Vec::new();
        for (path, item) in fields_of(&document["paths"]) {
            let of_group = |method: &&str| item[*method]["tags"][0] == name;
            let methods = METHODS.into_iter().filter(of_group);
            calls.extend(methods.map(|method| Call { method, path, operation: &item[method] }));
        }
        groups.push((name, calls));
    }
    groups
}

fn write_contents(html: &mut String, groups: &[(&str, Vec<Call<'_>>)], document: &Value) -> fmt::Result {
    html.push_str("<nav aria-label=\"Contents\">\n<a class=\"home\" href=\"/\">TestArena</a>\n");
    html.push_str("<a href=\"/api/openapi.json\">openapi.json</a>\n<a href=\"#signing\">Who is asking</a>\n");
    for (name, calls) in groups {
        writeln!(html, "<details open>\n<summary>{}</summary>\n<ul>", escape(name))?;
        for call in calls {
            let (id, method) = (escape(call.id()), call.method.to_uppercase());
            let path = escape(call.path.trim_start_matches("/api"));
            writeln!(html, "<li><a href=\"#{id}\"><b class=\"{}\">{method}</b> {path}</a></li>", call.method)?;
        }
        html.push_str("</ul>\n</details>\n");
    }
    html.push_str("<a href=\"#codes\">Error codes</a>\n<details>\n<summary>Bodies</summary>\n<ul>\n");
    for (name, _) in fields_of(&document["components"]["schemas"]) {
        writeln!(html, "<li><a href=\"#{0}\">{0}</a></li>", escape(name))?;
    }
    html.push_str("</ul>\n</details>\n</nav>\n");
    Ok(())
}

fn write_ways_in(html: &mut String, document: &Value) -> fmt::Result {
    html.push_str("<section>\n<h2 id=\"signing\">Who is asking</h2>\n<p>Any one of these will do:</p>\n<dl>\n");
    for (name, way) in fields_of(&document["components"]["securitySchemes"]) {
        let about = code_words(&text(&way["description"]));
        writeln!(html, "<dt>{}</dt><dd>{about}</dd>", escape(name))?;
    }
    html.push_str(
        "</dl>\n<pre>curl -H 'Authorization: Bearer ta_…' https://testarena.example.org/api/jobs</pre>\n</section>\n",
    );
    Ok(())
}

fn write_codes(html: &mut String, document: &Value) -> fmt::Result {
    html.push_str("<section>\n<h2 id=\"codes\">Error codes</h2>\n");
    html.push_str("<p>A refusal is a <a href=\"#Problem\">Problem</a> as <code>application/problem+json</code>. Its <code>code</code> stays the same from version to version.</p>\n");
    html.push_str("<table>\n<thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr></thead>\n<tbody>\n");
    for (code, example) in fields_of(&document["components"]["examples"]) {
        let (status, meaning) = (&example["value"]["status"], text(&example["summary"]));
        writeln!(
            html,
            "<tr id=\"code-{0}\"><td><code>{0}</code></td><td>{status}</td><td>{meaning}</td></tr>",
            escape(code)
        )?;
    }
    html.push_str("</tbody>\n</table>\n</section>\n");
    Ok(())
}

fn fields_of(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

fn anchor(name: &str) -> String {
    escape(&name.to_lowercase().replace(' ', "-"))
}

/// A string of the document, safe between tags and quotes.
fn text(value: &Value) -> String {
    escape(value.as_str().unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_document_says_is_text_and_never_markup() {
        let nasty = "<script>alert(1)</script>\"'&";
        let document = json!({
            "info": {"title": nasty, "version": nasty, "description": nasty},
            "tags": [{"name": nasty}],
            "paths": {nasty: {"get": {
                "operationId": "find_it", "tags": [nasty], "summary": nasty, "description": nasty,
                "parameters": [{"in": "query", "name": nasty, "description": nasty, "schema": {"type": nasty, "enum": [nasty]}}],
                "responses": {"200": {"description": nasty, "content": {"application/json": {"schema": {"$ref": format!("#/components/schemas/{nasty}")}}}}},
            }}},
            "components": {"schemas": {nasty: {"properties": {nasty: {"description": nasty, "const": nasty}}, "examples": [nasty]}}},
        });
        let page = String::from_utf8(make(&document).html.to_vec()).unwrap();
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    }
}
