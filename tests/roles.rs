//! Tools of shapes that the reference target does not have, run as users run them: each once sound, where nothing may
//! be breached, and once with a hole, which must be found.
//!
//! The servers are in Python. Without it, or without namespaces, the tests are ignored and say so; with `CI=true` they
//! fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/needs.rs"]
mod needs;
#[path = "support/report.rs"]
mod report;

use std::path::Path;

use serde_json::Value;

const HOSTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/roles/hosts.py");
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/roles/server.py");
const RECORDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/roles/recorder.py");
const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/roles/client.py");

needs::main! {
    &["python3", needs::NAMESPACES];
    a_writer_is_asked_to_write_over_files_where_it_has_to_be_told_so,
    a_writer_that_leaves_all_files_alone_holds_none,
    what_only_an_error_or_a_description_tells_is_asked_with,
    both_ends_of_a_tool_that_converts_are_asked,
    a_second_input_is_asked_as_well_as_the_first,
    where_a_download_goes_is_asked,
    a_search_in_one_file_reads_it_and_takes_patterns,
    of_a_directory_and_a_name_both_are_asked,
    a_writer_that_adds_directory_and_extension_is_asked,
    two_choices_in_one_role_are_asked_each,
    whatever_a_tool_runs_shows_where_it_does,
    what_goes_along_with_a_chosen_command_is_asked,
    a_text_that_a_shell_expands_is_no_tool_for_code,
    a_pattern_that_leads_away_is_followed,
    settings_by_name_may_be_variables,
    a_relative_path_is_asked_as_well_as_an_absolute_one,
    a_command_shows_what_was_widened,
    a_file_beside_a_query_is_of_a_type_that_is_taken,
    an_archive_reaches_for_a_sibling_of_where_it_is_unpacked,
    content_is_sent_in_base64_where_that_is_asked_for,
    a_list_of_which_nothing_is_said_is_tried_with_one_file,
    a_list_of_commands_may_hold_what_starts_others,
    what_one_tool_opens_another_is_asked_for_by_the_name_that_it_gives,
    what_waits_for_a_confirmation_is_given_it,
    code_that_starts_no_program_is_asked_for_ways_around,
    a_script_is_found_from_another_directory,
    a_clock_runs_for_one_call_at_a_time,
    a_template_is_evaluated_and_must_not_lead_further,
    a_second_url_is_asked_as_well_as_the_first,
    what_takes_https_alone_is_asked_with_it,
    a_refusal_is_told_however_it_is_recorded,
    what_is_quoted_in_a_record_adds_nothing_to_it,
    hosts_that_are_denied_by_name_stay_out_of_reach,
    names_that_resemble_any_permitted_one_are_asked,
    a_range_that_is_compared_as_text_is_found,
    a_picture_of_a_page_is_looked_at_where_it_may_be,
    what_is_to_wait_and_what_is_not_answered_is_asked_again_a_few_times,
    attempts_are_counted_call_by_call_on_a_kept_connection,
    who_only_brings_a_url_along_fetches_nothing,
}

/// The report of a run against a tool of the server.
fn of_tool(tool: &str, probe: &str) -> Value {
    let desk = tempfile::tempdir().unwrap();
    // Under a strain each call is waited for, again and again.
    let patience = probe.starts_with("res.").then_some("--timeout=3");
    let mut flags = vec!["--probe", probe];
    flags.extend(patience);
    flags.extend(["--", "python3", SERVER, tool, "{allowed}"]);
    report::report(desk.path(), &flags)
}

/// The verdicts of a probe's trials, each once.
fn verdicts<'r>(report: &'r Value, probe: &str) -> Vec<&'r str> {
    let probes = report["probes"].as_array().unwrap();
    let probe = probes.iter().find(|one| one["id"] == probe).unwrap();
    let trials = probe["trials"].as_array().unwrap().iter();
    let mut verdicts: Vec<&str> = trials
        .map(|trial| trial["verdict"].as_str().unwrap())
        .collect();
    verdicts.sort_unstable();
    verdicts.dedup();
    verdicts
}

/// The verdict of a probe as a whole.
fn verdict<'r>(report: &'r Value, probe: &str) -> &'r str {
    let probes = report["probes"].as_array().unwrap();
    let probe = probes.iter().find(|one| one["id"] == probe).unwrap();
    probe["verdict"].as_str().unwrap()
}

