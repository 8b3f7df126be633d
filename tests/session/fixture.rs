//! Servers to converse with, good and bad: this very test binary, run again with a variable set.

#![expect(
    clippy::exit,
    clippy::print_stderr,
    reason = "this module is a program of its own"
)]

use std::{
    io::{BufRead, Write},
    process::Command,
    time::Duration,
};

use serde_json::{Value, json};

/// Names the server to be; see [`serve`].
pub(crate) const SELECT: &str = "WATERTIGHT_TEST_SERVER";

fn say(message: &Value) {
    raw(&message.to_string());
}

fn raw(line: &str) {
    let mut stdout = std::io::stdout().lock();
    // A client that has left is no failure of the fixture.
    let _left = writeln!(stdout, "{line}");
    let _left = stdout.flush();
}

fn asleep() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(600));
    }
}

/// Is the server called `name`; never returns.
pub(crate) fn serve(name: &str) -> ! {
    match name {
        "chatty" => {
            for number in 0..5000 {
                raw(&json!({ "level": "info", "number": number }).to_string());
            }
        }
        "banner" => raw("\x1b[1mWelcome to the server, it is ready!"),
        _ => {}
    }
    let mut page = 0;
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let Ok(message) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let id = message["id"].clone();
        let method = message["method"].as_str().unwrap_or_default();
        if method == "initialize" && name == "quitter" {
            std::process::exit(3);
        }
        let stateless = matches!(name, "stateless" | "quitting-stateless");
        match method {
            "initialize" if stateless => {
                say(&json!({ "jsonrpc": "2.0", "id": id,
                    "error": { "code": -32601, "message": "Method not found" } }));
                if name == "quitting-stateless" {
                    std::process::exit(0);
                }
            }
            "initialize" if name == "refusing" => say(&json!({ "jsonrpc": "2.0", "id": null,
                "error": { "code": -32000, "message": "no license\u{1b}[2J" } })),
            "initialize" if name == "sparse" => say(&json!({ "jsonrpc": "2.0", "id": id,
                "result": { "protocolVersion": "2026-07-28" } })),
            "initialize" => say(&json!({ "jsonrpc": "2.0", "id": id, "result": {
                "protocolVersion": "2024-11-05",
                "capabilities": if name == "prompting" {
                    json!({ "tools": {}, "prompts": {} })
                } else {
                    json!({ "tools": {} })
                },
                "serverInfo": { "name": "fixture", "version": "1" },
                "instructions": "be gentle" } })),
            "server/discover" if stateless => say(&json!({ "jsonrpc": "2.0", "id": id, "result": {
                "resultType": "complete", "supportedVersions": ["2026-07-28"],
                "ttlMs": 0, "cacheScope": "private",
                "capabilities": { "tools": {} },
                "serverInfo": { "name": "fixture", "version": "1" } } })),
            "notifications/initialized" if name == "deaf" => asleep(),
            "notifications/initialized" if name == "asking" => {
                for (number, method) in ["roots/list", "sampling/createMessage"].iter().enumerate()
                {
                    say(
                        &json!({ "jsonrpc": "2.0", "id": format!("ask-{number}"), "method": method,
                        "params": if number == 0 { json!({}) } else {
                            json!({ "messages": [], "maxTokens": 1 }) } }),
                    );
                }
            }
            "tools/list" if name == "endless" => {
                page += 1;
                let cursor = format!("page {page}");
                say(&json!({ "jsonrpc": "2.0", "id": id,
                    "result": { "tools": [{ "name": cursor }], "nextCursor": cursor } }));
            }
            "tools/list" if name == "looping" => say(&json!({ "jsonrpc": "2.0", "id": id,
                "result": { "tools": [{ "name": "one" }], "nextCursor": "again" } })),
            "tools/list" => say(&json!({ "jsonrpc": "2.0", "id": id, "result": { "tools": [
                { "name": "echo", "description": "says it again",
                  "inputSchema": { "type": "object" } },
                { "name": "broken", "inputSchema": "not a schema" },
                { "title": "nameless" } ] } })),
            "tools/call" => call(&message, &id),
            "prompts/list" if name == "prompting" => say(&json!({ "jsonrpc": "2.0", "id": id,
                "result": { "prompts": [
                    { "name": "review", "description": "of a file", "arguments": [
                        { "name": "file", "description": "its path", "required": true },
                        { "name": "tone" } ] },
                    { "name": "greeting" } ] } })),
            "prompts/get" if name == "prompting" => say(&json!({ "jsonrpc": "2.0", "id": id,
                "result": { "messages": [{ "role": "user", "content":
                    { "type": "text", "text": message["params"]["arguments"]["file"] } }] } })),
            "" | "notifications/initialized" | "notifications/cancelled" => {}
            _ => say(&json!({ "jsonrpc": "2.0", "id": id,
                "error": { "code": -32601, "message": "Method not found" } })),
        }
    }
    std::process::exit(0);
}

