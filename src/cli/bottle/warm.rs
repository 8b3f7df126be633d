//! Packages that registry launchers fetch, fetched before the bottle is closed.
//!
//! Owns the start outside of the bottle that fills their caches. What caches there are is the target's to know.

use super::super::{
    order::{endpoint, launcher_of, options, placeholders},
    print::shout,
};
use crate::{
    config::Settings,
    session::{Endpoint, Session, Transcript},
    target::{FETCHING, make_caches},
    testbed::Bed,
};

/// Has a registry launcher fetch its package: inside there is no network. The server is started the
/// way it will be inside, asked for nothing, and ended. What it says is of no interest here; if it
/// does not start, it will not start inside either, and that is told.
pub(super) async fn warm(settings: &Settings) {
    let Some(launcher) = launcher_of(&settings.target) else {
        return;
    };
    shout(&format!("     warming {}\n", launcher.note()));
    make_caches(&std::env::vars_os().collect(), launcher);
    let started = async {
        let bed = Bed::create().map_err(|error| error.to_string())?;
        let places = placeholders(&bed, settings);
        let mut target =
            endpoint(&settings.target, &places, &bed).map_err(|error| error.to_string())?;
        if let Endpoint::Stdio(launch) = &mut target.endpoint {
            let set = |name: &&str| Some(((*name).to_owned(), std::env::var(name).ok()?));
            for (name, value) in FETCHING.iter().filter_map(set) {
                launch.env.entry(name).or_insert(value);
            }
        }
        let options = options(settings, &places).map_err(|error| error.to_string())?;
        let session = Session::open(&target.endpoint, &options, Transcript::new())
            .await
            .map_err(|error| error.to_string())?;
        session.close().await;
        Ok::<_, String>(())
    };
    // A server that needs the directories of the policy starts inside only, and is fetched all the same.
    if let Err(why) = started.await {
        let why = why.split("\nfix:").next().unwrap_or_default();
        shout(&format!(
            "     warming outside of the bottle, the server did not start: {why}\n"
        ));
    }
}
