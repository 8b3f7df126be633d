//! What a probe does: what is planted, sent, and looked at.
//!
//! Owns wording only.

use schemars::JsonSchema;
use serde::Serialize;

use super::{item, line, of_text, paragraph};
use crate::probe::{
    Launch, PartRead, Piece, Plant, Probe, SitePlant, Strain, TECHNIQUES, Text, Variant,
};

pub(super) fn how(out: &mut String, probe: &Probe) {
    line(out, "");
    line(out, "How");
    if let Some(technique) = &probe.technique {
        item(out, 2, &technique_words(technique));
    }
    if let Some(launch) = &probe.launch {
        item(out, 2, &launch_words(launch));
    }
    if probe.watches() {
        let several = probe.variants.len() > 1;
        for variant in probe.variants.iter().filter(|_| several) {
            let host = match variant.target {
                Some(target) => target.to_string(),
                None => String::from("a host that the policy denies"),
            };
            item(out, 2, &format!("{}: {host}", variant.name));
        }
        let which = if several { "Each" } else { "It" };
        paragraph(
            out,
            &format!("{which} is judged once, for the whole run."),
            2,
        );
        return;
    }
    for plant in &probe.plants {
        item(out, 2, &format!("plant {}", plant_words(plant)));
    }
    let alone = untwinned(probe);
    for variant in &probe.variants {
        let looks = variant
            .aspect
            .map(|aspect| format!("looks at {}", described(aspect)));
        let sent = Some(sent(variant)).filter(|sent| !sent.is_empty());
        let reads = variant
            .audit
            .map(|check| format!("looks in the log for {}", described(check)));
        let what = [looks, sent, reads].into_iter().flatten();
        let what = what.collect::<Vec<_>>().join("; ");
        item(
            out,
            2,
            format!("{}: {what}", variant.name).trim_end_matches(": "),
        );
        for plant in &variant.plants {
            item(out, 6, &format!("plant {}", plant_words(plant)));
        }
        let only = [
            join("only roles", &variant.roles),
            join("only on", &variant.platforms),
            variant
                .language
                .as_ref()
                .map(|language| format!("only where {language} is run")),
            variant
                .command
                .as_ref()
                .map(|command| format!("only where the policy allows the command {command}")),
        ];
        for words in only.into_iter().flatten() {
            item(out, 6, &words);
        }
        if let Some(technique) = &variant.technique {
            item(out, 6, &technique_words(technique));
        }
        if let Some(launch) = &variant.launch {
            item(out, 6, &launch_words(launch));
        }
        if let Some(text) = &variant.then_read {
            item(out, 6, &format!("then reads {}", text.shown()));
        }
        if let Some(text) = &variant.then_text {
            item(out, 6, &format!("then asks {}", text.shown()));
        }
        if let (Some(why), None) = (&variant.no_twin, alone) {
            item(out, 6, &format!("has no permitted twin: {why}"));
        }
    }
    if let Some(why) = alone {
        paragraph(out, &format!("There is no permitted twin: {why}."), 2);
        return;
    }
    if probe.observes() {
        let words = match of_text(probe) {
            true => {
                "Nothing is asked of the target. The same rules must find something in a sample."
            }
            false => {
                "The target is asked for nothing but its list of tools. What is read of the harness the same way \
                 must be what the harness knows of itself."
            }
        };
        paragraph(out, words, 2);
        return;
    }
    let all = |is: fn(&Variant) -> bool| probe.variants.iter().all(is);
    if all(|variant| variant.audit.is_some()) {
        let words = "The plain call of the tool is made before and after, and has to work. Records are known \
                     by words that were made for the trial.";
        paragraph(out, words, 2);
        return;
    }
    if all(|variant| variant.strain.is_some()) {
        let words =
            "Each variant has a process of its own within limits, beside one under no strain.";
        paragraph(out, words, 2);
        return;
    }
    if all(|variant| variant.no_twin.is_some()) {
        return;
    }
    let words = "Each variant is sent once to the forbidden place and once, as its permitted twin, to a \
                 copy of the scene inside the allowed directory, where it must succeed.";
    paragraph(out, words, 2);
}

/// Why no variant has a permitted twin, where they all have the same reason.
fn untwinned(probe: &Probe) -> Option<&str> {
    let mut reasons = probe
        .variants
        .iter()
        .map(|variant| variant.no_twin.as_deref());
    let first = reasons.next().flatten()?;
    reasons.all(|reason| reason == Some(first)).then_some(first)
}

