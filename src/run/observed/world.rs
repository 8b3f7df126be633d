//! What a policy makes of the world that a process lives in, and of whom it could become there.
//!
//! Owns the comparison. A pure function of what was seen. Only a world that is not its launcher's claims to be one
//! of its own.

use super::{
    powers::user_name,
    process::Finding::{self, Against, Agrees, Blind, Moot},
};
use crate::{
    policy::{Access, Policy},
    probe::Claim,
    witness::process::{Door, DoorKind, Gain, Posture, Postures},
};

/// What is found there of a kind, in words: one of them, many of them, and how they are had.
fn words(kind: DoorKind) -> [&'static str; 2] {
    match kind {
        DoorKind::Engine => ["socket of a container engine", "may connect to"],
        DoorKind::Kernel => ["file of the kernel that rules the machine", "may write"],
        DoorKind::Disk => ["disk of the machine", "may open"],
        DoorKind::Root => ["root directory of its launcher", "may enter"],
        DoorKind::Credentials => ["mount that shows its launcher's credentials", "may read"],
    }
}

/// Whether a kind of door stands open to a process in a world of its own.
pub(super) fn doors(
    kind: DoorKind,
    one: &Posture,
    all: &Postures,
    policy: &Policy,
) -> Vec<Finding> {
    let world = match &one.world {
        Ok(world) => world,
        Err(why) => return vec![Blind(why.clone())],
    };
    let Some(own) = &world.own else {
        return vec![Moot(String::from(
            "lives in the file system of its launcher: nothing claims another world for it",
        ))];
    };
    if let Some((_, why)) = world.unseen.iter().find(|(unseen, _)| *unseen == kind) {
        return vec![Blind(why.clone())];
    }
    let [name, had] = words(kind);
    let found: Vec<&Door> = world
        .doors
        .iter()
        .filter(|door| door.kind == kind)
        .collect();
    let (permitted, others): (Vec<&Door>, Vec<&Door>) = found
        .iter()
        .copied()
        .filter(|door| door.open)
        .partition(|door| permits(policy, door));
    // What the root directory of the launcher shows is there whatever is mounted beside it.
    let whole = kind == DoorKind::Root || (kind == DoorKind::Credentials && others.is_empty());
    if world.same_root && whole {
        return vec![Moot(format!(
            "has {own}, and the root directory of its launcher as its own: nothing claims another one"
        ))];
    }
    if others.is_empty() {
        let closed = found.iter().filter(|door| !door.open).count();
        let mut text = format!(
            "has {own} ({} mounts), and no {name} that it {had}",
            world.mounts
        );
        if closed > 0 {
            text.push_str(&format!("; {closed} that it sees are closed to it"));
        }
        if !permitted.is_empty() {
            text.push_str(&format!("; the policy permits {}", places(&permitted)));
        }
        return vec![Agrees(text)];
    }
    if let Some(why) = doubt(kind, one, all, &others) {
        return vec![Blind(format!("{}: {why}", places(&others)))];
    }
    vec![Against(format!(
        "has {own}, and yet {had} {} ({name})",
        places(&others)
    ))]
}

fn places(doors: &[&Door]) -> String {
    let place = |door: &&Door| match &door.from {
        Some(from) => format!("{} ({} outside)", door.at.display(), from.display()),
        None => door.at.display().to_string(),
    };
    doors.iter().map(place).collect::<Vec<_>>().join(", ")
}

/// Whether the policy names it among what the server may use.
fn permits(policy: &Policy, door: &Door) -> bool {
    let access = match door.kind {
        DoorKind::Credentials | DoorKind::Root => Access::Read,
        _ => Access::Write,
    };
    let mut paths = [Some(&door.at), door.from.as_ref()].into_iter().flatten();
    policy.claims(Claim::Outside) && paths.any(|path| policy.decide(path, access).allowed)
}

/// What could keep the process from a door without being seen.
fn doubt(kind: DoorKind, one: &Posture, all: &Postures, doors: &[&Door]) -> Option<String> {
    let label = |posture: &Posture| posture.label.clone();
    match (label(one), label(&all.own)) {
        (Ok(Some(theirs)), Ok(ours)) if Some(&theirs) != ours.as_ref() => {
            return Some(format!(
                "it is confined as `{theirs}`, whose rules may keep it from that and are told by no file"
            ));
        }
        (Err(why), _) => return Some(why),
        _ => {}
    }
    // What was handed in was meant to be used; what merely stands there may be out of reach without sockets.
    if kind != DoorKind::Engine || doors.iter().any(|door| door.given) {
        return None;
    }
    let filters = |posture: &Posture| posture.status.as_ref().ok().map(|status| status.filters);
    (filters(one) != filters(&all.own)).then(|| {
        String::from("it runs under a filter of system calls, which may keep sockets from it and is told by no file")
    })
}

