//! The system calls that are watched, and where their arguments stand.
//!
//! Owns the list. A call that is not on it costs a target nothing.

use nix::libc;

use super::super::event::Deed;

/// Where a path stands among the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    /// The argument that holds the directory it is relative to; the working directory if none.
    pub(super) directory: Option<usize>,
    /// The argument that points to it.
    pub(super) path: usize,
    /// Whether a link at its end is followed.
    pub(super) follow: Follow,
    /// What is done to what is there.
    pub(super) deed: Deed,
}

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follow {
    Yes,
    No,
    /// Unless the flags in this argument say `AT_SYMLINK_NOFOLLOW`.
    Unless(usize),
}

/// How the arguments of a call are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One path or two.
    Paths(At, Option<At>),
    /// A path, and flags of open(2) in the argument behind it.
    Open(Option<usize>, usize),
    /// The same with a `struct open_how`.
    OpenHow,
    /// The address of a socket, and its length.
    Address(usize, usize),
    /// A `struct msghdr` that may hold one.
    Message(usize),
    /// None that matter.
    Ring,
}

/// A call that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) number: i64,
    pub(super) name: &'static str,
    pub(super) shape: Shape,
}

const fn at(directory: Option<usize>, path: usize, follow: Follow, deed: Deed) -> At {
    At {
        directory,
        path,
        follow,
        deed,
    }
}

macro_rules! listed {
    ($($name:ident $number:ident: $shape:expr;)*) => {
        &[$(Listed { number: libc::$number, name: stringify!($name), shape: $shape }),*]
    };
}

/// Those of all architectures, the frequent ones first.
pub(super) const EVERYWHERE: &[Listed] = {
    use Deed::{Look, Move, Read, Write};
    use Follow::{No, Unless, Yes};
    use Shape::{Address, Message, Open, OpenHow, Paths, Ring};
    listed! {
        openat SYS_openat: Open(Some(0), 1);
        newfstatat SYS_newfstatat: Paths(at(Some(0), 1, Unless(3), Look), None);
        statx SYS_statx: Paths(at(Some(0), 1, Unless(2), Look), None);
        readlinkat SYS_readlinkat: Paths(at(Some(0), 1, No, Look), None);
        faccessat SYS_faccessat: Paths(at(Some(0), 1, Yes, Look), None);
        faccessat2 SYS_faccessat2: Paths(at(Some(0), 1, Unless(3), Look), None);
        openat2 SYS_openat2: OpenHow;
        connect SYS_connect: Address(1, 2);
        sendto SYS_sendto: Address(4, 5);
        sendmsg SYS_sendmsg: Message(1);
        sendmmsg SYS_sendmmsg: Message(1);
        execve SYS_execve: Paths(at(None, 0, Yes, Read), None);
        execveat SYS_execveat: Paths(at(Some(0), 1, Unless(4), Read), None);
        unlinkat SYS_unlinkat: Paths(at(Some(0), 1, No, Write), None);
        renameat SYS_renameat: Paths(at(Some(0), 1, No, Move), Some(at(Some(2), 3, No, Write)));
        renameat2 SYS_renameat2: Paths(at(Some(0), 1, No, Move), Some(at(Some(2), 3, No, Write)));
        linkat SYS_linkat: Paths(at(Some(0), 1, No, Move), Some(at(Some(2), 3, No, Write)));
        symlinkat SYS_symlinkat: Paths(at(Some(1), 2, No, Write), None);
        mkdirat SYS_mkdirat: Paths(at(Some(0), 1, No, Write), None);
        mknodat SYS_mknodat: Paths(at(Some(0), 1, No, Write), None);
        truncate SYS_truncate: Paths(at(None, 0, Yes, Write), None);
        fchmodat SYS_fchmodat: Paths(at(Some(0), 1, Yes, Write), None);
        fchownat SYS_fchownat: Paths(at(Some(0), 1, Unless(4), Write), None);
        utimensat SYS_utimensat: Paths(at(Some(0), 1, Unless(3), Write), None);
        setxattr SYS_setxattr: Paths(at(None, 0, Yes, Write), None);
        getxattr SYS_getxattr: Paths(at(None, 0, Yes, Look), None);
        lgetxattr SYS_lgetxattr: Paths(at(None, 0, No, Look), None);
        statfs SYS_statfs: Paths(at(None, 0, Yes, Look), None);
        chdir SYS_chdir: Paths(at(None, 0, Yes, Look), None);
        io_uring_setup SYS_io_uring_setup: Ring;
    }
};

/// Those of old, which newer architectures have not.
#[cfg(target_arch = "x86_64")]
pub(super) const OF_OLD: &[Listed] = {
    use Deed::{Look, Move, Write};
    use Follow::{No, Yes};
    use Shape::{Open, Paths};
    listed! {
        open SYS_open: Open(None, 0);
        creat SYS_creat: Paths(at(None, 0, Yes, Write), None);
        stat SYS_stat: Paths(at(None, 0, Yes, Look), None);
        lstat SYS_lstat: Paths(at(None, 0, No, Look), None);
        access SYS_access: Paths(at(None, 0, Yes, Look), None);
        readlink SYS_readlink: Paths(at(None, 0, No, Look), None);
        unlink SYS_unlink: Paths(at(None, 0, No, Write), None);
        rmdir SYS_rmdir: Paths(at(None, 0, No, Write), None);
        mkdir SYS_mkdir: Paths(at(None, 0, No, Write), None);
        rename SYS_rename: Paths(at(None, 0, No, Move), Some(at(None, 1, No, Write)));
        link SYS_link: Paths(at(None, 0, No, Move), Some(at(None, 1, No, Write)));
        symlink SYS_symlink: Paths(at(None, 1, No, Write), None);
        mknod SYS_mknod: Paths(at(None, 0, No, Write), None);
        chmod SYS_chmod: Paths(at(None, 0, Yes, Write), None);
        chown SYS_chown: Paths(at(None, 0, Yes, Write), None);
        lchown SYS_lchown: Paths(at(None, 0, No, Write), None);
        utimes SYS_utimes: Paths(at(None, 0, Yes, Write), None);
    }
};

/// Those of old, which this architecture has not.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const OF_OLD: &[Listed] = &[];

/// All calls that are watched.
pub(super) fn all() -> impl Iterator<Item = &'static Listed> {
    EVERYWHERE.iter().chain(OF_OLD)
}

/// The call of this number.
pub(super) fn of(number: i64) -> Option<&'static Listed> {
    all().find(|listed| listed.number == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_listed_twice() {
        for listed in all() {
            assert_eq!(of(listed.number), Some(listed), "{}", listed.name);
        }
        assert_eq!(of(libc::SYS_read), None);
    }
}