fn join<T: ToString>(words: &str, items: &[T]) -> Option<String> {
    let names: Vec<String> = items.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| format!("{words} {}", names.join(", ")))
}

/// The description of a word of the probe format, as the schema has it.
fn described<T: JsonSchema + Serialize>(value: T) -> String {
    let schema = serde_json::Value::from(schemars::schema_for!(T));
    let word = serde_json::to_value(value).unwrap_or_default();
    let words = schema["oneOf"].as_array().into_iter().flatten();
    let found = words
        .filter(|one| one["const"] == word)
        .find_map(|one| one["description"].as_str());
    let text = found.unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.split_once(". ").map_or(&*text, |(first, _)| first);
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        // Names in backticks and abbreviations stay as they are.
        Some(first) if !text.chars().nth(1).is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

fn sent(variant: &Variant) -> String {
    let texts = [
        ("path", &variant.path),
        ("source", &variant.source),
        ("find", &variant.find),
        ("content", &variant.content),
        ("pattern", &variant.pattern),
        ("ident", &variant.ident),
        ("neighbour", &variant.neighbour),
        ("url", &variant.url),
        ("host", &variant.host),
        ("port", &variant.port),
        ("text", &variant.text),
        ("cwd", &variant.cwd),
    ];
    let mut sent: Vec<String> = texts
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name} {}", shown(text.as_ref()?))))
        .collect();
    if let Some(paths) = &variant.paths {
        let paths: Vec<String> = paths.iter().map(shown).collect();
        sent.push(format!("paths {}", paths.join(", ")));
    }
    for (name, value) in &variant.headers {
        sent.push(format!("header {name}: {}", shown(value)));
    }
    for (name, value) in &variant.env {
        sent.push(format!("variable {name}={}", shown(value)));
    }
    let strain = variant.strain.as_ref().map(strain_words);
    sent.extend(strain.filter(|words| !words.is_empty()));
    if let Some(json) = &variant.path_json {
        sent.push(format!("as JSON {json}"));
    }
    if let Some(part) = variant.part {
        sent.push(String::from(match part {
            PartRead::Head => "read by its head",
            PartRead::Tail => "read by its tail",
            PartRead::Span => "read by offset and length",
        }));
    }
    sent.join("; ")
}

fn shown(text: &Text) -> String {
    let shown = text.shown();
    if shown.is_empty() {
        String::from("(empty)")
    } else {
        shown
    }
}

fn plant_words(plant: &Plant) -> String {
    let name = &plant.name;
    if let Some(file) = &plant.file {
        let what = match (&file.content, file.over) {
            (Some(content), _) => format!(" holding {}", content.shown()),
            (None, Some(over)) => format!(" of the size limit {over:+} bytes"),
            (None, None) => String::new(),
        };
        return format!("{name}: file {}{what}", file.at.shown());
    }
    if let Some(repo) = &plant.repo {
        let more = [
            ("configured with", &repo.config),
            ("on the branch", &repo.branch),
            ("with the tag", &repo.tag),
        ];
        let more = more
            .into_iter()
            .filter_map(|(what, text)| Some(format!(" {what} {}", text.as_ref()?.shown())));
        return format!(
            "{name}: repository {}{}",
            repo.at.shown(),
            more.collect::<String>()
        );
    }
    if let Some(archive) = &plant.archive {
        let members: Vec<String> = archive
            .members
            .iter()
            .map(
                |member| match (&member.symlink, &member.hardlink, member.over) {
                    (Some(to), ..) => format!("{} -> {}", member.name.shown(), to.shown()),
                    (_, Some(to), _) => format!("{} => {}", member.name.shown(), to.shown()),
                    (.., Some(over)) => format!("{} of limit {over:+} bytes", member.name.shown()),
                    _ => member.name.shown(),
                },
            )
            .collect();
        return format!(
            "{name}: archive {} of {}",
            archive.at.shown(),
            members.join(", ")
        );
    }
    if let Some(site) = &plant.site {
        return format!("{name}: {}", site_words(site));
    }
    if let Some(record) = &plant.record {
        let to: Vec<String> = record.to.iter().map(Text::shown).collect();
        return format!("{name}: host name of {}", to.join(", "))
            .trim_end_matches(" of ")
            .to_owned();
    }
    let placed = [
        ("directory", &plant.dir),
        ("named pipe", &plant.fifo),
        ("program", &plant.program),
        (
            "process of the harness, whose twin is the file",
            &plant.process,
        ),
        ("Unix socket", &plant.socket),
    ];
    let links = [
        ("symbolic link", &plant.symlink),
        ("hard link", &plant.hardlink),
    ];
    let placed = placed
        .into_iter()
        .find_map(|(kind, placed)| Some(format!("{kind} {}", placed.as_ref()?.at.shown())));
    let words = placed.or_else(|| {
        links.into_iter().find_map(|(kind, link)| {
            let link = link.as_ref()?;
            Some(format!("{kind} {} -> {}", link.at.shown(), link.to.shown()))
        })
    });
    format!("{name}: {}", words.unwrap_or_default())
}

