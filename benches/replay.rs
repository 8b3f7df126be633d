//! What the harness costs: a core run against a server, beside the same requests over a bare pipe.
//!
//! `cargo bench --bench replay` prints the wall time of both from the server's first answer on, their ratio, and the
//! CPU time and memory of the harness. Nothing is asserted: figures of a shared machine are for people.
//!
//! The harness runs in a process of its own for each repetition, so that its CPU time and peak memory are its own
//! and no repetition warms the next. The replay keeps 32 requests in flight and looks at nothing but the ids of
//! answers: the lower bound of what any client could do. What the run planted is put back before it, and `errors` tells
//! of how many requests the answer was an error, in the run and in the replay: the two worlds are as alike as these
//! figures. Races are left out, because they repeat one request for as long as they are told to.

#[path = "../tests/support/servers.rs"]
#[expect(dead_code, reason = "tests need more of it than this")]
mod servers;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use watertight::canary::Mint;
use watertight::policy::{Placeholders, Policy};
use watertight::probe::Catalog;
use watertight::run::{self, Order};
use watertight::session::{Direction, Endpoint, Launch, Options, Transcript, claim_orphans};
use watertight::suite::Suite;
use watertight::testbed::Bed;

/// The server that is measured when node is there.
const SERVER: &str = "filesystem-newest";

/// How often everything is done; the median counts.
const REPETITIONS: usize = 5;

/// Requests in flight of the replay.
const IN_FLIGHT: usize = 32;

/// Calls in flight of the harness: its default.
const JOBS: usize = 32;

/// In this process's environment: which part it plays, and the file that it leaves its figures in.
const PART: &str = "WATERTIGHT_BENCH_FIGURES";

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    match env::var_os(PART) {
        Some(figures) => harness(Path::new(&figures)),
        None => compare(),
    }
}

/// What one repetition came to.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    /// From the first answer to the end of the run.
    harness_s: f64,
    /// From the first answer to the last.
    talking_s: f64,
    /// The same requests over a bare pipe, from the first answer to the last.
    replay_s: f64,
    /// Requests that were replayed.
    requests: usize,
    /// Answers of the run that told of an error.
    run_errors: usize,
    /// The same of the replay.
    replay_errors: usize,
    /// Bytes that the server wrote in the run.
    run_bytes: usize,
    /// The same in the replay.
    replay_bytes: usize,
    /// CPU time of the harness alone, from its start to its end.
    cpu_ms: f64,
    /// Of that, before the first answer: probes parsed, testbed made, server launched.
    cpu_before_ms: f64,
    /// Peak resident memory of the harness.
    peak_kib: u64,
}

