//! What the calls of a target say of the object of a trial.
//!
//! Owns the step from the calls that were seen to one statement. Pure: who made the calls, and when, is the
//! caller's to say.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Component, Path, PathBuf},
};

use super::{
    attempt::{Attempted, How},
    errno::{EINPROGRESS, EINVAL, ELOOP, ENOENT, ENOTDIR, EXDEV, Layer, layer, name},
    event::{Deed, Event, Object},
};
use crate::session::printable;

/// Characters of a name that are told: a target gives it.
const SHOWN: usize = 300;

/// What a trial is about, as far as calls can be about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// What is not to be reached.
    pub objects: Vec<Sought>,
    /// Hosts that are not to be reached, unmapped.
    pub hosts: Vec<IpAddr>,
    /// What the trial would do.
    pub wants: Wants,
    /// The allowed directory as the target has it: what leads to the object and holds this too says nothing.
    pub allowed: PathBuf,
}

/// An object of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// Device and inode, if it is there for us.
    pub id: Option<(u64, u64)>,
    /// Its path as the target has it; ours, where it has none.
    pub inside: PathBuf,
    /// What else the target is told that is to lead to it, with no `..` in it: in a sandbox that may lead to nothing.
    pub told: Vec<PathBuf>,
    /// Whether it could be made: its directory is there for us.
    pub could_be: bool,
    /// Whether the target is known to have no path to it.
    pub absent: bool,
}

impl Sought {
    /// Its paths.
    fn paths(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.inside)
            .chain(&self.told)
            .map(PathBuf::as_path)
    }

    /// Whether a call that finds nothing finds less than we do.
    fn misses(&self, file: &File<'_>, about: About) -> bool {
        // On the way to it, or where it is made, its directory is enough.
        let makes = matches!(file.deed, Deed::Write | Deed::Move);
        let enough = self.could_be && (makes || about == About::Way);
        // Of a directory, a part may be missing for everybody.
        let below = |path: &Path| path != self.inside && path.starts_with(&self.inside);
        let whole = self.absent || !file.leads.is_some_and(below);
        whole && (self.id.is_some() || enough)
    }
}

/// What an attack would do to its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Tell of it.
    Look,
    /// Read it.
    Read,
    /// Make, change or remove it.
    Write,
    /// Reach it.
    Reach,
}

impl Wants {
    fn is(self, deed: Deed) -> bool {
        match self {
            Self::Look => matches!(deed, Deed::Look | Deed::Read | Deed::Move),
            Self::Read => matches!(deed, Deed::Read | Deed::Move),
            Self::Write => matches!(deed, Deed::Write | Deed::Move),
            Self::Reach => deed == Deed::Reach,
        }
    }
}

/// The file that a call is about.
struct File<'e> {
    named: PathBuf,
    leads: Option<&'e Path>,
    id: Option<(u64, u64)>,
    deed: Deed,
}

/// How a call is about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// It names it, by whatever name.
    Itself,
    /// It names a directory on the way to it, which is on the way to nothing that is allowed.
    Way,
}

impl Search {
    /// What the calls say of the objects: the furthest that one of them came.
    #[must_use]
    pub fn judge(&self, events: &[Event]) -> Attempted {
        let mut furthest: Option<(How, &Event)> = None;
        for event in events {
            let Some(how) = self.how(event) else {
                continue;
            };
            if furthest.is_none_or(|(known, _)| rank(how) > rank(known)) {
                furthest = Some((how, event));
            }
        }
        match furthest {
            Some((how, event)) => self.told(how, event),
            None => Attempted {
                how: How::NotMade,
                fact: match self.wants {
                    Wants::Reach => String::from("no attempt was made to reach it"),
                    _ => String::from("no attempt was made on it"),
                },
                call: None,
                errno: None,
                layer: None,
            },
        }
    }

    /// How far a call came, if it is about an object at all.
    fn how(&self, event: &Event) -> Option<How> {
        let (about, missed) = self.about(event)?;
        let attempt = self.wants.is(event.deed);
        let refused = layer(event.errno).is_some_and(|layer| layer != Layer::Mounts || missed);
        Some(match (about, event.errno) {
            // To come that far is no attempt.
            (About::Way, _) if !refused => return None,
            (About::Itself, 0 | EINPROGRESS) if attempt => How::Succeeded,
            (About::Itself, 0 | EINPROGRESS) => How::Looked,
            // What is no link can be told so only by who has looked at it.
            (About::Itself, EINVAL) if event.call.starts_with("readlink") => How::Looked,
            (_, ELOOP | EXDEV | ENOTDIR) if event.guarded => How::Guarded,
            (About::Itself, _) if attempt && refused => How::Refused,
            (_, _) if refused => How::LookRefused,
            _ if attempt && event.errno != ENOENT => How::Failed,
            // What nobody has is no object of anybody's.
            _ => return None,
        })
    }

