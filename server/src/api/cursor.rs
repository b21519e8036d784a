//! Where the next page of a list begins. Opaque to clients, so that paging can change.

use crate::error::{ApiError, ApiResult, Filter};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// A kind of list: a cursor of one is none of another.
pub(super) struct Cursors {
    /// Stands before the place in every cursor.
    pub(super) mark: &'static str,
    /// What gives such cursors, in a sentence.
    pub(super) giver: &'static str,
}

impl Cursors {
    pub(super) fn write(&self, place: impl fmt::Display) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {place}", self.mark))
    }

    /// The place that a request's cursor means.
    pub(super) fn read<T>(&self, cursor: Filter, place: impl FnOnce(&str) -> Option<T>) -> ApiResult<Option<T>> {
        let Some(cursor) = cursor.0 else { return Ok(None) };
        let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let place = text.and_then(|text| place(text.strip_prefix(self.mark)?.strip_prefix(' ')?));
        let foreign = || ApiError::invalid("cursor", format!("this is no cursor that {} has given", self.giver));
        place.ok_or_else(foreign).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOBS: Cursors = Cursors { mark: "before", giver: "a page of jobs" };
    const ENTRIES: Cursors = Cursors { mark: "noted before", giver: "a page of the audit log" };

    fn read(cursors: &Cursors, cursor: &str) -> ApiResult<Option<i64>> {
        cursors.read(Filter::from(cursor.to_owned()), |place| place.parse().ok())
    }

    #[test]
    fn a_cursor_survives_the_way_to_the_client_and_back() {
        assert_eq!(read(&JOBS, &JOBS.write(42)).unwrap(), Some(42));
        assert_eq!(read(&JOBS, "").unwrap(), None);
        for bad in ["42", "!", "YmVmb3JlIHg", &ENTRIES.write(42)] {
            assert!(read(&JOBS, bad).is_err(), "{bad}");
        }
        assert!(read(&ENTRIES, &JOBS.write(42)).is_err());
    }
}