fn compare() -> Result<(), Failure> {
    let (name, _) = server()?;
    let mut lines = io::stdout().lock();
    writeln!(lines, "server    {name}")?;
    let scratch = tempfile::tempdir()?;
    let mut all = Vec::new();
    for repetition in 1..=REPETITIONS {
        let path = scratch.path().join(repetition.to_string());
        let ended = Command::new(env::current_exe()?)
            .env(PART, &path)
            .stdout(Stdio::null())
            .status()?;
        if !ended.success() {
            return Err(format!("repetition {repetition} ended with {ended}").into());
        }
        let one: Figures = serde_json::from_slice(&fs::read(&path)?)?;
        writeln!(
            lines,
            "run {repetition}     {:.3} s, bare {:.3} s, {:.0} ms CPU",
            one.harness_s, one.replay_s, one.cpu_ms
        )?;
        all.push(one);
    }
    let of = |figure: fn(&Figures) -> f64| median(all.iter().map(figure).collect());
    let requests = of(|one| one.requests as f64);
    writeln!(lines, "requests  {requests:.0}")?;
    writeln!(
        lines,
        "wall      {:.3} s after the first answer, of which {:.3} s until the last",
        of(|one| one.harness_s),
        of(|one| one.talking_s)
    )?;
    writeln!(
        lines,
        "bare      {:.3} s, {IN_FLIGHT} in flight",
        of(|one| one.replay_s)
    )?;
    writeln!(
        lines,
        "errors    {:.0} and {:.0} of the answers, {:.0} and {:.0} KiB in all",
        of(|one| one.run_errors as f64),
        of(|one| one.replay_errors as f64),
        of(|one| one.run_bytes as f64 / 1024.0),
        of(|one| one.replay_bytes as f64 / 1024.0)
    )?;
    writeln!(
        lines,
        "ratio     {:.2}",
        of(|one| one.harness_s / one.replay_s)
    )?;
    writeln!(
        lines,
        "CPU       {:.3} ms a request after the first answer, {:.0} ms before",
        of(|one| (one.cpu_ms - one.cpu_before_ms) / one.requests as f64),
        of(|one| one.cpu_before_ms)
    )?;
    writeln!(
        lines,
        "memory    {:.1} MiB at its peak",
        of(|one| one.peak_kib as f64) / 1024.0
    )?;
    let binary = Path::new(env!("CARGO_BIN_EXE_watertight"));
    writeln!(
        lines,
        "binary    {:.1} MiB",
        fs::metadata(binary)?.len() as f64 / f64::from(1 << 20)
    )?;
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Name, and program with arguments in which `{allowed}` is still to be filled.
fn server() -> Result<(String, Vec<String>), Failure> {
    match servers::install(SERVER) {
        Ok(installed) => Ok((SERVER.to_owned(), installed.argv(&[]))),
        Err(missing) => {
            let words = [env!("CARGO_BIN_EXE_watertight"), "reference", "{allowed}"];
            Ok((
                format!("the reference target, because of {missing}"),
                words.map(str::to_owned).to_vec(),
            ))
        }
    }
}

/// One run and its replay, with the figures of both left in a file.
fn harness(figures: &Path) -> Result<(), Failure> {
    let (_, words) = server()?;
    let bed = testbed()?;
    let allowed = bed.allowed.display().to_string();
    let words: Vec<String> = words
        .iter()
        .map(|word| word.replace("{allowed}", &allowed))
        .collect();
    let (program, args) = words.split_first().ok_or("the server has a program")?;
    let launch = Launch {
        program: program.clone(),
        args: args.to_vec(),
        env: variables(&bed),
        cwd: bed.allowed.clone(),
        by: Vec::new(),
        serves: None,
    };
    let transcript = Transcript::new();
    let first = Arc::new(std::sync::OnceLock::new());
    transcript.listen({
        let first = Arc::clone(&first);
        Box::new(move |entry| {
            if entry.direction == Direction::Received {
                first.get_or_init(|| (Instant::now(), cpu()));
            }
        })
    });
    run_core(&bed, launch.clone(), transcript.clone())?;
    let (ended, cpu_ended, peak_kib) = (Instant::now(), cpu(), peak()?);
    let (began, cpu_began) = *first.get().ok_or("the server never answered")?;

    let mut requests = Vec::new();
    let (mut first_at, mut last_at) = (None, Duration::ZERO);
    let mut heard = Heard::default();
    for record in transcript.records() {
        let entry = record?.entry;
        match entry.direction {
            Direction::Sent => requests.push(serde_json::from_slice::<Value>(&entry.bytes)?),
            Direction::Received => {
                first_at.get_or_insert(entry.at);
                last_at = entry.at;
                heard.add(&entry.bytes);
            }
            Direction::Stderr => {}
        }
    }
    put_back(&bed)?;
    let (replay, requests, again) = replay(&launch, requests)?;
    let one = Figures {
        harness_s: (ended - began).as_secs_f64(),
        talking_s: last_at
            .saturating_sub(first_at.unwrap_or_default())
            .as_secs_f64(),
        replay_s: replay.as_secs_f64(),
        requests,
        run_errors: heard.errors,
        replay_errors: again.errors,
        run_bytes: heard.bytes,
        replay_bytes: again.bytes,
        cpu_ms: cpu_ended.as_secs_f64() * 1e3,
        cpu_before_ms: cpu_began.as_secs_f64() * 1e3,
        peak_kib,
    };
    fs::write(figures, serde_json::to_vec(&one)?)?;
    if !bed.remove() {
        return Err("something was left behind in the testbed".into());
    }
    Ok(())
}

/// Puts the places of the trials back where they stood, so that the server of the replay finds what that of the run
/// found: to fail on a missing file is half the work of reading one.
fn put_back(bed: &Bed) -> Result<(), Failure> {
    let aside = bed
        .aside()
        .ok_or("the testbed has a directory of its own")?;
    for place in fs::read_dir(aside)? {
        let place = place?;
        fs::rename(place.path(), bed.allowed.join(place.file_name()))?;
    }
    Ok(())
}

/// In memory, as a run in namespaces has it; else on disk, where most of the time is the file system's.
fn testbed() -> Result<Bed, Failure> {
    const MEMORY: &str = "/dev/shm";
    match Bed::create_in(Path::new(MEMORY)) {
        Ok(bed) => Ok(bed),
        Err(_) => Ok(Bed::create()?),
    }
}

fn variables(bed: &Bed) -> BTreeMap<String, String> {
    let text = |path: &PathBuf| path.display().to_string();
    BTreeMap::from([
        (
            String::from("PATH"),
            env::var("PATH").unwrap_or_else(|_| String::from("/usr/bin:/bin")),
        ),
        (String::from("HOME"), text(&bed.home)),
        (String::from("TMPDIR"), text(&bed.tmp)),
    ])
}

/// The core suite without its races, on one thread as the program does it.
fn run_core(bed: &Bed, launch: Launch, transcript: Transcript) -> Result<(), Failure> {
    claim_orphans();
    let catalog = Catalog::embedded();
    let core = Suite::find("core").ok_or("there is a suite called core")?;
    let probes = core
        .probes(catalog)
        .filter(|probe| !probe.id.0.contains(".race-"))
        .cloned()
        .map(Arc::new)
        .collect();
    let places = Placeholders::new().with("allowed", bed.allowed.display().to_string());
    let policy = Policy::default_policy()
        .expand(&places)
        .map_err(|problems| format!("{problems:?}"))?;
    let stop = AtomicBool::new(false);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ran = runtime.block_on(run::run(Order {
        bed,
        endpoint: Endpoint::Stdio(launch),
        display: String::from("the reference target"),
        options: Options::default(),
        setup: Vec::new(),
        policy: &policy,
        probes,
        given: Vec::new(),
        lock: None,
        allow_destructive: &[],
        allowed_is_argument: true,
        server_at: None,
        maps: Vec::new(),
        jobs: JOBS,
        deadline: Duration::from_secs(10),
        seed: 1,
        only: None,
        shard: None,
        stop: &stop,
        emit: &|_| {},
        glass: Err(String::from("the bench is about files")),
        sink: false,
        mint: &Mint::new(),
        decoys: Vec::new(),
        variables: Vec::new(),
        launcher: false,
        launch: None,
        postures: None,
        syscalls: None,
        transcript,
    }))?;
    if ran.outcomes.is_empty() {
        return Err("the run tried nothing".into());
    }
    Ok(())
}

/// CPU time of this process without its children.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap_or_default(),
        time.tv_nsec.try_into().unwrap_or_default(),
    )
}

