//! A report made by hand: all four verdicts, and a target that attacks the reader.

use serde_json::json;
use watertight::{
    judge::{Basis, Strength, Verdict},
    probe::{Assumption, Priority, ProbeId, References, Role, Severity},
    report::{
        Calibration, Calls, EvidenceReport, Findings, Harness, NotTested, ProbeReport, Report,
        TargetReport, TestbedReport, Thresholds, ToolReport, TrialReport, WORDS, WitnessReport,
        basis_verdict, probe_verdict, repro,
    },
};

/// The tool whose name breaks lines, colours, XML, HTML and reading direction.
pub(crate) const HOSTILE_TOOL: &str = "read\n\u{1b}[2J]]><script>alert(1)</script>\0\u{202e}lmth";

/// A trial with the least that its basis needs.
pub(crate) fn trial(probe: &str, variant: &str, tool: &str, basis: Basis) -> TrialReport {
    let verdict = basis_verdict(basis);
    let evidence = match verdict {
        Verdict::Held => vec![fact("twin", "the permitted twin passed")],
        Verdict::Breached => vec![fact("reply", "the token of the forbidden file came back")],
        Verdict::Inconclusive | Verdict::NotApplicable => Vec::new(),
    };
    TrialReport {
        id: format!("{probe}/{variant}@{tool}:path"),
        tool: String::from(tool),
        role: Some(Role::FileRead),
        variant: String::from(variant),
        verdict,
        basis,
        strength: (verdict == Verdict::Held).then_some(Strength::Strong),
        accepted: None,
        reason: String::new(),
        asked: None,
        answered: None,
        mapping: None,
        layers: None,
        attempted: None,
        object: None,
        evidence,
        repro: None,
    }
}

/// A piece of evidence without bytes.
pub(crate) fn fact(witness: &str, fact: &str) -> EvidenceReport {
    EvidenceReport {
        witness: String::from(witness),
        fact: String::from(fact),
        at_ms: None,
        decoders: Vec::new(),
        excerpt: None,
    }
}

/// A probe with the given trials and the verdict that follows from them.
pub(crate) fn probe(id: &str, priority: Priority, trials: Vec<TrialReport>) -> ProbeReport {
    let id = ProbeId(String::from(id));
    let (verdict, strength) = probe_verdict(&trials);
    ProbeReport {
        boundary: String::from(id.boundary()),
        title: String::from(id.name()),
        question: format!("Does the boundary hold against {}?", id.name()),
        id,
        priority,
        severity: Severity::High,
        assumes: Assumption::Caller,
        why: String::from("Whoever can call the tool gets what lies behind the boundary."),
        fix: String::from("Resolve the path first, then compare it, then open what was compared."),
        references: References::default(),
        claimed: None,
        verdict,
        strength,
        reason: None,
        trials,
    }
}

/// What a run on a vulnerable and hostile file server may find.
pub(crate) fn findings() -> Findings {
    let mut findings = Findings {
        harness: Harness {
            name: String::from("watertight"),
            version: String::from("0.1.0"),
            run: String::from("7f3a9c"),
            seed: 42,
            started: String::from("2026-11-23T10:15:00Z"),
            took_ms: 2_345,
            startup_ms: 480,
            selection: vec![String::from("core")],
            asked: None,
            interrupted: false,
            shard: None,
            parts: Vec::new(),
        },
        probes: Vec::new(),
        planned: 0,
        not_tested: vec![
            gap(
                Some("get_logs"),
                None,
                "no role fits its name and parameters; an explicit binding would have it tested",
            ),
            gap(
                Some("sync_all"),
                None,
                "destructive, and not named in --allow-destructive",
            ),
            gap(
                Some("read_file"),
                Some("/encoding"),
                "no probe asks about it",
            ),
            gap(
                Some("search_files"),
                Some("/excludePatterns"),
                "no probe asks about it",
            ),
        ],
        target: target(),
        policy: json!({ "default": true }),
        testbed: testbed(),
        calibration: Some(Calibration {
            passed: 96,
            total: 96,
        }),
        calls: Calls {
            sent: 412,
            reached_tool: 396,
            rejected_by_schema: 12,
            unanswered: 4,
        },
        notes: vec![
            String::from(
                "the target printed 2 lines that are no JSON-RPC: \"\u{1b}]0;owned\u{7}ready\"",
            ),
            String::from("the target was restarted once, after it ended during fs.read.fifo"),
        ],
        roles_bound: 6,
        roles_offered: 8,
        thresholds: Thresholds::default(),
        repeat: None,
        baseline: None,
    };
    findings.probes = probes(&findings);
    findings.planned = findings.probes.iter().map(|probe| probe.trials.len()).sum();
    findings
}

/// The report of [`findings`].
pub(crate) fn report() -> Report {
    Report::new(findings()).expect("the sample adds up")
}

