//! The names of coded techniques, and what each does to a trial.
//!
//! Owns the names alone, so that a probe file can be checked without the code that runs it.

/// Known technique names with what each does.
pub const TECHNIQUES: &[(&str, &str)] = &[
    (
        "race.swap",
        "exchanges the paths of the plants `steady` and `swap` in a free-running loop \
         (RENAME_EXCHANGE) while the call is repeated",
    ),
    (
        "fd.inherit",
        "opens the plant `secret` for reading and leaves the descriptor, without close-on-exec, \
         to a target process of its own",
    ),
    (
        "differ.removed",
        "sends the same call with the plant `secret` present and removed, in turns; answers that \
         tell the two apart every time are evidence of kind `metadata`",
    ),
    (
        "feed.fifo",
        "writes text of one byte more than the size limit, ending in the plant's token, to the \
         named pipe `secret` as soon as it is opened; one byte less in the twin",
    ),
    (
        "grow.file",
        "fills the file `secret` to 1 KiB below the size limit and, while calls are in flight, \
         appends 2 KiB that end in the plant's token and cuts them off again, in a loop; 4 KiB \
         below in the twin, which so stays below the limit",
    ),
    (
        "call.cancel",
        "takes the call back as soon as its request arrives at the sink; a connection that is still \
         open a few seconds later is evidence of kind `limit`. In the twin nothing is taken back",
    ),
    (
        "call.outlast",
        "waits for the answer of the call; a connection that is still open a few seconds after it is \
         evidence of kind `limit`",
    ),
    (
        "watch.unasked",
        "makes no call: whatever leaves the target from its start on, until some time after it has \
         listed its tools, nobody asked for",
    ),
    (
        "watch.secrets",
        "makes no call: looks through all that the target says in the whole run for the tokens of \
         decoys, which stand where secrets of a user and of a machine are",
    ),
    (
        "watch.variables.answers",
        "asks tools that may tell of the environment, and looks through all answers of the run for the tokens \
         of variables that the target was launched with",
    ),
    (
        "watch.variables.errors",
        "looks through all refusals and errors of the run for the tokens of variables",
    ),
    (
        "watch.variables.metadata",
        "looks through all that the target says of itself and of its tools for the tokens of variables",
    ),
    (
        "watch.variables.logs",
        "looks through standard error and all notifications of the run for the tokens of variables",
    ),
    (
        "watch.variables.files",
        "reads the environment of processes from /proc through the tools that read files",
    ),
    (
        "watch.variables.commands",
        "shows the environment by commands and code, through the tools that run such",
    ),
    (
        "watch.variables.children",
        "gives text parameters a plain word, and looks through the environment of each process in whose command \
         line it stands",
    ),
    (
        "watch.variables.requests",
        "looks through all that arrives at the sink in the run for the tokens of variables",
    ),
    (
        "watch.unlisted",
        "calls tools that are not listed, by names that such tools usually have and by those of an earlier run, \
         where they would have a power that no listed tool has",
    ),
    (
        "watch.headers",
        "opens sessions with headers that may name a host, each with a URL of its own, and makes plain calls: those \
         whose URL a permitted host is asked for choose, and are sent once more with a denied host",
    ),
    (
        "fifo.idle",
        "leaves the named pipe `secret` without a writer while the call lasts, and opens it once \
         afterwards, so that nobody waits for ever",
    ),
];

/// Whether a technique of that name exists.
#[must_use]
pub fn is_technique(name: &str) -> bool {
    TECHNIQUES.iter().any(|(known, _)| *known == name)
}

/// Whether a technique makes no call, and watches those of others or the silence before them. Its trials
/// need no channel.
#[must_use]
pub fn is_watch(name: &str) -> bool {
    name.starts_with("watch.")
}

/// The plants that a technique works on, by name.
#[must_use]
pub fn technique_plants(name: &str) -> &'static [&'static str] {
    match name {
        "race.swap" => &["steady", "swap"],
        "fd.inherit" | "differ.removed" | "feed.fifo" | "grow.file" | "fifo.idle" => &["secret"],
        _ => &[],
    }
}
