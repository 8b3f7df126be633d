//! The visit: launches of their own in which a target is looked at, asked for nothing, and ended.
//!
//! Owns these launches. A run in namespaces of ours would see what those impose, not what the
//! launcher gives; so the visit may be made outside of them, before the run.

use std::{fs::File, path::PathBuf, time::Duration};

use crate::{
    session::{Ending, Endpoint, Options, Session, Transcript},
    witness::process::{Postures, Read, look, name},
};

/// How long a target may take to end: longer than clients wait that send `SIGTERM` or kill then.
const GRACE: Duration = Duration::from_secs(5);

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
    let mut options = options.clone();
    options.limits.close = GRACE;
    let open = || Session::open(endpoint, &options, Transcript::new());
    let lent = lend().map_err(|error| format!("no descriptor could be lent: {error}"))?;
    let session = open()
        .await
        .map_err(|error| format!("the target could not be looked at: {error}"))?;
    let mut postures = look(&session, paths).await;
    drop(lent);
    let names = names(&session);
    let ending = session.close().await;
    postures.endings.input = Some(left(&ending, &names));
    postures.endings.terminate = Some(match open().await {
        Ok(session) => {
            let names = self::names(&session);
            let ending = session.terminate(GRACE).await;
            left(&ending, &names)
        }
        Err(error) => Err(format!("the target did not start a second time: {error}")),
    });
    Ok(postures)
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
