//! The visit: launches of their own in which a target is looked at, asked for nothing, and ended.
//!
//! Owns these launches. A run in namespaces of ours would see what those impose, not what the
//! launcher gives; so the visit may be made outside of them, before the run.

use std::{collections::BTreeMap, fs::File, time::Duration};

use crate::{
    canary::Mint,
    policy::Policy,
    probe::Aspect,
    session::{Ending, Endpoint, OpenError, Options, Session, Transcript},
    testbed::{Variable, plant_variables},
    witness::process::{Postures, Read, Wanted, look, name},
};

/// How long a target may take to end: longer than clients wait that send `SIGTERM` or kill then. On a
/// busy machine an end takes its time: who is left then is looked for once more, after more of it.
const GRACES: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(15)];

/// What a visit is for.
#[derive(Debug, Clone, Copy)]
pub struct Purpose<'a> {
    /// What is claimed of the processes.
    pub policy: &'a Policy,
    /// Variables of the endpoint that hold no secrets of the user's; others are added, as users have them.
    pub planted: &'a [Variable],
    /// What is to be seen. How they end takes launches of its own, and long where they do not; whom they could
    /// become, a look at every file.
    pub aspects: &'a [Aspect],
}

/// Launches the target, looks at its processes and at how they end.
///
/// # Errors
/// Why it could not be looked at, in words.
pub async fn visit(
    endpoint: &Endpoint,
    options: &Options,
    purpose: Purpose<'_>,
) -> Result<Postures, String> {
    let (endpoint, variables) = &with_variables(endpoint, purpose);
    let lent = lend().map_err(|error| format!("no descriptor could be lent: {error}"))?;
    let session = open(endpoint, options, GRACES[0])
        .await
        .map_err(|error| format!("the target could not be looked at: {error}"))?;
    let sees = |of: fn(Aspect) -> bool| purpose.aspects.iter().any(|aspect| of(*aspect));
    let wanted = Wanted {
        paths: purpose.policy.read_only_paths(),
        doors: sees(Aspect::of_doors),
        gain: purpose.aspects.contains(&Aspect::SetUserId),
    };
    let mut postures = look(&session, &wanted).await;
    postures.lent.clone_from(variables);
    drop(lent);
    if !sees(Aspect::of_ending) {
        session.close().await;
        return Ok(postures);
    }
    let first = end(session, End::Input, GRACES[0]).await;
    postures.endings.input = Some(match first {
        Ok(left) if !left.is_empty() => again(endpoint, options, End::Input, &GRACES[1..]).await,
        first => first,
    });
    postures.endings.terminate = Some(again(endpoint, options, End::Terminate, &GRACES).await);
    Ok(postures)
}

/// The endpoint with variables as the shell of a user has them, and those of them that the server does not need.
fn with_variables(
    endpoint: &Endpoint,
    Purpose {
        policy, planted, ..
    }: Purpose<'_>,
) -> (Endpoint, BTreeMap<String, String>) {
    let mut endpoint = endpoint.clone();
    let Endpoint::Stdio(launch) = &mut endpoint else {
        return (endpoint, BTreeMap::new());
    };
    let more = plant_variables(&Mint::new(), &mut launch.env, &policy.needed_variables());
    let lent = planted
        .iter()
        .chain(&more)
        .filter(|variable| !variable.declared)
        .filter_map(|variable| launch.env.get_key_value(&variable.name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    (endpoint, lent)
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
