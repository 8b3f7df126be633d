//! The HTML report in a real browser: what it shows, what it lets a reader do, and what hostile text cannot do.
//!
//! Owns the launch of browser and driver. Where there is none the trials are ignored with the reason, and fail
//! where `CI` is set.

#[path = "page/browser.rs"]
mod browser;
#[path = "report/sample.rs"]
mod sample;
#[expect(dead_code, reason = "tests of real servers need more of it than this")]
#[path = "support/servers.rs"]
mod servers;

use std::{fs, net::TcpListener, process::ExitCode, time::Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::{Value, json};
use watertight::{
    judge::Basis,
    probe::Priority,
    report::{
        FleetFile, FleetReport, Found, Outcome, Report, ServerReport, fleet_outcomes,
        render_fleet_html, render_html,
    },
};

use browser::{Browser, Look};

type Check = fn(&Browser) -> Result<(), Failed>;

fn main() -> ExitCode {
    // The driver's client leaves it to the program. There is none before.
    let _first = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let checks: [(&str, Check); 8] = [
        ("the_filter_narrows_the_list", the_filter_narrows_the_list),
        (
            "an_address_opens_what_it_names",
            an_address_opens_what_it_names,
        ),
        (
            "a_cell_of_the_matrix_sets_the_filter",
            a_cell_of_the_matrix_sets_the_filter,
        ),
        ("keys_move_and_search", keys_move_and_search),
        ("light_and_dark", light_and_dark),
        (
            "hostile_text_stays_text_and_nothing_is_fetched",
            hostile_text_stays_text,
        ),
        ("large_reports_open_fast", large_reports_open_fast),
        (
            "a_fleet_leads_to_its_reports_and_runs_nothing",
            a_fleet_leads_to_its_reports_and_runs_nothing,
        ),
    ];
    let looks: [(&str, Look); 3] = [
        (
            "desktop",
            Look {
                width: 1280,
                dark: false,
            },
        ),
        (
            "desktop, dark",
            Look {
                width: 1280,
                dark: true,
            },
        ),
        (
            "phone",
            Look {
                width: 360,
                dark: false,
            },
        ),
    ];
    let mut trials: Vec<Trial> = checks
        .into_iter()
        .map(|(name, check)| {
            trial(
                name,
                Look {
                    width: 1280,
                    dark: false,
                },
                check,
            )
        })
        .collect();
    trials.extend(looks.into_iter().map(|(name, look)| {
        trial(
            &format!("accessible_and_without_sideways_scrolling, {name}"),
            look,
            fits_and_is_accessible,
        )
    }));
    let mut arguments = Arguments::from_args();
    // Each has a browser of its own.
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial(name: &str, look: Look, check: Check) -> Trial {
    Trial::ignorable_test(name, move || {
        // Wanted by one check only, but had by every machine that has a registry.
        let ready = servers::install("axe")
            .map_err(|missing| missing.to_string())
            .and_then(|_| Browser::start(look));
        match ready {
            Ok(browser) => check(&browser).map(|()| Completion::Completed),
            Err(missing) if servers::on_ci() => Err(missing.into()),
            Err(missing) => Ok(Completion::ignored_with(missing)),
        }
    })
}

fn equal(found: &Value, wanted: &Value, what: &str) -> Result<(), Failed> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what}: {found} instead of {wanted}").into())
}

/// What the list shows: ids of probes, and how many trials.
const SHOWN: &str = "return [[...document.querySelectorAll('details.p:not([hidden])')].map(p => p.id), \
    document.querySelectorAll('details.p:not([hidden]) details.t:not([hidden])').length]";

/// Sets fields of the filter and lets it work.
fn filter(browser: &Browser, fields: &[(&str, &str)]) -> Result<Value, Failed> {
    browser.run("document.getElementById('filter').reset(); return 0")?;
    browser.pause();
    for (field, value) in fields {
        browser.run(&format!(
            "const e = document.getElementById('{field}'); e.value = '{value}'; \
             e.dispatchEvent(new Event('input', {{bubbles: true}})); \
             e.dispatchEvent(new Event('change', {{bubbles: true}})); return 0"
        ))?;
    }
    browser.pause();
    browser.run(SHOWN)
}

