//! A thread that stands still at a system call: what it is about to do, and what came of it.
//!
//! Owns its registers and its memory, as far as the listed calls need them. Changes nothing in it.

use std::{
    ffi::OsString,
    io::IoSliceMut,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::ffi::OsStringExt as _,
    path::{Path, PathBuf},
};

use nix::{
    libc,
    sys::{
        ptrace,
        uio::{RemoteIoVec, process_vm_readv},
    },
    unistd::Pid,
};

use super::{
    super::event::{Deed, Event, Object},
    lead::{Lead, Root, held},
    table::{At, Follow, Listed, Shape, of},
};

/// Longest path that the kernel takes (`PATH_MAX`).
const LONGEST: usize = 4096;

/// Bytes that are surely in one page.
const PAGE: u64 = 4096;

/// A call that was entered and has not returned.
#[derive(Debug)]
pub(super) struct Entered {
    name: &'static str,
    /// What it is about, in the order of its arguments.
    objects: Vec<(Deed, Object)>,
    guarded: bool,
    /// Whether it returns a descriptor of its object.
    opens: bool,
}

/// The registers of a call: its number, its arguments.
fn registers(pid: Pid) -> nix::Result<(i64, [u64; 6])> {
    let all = ptrace::getregs(pid)?;
    #[cfg(target_arch = "x86_64")]
    let (number, arguments) = (
        all.orig_rax,
        [all.rdi, all.rsi, all.rdx, all.r10, all.r8, all.r9],
    );
    #[cfg(target_arch = "aarch64")]
    let (number, arguments) = {
        let [one, two, three, four, five, six, _, _, number, ..] = all.regs;
        (number, [one, two, three, four, five, six])
    };
    Ok((number.cast_signed(), arguments))
}

/// What a call returned.
fn returned(pid: Pid) -> nix::Result<i64> {
    let all = ptrace::getregs(pid)?;
    #[cfg(target_arch = "x86_64")]
    let value = all.rax;
    #[cfg(target_arch = "aarch64")]
    let value = all.regs[0];
    Ok(value.cast_signed())
}

/// What a thread is about to do. Nothing when it is gone.
pub(super) fn entered(pid: Pid) -> Option<Entered> {
    let (number, arguments) = registers(pid).ok()?;
    let thread = Thread { pid, arguments };
    thread.read(of(number)?)
}

impl Entered {
    /// What came of it, once it has returned. Nothing when it did not end: it is made again then.
    pub(super) fn left(self, pid: Pid) -> Vec<Event> {
        /// From `ERESTARTSYS` to `ERESTART_RESTARTBLOCK`: errors that stay in the kernel.
        const AGAIN: std::ops::RangeInclusive<i64> = -516..=-512;
        let Ok(value) = returned(pid) else {
            return Vec::new();
        };
        if AGAIN.contains(&value) {
            return Vec::new();
        }
        let errno = if (-4095..0).contains(&value) {
            i32::try_from(-value).unwrap_or_default()
        } else {
            0
        };
        let events = self.objects.into_iter().map(|(deed, mut object)| {
            // What was opened is told best by what is open now; what was made by it was nowhere before.
            if let (true, 0, Object::File { id, .. }) = (self.opens, errno, &mut object) {
                *id = held(pid.as_raw(), value).or(*id);
            }
            Event {
                pid: pid.as_raw(),
                call: self.name.to_owned(),
                deed,
                object,
                errno,
                guarded: self.guarded,
            }
        });
        events.collect()
    }
}

struct Thread {
    pid: Pid,
    arguments: [u64; 6],
}

