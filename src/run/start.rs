//! The first start of a target, and the ports that it needs for itself.
//!
//! Owns whom a port belongs to that both want. How a session is opened is not its business.

use super::{Order, conversation::Conversation};
use crate::session::{Direction, Endpoint, HttpEndpoint, OpenError};

/// Starts the target. One that ends at once may have found a port taken at which it listens itself: then it is
/// started once more while the sink leaves it its ports.
pub(super) async fn start(order: &Order<'_>) -> Result<(Conversation, Option<String>), OpenError> {
    if let Some(litter) = order.bed.litter() {
        order.transcript.listen(Box::new(move |entry| {
            if entry.direction == Direction::Sent {
                litter.hear(&entry.bytes);
            }
        }));
    }
    if let (Ok(glass), Some(ports)) = (&order.glass, &order.policy.network().ports) {
        for port in ports {
            // Taken by somebody else, its control fails, and says so.
            let _taken = glass.listen(*port);
        }
    }
    if let (Ok(glass), Endpoint::Stdio(launch)) = (&order.glass, &order.endpoint)
        && let Some(port) = launch.serves.as_ref().and_then(HttpEndpoint::port)
    {
        glass.leave(port);
    }
    let open = || Conversation::open(order);
    let error = match (open().await, &order.glass) {
        (Err(error @ OpenError::Exited { .. }), Ok(glass)) => {
            let free = glass.yield_ports();
            let again = open().await;
            let taken = glass.retake_ports(&free);
            match again {
                Ok(conversation) => {
                    let note = (!taken.is_empty()).then(|| ports_note(&taken));
                    return Ok((conversation, note));
                }
                Err(_) => error,
            }
        }
        (opened, _) => return opened.map(|conversation| (conversation, None)),
    };
    Err(error)
}

/// What is lost with ports that the target took.
fn ports_note(taken: &[u16]) -> String {
    let ports: Vec<String> = taken.iter().map(u16::to_string).collect();
    format!(
        "the target listens at port {} itself, so the sink does not: what goes there is seen by its first \
         packet alone",
        ports.join(", ")
    )
}