    /// Whether a call is about one of the objects, and whether what it does not find is there for us.
    fn about(&self, event: &Event) -> Option<(About, bool)> {
        match &event.object {
            Object::Host(address) => {
                let found = self.hosts.contains(&address.ip().to_canonical());
                found.then_some((About::Itself, true))
            }
            Object::File { named, leads, id } => {
                let leads = leads.as_deref().map(Path::new);
                let file = File {
                    named: lexical(Path::new(named)),
                    leads,
                    id: *id,
                    deed: event.deed,
                };
                let mut objects = self.objects.iter();
                objects.find_map(|object| {
                    let about = self.of(&file, object)?;
                    Some((about, object.misses(&file, about)))
                })
            }
            Object::Nothing => None,
        }
    }

    fn of(&self, file: &File<'_>, object: &Sought) -> Option<About> {
        let same = file.id.is_some() && file.id == object.id;
        // What lies in a directory is of it.
        let part = file.id.is_some() && file.named.starts_with(&object.inside);
        if same || part {
            return Some(About::Itself);
        }
        let leads = file.leads?;
        // What was asked for by its own words, and led out of what is allowed.
        if object.told.contains(&file.named) && !leads.starts_with(&self.allowed) {
            return Some(About::Itself);
        }
        let made = matches!(file.deed, Deed::Write | Deed::Move) && self.wants == Wants::Write;
        // What is told by a name below the allowed directory leads out of it by links, or not at all.
        let outside = |path: &&Path| *path == object.inside || !path.starts_with(&self.allowed);
        object.paths().filter(outside).find_map(|path| {
            if leads.starts_with(path) {
                return Some(About::Itself);
            }
            if self.allowed.starts_with(leads) || leads.starts_with(&self.allowed) {
                return None;
            }
            // What is made beside it first is to become it.
            if made && leads.parent() == path.parent() {
                return Some(About::Itself);
            }
            path.starts_with(leads).then_some(About::Way)
        })
    }

    fn told(&self, how: How, event: &Event) -> Attempted {
        let layer = layer(event.errno).filter(|_| matches!(how, How::Refused | How::LookRefused));
        let object = match &event.object {
            Object::File { named, leads, .. } if named.is_empty() => {
                leads.clone().unwrap_or_else(|| String::from("it"))
            }
            Object::File { named, .. } => named.clone(),
            Object::Host(address) => shown(address),
            Object::Nothing => String::new(),
        };
        let object = printable(object.as_bytes(), SHOWN);
        let call = format!("{} of {object}", event.call);
        let errno = name(event.errno);
        let by = format!(
            "{} ({})",
            errno.clone().unwrap_or_default(),
            layer.map_or("", Layer::words)
        );
        Attempted {
            how,
            fact: match how {
                How::Succeeded if event.errno == EINPROGRESS => format!("{call} was begun"),
                How::Succeeded => format!("{call} succeeded"),
                How::Looked => format!("it was looked at ({call}), and no more"),
                How::Guarded => format!("the server had the kernel refuse it: {call}"),
                How::Refused => format!("{call} was refused with {by}"),
                How::LookRefused => format!("looking at it was refused: {call}, with {by}"),
                _ => format!("{call} failed with {}", errno.clone().unwrap_or_default()),
            },
            call: Some(event.call.clone()),
            errno: errno.filter(|_| event.errno != 0),
            layer,
        }
    }
}

/// What tells more of two.
fn rank(how: How) -> u8 {
    match how {
        How::Unseen | How::NotMade => 0,
        How::Failed => 1,
        How::Looked => 2,
        How::LookRefused => 3,
        How::Guarded => 4,
        How::Refused => 5,
        How::Succeeded => 6,
    }
}

fn shown(address: &SocketAddr) -> String {
    match address.port() {
        0 => address.ip().to_string(),
        _ => address.to_string(),
    }
}

