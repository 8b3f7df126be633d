//! What we answer when the target asks us something.
//!
//! Owns the answers: roots when they are offered, and a refusal of everything else. An honest
//! client grants nothing, so that nothing a server does is our permission.

#![expect(
    deprecated,
    reason = "roots and sampling are deprecated in revision 2026-07-28, and servers of older ones use them"
)]

use std::path::PathBuf;

use rmcp::{
    ClientHandler, ErrorData, RoleClient,
    model::{
        ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorCode,
        Implementation, ListRootsResult, ProtocolVersion, Root,
    },
    service::RequestContext,
};

/// Our side of the conversation.
#[derive(Debug, Clone)]
pub(super) struct Handler {
    config: ClientConfig,
    roots: Option<Vec<String>>,
}

impl Handler {
    pub(super) fn new(roots: Option<&[PathBuf]>, protocol: ProtocolVersion) -> Self {
        let capabilities = match roots {
            Some(_) => serde_json::json!({ "roots": {} }),
            None => serde_json::json!({}),
        };
        let capabilities =
            serde_json::from_value(capabilities).expect("both literals are valid capabilities");
        Handler {
            config: ClientConfig::new(
                capabilities,
                Implementation::new("watertight", env!("CARGO_PKG_VERSION")),
            )
            .with_protocol_version(protocol),
            roots: roots.map(|roots| roots.iter().map(|path| file_uri(path)).collect()),
        }
    }
}

/// `file:` URI of an absolute path (RFC 8089), every byte outside the unreserved set escaped.
fn file_uri(path: &std::path::Path) -> String {
    const KEPT: percent_encoding::AsciiSet = percent_encoding::NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    format!(
        "file://{}",
        percent_encoding::percent_encode(path.as_os_str().as_encoded_bytes(), &KEPT)
    )
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        self.config.clone()
    }

    async fn list_roots(
        &self,
        _context: RequestContext<RoleClient>,
    ) -> Result<ListRootsResult, ErrorData> {
        match &self.roots {
            Some(roots) => Ok(ListRootsResult::new(
                roots.iter().cloned().map(Root::new).collect(),
            )),
            None => Err(ErrorData::new(
                ErrorCode::METHOD_NOT_FOUND,
                "roots are not offered",
                None,
            )),
        }
    }

    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Decline))
    }
}

#[cfg(test)]
mod tests {
    use super::file_uri;

    #[test]
    fn roots_are_valid_uris() {
        assert_eq!(
            file_uri(std::path::Path::new("/tmp/a b/ü#?")),
            "file:///tmp/a%20b/%C3%BC%23%3F"
        );
    }
}
