//! The defects of a tool that asks an API.
//!
//! Owns how each joins what the caller gives to the base URL.

use percent_encoding::{AsciiSet, utf8_percent_encode};

use crate::reference::Flaw;
use crate::reference::net::{ESCAPED, Net, PART, RECORDS, read_url};
use crate::reference::refusal::Refusal;

const NOT_SLASHES: AsciiSet = ESCAPED.remove(b'/');
const NOT_ENDS: AsciiSet = ESCAPED.remove(b'?').remove(b'#');

/// The URL that the flaws make of a base and an id, or `None` for the sound one.
pub(in crate::reference) fn record_url(
    net: &Net,
    base: &str,
    id: &str,
) -> Option<Result<String, Refusal>> {
    if net.has(Flaw::NetBaseJoin) {
        let joined = read_url(&format!("{base}{RECORDS}")).and_then(|records| {
            let joined = records.join(id);
            joined.map_err(|_| Refusal::invalid("Invalid id"))
        });
        return Some(joined.map(String::from));
    }
    if net.has(Flaw::NetBaseConcat) {
        return Some(Ok(format!("{base}{id}")));
    }
    let escaped = if net.has(Flaw::NetBaseDotdot) {
        &NOT_SLASHES
    } else if net.has(Flaw::NetBaseCut) {
        &NOT_ENDS
    } else {
        return None;
    };
    let id = utf8_percent_encode(id, escaped);
    Some(Ok(format!("{base}{RECORDS}{id}{PART}")))
}