fn call(message: &Value, id: &Value) {
    let arguments = &message["params"]["arguments"];
    match message["params"]["name"].as_str().unwrap_or_default() {
        "echo" => say(&json!({ "jsonrpc": "2.0", "id": id, "result": {
            "content": [{ "type": "text", "text": arguments["text"] }] } })),
        "meta" => say(&json!({ "jsonrpc": "2.0", "id": id,
            "result": { "content": [], "meta": message["params"]["_meta"] } })),
        "strange content" => say(&json!({ "jsonrpc": "2.0", "id": id,
            "result": { "content": [{ "type": "hologram" }], "tools": [], "contents": [] } })),
        "input" => say(&json!({ "jsonrpc": "2.0", "id": id,
            "result": { "resultType": "input_required", "inputRequests": {}, "requestState": "s" } })),
        "deep" => raw(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":{}{}}}}}"#,
            "[".repeat(200),
            "]".repeat(200)
        )),
        "surrogate" => raw(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":[{{"type":"text","text":"\ud800"}}]}}}}"#
        )),
        "not utf-8" => {
            let mut stdout = std::io::stdout().lock();
            let mut line =
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"leak":""#).into_bytes();
            line.extend_from_slice(b"\xff\xfe\"}}\n");
            let _left = stdout.write_all(&line);
            let _left = stdout.flush();
        }
        "odd code" => raw(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":123456789012,"message":"odd"}}}}"#
        )),
        "both" => raw(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{}},"error":{{"code":1,"message":"both"}}}}"#
        )),
        "no version" => raw(&format!(r#"{{"id":{id},"result":{{}}}}"#)),
        "batch" => raw(&format!(
            r#"[{{"jsonrpc":"2.0","id":{id},"result":{{"content":[]}}}}]"#
        )),
        "wrong id" => say(&json!({ "jsonrpc": "2.0", "id": 987_654, "result": { "content": [] } })),
        "string id" => say(&json!({ "jsonrpc": "2.0", "id": id.to_string(),
            "result": { "content": [] } })),
        "huge" => {
            let text = "x".repeat(arguments["bytes"].as_u64().unwrap_or_default() as usize);
            raw(&format!(
                r#"{{"result":{{"text":"{text}"}},"jsonrpc":"2.0","id":{id}}}"#
            ));
        }
        "flood" => {
            let block = vec![b'x'; 1 << 16];
            let mut stdout = std::io::stdout().lock();
            while stdout.write_all(&block).is_ok() {}
            asleep()
        }
        "complain" => {
            eprintln!("{}", arguments["text"].as_str().unwrap_or_default());
            say(&json!({ "jsonrpc": "2.0", "id": id, "result": { "content": [] } }));
        }
        "die" => std::process::exit(7),
        "close output" => {
            // The descriptor itself has to go; std offers no way, so a shell takes our place.
            use std::os::unix::process::CommandExt;
            let error = Command::new("/bin/sh")
                .args(["-c", "exec >&-; sleep 300"])
                .exec();
            panic!("no shell: {error}");
        }
        "hang" => {}
        "daemon" => {
            let script = format!(
                "trap '' TERM; echo $$ > '{}'; while :; do sleep 1; done",
                arguments["pid_file"].as_str().unwrap_or_default()
            );
            let mut command = Command::new("setsid");
            command.args(["-f", "/bin/sh", "-c", &script]);
            command
                .stdin(std::process::Stdio::null())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null());
            if arguments["wipe"] == true {
                command.env_clear().env("PATH", "/usr/bin:/bin");
            }
            let started = command.status().is_ok_and(|status| status.success());
            say(&json!({ "jsonrpc": "2.0", "id": id,
                "result": { "content": [], "started": started } }));
        }
        _ => say(&json!({ "jsonrpc": "2.0", "id": id,
            "error": { "code": -32602, "message": "Unknown tool" } })),
    }
}