impl Thread {
    fn read(&self, listed: &Listed) -> Option<Entered> {
        let mut entered = Entered {
            name: listed.name,
            objects: Vec::new(),
            guarded: false,
            opens: false,
        };
        match listed.shape {
            Shape::Paths(one, two) => {
                for at in [Some(one), two].into_iter().flatten() {
                    entered.objects.extend(self.file(at));
                }
            }
            Shape::Open(directory, path) => {
                let flags = self.arguments[path + 1].cast_signed();
                entered.objects.extend(self.opened(directory, path, flags));
                entered.guarded = flags & i64::from(libc::O_NOFOLLOW) != 0;
                entered.opens = true;
            }
            Shape::OpenHow => {
                let how = self.bytes(self.arguments[2], 24)?;
                let word = |at: usize| {
                    let bytes = how.get(at..at + 8)?;
                    Some(u64::from_le_bytes(bytes.try_into().ok()?))
                };
                let flags = word(0)?.cast_signed();
                entered.objects.extend(self.opened(Some(0), 1, flags));
                entered.guarded = flags & i64::from(libc::O_NOFOLLOW) != 0 || word(16)? != 0;
                entered.opens = true;
            }
            Shape::Address(address, length) => {
                let length = usize::try_from(self.arguments[length]).ok()?;
                let host = self.host(self.arguments[address], length);
                // A socket of datagrams that is connected has sent nothing: resolvers ask so for the way to a host.
                let asks = listed.number == libc::SYS_connect && self.sends_datagrams();
                let deed = if asks { Deed::Look } else { Deed::Reach };
                entered.objects.extend(host.map(|host| (deed, host)));
            }
            Shape::Message(message) => {
                let header = self.bytes(self.arguments[message], 12)?;
                let address = u64::from_le_bytes(header.get(..8)?.try_into().ok()?);
                let length = u32::from_le_bytes(header.get(8..12)?.try_into().ok()?);
                let host = self.host(address, length as usize);
                entered.objects.extend(host.map(|host| (Deed::Reach, host)));
            }
            Shape::Ring => entered.objects.push((Deed::Ring, Object::Nothing)),
        }
        // A call about nothing, such as fstat(3) by a descriptor, is none.
        (!entered.objects.is_empty()).then_some(entered)
    }

    fn opened(&self, directory: Option<usize>, path: usize, flags: i64) -> Option<(Deed, Object)> {
        let has = |flag: libc::c_int| flags & i64::from(flag) == i64::from(flag);
        let deed = if has(libc::O_PATH) {
            Deed::Look
        } else if flags & i64::from(libc::O_ACCMODE) == i64::from(libc::O_RDWR) {
            Deed::Move
        } else if has(libc::O_WRONLY) || has(libc::O_CREAT) || has(libc::O_TRUNC) {
            Deed::Write
        } else {
            Deed::Read
        };
        self.file(At {
            directory,
            path,
            follow: if has(libc::O_NOFOLLOW) {
                Follow::No
            } else {
                Follow::Yes
            },
            deed,
        })
    }

    fn file(&self, at: At) -> Option<(Deed, Object)> {
        let path = self.text(self.arguments[at.path])?;
        if path.as_os_str().is_empty() {
            return None;
        }
        let process = self.pid.as_raw();
        let base = match at.directory.map(|at| self.arguments[at] as u32 as i32) {
            _ if path.is_absolute() => PathBuf::new(),
            Some(number) if number != libc::AT_FDCWD => {
                link(Path::new(&format!("/proc/{process}/fd/{number}")))?
            }
            _ => link(Path::new(&format!("/proc/{process}/cwd")))?,
        };
        let named = base.join(path);
        let follow = match at.follow {
            Follow::Yes => true,
            Follow::No => false,
            Follow::Unless(flags) => self.arguments[flags] & libc::AT_SYMLINK_NOFOLLOW as u64 == 0,
        };
        let lead = Root::of(process).map(|root| root.lead(&named, follow));
        let (leads, id) = match lead {
            Ok(Lead::There(id)) => (None, Some(id)),
            Ok(Lead::Nowhere(path)) => (Some(path), None),
            Err(_) => (Some(named.clone()), None),
        };
        let object = Object::File {
            named: named.to_string_lossy().into_owned(),
            leads: leads.map(|path| path.to_string_lossy().into_owned()),
            id,
        };
        Some((at.deed, object))
    }

