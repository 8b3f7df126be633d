//! The filter that stops a target at the calls that are watched, and at no others.
//!
//! Owns its program (seccomp(2), classic BPF). It is written out by hand because the one that the crate compiles
//! kills whatever makes a call of another architecture; here such a call is shown to the tracer, who says that
//! it does not understand it.

use nix::libc;
use seccompiler::sock_filter;

use super::table::{Listed, Shape, all};

/// What the filter tells the tracer of a call: it is listed.
pub(super) const LISTED: u32 = 1;
/// It is of another architecture, such as that of 32-bit programs.
pub(super) const FOREIGN: u32 = 2;

/// `AUDIT_ARCH_X86_64` and `AUDIT_ARCH_AARCH64`: the machine of ELF, 64 bits, little-endian.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: u32 = 0xc000_00b7;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
/// Of argument `n`: its lower half comes first, all architectures here are little-endian.
const fn argument(n: usize) -> u32 {
    16 + 8 * n as u32
}

/// From this number on, calls are those of the x32 architecture.
#[cfg(target_arch = "x86_64")]
const OTHER_NUMBERS: u32 = 0x4000_0000;
#[cfg(not(target_arch = "x86_64"))]
const OTHER_NUMBERS: u32 = u32::MAX;

fn statement(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: usize, jf: usize) -> sock_filter {
    let near = |offset: usize| u8::try_from(offset).expect("the list is short");
    sock_filter {
        code: code as u16,
        jt: near(jt),
        jf: near(jf),
        k,
    }
}

fn load(offset: u32) -> sock_filter {
    statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset)
}

fn verdict(action: u32) -> sock_filter {
    statement(libc::BPF_RET | libc::BPF_K, action)
}

/// The program.
pub(super) fn program() -> Vec<sock_filter> {
    const EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const AT_LEAST: u32 = libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K;
    let trace = |what: u32| verdict(libc::SECCOMP_RET_TRACE | what);
    let mut program = vec![
        load(ARCH),
        jump(EQUAL, ARCHITECTURE, 1, 0),
        trace(FOREIGN),
        load(NUMBER),
        jump(AT_LEAST, OTHER_NUMBERS, 0, 1),
        trace(FOREIGN),
    ];
    let number = |listed: &Listed| u32::try_from(listed.number).unwrap_or(u32::MAX);
    // What is sent over an open connection names no address, and is most of what is sent.
    for listed in all() {
        if let Shape::Address(address @ 4, _) = listed.shape {
            program.extend([
                jump(EQUAL, number(listed), 0, 5),
                load(argument(address)),
                jump(EQUAL, 0, 0, 2),
                load(argument(address) + 4),
                jump(EQUAL, 0, 1, 0),
                trace(LISTED),
                // The accumulator may hold a half of the address.
                load(NUMBER),
            ]);
        }
    }
    let plain: Vec<_> = all()
        .filter(|listed| !matches!(listed.shape, Shape::Address(4, _)))
        .collect();
    for (at, listed) in plain.iter().enumerate() {
        program.push(jump(EQUAL, number(listed), plain.len() - at, 0));
    }
    program.push(verdict(libc::SECCOMP_RET_ALLOW));
    program.push(trace(LISTED));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the filter says of a call.
    fn run(arch: u32, number: i64, arguments: [u64; 6]) -> u32 {
        let program = program();
        let word = |offset: u32| match offset {
            NUMBER => number as u32,
            ARCH => arch,
            _ => {
                let at = offset as usize - 16;
                (arguments[at / 8] >> (8 * (at % 8))) as u32
            }
        };
        let (mut at, mut held) = (0, 0);
        loop {
            let step = &program[at];
            at += 1;
            let jumps = |yes: bool| usize::from(if yes { step.jt } else { step.jf });
            match u32::from(step.code) & 0x07 {
                libc::BPF_LD => held = word(step.k),
                libc::BPF_RET => return step.k,
                _ if u32::from(step.code) & 0xf0 == libc::BPF_JGE => at += jumps(held >= step.k),
                _ => at += jumps(held == step.k),
            }
        }
    }

    #[test]
    fn only_listed_calls_stop() {
        let listed = libc::SECCOMP_RET_TRACE | LISTED;
        let none = [0; 6];
        for call in all().filter(|call| call.number != libc::SYS_sendto) {
            assert_eq!(
                run(ARCHITECTURE, call.number, none),
                listed,
                "{}",
                call.name
            );
        }
        for other in [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_close,
            libc::SYS_futex,
        ] {
            assert_eq!(run(ARCHITECTURE, other, none), libc::SECCOMP_RET_ALLOW);
        }
        let sent = |address: u64| run(ARCHITECTURE, libc::SYS_sendto, [0, 0, 0, 0, address, 0]);
        assert_eq!(sent(0), libc::SECCOMP_RET_ALLOW);
        for address in [1, 1 << 32, u64::MAX] {
            assert_eq!(sent(address), listed);
        }
    }

    #[test]
    fn what_is_foreign_is_shown_and_lives() {
        let foreign = libc::SECCOMP_RET_TRACE | FOREIGN;
        assert_eq!(run(0x4000_0003, 5, [0; 6]), foreign);
        #[cfg(target_arch = "x86_64")]
        assert_eq!(run(ARCHITECTURE, 0x4000_0000, [0; 6]), foreign);
    }
}