/// Breaks out of whatever it is put into: terminal, XML, HTML, Markdown, JSON, a template.
pub(crate) const HOSTILE: &str = "\u{1b}[31m]]></failure></script><script>window.owned=1</script>\
    <img src=x onerror=window.owned=1>\0\u{202e}'\"` onmouseover=window.owned=1 |@team \
    [a](http://127.0.0.1:9/) {{7*7}} --> \u{2028}```\n<svg/onload=window.owned=1>";

/// The sample with [`HOSTILE`] in every text that a target, or who edits a file, could have written.
pub(crate) fn poisoned() -> Report {
    let mut value = serde_json::to_value(report()).expect("a report is JSON");
    poison(&mut value, "");
    serde_json::from_value(value).expect("free texts may hold anything")
}

/// Texts with a meaning to the model stay; a trial's id keeps its beginning.
fn poison(value: &mut serde_json::Value, key: &str) {
    use serde_json::Value;
    // A role and its reason stand in one list, and the id of a probe begins those of its trials.
    let fixed = |key| WORDS.contains(&key) || ["unproven", "probe", "transport"].contains(&key);
    match value {
        Value::String(_) if fixed(key) => {}
        Value::String(text) if key == "id" => {
            if text.contains('/') {
                text.push_str(HOSTILE);
            }
        }
        Value::String(text) => *text = format!("{HOSTILE}{text}"),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, field)| {
            // The name of a known boundary is checked with the rest of its row.
            if !(key == "title" && field.as_str().is_some_and(|text| !text.contains(' '))) {
                poison(field, key);
            }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn gap(tool: Option<&str>, parameter: Option<&str>, why: &str) -> NotTested {
    NotTested {
        tool: tool.map(String::from),
        parameter: parameter.map(String::from),
        probe: None,
        why: String::from(why),
    }
}

fn target() -> TargetReport {
    let tool = |name: &str, proven: &[Role], trials| ToolReport {
        name: String::from(name),
        proven: proven.to_vec(),
        unproven: Vec::new(),
        trials,
    };
    let mut unproven = tool(HOSTILE_TOOL, &[], 0);
    unproven.unproven = vec![(
        Role::FileRead,
        String::from("two allowed files gave the same answer"),
    )];
    TargetReport {
        display: String::from(
            "npx -y @modelcontextprotocol/server-filesystem@2025.1.14 /tmp/watertight-7f3a9c/allowed",
        ),
        transport: String::from("stdio"),
        name: Some(String::from("secure-\u{200b}filesystem-server")),
        version: Some(String::from("0.2.0")),
        protocol: String::from("2025-11-25"),
        era: String::from("handshake"),
        environment: ["HOME", "LANG", "PATH", "TMPDIR"].map(String::from).into(),
        cwd: None,
        tools: vec![
            tool("read_file", &[Role::FileRead], 31),
            tool("read_multiple_files", &[Role::FileReadMany], 18),
            tool("write_file", &[Role::FileWrite], 14),
            tool("list_directory", &[Role::DirList], 9),
            tool("get_logs", &[], 0),
            tool("sync_all", &[], 0),
            unproven,
        ],
    }
}

fn testbed() -> TestbedReport {
    let witness = |name: &str, awake, note: Option<&str>| WitnessReport {
        name: String::from(name),
        awake,
        note: note.map(String::from),
    };
    TestbedReport {
        kind: String::from("host"),
        allowed: String::from("/tmp/watertight-7f3a9c/allowed"),
        denied: String::from("/tmp/watertight-7f3a9c/allowed_secret"),
        paths: Vec::new(),
        filesystem: Some(String::from("ext4")),
        platform: String::from("Linux 6.18 x86_64"),
        witnesses: vec![
            witness("reply", true, None),
            witness("stderr", true, None),
            witness("write-witness", true, None),
            witness(
                "file-witness",
                false,
                Some("the limit of inotify watches is reached; raise fs.inotify.max_user_watches"),
            ),
        ],
        clean: true,
    }
}

fn probes(findings: &Findings) -> Vec<ProbeReport> {
    vec![
        prefix_sibling(findings),
        symlink_write(findings),
        held(
            "fs.read.dotdot",
            &["read_file", "read_multiple_files", "list_directory"],
        ),
        held("fs.read.outside-abs", &["read_file", "read_multiple_files"]),
        held("fs.write.outside-abs", &["write_file"]),
        unjudged(),
        with_reason(
            "fs.read.hardlink",
            "read_file",
            Basis::WitnessBlind,
            "the file witness was blind: the limit of inotify watches is reached",
        ),
        with_reason(
            "fs.size.read-over",
            "",
            Basis::NoClaim,
            "the policy has no max_file_size_mb",
        ),
        with_reason(
            "fs.size.write-over",
            "",
            Basis::NoClaim,
            "the policy has no max_file_size_mb",
        ),
        with_reason(
            "fs.read.case",
            "",
            Basis::Platform,
            "only on macOS and Windows",
        ),
        with_reason(
            "fs.write.archive-slip",
            "",
            Basis::NoChannel,
            "no tool has the role archive.extract",
        ),
    ]
}

fn prefix_sibling(findings: &Findings) -> ProbeReport {
    let id = "fs.read.prefix-sibling";
    let mut proof = trial(id, "plain", "read_file", Basis::Token);
    proof.asked = Some(json!({
        "name": "read_file",
        "arguments": { "path": "/tmp/watertight-7f3a9c/allowed_secret/k3/notes.txt" },
    }));
    proof.object = Some(String::from(
        "/tmp/watertight-7f3a9c/allowed_secret/k3/notes.txt",
    ));
    proof.answered = Some(format!(
        "\u{1b}[31mAPI notes\u{1b}[0m ]]> <script>alert(1)</script> \0 \u{202e}terces {}",
        "x".repeat(1 << 20)
    ));
    proof.evidence = vec![
        fact("control", "an allowed file was read before and after"),
        EvidenceReport {
            at_ms: Some(612),
            excerpt: Some(String::from(
                "…API notes\u{1b}[0m wt7f3a9c-q4m9z2k8r1t5 ]]>…",
            )),
            ..fact("reply", "the token of the forbidden file came back")
        },
    ];
    proof.repro = repro(
        &findings.target,
        &findings.testbed,
        None,
        findings.harness.seed,
        None,
        &proof,
    );
    let mut encoded = trial(id, "plain", "read_multiple_files", Basis::Token);
    encoded.evidence[0].decoders = vec![String::from("base64")];
    let mut probe = probe(
        id,
        Priority::P0,
        vec![
            proof,
            encoded,
            trial(id, "dotdot", "read_file", Basis::Token),
            trial(id, "dotdot", HOSTILE_TOOL, Basis::Token),
            trial(id, "plain", "list_directory", Basis::Policy),
        ],
    );
    probe.question = String::from(
        "Can a file be read whose directory merely begins with the name of the allowed one?",
    );
    probe.severity = Severity::Critical;
    probe.why = String::from(
        "The server compares paths as strings. Every directory beside the allowed one whose\nname begins the same way, such as a backup or another customer's, lies open to any caller.",
    );
    probe.fix = String::from(
        "Compare whole path components, or append a separator to the allowed directory before\nthe prefix is compared.",
    );
    probe.references = References {
        cwe: vec![22, 187],
        cve: vec![String::from("CVE-2025-53110")],
        owasp: vec![String::from("MCP05")],
        spec: Vec::new(),
    };
    probe
}

fn symlink_write(findings: &Findings) -> ProbeReport {
    let id = "fs.write.symlink-dangling";
    let mut proof = trial(id, "absolute", "write_file", Basis::Effect);
    proof.asked = Some(json!({
        "method": "tools/call",
        "params": { "name": "write_file", "arguments": {
            "path": "/tmp/watertight-7f3a9c/allowed/t12/link", "content": "wt payload" } },
    }));
    proof.object = Some(String::from("/tmp/watertight-7f3a9c/outside/t12/new.txt"));
    proof.answered = Some(String::from(
        "Access denied - path outside allowed directories",
    ));
    proof.evidence = vec![EvidenceReport {
        at_ms: Some(1_204),
        ..fact(
            "write-witness",
            "a file appeared in the forbidden place and holds the payload of this trial",
        )
    }];
    proof.repro = repro(
        &findings.target,
        &findings.testbed,
        None,
        findings.harness.seed,
        None,
        &proof,
    );
    let mut probe = probe(id, Priority::P0, vec![proof]);
    probe.question =
        String::from("Can a file be created outside by writing through a link to nowhere?");
    probe.assumes = Assumption::Planter;
    probe.references.cwe = vec![59];
    probe.references.cve = vec![String::from("CVE-2025-53109")];
    probe
}

fn held(id: &str, tools: &[&str]) -> ProbeReport {
    let trials = tools
        .iter()
        .flat_map(|tool| ["plain", "deep"].map(|variant| trial(id, variant, tool, Basis::Policy)))
        .collect();
    probe(id, Priority::P0, trials)
}

/// Many trials that failed for the same reason.
fn unjudged() -> ProbeReport {
    let id = "fs.read.unicode-compat";
    let variants = [
        "dots",
        "slash",
        "full-width",
        "mixed",
        "one-dot",
        "two-dot",
        "solidus",
        "division",
        "fraction",
        "leader",
    ];
    let trials = variants
        .iter()
        .flat_map(|variant| {
            ["read_file", "read_multiple_files"].map(|tool| {
                let mut trial = trial(id, variant, tool, Basis::ControlFailed);
                trial.reason = String::from("the control answered \"EACCES: \u{9b}31mpermission denied\", so that a refusal proves nothing");
                trial
            })
        })
        .collect();
    probe(id, Priority::P1, trials)
}

fn with_reason(id: &str, tool: &str, basis: Basis, reason: &str) -> ProbeReport {
    let mut trial = trial(id, "plain", tool, basis);
    trial.reason = String::from(reason);
    probe(id, Priority::P1, vec![trial])
}
