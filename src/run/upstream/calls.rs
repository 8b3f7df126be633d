//! What is asked of a server in a session with headers, and what it has said by then.
//!
//! Owns the choice of the calls: plain ones, and none of a destructive tool. What the headers are is not its business.

use std::{sync::Arc, time::Duration};

use crate::{
    channel::{Channel, destructive, sweep},
    run::{
        control::plain,
        stage::{Counting, Stage},
    },
    session::{Caller as _, Direction, Exchange, Session, Tool},
    testbed::Geometry,
};

/// Calls of one session at most.
const CALLS: usize = 16;

/// What is asked in a session.
pub(super) enum Call {
    Plain(Arc<Channel>),
    Tool(String),
}

impl Call {
    fn tool(&self) -> &str {
        match self {
            Self::Plain(channel) => &channel.tool,
            Self::Tool(tool) => tool,
        }
    }

    /// Makes the call; nothing where it cannot be made here.
    pub(super) async fn make(
        &self,
        stage: &Stage<'_>,
        session: &Session,
        deadline: Duration,
    ) -> Option<Exchange> {
        match self {
            Self::Tool(tool) => {
                let exchange = session.call(tool, serde_json::Map::new(), deadline).await;
                stage.tally.count(&exchange);
                Some(exchange)
            }
            Self::Plain(channel) => {
                let plain = plain(channel)?;
                let ask = stage.plain_ask(channel, plain, deadline);
                let word = "headers";
                let geometry = Geometry::twin(stage.bed, word, None);
                let scene = stage.set(&ask, geometry, word).ok()?;
                let played = stage.play(session, &ask, scene, Counting::All).await.ok()?;
                Some(played.exchange)
            }
        }
    }
}

/// All that the target said in the run.
pub(super) fn heard(session: &Session) -> Vec<String> {
    let records = session.transcript().records().map_while(Result::ok);
    records
        .filter(|record| record.entry.direction != Direction::Sent)
        .map(|record| String::from_utf8_lossy(&record.entry.bytes).into_owned())
        .collect()
}

/// What is called: what reaches hosts, what takes no arguments, and what takes a text.
pub(super) fn calls(
    tools: &[Tool],
    channels: &[Arc<Channel>],
    allow_destructive: &[String],
) -> Vec<Call> {
    let network = channels.iter().filter(|channel| {
        channel.proof.proven() && channel.role.of_network() && channel.then.is_none()
    });
    let bare = tools.iter().filter(|tool| {
        let required = tool.input_schema["required"].as_array();
        required.is_none_or(Vec::is_empty)
            && (destructive(tool).is_none() || allow_destructive.contains(&tool.name))
    });
    let swept = sweep(tools, channels, allow_destructive)
        .into_iter()
        .map(Arc::new);
    let mut made: Vec<Call> = Vec::new();
    let all = network
        .cloned()
        .map(Call::Plain)
        .chain(bare.map(|tool| Call::Tool(tool.name.clone())))
        .chain(swept.map(Call::Plain));
    for call in all {
        if made.len() < CALLS && made.iter().all(|known| known.tool() != call.tool()) {
            made.push(call);
        }
    }
    made
}
