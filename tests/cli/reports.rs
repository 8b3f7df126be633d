//! Reports that cannot get where they should go.

use std::{fs::OpenOptions, io::Read as _, path::PathBuf, process::Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::run::{Going, Run, reference};

fn run(flags: &[&str]) -> Run {
    let probe = ["run", "--probe", "fs.read.search-content"];
    Run::new(&[&probe[..], flags, &reference(&[])].concat())
}

#[test]
fn one_that_cannot_be_written_does_not_keep_the_others() {
    let ran = run(&[
        "--report",
        "json=file/report.json",
        "--report",
        "json=good.json",
        "--report",
        "text=new/directory/report.txt",
    ])
    .file("file", "in the way")
    .go();
    ran.code(4)
        .tells(&["cannot write the json report to file/report.json"]);
    assert_eq!(ran.made(), ["good.json", "new/directory/report.txt"]);
    assert_eq!(ran.json("good.json")["summary"]["exit_code"], 0);
}

#[test]
fn json_on_standard_output_is_json_and_nothing_else() {
    let ran = run(&["--report", "json=-"]).go();
    ran.code(0);
    let report: Value = serde_json::from_str(&ran.out).expect("standard output is JSON");
    assert_eq!(report["summary"]["exit_code"], 0);
    assert_eq!(ran.made(), [""; 0]);
}

#[test]
fn progress_is_told_unless_it_is_unwanted() {
    let told = run(&["--progress", "lines"]).go();
    told.code(0).tells(&["finished"]);
    let silent = run(&["--progress", "none"]).go();
    silent.code(0);
    assert_eq!(silent.err, "");
    assert_eq!(silent.out.lines().next(), told.out.lines().next());
}

#[test]
fn a_reader_that_has_seen_enough_changes_nothing() {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut going = run(&["--verbose"]).stdout(writer).start();
    going.wait_for("planned");
    // `head -1` does this once it has its line.
    let closed = std::thread::spawn(move || {
        let mut byte = [0];
        reader.read_exact(&mut byte)
    });
    let ran = going.end();
    ran.code(0);
    closed
        .join()
        .expect("the thread only reads")
        .expect("the report was begun");
}

#[test]
fn a_reader_that_was_never_there_changes_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    run(&[]).stdout(writer).go().code(0);
}

#[test]
fn a_full_standard_output_is_told() {
    let full = OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .expect("this is Linux");
    let ran = run(&[]).stdout(Stdio::from(full)).go();
    ran.code(4)
        .tells(&["the report could not be printed", "fix:"]);
}

/// A run that was interrupted once while its report goes to a pipe, and that pipe.
fn interrupted_into_a_pipe() -> (Going, PathBuf) {
    let going = run(&["--report", "json=pipe"]);
    let pipe = going.path("pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, mode).expect("the directory is ours");
    let mut going = going.start();
    going.wait_for("finished").signal(Signal::INT);
    going.wait_for("once more");
    (going, pipe)
}

#[test]
fn a_pipe_that_nobody_reads_can_be_interrupted() {
    let (mut going, _pipe) = interrupted_into_a_pipe();
    going.signal(Signal::INT);
    let ran = going.end();
    ran.code(4)
        .tells(&["interrupted while the reports were written"]);
}

#[test]
fn an_interrupt_loses_no_report_that_is_being_written() {
    let (going, pipe) = interrupted_into_a_pipe();
    let report = std::fs::read(&pipe).expect("it is written");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("it is whole");
    assert_eq!(report["harness"]["interrupted"], false);
    going.end().code(0);
}
