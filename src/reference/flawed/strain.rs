//! Defects under strain: a search that backtracks without end, calls that wait for each other.
//!
//! Everything here is wrong on purpose.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use crate::reference::Flaw;
use crate::reference::world::World;

/// What one call takes with [`Flaw::ResOneAtATime`].
const EACH: Duration = Duration::from_millis(250);

/// The turn of a call, where calls wait for each other.
pub(in crate::reference) fn turn(world: &World) -> Option<MutexGuard<'_, ()>> {
    let waits = [
        Flaw::ResOneAtATime,
        Flaw::ResSearchBacktracks,
        Flaw::ResPipeWaits,
    ];
    if !waits.iter().any(|flaw| world.has(*flaw)) {
        return None;
    }
    let turn = world.turn.lock().unwrap_or_else(PoisonError::into_inner);
    if world.has(Flaw::ResOneAtATime) {
        std::thread::sleep(EACH);
    }
    Some(turn)
}

/// [`Flaw::ResArgumentsKept`]: copies of the arguments that nobody will ask for again.
pub(in crate::reference) fn keep(world: &World, arguments: &str) {
    /// How many of each.
    const COPIES: usize = 64;
    if world.has(Flaw::ResArgumentsKept) {
        let mut kept = world.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend((0..COPIES).map(|_| arguments.to_owned()));
    }
}

/// [`Flaw::ResSearchBacktracks`]: whether a pattern is found anywhere in a line. Knows `( )`, `+`, `*`, `.` and `$`, and
/// tries every way to divide the text among them.
pub(in crate::reference) fn found(pattern: &str, line: &str) -> bool {
    let nodes = parse(&mut pattern.chars().peekable());
    let text: Vec<char> = line.chars().collect();
    (0..=text.len()).any(|start| matches(&nodes, &text, start, &mut |_| true))
}

enum Node {
    One(char),
    Any,
    End,
    Group(Vec<Node>),
    Repeat(Box<Node>, usize),
}

fn parse(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Vec<Node> {
    let mut nodes = Vec::new();
    while let Some(c) = rest.next() {
        let node = match c {
            ')' => break,
            '(' => Node::Group(parse(rest)),
            '.' => Node::Any,
            '$' => Node::End,
            '+' | '*' => match nodes.pop() {
                Some(node) => Node::Repeat(Box::new(node), usize::from(c == '+')),
                None => Node::One(c),
            },
            other => Node::One(other),
        };
        nodes.push(node);
    }
    nodes
}

fn matches(nodes: &[Node], text: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    let Some((first, rest)) = nodes.split_first() else {
        return then(at);
    };
    one(first, text, at, &mut |next| matches(rest, text, next, then))
}

fn one(node: &Node, text: &[char], at: usize, then: &mut dyn FnMut(usize) -> bool) -> bool {
    match node {
        Node::One(c) => text.get(at) == Some(c) && then(at + 1),
        Node::Any => at < text.len() && then(at + 1),
        Node::End => at == text.len() && then(at),
        Node::Group(nodes) => matches(nodes, text, at, then),
        Node::Repeat(inner, least) => repeat(inner, *least, text, at, then),
    }
}

fn repeat(
    node: &Node,
    least: usize,
    text: &[char],
    at: usize,
    then: &mut dyn FnMut(usize) -> bool,
) -> bool {
    let more = one(node, text, at, &mut |next| {
        next > at && repeat(node, least.saturating_sub(1), text, next, then)
    });
    more || (least == 0 && then(at))
}

#[cfg(test)]
mod tests {
    use super::found;

    #[test]
    fn patterns_are_found() {
        assert!(found("(a+)+$", "xaaa"));
        assert!(!found("(a+)+$", "aaab"));
        assert!(found("b.*d", "abcde"));
        assert!(found("plain", "some plain text"));
        assert!(!found("plain$", "plain text"));
    }
}