/// `VmHWM` of proc(5).
fn peak() -> Result<u64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("the kernel tells the peak of resident memory")?;
    let figure = line.split_whitespace().next().ok_or("it is a number")?;
    Ok(figure.parse()?)
}

/// What a server wrote, in two figures.
#[derive(Debug, Default)]
struct Heard {
    errors: usize,
    bytes: usize,
}

impl Heard {
    fn add(&mut self, line: &[u8]) {
        self.bytes += line.len();
        let message: Value = serde_json::from_slice(line).unwrap_or_default();
        let failed = message.get("error").is_some() || message["result"]["isError"] == true;
        self.errors += usize::from(failed);
    }
}

/// Sends what the harness sent to a fresh server. Returns the time from the first answer to the last, how many
/// requests that were, and what was heard.
fn replay(launch: &Launch, sent: Vec<Value>) -> Result<(Duration, usize, Heard), Failure> {
    let mut server = Command::new(&launch.program)
        .args(&launch.args)
        .env_clear()
        .envs(&launch.env)
        .current_dir(&launch.cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut to_server = server.stdin.take().ok_or("its input is a pipe")?;
    let from_server = server.stdout.take().ok_or("its output is a pipe")?;
    let (answered, answers) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(from_server).split(b'\n') {
            let Ok(line) = line else { break };
            if is_answer(&line) && answered.send(Instant::now()).is_err() {
                break;
            }
            lines.push(line);
        }
        lines
    });

    // A server that was started anew during the run was greeted anew; one greeting is enough here.
    let mut greeted = false;
    let mut requests = 0_usize;
    let mut in_flight = 0_usize;
    let mut first = None;
    let mut last = Instant::now();
    let mut settle = |in_flight: &mut usize| -> Result<(), Failure> {
        last = answers.recv_timeout(Duration::from_secs(30))?;
        first.get_or_insert(last);
        *in_flight -= 1;
        Ok(())
    };
    for mut message in sent {
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let is_greeting = matches!(method.as_str(), "initialize" | "notifications/initialized");
        // Answers to the server, cancellations, and greetings of further servers.
        if method.is_empty() || (greeted && is_greeting) || method == "notifications/cancelled" {
            continue;
        }
        let is_request = message.get("id").is_some();
        if is_request {
            requests += 1;
            in_flight += 1;
            message["id"] = json!(requests);
        }
        let mut line = serde_json::to_vec(&message)?;
        line.push(b'\n');
        to_server.write_all(&line)?;
        greeted |= method == "notifications/initialized";
        let window = if greeted { IN_FLIGHT } else { 1 };
        while in_flight >= window {
            settle(&mut in_flight)?;
        }
    }
    while in_flight > 0 {
        settle(&mut in_flight)?;
    }
    let took = last.duration_since(first.ok_or("nothing was sent")?);
    drop(to_server);
    server.kill()?;
    server.wait()?;
    let mut heard = Heard::default();
    for line in reader.join().map_err(|_| "the reader ended early")? {
        heard.add(&line);
    }
    Ok((took, requests, heard))
}

/// Whether a line answers a request. Only the members that tell are read.
fn is_answer(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Envelope {
        id: Option<u64>,
        method: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Envelope>(line)
        .is_ok_and(|message| message.id.is_some() && message.method.is_none())
}
