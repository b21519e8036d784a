//! JSON to values and back. In the browser its own parser reads and writes: a second one would only make the page larger.

#[cfg(not(feature = "ssr"))]
mod reader;

#[cfg(not(feature = "ssr"))]
use js_sys::JSON;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "ssr")]
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

#[cfg(feature = "ssr")]
pub(crate) fn write<T: Serialize>(value: &T) -> Option<String> {
    serde_json::to_string(value).ok()
}

#[cfg(not(feature = "ssr"))]
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(reader::Reader(JSON::parse(text).ok()?)).ok()
}

#[cfg(not(feature = "ssr"))]
pub(crate) fn write<T: Serialize>(value: &T) -> Option<String> {
    let value = value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).ok()?;
    JSON::stringify(&value).ok().map(Into::into)
}