fn the_filter_narrows_the_list(browser: &Browser) -> Result<(), Failed> {
    let report = sample::report();
    browser.open(&render_html(&report), "")?;
    let all = filter(browser, &[])?;
    equal(
        &json!(all[0].as_array().map(Vec::len)),
        &json!(report.probes.len()),
        "all probes",
    )?;
    equal(&all[1], &json!(report.summary.planned), "all trials")?;
    let breached = filter(browser, &[("f-verdict", "breached")])?;
    let ids = ["fs.read.prefix-sibling", "fs.write.symlink-dangling"];
    equal(
        &breached,
        &json!([ids, report.summary.trials.breached]),
        "breached",
    )?;
    let critical = filter(browser, &[("f-severity", "critical")])?;
    equal(&critical[0], &json!(["fs.read.prefix-sibling"]), "critical")?;
    let written = filter(
        browser,
        &[("f-boundary", "fs.write"), ("f-verdict", "held")],
    )?;
    equal(
        &written,
        &json!([["fs.write.outside-abs"], 2]),
        "boundary and verdict",
    )?;
    let tool = filter(browser, &[("f-tool", "3")])?;
    equal(
        &tool,
        &json!([["fs.read.dotdot", "fs.read.prefix-sibling"], 3]),
        "tool",
    )?;
    let found = filter(browser, &[("q", "CONTROL-FAILED nothing")])?;
    equal(&found, &json!([[], 0]), "a search for nothing")?;
    let found = filter(browser, &[("q", "inotify")])?;
    equal(
        &found[0],
        &json!(["fs.read.hardlink"]),
        "a search in reasons",
    )?;
    let told = browser.run("return document.getElementById('shown').textContent")?;
    equal(
        &told,
        &json!("1 of 11 probes, 1 of 43 trials"),
        "what is told",
    )
}

fn an_address_opens_what_it_names(browser: &Browser) -> Result<(), Failed> {
    // Open, and its summary where a click would reach it: not below the bars.
    let seen = "const e = document.getElementById(location.hash.slice(1)); const s = e.firstElementChild; \
        const r = s.getBoundingClientRect(); \
        const hit = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2); \
        return [e.open, e.closest('details.p').open, s.contains(hit)]";
    let page = render_html(&sample::report());
    for address in ["fs.read.hardlink", "fs.read.dotdot/deep@read_file:path"] {
        browser.open(&page, address)?;
        browser.pause();
        equal(&browser.run(seen)?, &json!([true, true, true]), address)?;
    }
    // A filter that hides it gives way.
    filter(browser, &[("f-verdict", "held")])?;
    browser.run("location.hash = 'fs.size.read-over'; return 0")?;
    browser.pause();
    equal(
        &browser.run(seen)?,
        &json!([true, true, true]),
        "a hidden one",
    )
}

fn a_cell_of_the_matrix_sets_the_filter(browser: &Browser) -> Result<(), Failed> {
    browser.open(&render_html(&sample::report()), "")?;
    browser.run("document.querySelector('a[data-boundary=\"fs.write\"][data-tool=\"2\"]').click(); return 0")?;
    browser.pause();
    let shown = browser.run(SHOWN)?;
    equal(
        &shown,
        &json!([["fs.write.outside-abs", "fs.write.symlink-dangling"], 3]),
        "a cell",
    )
}

fn keys_move_and_search(browser: &Browser) -> Result<(), Failed> {
    browser.open(&render_html(&sample::report()), "")?;
    let press = |key: &str| {
        browser.run(&format!(
            "(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', {{key: '{key}', bubbles: true}})); \
             return document.activeElement.closest('details')?.id ?? document.activeElement.id"
        ))
    };
    equal(&press("j")?, &json!("fs.read.case"), "j")?;
    equal(&press("j")?, &json!("fs.read.dotdot"), "j again")?;
    equal(&press("k")?, &json!("fs.read.case"), "k")?;
    equal(&press("/")?, &json!("q"), "/")?;
    filter(browser, &[("f-verdict", "held")])?;
    press("Escape")?;
    let value = browser.run("return document.getElementById('f-verdict').value")?;
    equal(&value, &json!(""), "Escape")
}

