//! The visit: launches of their own in which a target is looked at, asked for nothing, and ended.
//!
//! Owns these launches. A run in namespaces of ours would see what those impose, not what the
//! launcher gives; so the visit may be made outside of them, before the run.

use std::{fs::File, path::PathBuf, time::Duration};

use crate::{
    session::{Ending, Endpoint, OpenError, Options, Session, Transcript},
    witness::process::{Postures, Read, look, name},
};

/// How long a target may take to end: longer than clients wait that send `SIGTERM` or kill then. On a
/// busy machine an end takes its time: who is left then is looked for once more, after more of it.
const GRACES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(15)];

/// Launches the target, looks at its processes and at how they end. `paths` are those below which
/// it must not be able to write.
///
/// # Errors
/// Why it could not be looked at, in words.
pub async fn visit(
    endpoint: &Endpoint,
    options: &Options,
    paths: &[PathBuf],
) -> Result<Postures, String> {
    let lent = lend().map_err(|error| format!("no descriptor could be lent: {error}"))?;
    let session = open(endpoint, options, GRACES[0])
        .await
        .map_err(|error| format!("the target could not be looked at: {error}"))?;
    let mut postures = look(&session, paths).await;
    drop(lent);
    let first = end(session, End::Input, GRACES[0]).await;
    postures.endings.input = Some(match first {
        Ok(left) if !left.is_empty() => again(endpoint, options, End::Input, &GRACES[1..]).await,
        first => first,
    });
    postures.endings.terminate = Some(again(endpoint, options, End::Terminate, &GRACES).await);
    Ok(postures)
}

/// A way to end a target.
#[derive(Debug, Clone, Copy)]
enum End {
    /// Its input ends.
    Input,
    /// The launched command gets `SIGTERM`.
    Terminate,
}

async fn open(
    endpoint: &Endpoint,
    options: &Options,
    grace: Duration,
) -> Result<Session, OpenError> {
    let mut options = options.clone();
    options.limits.close = grace;
    Session::open(endpoint, &options, Transcript::new()).await
}

/// Ends a target, and says who had to be ended by the harness.
async fn end(session: Session, how: End, grace: Duration) -> Read<Vec<String>> {
    let names = names(&session);
    let ending = match how {
        End::Input => session.close().await,
        End::Terminate => session.terminate(grace).await,
    };
    left(&ending, &names)
}

/// Starts and ends the target, with more patience each time, until nobody is left.
async fn again(
    endpoint: &Endpoint,
    options: &Options,
    how: End,
    graces: &[Duration],
) -> Read<Vec<String>> {
    let mut left = Ok(Vec::new());
    for grace in graces {
        let session = open(endpoint, options, *grace)
            .await
            .map_err(|error| format!("the target did not start a second time: {error}"))?;
        left = end(session, how, *grace).await;
        if left.as_ref().is_ok_and(Vec::is_empty) {
            break;
        }
    }
    left
}

/// An open file that is left to the launched command, as a careless launcher leaves its own. A
/// sandbox that closes what it was not told to keep closes it.
fn lend() -> std::io::Result<File> {
    let file = tempfile::tempfile()?;
    rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty())?;
    Ok(file)
}

fn names(session: &Session) -> Vec<(u32, String)> {
    let members = session.processes();
    members.iter().map(|one| (one.pid, name(one.pid))).collect()
}

/// Who had to be ended by the harness.
fn left(ending: &Ending, names: &[(u32, String)]) -> Read<Vec<String>> {
    if !cfg!(target_os = "linux") {
        return Err(String::from("trees of processes are only seen on Linux"));
    }
    let named = |pid: &u32| match names.iter().find(|(known, _)| known == pid) {
        Some((_, name)) => format!("{name} (pid {pid})"),
        None => format!("pid {pid}, which was started late"),
    };
    Ok(ending
        .killed
        .iter()
        .chain(&ending.survivors)
        .map(named)
        .collect())
}