/// What answers at the run's own sink.
fn site_words(site: &SitePlant) -> String {
    let status = site.status.map(|status| format!("status {status}"));
    let headers = site.headers.iter();
    let headers = headers.map(|(name, value)| format!("{name}: {}", shown(value)));
    let waits = site
        .stall
        .map(|stall| format!("which {}", described(stall)));
    let fails = site
        .fail
        .map(|fail| format!("which fails: {}", described(fail)));
    let body = site
        .body
        .as_ref()
        .map(|body| format!("holding {}", body.shown()));
    let unwanted = [
        ("field", &site.unwanted_field),
        ("value", &site.unwanted_value),
    ];
    let unwanted = unwanted.into_iter().filter_map(|(what, text)| {
        Some(format!(
            "where the {what} {} is a breach",
            text.as_ref()?.shown()
        ))
    });
    let words: Vec<String> = [String::from("place at the sink")]
        .into_iter()
        .chain(status)
        .chain(headers)
        .chain([waits, fails, body].into_iter().flatten())
        .chain(unwanted)
        .collect();
    words.join(", ")
}

/// What the target is put under.
fn strain_words(strain: &Strain) -> String {
    let mut words = Vec::new();
    words.extend(strain.frames.iter().map(|frame| {
        let pieces: Vec<String> = frame.pieces.iter().map(piece_words).collect();
        let open = if frame.open {
            ", which does not end"
        } else {
            ""
        };
        format!("the frame {}{open}", pieces.join(" "))
    }));
    if let Some(bulk) = strain.bulk {
        let sizes = [
            ("bytes", bulk.bytes),
            ("items", bulk.items),
            ("members", bulk.members),
        ];
        let size = sizes
            .into_iter()
            .find_map(|(what, size)| Some(format!("{} {what}", size?)));
        words.push(format!("a value of {}", size.unwrap_or_default()));
    }
    if let Some(calls) = strain.at_once {
        words.push(format!("{calls} calls at once"));
    }
    if strain.fair {
        words.push(String::from("the control has to be answered meanwhile"));
    }
    words.join(", ")
}

/// The beginning of a piece of a raw frame, and how often it is sent.
fn piece_words(piece: &Piece) -> String {
    /// Characters that are shown.
    const SHOWN: usize = 60;
    let text = match (&piece.text, &piece.hex) {
        (Some(text), _) => text.escape_debug().to_string().replace("\\\"", "\""),
        (None, hex) => format!("{} (hexadecimal)", hex.as_deref().unwrap_or_default()),
    };
    let shown: String = text.chars().take(SHOWN).collect();
    let dots = if shown.len() < text.len() { "..." } else { "" };
    let times = piece.times.map(|times| format!(" x {times}"));
    format!("{shown}{dots}{}", times.unwrap_or_default())
}

fn technique_words(name: &str) -> String {
    let known = TECHNIQUES.iter().find(|(known, _)| *known == name);
    let does = known.map_or("", |(_, does)| does);
    format!("technique {name}: {does}")
}

fn launch_words(launch: &Launch) -> String {
    let mut words = Vec::new();
    if let Some(cwd) = &launch.cwd {
        words.push(format!("in the working directory {}", cwd.shown()));
    }
    if let Some(allowed) = launch.allowed {
        words.push(format!("with the allowed directory {allowed}"));
    }
    for (name, value) in &launch.env {
        words.push(format!("with {name}={}", value.shown()));
    }
    format!("the target is started {}", words.join(" and "))
}