/// Whom a process could become.
pub(super) fn gain(one: &Posture, all: &Postures) -> Finding {
    let gain = match &one.gain {
        Ok(gain) => gain,
        Err(why) => return Blind(why.clone()),
    };
    match gain {
        Gain::Root => Moot(String::from(
            "is root already, and becomes anybody without a program",
        )),
        Gain::Nobody(why) => Agrees(format!("can become no other user by a program: {why}")),
        Gain::User { id, by } => {
            let whom = match id {
                0 => String::from("root"),
                id => format!("user {}", user_name(*id, all)),
            };
            let became = format!("can become {whom} by executing {}", by.display());
            match doubt(DoorKind::Kernel, one, all, &[]) {
                None => Against(became),
                Some(why) => Blind(format!("it {became}, unless something forbids it: {why}")),
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use crate::{
        diag::Source,
        witness::process::{Status, World},
    };

    fn posture(world: World) -> Posture {
        Posture {
            status: Ok(Status {
                filters: Some(0),
                ..Status::default()
            }),
            label: Ok(None),
            world: Ok(world),
            ..Posture::unread()
        }
    }

    fn with(given: bool, open: bool) -> World {
        World {
            own: Some(String::from("a mount namespace of its own")),
            doors: vec![Door {
                kind: DoorKind::Engine,
                at: "/run/docker.sock".into(),
                from: None,
                given,
                open,
            }],
            ..World::default()
        }
    }

    fn policy(paths: &str) -> Policy {
        let text = format!("[capabilities.filesystem]\nallowed_paths = [{paths}]\n");
        Policy::load(&Source::new("policy.toml", text)).unwrap()
    }

    fn judged(one: &Posture, policy: &Policy) -> Finding {
        let all = Postures::around(posture(World::default()));
        doors(DoorKind::Engine, one, &all, policy).pop().unwrap()
    }

    #[test]
    fn a_door_counts_in_a_world_of_its_own_and_where_nothing_else_could_close_it() {
        let policy = policy("\"/srv\"");
        let of = |one: &Posture| judged(one, &policy);
        assert!(matches!(of(&posture(with(false, true))), Against(_)));
        assert!(matches!(of(&posture(with(true, false))), Agrees(_)));
        let same = World {
            own: None,
            ..with(true, true)
        };
        assert!(matches!(of(&posture(same)), Moot(_)));
        let unseen = World {
            unseen: vec![(DoorKind::Engine, String::from("hidden"))],
            ..with(true, true)
        };
        assert!(matches!(of(&posture(unseen)), Blind(_)));
        let mut confined = posture(with(true, true));
        confined.label = Ok(Some(String::from("profile")));
        assert!(matches!(of(&confined), Blind(_)));
        // A filter of its own may keep sockets from it; one that was handed in was meant to be used.
        for (given, sure) in [(false, false), (true, true)] {
            let mut filtered = posture(with(given, true));
            filtered.status.as_mut().unwrap().filters = Some(1);
            assert_eq!(matches!(of(&filtered), Against(_)), sure);
        }
    }

    #[test]
    fn what_the_policy_lists_is_permitted() {
        let one = posture(with(true, true));
        let named = judged(&one, &policy("\"/srv\", \"/run/docker.sock\""));
        assert!(matches!(named, Agrees(text) if text.contains("permits /run/docker.sock")));
        assert!(matches!(
            judged(&one, &policy("\"/run/other\"")),
            Against(_)
        ));
    }

    #[test]
    fn whoever_becomes_another_user_counts() {
        let all = Postures::around(posture(World::default()));
        let of = |gain: Gain| {
            let mut one = posture(World::default());
            one.gain = Ok(gain);
            super::gain(&one, &all)
        };
        let by = |id| Gain::User {
            id,
            by: "/usr/bin/su".into(),
        };
        assert!(matches!(of(by(0)), Against(text) if text.contains("become root by")));
        assert!(matches!(of(by(6)), Against(text) if text.contains("become user 6 by")));
        assert!(matches!(of(Gain::Root), Moot(_)));
        assert!(matches!(of(Gain::Nobody(String::new())), Agrees(_)));
        assert!(matches!(
            super::gain(&posture(World::default()), &all),
            Blind(_)
        ));
    }
}