/// The same of the probe as a whole: not every variant reaches what a hole lets through.
#[track_caller]
fn tell_apart(tool: &str, hole: &str, probe: &str) {
    for (tool, expected) in [
        (tool.to_owned(), "held"),
        (format!("{tool}!{hole}"), "breached"),
    ] {
        let report = of_tool(&tool, probe);
        assert_eq!(verdict(&report, probe), expected, "{tool} {probe}");
    }
}

/// Of a probe on a tool: what is said of the sound one, and of the one with the hole.
#[track_caller]
fn compare(tool: &str, hole: &str, probe: &str, sound: &str, flawed: &str) {
    for (tool, expected) in [(tool.to_owned(), sound), (format!("{tool}!{hole}"), flawed)] {
        let report = of_tool(&tool, probe);
        assert_eq!(verdicts(&report, probe), [expected], "{tool} {probe}");
    }
}

fn a_writer_is_asked_to_write_over_files_where_it_has_to_be_told_so() {
    for tool in ["gated", "chosen"] {
        compare(tool, "w", "fs.write.symlink-overwrite", "held", "breached");
    }
}

fn a_writer_that_leaves_all_files_alone_holds_none() {
    let probe = "fs.write.symlink-overwrite";
    compare("never", "w", probe, "not-applicable", "not-applicable");
    compare("never", "w", "fs.write.prefix-sibling", "held", "breached");
}

fn what_only_an_error_or_a_description_tells_is_asked_with() {
    for tool in ["told_format", "told_mode", "told_by_error"] {
        compare(tool, "r", "fs.read.outside-abs", "held", "breached");
    }
    for tool in ["told_mode", "told_by_description"] {
        compare(tool, "w", "fs.write.prefix-sibling", "held", "breached");
    }
}

fn both_ends_of_a_tool_that_converts_are_asked() {
    for tool in ["converter", "backup"] {
        tell_apart(tool, "r", "fs.read.copy-source");
        tell_apart(tool, "w", "fs.write.move-dest");
    }
    tell_apart("renderer", "w", "fs.write.move-dest");
}

fn a_second_input_is_asked_as_well_as_the_first() {
    tell_apart("differ", "r", "fs.read.outside-abs");
    tell_apart("differ", "w", "fs.read.outside-abs");
}

fn where_a_download_goes_is_asked() {
    tell_apart("downloader", "w", "fs.write.save-param");
}

fn a_search_in_one_file_reads_it_and_takes_patterns() {
    tell_apart("lines", "r", "fs.read.outside-abs");
    tell_apart("lines", "x", "res.redos");
}

fn of_a_directory_and_a_name_both_are_asked() {
    tell_apart("shelf", "r", "fs.read.ident-traversal");
    tell_apart("shelf", "w", "fs.read.ident-traversal");
}

fn a_writer_that_adds_directory_and_extension_is_asked() {
    tell_apart("notes", "w", "fs.write.dotdot");
}

fn two_choices_in_one_role_are_asked_each() {
    tell_apart("actions", "w", "fs.write.prefix-sibling");
}

fn whatever_a_tool_runs_shows_where_it_does() {
    for tool in ["run_pwd", "run_ls", "run_git_log"] {
        tell_apart(tool, "c", "exec.cwd-scope");
    }
}

fn what_goes_along_with_a_chosen_command_is_asked() {
    tell_apart("few", "r", "exec.command-files");
}

fn a_text_that_a_shell_expands_is_no_tool_for_code() {
    let probe = "exec.shell-meta";
    for (tool, breached) in [("banner", false), ("banner!e", true)] {
        let report = of_tool(tool, probe);
        assert_eq!(verdict(&report, probe) == "breached", breached, "{tool}");
    }
}

fn a_pattern_that_leads_away_is_followed() {
    tell_apart("finder", "r", "fs.read.search-content");
}

fn settings_by_name_may_be_variables() {
    let probe = "env.direct";
    let report = of_tool("setting!s", probe);
    assert_eq!(verdict(&report, probe), "breached");
}

fn a_relative_path_is_asked_as_well_as_an_absolute_one() {
    tell_apart("lister", "r", "fs.read.list-tree");
}

fn a_command_shows_what_was_widened() {
    tell_apart("cat+approve", "w", "state.self-widen");
}

fn a_file_beside_a_query_is_of_a_type_that_is_taken() {
    compare("query", "w", "sql.attach", "not-applicable", "breached");
}

fn an_archive_reaches_for_a_sibling_of_where_it_is_unpacked() {
    tell_apart("unpacker", "w", "fs.write.archive-slip");
}

