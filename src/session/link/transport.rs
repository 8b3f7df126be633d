//! The pipes of a link as rmcp sees them.
//!
//! Owns the numbering of requests, where two clients speak to the same target one after the other.

use std::{io, sync::Arc};

use rmcp::{
    RoleClient,
    model::{ClientJsonRpcMessage, ClientNotification, RequestId, ServerJsonRpcMessage},
    transport::Transport,
};
use tokio::sync::mpsc;

use super::super::Outcome;
use super::{Link, locked};

/// The pipes as rmcp sees them.
#[derive(Debug)]
pub(in crate::session) struct LinkTransport {
    pub(super) link: Arc<Link>,
    pub(super) incoming: Option<mpsc::Receiver<ServerJsonRpcMessage>>,
    pub(super) base: i64,
}

impl Drop for LinkTransport {
    // So that another lifecycle can be tried on the same process.
    fn drop(&mut self) {
        if let Some(incoming) = self.incoming.take()
            && locked(&self.link.outgoing).is_some()
        {
            *locked(&self.link.incoming) = Some(incoming);
        }
    }
}

fn shift(id: &mut RequestId, by: i64) {
    if let RequestId::Number(number) = id {
        *number += by;
    }
}

impl Transport<RoleClient> for LinkTransport {
    type Error = io::Error;

    fn send(
        &mut self,
        mut message: ClientJsonRpcMessage,
    ) -> impl Future<Output = Result<(), io::Error>> + Send + 'static {
        match &mut message {
            ClientJsonRpcMessage::Request(request) => shift(&mut request.id, self.base),
            ClientJsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) =
                    &mut notification.notification
                    && let Some(id) = &mut cancelled.params.request_id
                {
                    shift(id, self.base);
                }
            }
            _ => {}
        }
        let number = self.link.board.sending(&message);
        let sent = serde_json::to_vec(&message)
            .map_err(io::Error::from)
            .and_then(|mut bytes| {
                bytes.push(b'\n');
                self.link.send(bytes)
            });
        if let (Err(error), Some(number)) = (&sent, number) {
            self.link.board.settle(
                number,
                Outcome::SendFailed(error.to_string()),
                Arc::default(),
            );
        }
        std::future::ready(sent)
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        let mut message = self.incoming.as_mut()?.recv().await?;
        match &mut message {
            ServerJsonRpcMessage::Response(response) => shift(&mut response.id, -self.base),
            ServerJsonRpcMessage::Error(error) => {
                if let Some(id) = &mut error.id {
                    shift(id, -self.base);
                }
            }
            _ => {}
        }
        Some(message)
    }

    async fn close(&mut self) -> Result<(), io::Error> {
        Ok(())
    }
}
