//! The API of the server: where it is for a call, and what of the call goes into its URLs.
//!
//! Owns the URL of a record. How it is fetched is another's.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Net, Reply};
use crate::reference::flawed;
use crate::reference::refusal::Refusal;

/// The directory of the records.
pub(in crate::reference) const RECORDS: &str = "/v1/records/";
/// What of a record is asked for.
pub(in crate::reference) const PART: &str = "/notes";
/// All but the unreserved characters of RFC 3986.
pub(in crate::reference) const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

tokio::task_local! {
    /// The base URL that a header of the call's request names.
    pub(in crate::reference) static UPSTREAM: Option<String>;
}

/// The base URL that a header of the call's request names, if one does.
pub(in crate::reference) fn upstream() -> Option<String> {
    UPSTREAM.try_with(Clone::clone).ok().flatten()
}

impl Net {
    /// Fetches the notes of a record.
    ///
    /// # Errors
    /// [`Refusal`].
    pub(in crate::reference) async fn record(&self, id: &str) -> Result<Reply, Refusal> {
        let named = upstream().filter(|_| self.header_upstream);
        let base = named.as_ref().or(self.api.as_ref()).ok_or(Refusal::Host)?;
        let base = base.trim_end_matches('/');
        let url = match flawed::net::record_url(self, base, id) {
            Some(url) => url?,
            // These two are segments of a path whether they are escaped or not.
            None if matches!(id, "" | "." | "..") => return Err(Refusal::invalid("Invalid id")),
            None => format!("{base}{RECORDS}{}{PART}", utf8_percent_encode(id, &ESCAPED)),
        };
        self.get(&url, &Vec::new()).await
    }
}
