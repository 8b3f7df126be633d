//! A network of glass: every address of the internet leads to us, and everything that is sent is seen.
//!
//! Owns what answers inside the run's own network namespace (sockets, resolver, certificates) and the record of
//! all that arrived. Knows nothing of tools, calls or verdicts; who made the namespace is not its business either.

mod authority;
mod glass;
mod guard;
mod http;
mod log;
mod names;
mod nonce;
mod own;
mod packets;
mod perform;
mod resolver;
mod script;
mod sight;
mod sink;
mod speak;
mod tie;
mod udp;
mod unix;
mod wires;

pub use authority::AuthorityError;
pub use glass::*;
pub use guard::{GuardError, OwnSocket, Sealed};
pub use log::{Hit, Hits, Kind};
pub use names::{Answers, Data, Names, Rcode, Server};
pub use nonce::{Nonce, NonceError};
pub use resolver::{NSSWITCH, resolv_conf};
pub use script::{Failure, Page, Script, Spot};
pub use sight::{Sight, Witnesses};
pub use tie::Tie;
pub use unix::Socket;
pub use wires::WireError;