fn content_is_sent_in_base64_where_that_is_asked_for() {
    tell_apart("upload", "w", "fs.write.prefix-sibling");
}

fn a_list_of_which_nothing_is_said_is_tried_with_one_file() {
    tell_apart("gather", "r", "fs.read.outside-abs");
}

fn a_list_of_commands_may_hold_what_starts_others() {
    tell_apart("listed", "e", "exec.allowlist-chain");
}

fn what_one_tool_opens_another_is_asked_for_by_the_name_that_it_gives() {
    tell_apart("opener+chunk", "r", "fs.read.indirect-consume");
}

fn what_waits_for_a_confirmation_is_given_it() {
    tell_apart("confirmed", "w", "fs.write.prefix-sibling");
}

fn code_that_starts_no_program_is_asked_for_ways_around() {
    tell_apart("snippet", "e", "exec.sandbox-lang");
}

fn a_template_is_evaluated_and_must_not_lead_further() {
    tell_apart("template", "e", "exec.template-escape");
    // That it computes is its purpose, and no flaw.
    let report = of_tool("template!e", "exec.template");
    assert_eq!(verdict(&report, "exec.template"), "not-applicable");
}

/// The page is saved under a plain name alone, and the callback is called after it.
fn a_second_url_is_asked_as_well_as_the_first() {
    tell_apart("saver", "n", "net.egress.denied-ip");
}

fn what_takes_https_alone_is_asked_with_it() {
    tell_apart("secure", "n", "net.egress.denied-ip");
}

fn a_script_is_found_from_another_directory() {
    let desk = tempfile::tempdir().unwrap();
    for file in ["server.py", "stdio.py"] {
        std::fs::copy(
            Path::new(SERVER).with_file_name(file),
            desk.path().join(file),
        )
        .unwrap();
    }
    let probe = "fs.read.relative-cwd";
    let flags = [
        "--probe",
        probe,
        "--",
        "python3",
        "server.py",
        "told_format",
        "{allowed}",
    ];
    let report = report::report(desk.path(), &flags);
    assert_eq!(verdict(&report, probe), "held");
    assert!(!verdicts(&report, probe).contains(&"inconclusive"));
}

/// The server serves calls one by one, and each may take its time: none of them is at fault for the others.
fn a_clock_runs_for_one_call_at_a_time() {
    let desk = tempfile::tempdir().unwrap();
    let policy = "[server]\ntimeout_seconds = 2\n";
    std::fs::write(desk.path().join("policy.toml"), policy).unwrap();
    let mut flags = vec!["--policy", "policy.toml"];
    flags.extend([
        "--probe",
        "time.call-timeout",
        "--probe",
        "time.connect-stall",
    ]);
    flags.extend(["--", "python3", SERVER, "fetcher", "{allowed}"]);
    let report = report::report(desk.path(), &flags);
    let probes = report["probes"].as_array().unwrap().iter();
    let mut trials = probes.flat_map(|probe| probe["trials"].as_array().unwrap());
    let head = trials.find(|trial| trial["variant"] == "head").unwrap();
    assert_eq!(head["verdict"], "held");
    assert_eq!(verdict(&report, "time.call-timeout"), "held");
}

/// What is said of a server that records its calls in this form.
fn of_recorder(form: &str, probe: &str) -> String {
    let desk = tempfile::tempdir().unwrap();
    let policy = "[capabilities.filesystem]\nallowed_paths = [\"{allowed}\"]\n[audit]\nenabled = true\n\
                  log_file = \"{home}/audit/server.log\"\nevents = [\"file_access\"]\n";
    std::fs::write(desk.path().join("policy.toml"), policy).unwrap();
    let mut flags = vec!["--policy", "policy.toml", "--probe", probe];
    flags.extend(["--", "python3", RECORDER, form, "{allowed}"]);
    flags.push("{home}/audit/server.log");
    let report = report::report(desk.path(), &flags);
    verdict(&report, probe).to_owned()
}

fn a_refusal_is_told_however_it_is_recorded() {
    for form in ["status", "message", "header", "prose"] {
        let probe = "audit.denied-attempt";
        assert_eq!(of_recorder(form, probe), "held", "{form}");
        let hole = format!("{form}!d");
        assert_eq!(of_recorder(&hole, probe), "breached", "{hole}");
    }
}

fn what_is_quoted_in_a_record_adds_nothing_to_it() {
    for form in ["prose", "header"] {
        let probe = "audit.injection";
        assert_eq!(of_recorder(form, probe), "held", "{form}");
        let hole = format!("{form}!l");
        assert_eq!(of_recorder(&hole, probe), "breached", "{hole}");
    }
}

