//! A conversation with a target: rmcp over a link of ours, every byte kept.
//!
//! Owns calls, deadlines, limits, the transcript and the end of the conversation. Knows nothing of
//! probes or verdicts: it says what happened, never what it means.
//!
//! Bytes flow `pipe or socket -> transcript (and its listeners) -> board -> rmcp`. The board reads
//! each line once, leniently, and settles the call that it answers, so that what rmcp cannot
//! decode ends a call instead of hanging it. rmcp performs the lifecycle, numbers the requests,
//! adds what the stateless era wants in each, answers the target's own requests, and speaks HTTP.

mod board;
mod burden;
mod conversation;
mod death;
mod error;
mod exchange;
mod frame;
mod group;
mod handler;
mod http;
mod inside;
mod knock;
mod lines;
mod link;
mod lists;
mod noise;
mod open;
mod options;
mod processes;
mod pumps;
mod reaper;
mod served;
mod serving;
mod show;
mod transcript;

use death::Death;

pub use burden::{Bounds, Burden};
pub use conversation::{Ending, Health, ServerInfo, Session};
pub use error::{ListError, OpenError, StderrTail, Unfit};
pub use exchange::*;
pub use group::{controllers, hold_groups};
pub use inside::Inside;
pub(crate) use inside::THREAD as TARGET_THREAD;
pub(crate) use knock::knock;
pub use noise::{Noise, NoiseKind};
pub use options::{Endpoint, Era, HttpEndpoint, Launch, Limits, Options};
pub use processes::Member;
pub use reaper::{claim_orphans, end_all};
pub use show::printable;
pub use transcript::{Direction, Entry, Record, Transcript};
