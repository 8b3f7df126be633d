//! A target that is launched and then spoken to over HTTP.
//!
//! Owns the wait until it listens, and that its end is the end of the conversation. What is said is HTTP's; what the
//! process prints is kept, and is no part of the conversation.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::net::TcpStream;

use super::{
    Death, HttpEndpoint, Launch, OpenError, Options, Transcript,
    board::Board,
    link::Link,
    open::{self, Opened},
};

/// Between two looks whether it listens.
const PAUSE: Duration = Duration::from_millis(50);
/// After its death, for the last lines of what it prints.
const LAST_LINES: Duration = Duration::from_millis(20);

/// Launches the command, waits until it listens, and opens a conversation there.
pub(super) async fn open(
    launch: &Launch,
    at: &HttpEndpoint,
    options: &Options,
    transcript: Transcript,
) -> Result<Opened, OpenError> {
    let began = Instant::now();
    let until = began + options.limits.startup;
    let url: http::Uri = at.url.parse().map_err(|error: http::uri::InvalidUri| {
        OpenError::BadOption(format!("`{}` is no URL: {error}", at.url))
    })?;
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let place = (host, at.port().unwrap_or_default());
    // What answered there would be taken for the command.
    if answers(place.0, place.1).await {
        return Err(OpenError::Taken {
            program: launch.program.clone(),
            url: at.url.clone(),
        });
    }
    let pipes = Board::new(transcript.clone(), options.limits.clone(), false);
    let link = Link::spawn(launch, Arc::new(pipes))?;
    let opened = async {
        listens(launch, at, place, &link, until).await?;
        let mut options = options.clone();
        options.limits.startup = until.saturating_duration_since(Instant::now());
        open::http(at, &options, transcript).await
    };
    match opened.await {
        Ok(opened) => {
            let (board, mut exit) = (Arc::clone(&opened.board), link.exits());
            tokio::spawn(async move {
                // What closes its output may serve all the same.
                let ended = exit.wait_for(Option::is_some).await;
                if let Some(status) = ended.ok().and_then(|status| status.clone()) {
                    board.die(Death::Exited(status));
                }
            });
            let mut info = opened.info;
            info.startup = began.elapsed();
            Ok(Opened {
                link: Some(link),
                info,
                ..opened
            })
        }
        Err(error) => {
            link.end(options.limits.close).await;
            Err(error)
        }
    }
}

/// Waits until somebody listens where the command is to serve.
async fn listens(
    launch: &Launch,
    at: &HttpEndpoint,
    (host, port): (&str, u16),
    link: &Link,
    until: Instant,
) -> Result<(), OpenError> {
    loop {
        if answers(host, port).await {
            return Ok(());
        }
        if let Some(status) = link.exit() {
            tokio::time::sleep(LAST_LINES).await;
            return Err(OpenError::Exited {
                program: launch.program.clone(),
                status,
                stdout: link.unfinished(),
                stderr: link.stderr(),
            });
        }
        if Instant::now() >= until {
            return Err(OpenError::Other {
                target: format!("`{}`", launch.program),
                why: format!("it runs, but nobody listens at {}", at.url),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn answers(host: &str, port: u16) -> bool {
    TcpStream::connect((host, port)).await.is_ok()
}