fn light_and_dark(browser: &Browser) -> Result<(), Failed> {
    browser.open(&render_html(&sample::report()), "")?;
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let light = browser.run(ground)?;
    browser.run("document.getElementById('theme').click(); return 0")?;
    let dark = browser.run(ground)?;
    if light == dark {
        return Err(format!("both are {light}").into());
    }
    equal(
        &browser.run("return document.getElementById('theme').textContent")?,
        &json!("Light"),
        "the button",
    )
}

fn hostile_text_stays_text(browser: &Browser) -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let mut report = sample::poisoned();
    let call = format!(
        "<img src=http://127.0.0.1:{port}/a><script src=http://127.0.0.1:{port}/b></script>"
    );
    for probe in &mut report.probes {
        probe.title.push_str(&call);
        for trial in &mut probe.trials {
            trial.answered = Some(call.clone());
        }
    }
    browser.open(&render_html(&report), "")?;
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true); return 0")?;
    browser.pause();
    let state = browser.run(
        "return [typeof window.owned, document.scripts.length, document.images.length, \
         document.querySelectorAll('main svg[onload], [onmouseover], iframe, object, embed, link').length, \
         performance.getEntriesByType('resource').length]",
    )?;
    equal(
        &state,
        &json!(["undefined", 1, 0, 0, 0]),
        "what ran and what was fetched",
    )?;
    if listener.accept().is_ok() {
        return Err("the page called".into());
    }
    // The page's own script did run: it set up the filter.
    equal(
        &browser.run("return document.getElementById('filter').hidden")?,
        &json!(false),
        "the filter",
    )?;
    // Another script may not, even if one got in.
    browser.run("const s = document.createElement('script'); s.textContent = 'window.owned = 2'; document.body.append(s); return 0")?;
    equal(
        &browser.run("return typeof window.owned")?,
        &json!("undefined"),
        "the policy of the page",
    )
}

/// A fleet with every outcome, and hostile texts wherever a server could put some.
fn overview() -> FleetReport {
    let hostile =
        "<script>window.owned = 1</script><img src=x onerror=window.owned=1>\u{1b}[31m\u{202e}";
    let server = |name: &str, outcome, exit_code, found: Option<Found>| ServerReport {
        name: name.to_owned(),
        outcome,
        exit_code,
        took_ms: 1_234,
        message: found.is_none().then(|| hostile.to_owned()),
        reports: vec![FleetFile {
            format: String::from("html"),
            path: format!("{name}.html"),
        }],
        found,
    };
    let mut poisoned = Found::from(&sample::poisoned());
    poisoned.name = Some(hostile.to_owned());
    for breach in &mut poisoned.breaches {
        breach.title = hostile.to_owned();
    }
    let plain = || Some(Found::from(&sample::report()));
    let servers = vec![
        server("flawed", Outcome::Breached, Some(1), plain()),
        server("hostile", Outcome::Breached, Some(1), Some(poisoned)),
        server("sound", Outcome::Held, Some(0), plain()),
        server("silent", Outcome::Failed, Some(2), None),
        server("late", Outcome::NotRun, None, None),
    ];
    let (outcomes, exit_code) = fleet_outcomes(&servers);
    FleetReport {
        schema: 1,
        version: String::from("0.1.0"),
        started: String::from("2026-11-23T10:15:00Z"),
        took_ms: 2_345,
        jobs: 2,
        interrupted: true,
        exit_code,
        outcomes,
        servers,
    }
}