    /// Whether the descriptor in the first argument is a socket of datagrams.
    fn sends_datagrams(&self) -> bool {
        let socket = || -> rustix::io::Result<bool> {
            let number = self.arguments[0] as u32 as i32;
            // Of a thread, the kernel opens the process.
            let process = self.process().unwrap_or(self.pid.as_raw());
            let process = rustix::process::Pid::from_raw(process).ok_or(rustix::io::Errno::SRCH)?;
            let process =
                rustix::process::pidfd_open(process, rustix::process::PidfdFlags::empty())?;
            let flags = rustix::process::PidfdGetfdFlags::empty();
            let socket = rustix::process::pidfd_getfd(&process, number, flags)?;
            Ok(rustix::net::sockopt::socket_type(&socket)? == rustix::net::SocketType::DGRAM)
        };
        socket().unwrap_or_default()
    }

    /// The process that the thread is of.
    fn process(&self) -> Option<i32> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
        line.trim().parse().ok()
    }

    fn host(&self, address: u64, length: usize) -> Option<Object> {
        /// `sun_path`, behind the family.
        const UNIX: usize = 2;
        let bytes = self.bytes(address, length.min(128))?;
        let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
        let port = || Some(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?));
        let object = match i32::from(family) {
            libc::AF_INET => {
                let four: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
                Object::Host(SocketAddr::new(IpAddr::V4(Ipv4Addr::from(four)), port()?))
            }
            libc::AF_INET6 => {
                let sixteen: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
                Object::Host(SocketAddr::new(
                    IpAddr::V6(Ipv6Addr::from(sixteen)),
                    port()?,
                ))
            }
            libc::AF_UNIX if bytes.get(UNIX).is_some_and(|byte| *byte != 0) => {
                let path = bytes[UNIX..].split(|byte| *byte == 0).next()?;
                let named = PathBuf::from(OsString::from_vec(path.to_vec()));
                let base = link(Path::new(&format!("/proc/{}/cwd", self.pid)))?;
                let named = base.join(named);
                let lead = Root::of(self.pid.as_raw()).ok()?.lead(&named, true);
                let (leads, id) = match lead {
                    Lead::There(id) => (None, Some(id)),
                    Lead::Nowhere(path) => (Some(path.to_string_lossy().into_owned()), None),
                };
                let named = named.to_string_lossy().into_owned();
                Object::File { named, leads, id }
            }
            _ => return None,
        };
        Some(object)
    }

    /// A text of the thread, up to its NUL.
    fn text(&self, address: u64) -> Option<PathBuf> {
        let mut text = Vec::new();
        let mut at = address;
        while text.len() < LONGEST {
            // What follows a page may not be there.
            let chunk = self.some(at, usize::try_from(PAGE - at % PAGE).ok()?.min(512))?;
            if let Some(end) = chunk.iter().position(|byte| *byte == 0) {
                text.extend_from_slice(&chunk[..end]);
                return Some(PathBuf::from(OsString::from_vec(text)));
            }
            at += chunk.len() as u64;
            text.extend(chunk);
        }
        None
    }

    fn bytes(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        self.some(address, length)
            .filter(|bytes| bytes.len() == length)
    }

    fn some(&self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        let from = RemoteIoVec {
            base: usize::try_from(address).ok()?,
            len: length,
        };
        let read = process_vm_readv(self.pid, &mut [IoSliceMut::new(&mut bytes)], &[from]).ok()?;
        bytes.truncate(read);
        (read > 0).then_some(bytes)
    }
}

/// Where a link of /proc leads, by the names of the process that it is about.
fn link(path: &Path) -> Option<PathBuf> {
    std::fs::read_link(path)
        .ok()
        .filter(|target| target.is_absolute())
}