/// A path with no `.` and `..` in it, as a text.
#[must_use]
pub fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(deed: Deed, leads: &str, errno: i32) -> Event {
        Event {
            pid: 1,
            call: String::from("openat"),
            deed,
            object: Object::File {
                named: leads.to_owned(),
                leads: Some(leads.to_owned()),
                id: None,
            },
            errno,
            guarded: false,
        }
    }

    fn found(deed: Deed, id: (u64, u64)) -> Event {
        let object = Object::File {
            named: String::from("/w/link"),
            leads: None,
            id: Some(id),
        };
        Event {
            object,
            ..file(deed, "", 0)
        }
    }

    fn search(wants: Wants) -> Search {
        Search {
            objects: vec![Sought {
                id: Some((1, 2)),
                inside: PathBuf::from("/bed/denied/x/secret"),
                told: vec![PathBuf::from("/denied/x/secret")],
                could_be: true,
                absent: false,
            }],
            hosts: vec![IpAddr::from([10, 0, 0, 5])],
            wants,
            allowed: PathBuf::from("/bed/allowed"),
        }
    }

    #[test]
    fn a_look_is_no_attempt() {
        let read = search(Wants::Read);
        for (event, expected) in [
            (file(Deed::Read, "/bed/denied/x/secret", 2), How::Refused),
            (file(Deed::Read, "/bed/denied/x/secret", 30), How::Refused),
            (file(Deed::Read, "/bed/denied/x/secret", 5), How::Failed),
            (
                file(Deed::Look, "/bed/denied/x/secret", 2),
                How::LookRefused,
            ),
            (file(Deed::Look, "/bed/denied/x", 2), How::LookRefused),
            (file(Deed::Read, "/bed/denied", 13), How::LookRefused),
            // By what it was told, which leads elsewhere in its sandbox.
            (file(Deed::Read, "/denied/x/secret", 2), How::Refused),
            (file(Deed::Look, "/denied", 2), How::LookRefused),
            // On the way to what is allowed, or to nothing of the trial.
            (file(Deed::Look, "/bed", 2), How::NotMade),
            (file(Deed::Read, "/bed/denied/y", 2), How::NotMade),
            (found(Deed::Look, (1, 2)), How::Looked),
            (found(Deed::Read, (1, 2)), How::Succeeded),
            (found(Deed::Move, (1, 2)), How::Succeeded),
            (found(Deed::Write, (1, 2)), How::Looked),
            (found(Deed::Read, (1, 3)), How::NotMade),
        ] {
            assert_eq!(
                read.judge(std::slice::from_ref(&event)).how,
                expected,
                "{event:?}"
            );
        }
        let write = search(Wants::Write);
        let beside = file(Deed::Write, "/bed/denied/x/.secret.tmp", 30);
        assert_eq!(write.judge(&[beside]).how, How::Refused);
    }

    #[test]
    fn the_furthest_counts_and_the_servers_own_guard_is_its_own() {
        let search = search(Wants::Read);
        let mut guarded = file(Deed::Read, "/bed/denied/x/secret", 40);
        guarded.guarded = true;
        assert_eq!(search.judge(&[guarded.clone()]).how, How::Guarded);
        let refused = file(Deed::Read, "/bed/denied/x/secret", 13);
        let told = search.judge(&[found(Deed::Look, (1, 2)), refused, guarded]);
        assert_eq!(told.how, How::Refused);
        assert_eq!(
            told.fact,
            "openat of /bed/denied/x/secret was refused with EACCES (permissions, or Landlock)"
        );
        assert_eq!(search.judge(&[]).how, How::NotMade);
    }

    #[test]
    fn what_nobody_has_is_missing_for_everybody() {
        let mut search = search(Wants::Write);
        search.objects[0].id = None;
        let missing = |deed| {
            search
                .judge(&[file(deed, "/bed/denied/x/secret", ENOENT)])
                .how
        };
        assert_eq!(missing(Deed::Look), How::NotMade);
        assert_eq!(missing(Deed::Write), How::Refused);
        search.objects[0].could_be = false;
        let missing = search.judge(&[file(Deed::Write, "/bed/denied/x/secret", ENOENT)]);
        assert_eq!(missing.how, How::NotMade);
    }

    #[test]
    fn hosts_are_met_by_their_address() {
        let search = search(Wants::Reach);
        let reach = |address: &str, errno| Event {
            call: String::from("connect"),
            object: Object::Host(address.parse().expect("an address")),
            ..file(Deed::Reach, "", errno)
        };
        for (event, expected) in [
            (reach("10.0.0.5:80", 101), How::Refused),
            (reach("[::ffff:10.0.0.5]:80", 101), How::Refused),
            (reach("10.0.0.5:80", 115), How::Succeeded),
            (reach("10.0.0.6:80", 0), How::NotMade),
        ] {
            assert_eq!(
                search.judge(std::slice::from_ref(&event)).how,
                expected,
                "{event:?}"
            );
        }
    }
}
