//! What a strain is made of: raw frames, and large values; and how a report shows them.
//!
//! Owns bytes only. When they are sent is not its business.

use serde_json::Value;

use crate::{
    probe::{Bulk, Frame},
    session::Session,
};

/// Raw bytes that are sent at once.
const CHUNK: usize = 1 << 20;

/// Sends a frame, in chunks.
pub(super) async fn send(session: &Session, frame: &Frame) -> std::io::Result<()> {
    for piece in &frame.pieces {
        let Some((bytes, times)) = piece.bytes() else {
            continue;
        };
        let per_chunk = (CHUNK / bytes.len()).max(1) as u64;
        let mut left = times;
        while left > 0 {
            let now = left.min(per_chunk);
            session
                .send_raw(bytes.repeat(usize::try_from(now).unwrap_or(1)))
                .await?;
            left -= now;
        }
    }
    if frame.open {
        return Ok(());
    }
    session.send_raw(b"\n".to_vec()).await
}

/// A frame as a reader sees it.
pub(super) fn shown(frame: &Frame) -> String {
    let pieces: Vec<String> = frame
        .pieces
        .iter()
        .map(|piece| {
            let what = piece.text.as_deref().map_or_else(
                || format!("bytes {}", piece.hex.as_deref().unwrap_or_default()),
                |text| text.chars().take(120).collect(),
            );
            match piece.times {
                Some(times) => format!("{what} ({times} times)"),
                None => what,
            }
        })
        .collect();
    pieces.join(" ")
}

/// Arguments as the report keeps them: what is large is told by its size.
pub(super) fn small(value: &Value) -> Value {
    /// Characters that are kept.
    const KEPT: usize = 200;
    match value {
        Value::String(text) if text.len() > KEPT => {
            let head: String = text.chars().take(KEPT / 4).collect();
            Value::String(format!("{head}... ({} bytes)", text.len()))
        }
        Value::Array(items) if items.len() > KEPT => {
            Value::String(format!("(a list of {} items)", items.len()))
        }
        Value::Array(items) => items.iter().map(small).collect(),
        Value::Object(members) if members.len() > KEPT => {
            Value::String(format!("(an object of {} members)", members.len()))
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), small(value)))
            .collect(),
        other => other.clone(),
    }
}

/// A large value.
pub(super) fn bulky(bulk: Bulk) -> Value {
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    if let Some(bytes) = bulk.bytes {
        return Value::String("a".repeat(size(bytes)));
    }
    if let Some(items) = bulk.items {
        return Value::Array(vec![Value::from("a"); size(items)]);
    }
    let members = bulk.members.unwrap_or_default();
    (0..members)
        .map(|number| (format!("k{number}"), Value::from(number)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
