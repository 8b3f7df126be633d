//! Capabilities: which the harness keeps, and that no target gets any.
//!
//! Owns the sets of the inner process. An empty bounding set makes every exec(2) end without
//! capabilities, also that of user 0 and of programs that are setuid root. `no_new_privs` is not
//! set for that reason: there is nothing left to gain, and a target that reads its own status would
//! find a protection that it has not.

use std::io;

use rustix::{
    io::Errno,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
        configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    },
};

/// What the harness uses all the time: sockets that see every packet, low ports, addresses.
const ALWAYS: CapabilitySet = CapabilitySet::NET_RAW
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_ADMIN);

/// What reading and planting anywhere in the bottle takes. Not among those that are always used:
/// whether a file can be reached by somebody without powers is asked by trying.
pub(super) const FILES: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER);

/// What is kept for [`raised`]. Since no target ever has any of them, none may look into the
/// memory, descriptors or root of this process (ptrace(2), "Ptrace access mode checking").
const KEPT: CapabilitySet = ALWAYS.union(FILES).union(CapabilitySet::SYS_ADMIN);

/// Lets the next program have all capabilities of this one: an ordinary user loses them with
/// exec(2) otherwise.
pub(super) fn hand_on() -> io::Result<()> {
    let had = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            inheritable: had.permitted,
            ..had
        },
    )?;
    for one in had.permitted.iter() {
        configure_capability_in_ambient_set(one, true)?;
    }
    Ok(())
}

/// What user 0 needs to make a user namespace in which there is a user 0, as a sandbox does: kernels since
/// 5.12 want it of whoever maps that user (user_namespaces(7)). Beyond that it gives nothing that could be
/// given: what a file may carry is cut by the bounding set.
const NESTS: CapabilitySet = CapabilitySet::SETFCAP;

/// Gives away everything that is not kept, and takes all of it from children; all but what it takes to make
/// user namespaces, if they may.
pub(super) fn give_away(nests: bool) -> io::Result<()> {
    let left = if nests { NESTS } else { CapabilitySet::empty() };
    for number in 0..u64::BITS {
        if left.contains(CapabilitySet::from_bits_retain(1 << number)) {
            continue;
        }
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // Above the last one that this kernel knows.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    // Kernels before 4.3 have none.
    let _none = clear_ambient_capability_set();
    let had = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            // Whoever looks at a process must have, in effect, all that it has (ptrace(2)).
            effective: had.permitted & (ALWAYS | left),
            permitted: had.permitted & (KEPT | left),
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(())
}

/// Does something with more powers in this thread, as far as they were kept.
pub fn raised<T>(more: CapabilitySet, work: impl FnOnce() -> T) -> T {
    let set = |effective, had: CapabilitySets| {
        // A power that cannot be had shows in what it was wanted for.
        let _lacking = set_capabilities(None, CapabilitySets { effective, ..had });
    };
    let Ok(had) = capabilities(None) else {
        return work();
    };
    set(had.effective | (had.permitted & more), had);
    let done = work();
    set(had.effective, had);
    done
}