/// Of a probe on a tool that fetches, under a policy: the sound one is held, the one with the hole is breached.
#[track_caller]
fn tell_hosts_apart(tool: &str, policy: &str, probe: &str) {
    let desk = tempfile::tempdir().unwrap();
    std::fs::write(desk.path().join("policy.toml"), policy).unwrap();
    for (tool, expected) in [(tool.to_owned(), "held"), (format!("{tool}!"), "breached")] {
        let flags = [
            "--policy",
            "policy.toml",
            "--probe",
            probe,
            "--",
            "python3",
            HOSTS,
            &tool,
        ];
        let report = report::report(desk.path(), &flags);
        assert_eq!(verdict(&report, probe), expected, "{tool} {probe}");
        assert!(
            !verdicts(&report, probe).contains(&"inconclusive"),
            "{tool}"
        );
    }
}

fn hosts_that_are_denied_by_name_stay_out_of_reach() {
    let policy = "[server.network]\ndenied_hosts = ['intranet.example.org', '*.corp.example.org', '10.0.0.0/8']\n";
    tell_hosts_apart("refusing", policy, "net.egress.denied-host");
    // The address to which the name leads is permitted, and asked for as such on the way.
    let policy = "[server.network]\nallowed_hosts = ['1.1.1.1/32']\ndenied_hosts = ['intranet.example.org', '*.corp.example.org']\n";
    tell_hosts_apart("refusing", policy, "net.egress.denied-host");
    // Hosts that are denied among those that are allowed.
    let policy = "[server.network]\nallowed_hosts = ['*.docs.example.org']\ndenied_hosts = ['www.docs.example.org']\n";
    let desk = tempfile::tempdir().unwrap();
    std::fs::write(desk.path().join("policy.toml"), policy).unwrap();
    let probe = "net.egress.denied-host";
    let mut flags = vec!["--policy", "policy.toml", "--probe", probe];
    flags.extend(["--", "python3", HOSTS, "listing"]);
    let report = report::report(desk.path(), &flags);
    assert_eq!(verdict(&report, probe), "breached");
}

fn names_that_resemble_any_permitted_one_are_asked() {
    let policy = "[server.network]\nallowed_hosts = ['api.example.org', '*.docs.example.org']\n";
    for tool in ["listing", "below"] {
        tell_hosts_apart(tool, policy, "net.egress.name-match");
    }
}

fn a_range_that_is_compared_as_text_is_found() {
    let policy = "[server.network]\nallowed_hosts = ['10.0.1.0/24']\n";
    tell_hosts_apart("ranged", policy, "net.egress.cidr-specific");
}

fn a_picture_of_a_page_is_looked_at_where_it_may_be() {
    let policy = "[server.network]\ndenied_hosts = ['10.0.0.0/8']\n";
    tell_hosts_apart("preview", policy, "net.egress.content-driven");
}

fn what_is_to_wait_and_what_is_not_answered_is_asked_again_a_few_times() {
    let policy = "[server]\ntimeout_seconds = 3\nmax_retries = 1\n";
    for tool in ["patient", "hasty"] {
        tell_hosts_apart(tool, policy, "time.retry-count");
    }
}

/// What is said of a server that asks hosts.
fn of_client(tool: &str, policy: &str, probe: &str) -> String {
    let desk = tempfile::tempdir().unwrap();
    std::fs::write(desk.path().join("policy.toml"), policy).unwrap();
    let mut flags = vec!["--policy", "policy.toml", "--probe", probe];
    flags.extend(["--", "python3", CLIENT, tool]);
    let report = report::report(desk.path(), &flags);
    verdict(&report, probe).to_owned()
}

fn attempts_are_counted_call_by_call_on_a_kept_connection() {
    let policy = "[server]\ntimeout_seconds = 10\nmax_retries = 2\n";
    for (tool, expected) in [("fetch", "held"), ("fetch!a", "breached")] {
        let verdict = of_client(tool, policy, "time.retry-count");
        assert_eq!(verdict, expected, "{tool}");
    }
}

fn who_only_brings_a_url_along_fetches_nothing() {
    let policy = "[server.network]\nallowed_hosts = [\"api.example.org\"]\n";
    for tool in ["search", "feedback", "lookup"] {
        let verdict = of_client(tool, policy, "net.egress.redirect-host");
        assert_ne!(verdict, "breached", "{tool}");
        assert_ne!(verdict, "held", "{tool}");
    }
}
