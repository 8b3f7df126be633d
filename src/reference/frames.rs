//! What the server lets in from its client: whole frames of bounded length, and nothing else.
//!
//! Owns the filter between standard input and the protocol. A frame that is too long, no UTF-8, no JSON
//! object, or nested too deeply is dropped; the next one counts again.

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::{Flaw, FlawSet};

/// Longest frame: above all that the tools can use.
const LONGEST: usize = 32 << 20;

/// Bytes between the filter and the protocol.
const BETWEEN: usize = 64 << 10;

/// Lets frames of `read` through; the server reads them from what is returned.
pub(super) fn filter<R>(read: R, flaws: &FlawSet) -> DuplexStream
where
    R: AsyncRead + Send + Unpin + 'static,
{
    let (ours, theirs) = tokio::io::duplex(BETWEEN);
    let limit = if flaws.has(Flaw::ResLineUnbounded) {
        usize::MAX
    } else {
        LONGEST
    };
    let dies = flaws.has(Flaw::ResFrameDies);
    // The task ends with its input, or with the server.
    tokio::spawn(pass(read, ours, limit, dies));
    theirs
}

async fn pass<R>(mut read: R, mut to: DuplexStream, limit: usize, dies: bool)
where
    R: AsyncRead + Send + Unpin,
{
    let mut chunk = vec![0; BETWEEN];
    let mut line = Vec::new();
    let mut overlong = false;
    while let Ok(count @ 1..) = read.read(&mut chunk).await {
        for part in chunk[..count].split_inclusive(|byte| *byte == b'\n') {
            overlong |= line.len() + part.len() > limit;
            if overlong {
                line = Vec::new();
            } else {
                line.extend_from_slice(part);
            }
            if part.last() != Some(&b'\n') {
                continue;
            }
            let whole = !std::mem::take(&mut overlong) && is_frame(&line);
            if whole && to.write_all(&line).await.is_err() {
                return;
            }
            if !whole && dies {
                return;
            }
            line.clear();
        }
    }
    // A last frame without an end is one all the same.
    if !overlong && is_frame(&line) {
        line.push(b'\n');
        let _hung_up = to.write_all(&line).await;
    }
}

/// Whether a line is a JSON-RPC message, nested no deeper than serde_json goes.
fn is_frame(line: &[u8]) -> bool {
    let id = |value: &Value| value.is_string() || value.is_i64() || value.is_u64();
    match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(frame)) => {
            frame.get("jsonrpc").and_then(Value::as_str) == Some("2.0")
                && frame.get("id").is_none_or(id)
                && frame.get("params").is_none_or(Value::is_object)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn passed(input: &[u8], limit: usize, dies: bool) -> String {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        pass(input, ours, limit, dies).await;
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.unwrap_or_default();
        text
    }

    #[tokio::test]
    async fn only_whole_frames_pass() {
        let good = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
        let deep = "[".repeat(5000);
        let input = format!("{{\n{good}\u{1}\n[{good}]\n{deep}\n{good}");
        assert_eq!(
            passed(input.as_bytes(), LONGEST, false).await,
            good.repeat(2)
        );
        assert_eq!(passed(b"\xff\xfe\n", LONGEST, false).await, "");
        let long = format!("\"{}\n{good}", "a".repeat(500));
        assert_eq!(passed(long.as_bytes(), 100, false).await, good);
        assert_eq!(passed(input.as_bytes(), LONGEST, true).await, "");
    }
}
