//! What is wrong with a form that was sent: what the API says of a field at that field, all else above the form.

use crate::client::ClientError;
use leptos::prelude::*;

#[derive(Clone, Copy)]
pub(crate) struct FormProblem {
    error: RwSignal<Option<ClientError>>,
    /// By their names in the API.
    fields: &'static [&'static str],
}

impl FormProblem {
    pub(crate) fn new(fields: &'static [&'static str]) -> Self {
        Self { error: RwSignal::new(None), fields }
    }

    pub(crate) fn set(self, error: Option<ClientError>) {
        self.error.set(error);
    }

    pub(crate) fn at(self, field: &'static str) -> Signal<Option<String>> {
        Signal::derive(move || self.error.with(|error| error.as_ref()?.field(field)))
    }

    pub(crate) fn above(self) -> Signal<Option<String>> {
        Signal::derive(move || {
            self.error.with(|error| {
                let is_at_none = |error: &&ClientError| self.fields.iter().all(|field| error.field(field).is_none());
                error.as_ref().filter(is_at_none).map(ClientError::message)
            })
        })
    }
}