fn a_fleet_leads_to_its_reports_and_runs_nothing(browser: &Browser) -> Result<(), Failed> {
    browser.open(&render_fleet_html(&overview()), "")?;
    let state = browser.run(
        "return [typeof window.owned, document.scripts.length, document.images.length, \
         document.querySelectorAll('[onerror], iframe, object, embed, link').length, \
         performance.getEntriesByType('resource').length]",
    )?;
    equal(
        &state,
        &json!(["undefined", 0, 0, 0, 0]),
        "what ran and what was fetched",
    )?;
    let told = browser.run("return document.getElementById('headline').textContent")?;
    equal(
        &told,
        &json!("✗ 2 of 5 servers were breached"),
        "the headline",
    )?;
    let links = browser.run(
        "return [...document.querySelectorAll('#servers table.rows th a')].map(a => a.getAttribute('href'))",
    )?;
    let wanted =
        ["flawed", "hostile", "sound", "silent", "late"].map(|name| format!("{name}.html"));
    equal(&links, &json!(wanted), "the reports")?;
    browser.run("const s = document.createElement('script'); s.textContent = 'window.owned = 2'; document.body.append(s); return 0")?;
    equal(
        &browser.run("return typeof window.owned")?,
        &json!("undefined"),
        "the policy of the page",
    )
}

#[expect(clippy::print_stdout, reason = "a measurement for whoever runs it")]
fn large_reports_open_fast(browser: &Browser) -> Result<(), Failed> {
    let mut findings = sample::findings();
    for number in 0..100 {
        let id = format!("fs.read.many-{number:03}");
        let trials = (0..50).map(|variant| {
            let mut trial = sample::trial(&id, &format!("v{variant}"), "read_file", Basis::Policy);
            trial.asked =
                Some(json!({ "name": "read_file", "arguments": { "path": "/a/".repeat(40) } }));
            trial.answered = Some("Access denied - path outside allowed directories ".repeat(6));
            trial
        });
        findings
            .probes
            .push(sample::probe(&id, Priority::P0, trials.collect()));
    }
    findings.planned = findings.probes.iter().map(|probe| probe.trials.len()).sum();
    let report = Report::new(findings).map_err(|error| error.to_string())?;
    let begun = Instant::now();
    let page = render_html(&report);
    let rendered = begun.elapsed();
    browser.open(&page, "")?;
    browser.pause();
    let times = browser.run(
        "const n = performance.getEntriesByType('navigation')[0]; \
         const p = performance.getEntriesByName('first-contentful-paint')[0]; \
         return [Math.round(n.domInteractive), Math.round(n.loadEventEnd), p ? Math.round(p.startTime) : null]",
    )?;
    println!(
        "{} trials, {} KiB, rendered in {} ms; ms to interactive, loaded, first paint: {times}",
        report.summary.planned,
        page.len() >> 10,
        rendered.as_millis()
    );
    let shown = filter(browser, &[("f-verdict", "breached")])?;
    equal(
        &shown[1],
        &json!(report.summary.trials.breached),
        "the filter",
    )
}

fn fits_and_is_accessible(browser: &Browser) -> Result<(), Failed> {
    let installed = servers::install("axe").map_err(|missing| missing.to_string())?;
    let axe = fs::read_to_string(&installed.argv(&[])[1])?;
    for (name, page) in [
        ("sample", render_html(&sample::report())),
        ("hostile", render_html(&sample::poisoned())),
        ("fleet", render_fleet_html(&overview())),
    ] {
        browser.open(&page, "fs.read.prefix-sibling")?;
        browser.pause();
        browser.picture(name)?;
        let wide = browser.run(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
        )?;
        equal(&wide, &json!(0), &format!("sideways scrolling of {name}"))?;
        // The driver's scripts are no part of the page, so that its policy does not bind them.
        browser.run(&format!("{axe}; return 0"))?;
        let found = browser.wait_for(
            "const done = arguments[arguments.length - 1]; axe.run().then(r => done([r.passes.length > 20, \
             ...r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | '))]), \
             e => done([String(e)]))",
        )?;
        equal(
            &found,
            &json!([true]),
            &format!("rules passed, and violations, in {name}"),
        )?;
    }
    Ok(())
}
