//! Channels are found on servers of every shape, and never believed without proof.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Map, Value, json};
use watertight::{
    channel::{
        Channel, Discovery, Ground, Lock, PathForm, PatternForm, Proof, SlotValue, Take, discover,
    },
    probe::{Role, Slot},
    session::{Caller, Exchange, Outcome, Tool},
};

/// What a tool of the fake server answers.
enum Answer {
    Text(String),
    /// `isError: true`
    Failed(String),
    /// A JSON-RPC error.
    Refused(i64, String),
}

type Handler = Box<dyn Fn(&Value, &Path) -> Answer + Send + Sync>;

/// A server in memory whose tools act on a real directory.
struct Server {
    root: PathBuf,
    tools: Vec<Tool>,
    handlers: BTreeMap<String, Handler>,
    sent: AtomicU64,
    log: Mutex<Vec<Value>>,
    /// Whether a call is refused while another one is under way.
    jealous: bool,
    busy: AtomicBool,
    _dir: tempfile::TempDir,
}

impl Server {
    fn new() -> Server {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap().join("allowed");
        fs::create_dir(&root).unwrap();
        Server {
            root,
            tools: Vec::new(),
            handlers: BTreeMap::new(),
            sent: AtomicU64::new(0),
            log: Mutex::default(),
            jealous: false,
            busy: AtomicBool::new(false),
            _dir: dir,
        }
    }

    fn tool(
        mut self,
        name: &str,
        description: &str,
        schema: Value,
        handler: impl Fn(&Value, &Path) -> Answer + Send + Sync + 'static,
    ) -> Server {
        self.tools.push(Tool {
            name: name.into(),
            description: description.into(),
            annotations: Value::Null,
            definition: json!({
                "name": name, "description": description, "inputSchema": schema.clone()
            }),
            input_schema: schema,
        });
        self.handlers.insert(name.into(), Box::new(handler));
        self
    }

    fn annotated(mut self, annotations: Value) -> Server {
        self.tools.last_mut().unwrap().annotations = annotations;
        self
    }

    fn discover(&self) -> Discovery {
        self.discover_with(&[], |_| {})
    }

    fn discover_with<'g>(
        &'g self,
        given: &[Channel],
        change: impl Fn(&mut Ground<'g>),
    ) -> Discovery {
        let mut ground = Ground {
            root: &self.root,
            told: &self.root,
            mint: &mint,
            deadline: Duration::from_secs(5),
            jobs: 8,
            allow_destructive: &[],
            read_only: false,
            forgets: false,
            resources: false,
            uris: &[],
            net: None,
        };
        change(&mut ground);
        let discovery = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(discover(self, &self.tools, given, &ground));
        let left: Vec<_> = fs::read_dir(&self.root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .filter(|name| name != "side.txt")
            .collect();
        assert!(left.is_empty(), "left behind: {left:?}");
        discovery
    }
}

fn mint() -> String {
    (0..36)
        .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[fastrand::usize(..32)]))
        .collect()
}

impl Caller for Server {
    async fn request(&self, method: &str, params: Value, _deadline: Duration) -> Exchange {
        self.log.lock().unwrap().push(params.clone());
        let number = self.sent.fetch_add(1, Ordering::Relaxed);
        let name = if method == "tools/call" {
            params["name"].as_str().unwrap().to_owned()
        } else {
            method.to_owned()
        };
        let arguments = params.get("arguments").unwrap_or(&params);
        let refused = self.jealous && self.busy.swap(true, Ordering::Relaxed);
        tokio::task::yield_now().await;
        let answer = match refused {
            true => Answer::Failed("busy".into()),
            false => self.handlers[&name](arguments, &self.root),
        };
        if !refused {
            self.busy.store(false, Ordering::Relaxed);
        }
        let outcome = match answer {
            Answer::Text(text) => Outcome::Result(
                json!({ "content": [{ "type": "text", "text": text }], "isError": false }),
            ),
            Answer::Failed(text) => Outcome::Result(
                json!({ "content": [{ "type": "text", "text": text }], "isError": true }),
            ),
            Answer::Refused(code, message) => Outcome::Error {
                code: Some(code),
                message,
            },
        };
        let raw = match &outcome {
            Outcome::Result(value) => json!({ "jsonrpc": "2.0", "id": number, "result": value }),
            Outcome::Error { code, message } => json!({
                "jsonrpc": "2.0", "id": number, "error": { "code": code, "message": message }
            }),
            _ => Value::Null,
        };
        Exchange {
            number,
            id: number.to_string(),
            method: method.into(),
            params,
            outcome,
            raw: Arc::from(raw.to_string().into_bytes()),
            took: Duration::ZERO,
        }
    }
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn answer<T: Into<String>>(result: std::io::Result<T>) -> Answer {
    match result {
        Ok(text) => Answer::Text(text.into()),
        Err(error) => Answer::Failed(format!("Error: {error}")),
    }
}

fn get<'a>(arguments: &'a Value, name: &str) -> &'a str {
    arguments[name].as_str().unwrap_or_default()
}

/// The path if it lies in the root by its letters.
fn inside(root: &Path, path: &str) -> std::io::Result<PathBuf> {
    if Path::new(path).starts_with(root) && !path.contains("..") {
        Ok(PathBuf::from(path))
    } else {
        Err(std::io::Error::other(format!(
            "Access denied - path outside allowed directories: {path}"
        )))
    }
}

fn read(root: &Path, path: &str) -> std::io::Result<String> {
    fs::read_to_string(inside(root, path)?)
}

/// The proven channel of a role.
#[track_caller]
fn proven(discovery: &Discovery, role: Role) -> &Channel {
    discovery
        .channels
        .iter()
        .find(|channel| channel.role == role && channel.proof.proven())
        .unwrap_or_else(|| panic!("{role:?} not proven: {discovery:#?}"))
}

#[track_caller]
fn nothing_proven(discovery: &Discovery) {
    let proven: Vec<_> = discovery
        .channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .collect();
    assert!(proven.is_empty(), "{proven:#?}");
}

fn slot(channel: &Channel, slot: Slot) -> Vec<&str> {
    channel.slots[&slot].iter().map(String::as_str).collect()
}

fn file_schema() -> Value {
    object(&["path"], json!({ "path": text("Path of the file") }))
}

#[test]
fn absolute_paths_only() {
    let server = Server::new().tool("read_file", "Read a file", file_schema(), |args, root| {
        answer(read(root, get(args, "path")))
    });
    let discovery = server.discover();
    let channel = proven(&discovery, Role::FileRead);
    assert_eq!(channel.form, PathForm::Absolute);
    assert_eq!(channel.extension, ".txt");
    assert_eq!(slot(channel, Slot::Path), ["/path"]);
    assert_eq!(discovery.channels.len(), 1);
    assert_eq!(discovery.calls, 3, "{:#?}", discovery.log);
    assert_eq!(discovery.unbound, []);
}

#[test]
fn relative_paths_only() {
    let server = Server::new().tool("read_file", "Read a file", file_schema(), |args, root| {
        let path = get(args, "path");
        if path.starts_with('/') {
            return Answer::Text("Absolute paths are not accepted here.".into());
        }
        answer(fs::read_to_string(root.join(path)))
    });
    assert_eq!(
        proven(&server.discover(), Role::FileRead).form,
        PathForm::Relative
    );
}

#[test]
fn paths_rooted_at_the_allowed_directory() {
    let server =
        Server::new().tool(
            "read_file",
            "Read a file",
            file_schema(),
            |args, root| match get(args, "path").strip_prefix('/') {
                Some(path) => answer(fs::read_to_string(root.join(path))),
                None => Answer::Failed("must start with a slash".into()),
            },
        );
    assert_eq!(
        proven(&server.discover(), Role::FileRead).form,
        PathForm::Rooted
    );
}

#[test]
fn directory_and_name_in_two_parameters() {
    for (absolute, form) in [(true, PathForm::Split), (false, PathForm::SplitRelative)] {
        let server = Server::new().tool(
            "get_document",
            "Returns a document",
            object(
                &["folder", "fileName"],
                json!({ "folder": { "type": "string" }, "fileName": { "type": "string" } }),
            ),
            move |args, root| {
                let (folder, name) = (get(args, "folder"), get(args, "fileName"));
                if folder.starts_with('/') != absolute || name.contains('/') {
                    return Answer::Failed("no such folder".into());
                }
                answer(fs::read_to_string(root.join(folder).join(name)))
            },
        );
        let discovery = server.discover();
        let channel = proven(&discovery, Role::FileRead);
        assert_eq!(channel.form, form);
        assert_eq!(slot(channel, Slot::Path), ["/folder", "/fileName"]);
    }
}

#[test]
fn a_parameter_that_takes_uris() {
    let server = Server::new().tool(
        "convert_to_markdown",
        "Convert a resource described by an http:, https:, file: or data: URI to markdown",
        object(&["uri"], json!({ "uri": { "type": "string" } })),
        |args, root| match get(args, "uri").strip_prefix("file://") {
            Some(path) => answer(read(root, path)),
            None => Answer::Failed("unsupported scheme".into()),
        },
    );
    assert_eq!(
        proven(&server.discover(), Role::FileRead).form,
        PathForm::Uri
    );
}

#[test]
fn everything_in_one_object() {
    let schema = json!({
        "type": "object",
        "required": ["params"],
        "properties": { "params": { "$ref": "#/$defs/Read" } },
        "$defs": { "Read": object(
            &["file_path", "encoding"],
            json!({
                "file_path": text("The file"),
                "encoding": { "enum": ["utf-8", "latin-1"] },
                "limit": { "type": "integer" }
            })
        ) }
    });
    let server = Server::new().tool("read_text", "Reads a text file", schema, |args, root| {
        if args["params"]["encoding"] != "utf-8" {
            return Answer::Refused(-32602, "bad encoding".into());
        }
        answer(read(root, get(&args["params"], "file_path")))
    });
    let discovery = server.discover();
    let channel = proven(&discovery, Role::FileRead);
    assert_eq!(slot(channel, Slot::Path), ["/params/file_path"]);
    assert_eq!(
        Value::Object(channel.fixed.clone()),
        json!({ "params": { "encoding": "utf-8" } })
    );
}

#[test]
fn several_files_in_one_call() {
    let server = Server::new()
        .tool(
            "read_multiple_files",
            "Read several files",
            object(
                &["paths"],
                json!({ "paths": { "type": "array", "items": { "type": "string" } } }),
            ),
            |args, root| {
                let texts: Vec<String> = args["paths"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|path| read(root, path.as_str().unwrap()).unwrap_or_default())
                    .collect();
                Answer::Text(texts.join("\n"))
            },
        )
        .tool(
            "read_files",
            "Reads files",
            object(
                &["files"],
                json!({ "files": { "type": "array", "items": object(
                    &["path", "mode"],
                    json!({ "path": { "type": "string" }, "mode": { "const": "text" } })
                ) } }),
            ),
            |args, root| {
                let files = args["files"].as_array().unwrap();
                assert!(files.iter().all(|file| file["mode"] == "text"));
                Answer::Text(
                    files
                        .iter()
                        .map(|file| read(root, get(file, "path")).unwrap_or_default())
                        .collect(),
                )
            },
        );
    let discovery = server.discover();
    let found: Vec<_> = discovery
        .channels
        .iter()
        .filter(|channel| channel.role == Role::FileReadMany && channel.proof.proven())
        .map(|channel| slot(channel, Slot::Paths))
        .collect();
    assert_eq!(found, [["/paths/-"], ["/files/-/path"]], "{discovery:#?}");
}

#[test]
fn a_schema_that_says_nothing() {
    let server = Server::new()
        .tool("read_file", "Read a file", json!({}), |args, root| {
            match args.get("path") {
                Some(path) => answer(read(root, path.as_str().unwrap())),
                None => Answer::Failed(
                    "[{\"code\":\"invalid_type\",\"expected\":\"string\",\"received\":\"undefined\",\
                     \"path\":[\"path\"],\"message\":\"Required\"}]"
                        .into(),
                ),
            }
        })
        .tool("edit_file", "Make edits to a file", json!({}), |args, root| {
            let Some(edits) = args["edits"].as_array() else {
                return Answer::Text("nothing to do".into());
            };
            answer(read(root, get(args, "path")).and_then(|content| {
                let (old, new) = (get(&edits[0], "oldText"), get(&edits[0], "newText"));
                if !content.contains(old) {
                    return Err(std::io::Error::other("no match"));
                }
                fs::write(get(args, "path"), content.replace(old, new)).map(|()| "edited")
            }))
        })
        .tool("write_file", "Write a file", json!({ "type": "object" }), |args, root| {
            match (args.get("target_file"), args.get("content")) {
                (Some(path), Some(content)) => answer(
                    inside(root, path.as_str().unwrap())
                        .and_then(|path| fs::write(path, content.as_str().unwrap()))
                        .map(|()| "written"),
                ),
                (None, _) => Answer::Refused(-32602, "missing field `target_file`".into()),
                _ => Answer::Refused(-32602, "missing field `content`".into()),
            }
        });
    let discovery = server.discover();
    assert_eq!(
        slot(proven(&discovery, Role::FileRead), Slot::Path),
        ["/path"]
    );
    let edit = proven(&discovery, Role::FileEdit);
    assert_eq!(slot(edit, Slot::Find), ["/edits/0/oldText"]);
    let write = proven(&discovery, Role::FileWrite);
    assert_eq!(slot(write, Slot::Path), ["/target_file"]);
    assert_eq!(slot(write, Slot::Content), ["/content"]);
}

#[test]
fn a_schema_with_lying_types() {
    // Says text, wants an array; demands a field that it does not mention.
    let server = Server::new().tool(
        "read_multiple_documents",
        "Reads documents",
        object(
            &["paths"],
            json!({ "paths": { "type": "array", "items": { "type": "string" } } }),
        ),
        |args, root| {
            if args.get("verbose").is_none() {
                return Answer::Failed("'verbose' is a required property".into());
            }
            Answer::Text(
                args["paths"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|path| read(root, path.as_str().unwrap()).unwrap_or_default())
                    .collect(),
            )
        },
    );
    let discovery = server.discover();
    let channel = proven(&discovery, Role::FileReadMany);
    assert_eq!(channel.fixed["verbose"], "sample");

    let server = Server::new().tool("read_file", "Read a file", file_schema(), |args, root| {
        match args["path"].as_array() {
            Some(paths) => answer(read(root, paths[0].as_str().unwrap())),
            None => Answer::Failed(
                "1 validation error for read\npath\n  Input should be a valid list [type=list_type]"
                    .into(),
            ),
        }
    });
    let discovery = server.discover();
    assert_eq!(
        slot(proven(&discovery, Role::FileRead), Slot::Path),
        ["/path/0"]
    );
}

#[test]
fn a_tool_that_chooses_what_it_does() {
    let server = Server::new().tool(
        "filesystem",
        "Works on files and directories",
        object(
            &["operation", "path"],
            json!({
                "operation": { "type": "string", "enum": [
                    "read", "write", "list", "delete", "move", "search"
                ] },
                "path": text("Path of the file or directory"),
                "content": text("Content to write"),
                "destination": text("Where to move it"),
                "pattern": text("What to search for")
            }),
        ),
        |args, root| {
            let path = match inside(root, get(args, "path")) {
                Ok(path) => path,
                Err(error) => return Answer::Failed(error.to_string()),
            };
            match get(args, "operation") {
                "read" => answer(fs::read_to_string(path)),
                "write" => answer(fs::write(path, get(args, "content")).map(|()| "done")),
                "list" => answer(names(&path)),
                "move" => answer(
                    inside(root, get(args, "destination"))
                        .and_then(|to| fs::rename(path, to))
                        .map(|()| "done"),
                ),
                "search" => answer(search(&path, get(args, "pattern"))),
                other => panic!("called with {other}"),
            }
        },
    );
    let discovery = server.discover();
    for (role, operation) in [
        (Role::FileRead, "read"),
        (Role::FileWrite, "write"),
        (Role::DirList, "list"),
        (Role::FileMove, "move"),
        (Role::FileSearch, "search"),
    ] {
        assert_eq!(proven(&discovery, role).fixed["operation"], operation);
    }
    let destination = slot(proven(&discovery, Role::FileMove), Slot::Path);
    assert_eq!(destination, ["/destination"]);
}

fn names(dir: &Path) -> std::io::Result<String> {
    Ok(fs::read_dir(dir)?
        .flatten()
        .map(|entry| format!("[FILE] {}\n", entry.file_name().to_string_lossy()))
        .collect())
}

fn search(dir: &Path, pattern: &str) -> std::io::Result<String> {
    Ok(names(dir)?
        .lines()
        .filter(|name| !pattern.is_empty() && name.contains(pattern))
        .collect())
}

#[test]
fn only_some_file_types() {
    let server = Server::new()
        .tool("read_page", "Reads a page", file_schema(), |args, root| {
            if !get(args, "path").ends_with(".md") {
                return Answer::Text("This is not something I can read.".into());
            }
            answer(read(root, get(args, "path")))
        })
        .tool("load_sheet", "Loads a file", file_schema(), |args, root| {
            if !get(args, "path").ends_with(".toml") {
                return Answer::Failed("only files that end in .toml are supported".into());
            }
            answer(read(root, get(args, "path")))
        });
    let discovery = server.discover();
    let extensions: Vec<_> = discovery
        .channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .map(|channel| (channel.tool.as_str(), channel.extension.as_str()))
        .collect();
    assert_eq!(extensions, [("read_page", ".md"), ("load_sheet", ".toml")]);
}

#[test]
fn names_directly_in_the_root() {
    let server = Server::new().tool(
        "read_file",
        "Reads a file",
        object(&["filename"], json!({ "filename": { "type": "string" } })),
        |args, root| {
            let name = get(args, "filename");
            if name.contains('/') {
                return Answer::Failed("names only".into());
            }
            answer(fs::read_to_string(root.join(name)))
        },
    );
    assert_eq!(
        proven(&server.discover(), Role::FileRead).form,
        PathForm::Relative
    );
}

#[test]
fn identifiers_that_become_file_names() {
    let server = Server::new().tool(
        "get_note",
        "Get a note by its id",
        object(&["id"], json!({ "id": text("Identifier of the note") })),
        |args, root| {
            answer(fs::read_to_string(
                root.join(format!("{}.md", get(args, "id"))),
            ))
        },
    );
    let discovery = server.discover();
    let channel = proven(&discovery, Role::IdentRead);
    assert_eq!(channel.extension, ".md");
    assert_eq!(slot(channel, Slot::Ident), ["/id"]);
}

#[test]
fn content_in_base64() {
    let server = Server::new().tool(
        "read_media_file",
        "Read an image or audio file. Returns the base64 encoded data",
        file_schema(),
        |args, root| {
            answer(
                inside(root, get(args, "path"))
                    .and_then(fs::read)
                    .map(|bytes| data_encoding::BASE64.encode(&bytes)),
            )
        },
    );
    proven(&server.discover(), Role::FileRead);
}

#[test]
fn writing_roles() {
    let server = Server::new()
        .tool(
            "write_file",
            "Create or overwrite a file",
            object(
                &["path", "content"],
                json!({ "path": { "type": "string" }, "content": { "type": "string" } }),
            ),
            |args, root| {
                answer(
                    inside(root, get(args, "path"))
                        .and_then(|path| fs::write(path, get(args, "content")))
                        .map(|()| "ok"),
                )
            },
        )
        .annotated(json!({ "destructiveHint": true }))
        .tool(
            "edit_file",
            "Make line edits to a text file",
            object(
                &["path", "edits"],
                json!({
                    "path": { "type": "string" },
                    "edits": { "type": "array", "items": object(
                        &["oldText", "newText"],
                        json!({
                            "oldText": text("Text to search for"),
                            "newText": text("Text to replace with")
                        })
                    ) },
                    "dryRun": { "type": "boolean", "default": true }
                }),
            ),
            |args, root| {
                let edit = &args["edits"][0];
                answer(read(root, get(args, "path")).and_then(|content| {
                    if !content.contains(get(edit, "oldText")) {
                        return Err(std::io::Error::other("no match"));
                    }
                    if args["dryRun"] == false {
                        let new = content.replace(get(edit, "oldText"), get(edit, "newText"));
                        fs::write(get(args, "path"), new)?;
                    }
                    Ok("edited")
                }))
            },
        )
        .tool(
            "move_file",
            "Move or rename files",
            object(
                &["source", "destination"],
                json!({ "source": { "type": "string" }, "destination": { "type": "string" } }),
            ),
            |args, root| {
                answer(
                    inside(root, get(args, "source"))
                        .and_then(|from| fs::rename(from, get(args, "destination")))
                        .map(|()| "moved"),
                )
            },
        )
        .tool(
            "copy_file",
            "Copies a file",
            object(
                &["from", "to"],
                json!({ "from": { "type": "string" }, "to": { "type": "string" } }),
            ),
            |args, root| {
                answer(
                    inside(root, get(args, "from"))
                        .and_then(|from| fs::copy(from, get(args, "to")))
                        .map(|_| "copied"),
                )
            },
        )
        .tool(
            "create_directory",
            "Create a new directory",
            object(&["path"], json!({ "path": { "type": "string" } })),
            |args, root| {
                answer(
                    inside(root, get(args, "path"))
                        .and_then(fs::create_dir_all)
                        .map(|()| "created"),
                )
            },
        )
        .tool(
            "export_chart",
            "Renders a chart into an image file",
            object(
                &["title", "output_path"],
                json!({ "title": { "type": "string" }, "output_path": text("Where to save") }),
            ),
            |args, root| {
                answer(
                    inside(root, get(args, "output_path"))
                        .and_then(|path| fs::write(path, "an image"))
                        .map(|()| "rendered"),
                )
            },
        );
    let discovery = server.discover();
    let found: Vec<_> = discovery
        .channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .map(|channel| (channel.tool.as_str(), channel.role))
        .collect();
    assert_eq!(
        found,
        [
            ("write_file", Role::FileWrite),
            ("edit_file", Role::FileEdit),
            ("move_file", Role::FileMove),
            ("copy_file", Role::FileCopy),
            ("create_directory", Role::DirCreate),
            ("export_chart", Role::FileSave),
        ],
        "{discovery:#?}"
    );
    let edit = proven(&discovery, Role::FileEdit);
    assert_eq!(slot(edit, Slot::Find), ["/edits/0/oldText"]);
    assert_eq!(slot(edit, Slot::Content), ["/edits/0/newText"]);
    assert_eq!(edit.fixed["dryRun"], false);
    assert!(discovery.calls <= 20, "{}", discovery.calls);

    let discovery = server.discover_with(&[], |ground| ground.read_only = true);
    assert_eq!(discovery.channels, []);
    assert_eq!(discovery.calls, 0);
}

#[test]
fn listing_searching_and_describing_roles() {
    let server = Server::new()
        .tool(
            "list_directory",
            "Get a detailed listing of all files and directories",
            object(&["path"], json!({ "path": { "type": "string" } })),
            |args, root| answer(inside(root, get(args, "path")).and_then(|dir| names(&dir))),
        )
        .tool(
            "directory_tree",
            "Get a recursive tree view of files and directories as JSON",
            object(
                &["path"],
                json!({
                    "path": { "type": "string" },
                    "excludePatterns": { "type": "array", "items": { "type": "string" }, "default": [] }
                }),
            ),
            |args, root| answer(inside(root, get(args, "path")).and_then(|dir| names(&dir))),
        )
        .tool(
            "search_files",
            "Recursively search for files matching a pattern",
            object(
                &["path", "pattern"],
                json!({ "path": { "type": "string" }, "pattern": { "type": "string" } }),
            ),
            |args, root| {
                let pattern = get(args, "pattern");
                let Some(word) = pattern
                    .strip_prefix("**/*")
                    .and_then(|rest| rest.strip_suffix('*'))
                else {
                    return Answer::Text("No matches found".into());
                };
                answer(inside(root, get(args, "path")).and_then(|dir| search(&dir, word)))
            },
        )
        .tool(
            "get_file_info",
            "Retrieve detailed metadata about a file or directory",
            object(&["path"], json!({ "path": { "type": "string" } })),
            |args, root| {
                answer(
                    inside(root, get(args, "path"))
                        .and_then(fs::metadata)
                        .map(|meta| format!("size: {}\nisFile: true", meta.len())),
                )
            },
        );
    let discovery = server.discover();
    let found: Vec<_> = discovery
        .channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .map(|channel| (channel.tool.as_str(), channel.role))
        .collect();
    assert_eq!(
        found,
        [
            ("list_directory", Role::DirList),
            ("directory_tree", Role::DirList),
            ("search_files", Role::FileSearch),
            ("get_file_info", Role::FileInfo),
        ],
        "{discovery:#?}"
    );
    assert_eq!(
        proven(&discovery, Role::FileSearch).pattern,
        PatternForm::DeepGlob
    );
}

#[test]
fn archives_patches_and_repositories() {
    let server = Server::new()
        .tool(
            "unzip_file",
            "Extracts a zip archive",
            object(
                &["zip_path", "output_dir"],
                json!({ "zip_path": { "type": "string" }, "output_dir": { "type": "string" } }),
            ),
            |args, root| {
                answer(
                    inside(root, get(args, "zip_path"))
                        .and_then(fs::File::open)
                        .and_then(|file| Ok(zip::ZipArchive::new(file)?))
                        .and_then(|mut archive| Ok(archive.extract(get(args, "output_dir"))?))
                        .map(|_| "extracted"),
                )
            },
        )
        .tool(
            "list_archive",
            "Lists the members of a tar archive",
            object(&["archive"], json!({ "archive": { "type": "string" } })),
            |args, root| {
                answer(
                    inside(root, get(args, "archive"))
                        .and_then(fs::File::open)
                        .and_then(|file| {
                            let mut names = String::new();
                            for entry in tar::Archive::new(file).entries()? {
                                names += &entry?.path()?.to_string_lossy();
                            }
                            Ok(names)
                        }),
                )
            },
        )
        .tool(
            "git_branch",
            "List git branches",
            object(&["repo_path"], json!({ "repo_path": { "type": "string" } })),
            |args, root| {
                answer(
                    inside(root, get(args, "repo_path"))
                        .and_then(|dir| names(&dir.join(".git/refs/heads"))),
                )
            },
        )
        .tool(
            "git_init",
            "Initialize a new Git repository",
            object(&["repo_path"], json!({ "repo_path": { "type": "string" } })),
            |args, root| {
                answer(
                    inside(root, get(args, "repo_path"))
                        .and_then(|dir| fs::create_dir_all(dir.join(".git")))
                        .map(|()| "initialized"),
                )
            },
        )
        .tool(
            "apply_patch",
            "Applies a unified diff",
            object(&["patch"], json!({ "patch": text("The unified diff") })),
            |args, root| {
                let patch = get(args, "patch");
                let line = |mark: &str| {
                    patch
                        .lines()
                        .find_map(|line| line.strip_prefix(mark))
                        .unwrap_or_default()
                        .to_owned()
                };
                let path = root.join(line("+++ b/"));
                let body = patch.split_once("@@\n").map_or("", |(_, body)| body);
                let find = |mark: char| {
                    body.lines()
                        .find_map(|line| line.strip_prefix(mark))
                        .unwrap_or_default()
                        .to_owned()
                };
                answer(
                    fs::read_to_string(&path)
                        .and_then(|old| fs::write(&path, old.replace(&find('-'), &find('+'))))
                        .map(|()| "applied"),
                )
            },
        );
    let discovery = server.discover();
    let found: Vec<_> = discovery
        .channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .map(|channel| {
            (
                channel.tool.as_str(),
                channel.role,
                channel.extension.as_str(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("unzip_file", Role::ArchiveExtract, ".zip"),
            ("list_archive", Role::ArchiveRead, ".tar"),
            ("git_branch", Role::RepoRead, ".txt"),
            ("git_init", Role::RepoCreate, ".txt"),
            ("apply_patch", Role::FilePatch, ".txt"),
        ],
        "{discovery:#?}"
    );
}

#[test]
fn resources_are_read_by_uri() {
    let mut server = Server::new();
    server.handlers.insert(
        "resources/read".into(),
        Box::new(
            |params, root| match get(params, "uri").strip_prefix("file://") {
                Some(path) => answer(read(root, path)),
                None => Answer::Refused(-32002, "not found".into()),
            },
        ),
    );
    let discovery = server.discover_with(&[], |ground| ground.resources = true);
    let channel = proven(&discovery, Role::ResourceRead);
    assert_eq!(
        (channel.tool.as_str(), channel.form),
        ("resources/read", PathForm::Uri)
    );
    assert_eq!(server.discover().channels, []);
}

/// A server that reads resources `scheme` names, as the router of the template wants them.
fn resources_of(scheme: &'static str, one_segment: bool) -> Server {
    let mut server = Server::new();
    server.handlers.insert(
        "resources/read".into(),
        Box::new(move |params, root| {
            let path = get(params, "uri").strip_prefix(scheme);
            match path.filter(|path| !(one_segment && path.contains('/'))) {
                Some(path) if one_segment => answer(read(
                    root,
                    &format!("{}/{}", root.display(), path.replace("%2F", "/")),
                )),
                Some(path) => answer(read(root, &format!("{}/{path}", root.display()))),
                None => Answer::Refused(-32002, "not found".into()),
            }
        }),
    );
    server
}

#[test]
fn resources_are_read_by_a_scheme_of_the_servers_own() {
    let cases = [
        ("notes://{+path}", "notes://", false),
        ("notes://{name}", "notes://", true),
        ("docs://files/{+path}", "docs://files/", false),
        ("memo:///welcome.md", "memo:///", false),
    ];
    for (offered, prefix, one_segment) in cases {
        let server = resources_of(prefix, one_segment);
        let uris = [String::from(offered)];
        let discovery = server.discover_with(&[], |ground| {
            ground.resources = true;
            ground.uris = Box::leak(Box::new(uris.clone()));
        });
        let channel = proven(&discovery, Role::ResourceRead);
        let uri = channel.uri.as_ref().unwrap();
        assert_eq!(
            (channel.form, uri.prefix.as_str(), uri.escaped),
            (PathForm::Relative, prefix, one_segment),
            "{offered}"
        );
        let outside = server.root.join("../secret").to_string_lossy().into_owned();
        let values = BTreeMap::from([(Slot::Path, SlotValue::Text(outside))]);
        let (_, params) = channel.request(&values, &server.root);
        let slash = if one_segment { "%2F" } else { "/" };
        assert_eq!(params, json!({ "uri": format!("{prefix}..{slash}secret") }));
        let text = Lock::new(&discovery.channels, &[]).to_toml().unwrap();
        assert_eq!(
            Lock::parse(&text).unwrap().entries[0].channel.uri,
            channel.uri
        );
    }
    // Without anything that tells of the scheme, it is not guessed.
    let silent = resources_of("notes://", false);
    nothing_proven(&silent.discover_with(&[], |ground| ground.resources = true));
}

#[test]
fn a_tool_tells_the_scheme_of_its_uris() {
    let refusal = "documents are named as workspace://...";
    let cases = [
        ("uri", "Such as workspace://docs/a.md", "no"),
        ("document", "The document", refusal),
    ];
    for (parameter, about, refusal) in cases {
        let server = Server::new().tool(
            "read_document",
            "Reads a document of the workspace",
            object(
                &[parameter],
                json!({ parameter: { "type": "string", "description": about } }),
            ),
            move |args, root| match get(args, parameter).strip_prefix("workspace://") {
                Some(path) => answer(read(root, &format!("{}/{path}", root.display()))),
                None => Answer::Failed(refusal.into()),
            },
        );
        let discovery = server.discover();
        let channel = proven(&discovery, Role::FileRead);
        assert_eq!(channel.uri.as_ref().unwrap().prefix, "workspace://");
        assert!(discovery.calls <= 12, "{}", discovery.calls);
    }
}

#[test]
fn a_constant_answer_proves_nothing() {
    let server = Server::new().tool("read_file", "Read a file", file_schema(), |_, _| {
        Answer::Text("Here is your file: all is well.".into())
    });
    let discovery = server.discover();
    nothing_proven(&discovery);
    assert_eq!(discovery.channels.len(), 1);
    assert!(discovery.calls <= 16, "{}", discovery.calls);
}

#[test]
fn an_answer_with_everything_proves_nothing() {
    let server = Server::new().tool("read_file", "Read a file", file_schema(), |_, root| {
        let mut all = String::new();
        for dir in fs::read_dir(root).unwrap().flatten() {
            for file in fs::read_dir(dir.path()).into_iter().flatten().flatten() {
                all += &fs::read_to_string(file.path()).unwrap_or_default();
            }
        }
        Answer::Text(all)
    });
    let discovery = server.discover();
    nothing_proven(&discovery);
    let Proof::Unproven { why } = &discovery.channels[0].proof else {
        unreachable!()
    };
    assert!(why.contains("does not steer"), "{why}");
}

#[test]
fn an_echo_proves_nothing() {
    let server = Server::new()
        .tool("read_file", "Read a file", file_schema(), |args, _| {
            Answer::Text(args.to_string())
        })
        .tool(
            "search_files",
            "Search files",
            object(
                &["path", "pattern"],
                json!({ "path": { "type": "string" }, "pattern": { "type": "string" } }),
            ),
            |args, _| Answer::Text(format!("found {args}")),
        )
        .tool(
            "write_file",
            "Write a file",
            object(
                &["path", "content"],
                json!({ "path": { "type": "string" }, "content": { "type": "string" } }),
            ),
            |args, _| Answer::Text(format!("successfully wrote {args}")),
        );
    nothing_proven(&server.discover());
}

#[test]
fn a_success_for_nothing_proves_nothing() {
    // Says the last file's content when asked for one that is not there.
    let last = Mutex::new(String::new());
    let server = Server::new()
        .tool(
            "read_file",
            "Read a file",
            file_schema(),
            move |args, root| {
                let mut last = last.lock().unwrap();
                if let Ok(text) = read(root, get(args, "path")) {
                    *last = text;
                }
                Answer::Text(last.clone())
            },
        )
        .tool(
            "copy_file",
            "Copies a file",
            object(
                &["source", "destination"],
                json!({ "source": { "type": "string" }, "destination": { "type": "string" } }),
            ),
            |args, root| {
                let content = read(root, get(args, "source")).unwrap_or_default();
                answer(fs::write(get(args, "destination"), content).map(|()| "copied"))
            },
        );
    let discovery = server.discover();
    nothing_proven(&discovery);
    assert_eq!(discovery.channels.len(), 2);
}

#[test]
fn refusals_leave_a_reason() {
    let server = Server::new()
        .tool("read_file", "Read a file", file_schema(), |_, _| {
            Answer::Failed("Access denied - path outside allowed directories".into())
        })
        .tool("get_file_content", "Gets a file", file_schema(), |_, _| {
            Answer::Text("Sorry, this is not possible.\u{1b}[2J".into())
        });
    let discovery = server.discover();
    nothing_proven(&discovery);
    let reasons: Vec<_> = discovery
        .channels
        .iter()
        .map(|channel| match &channel.proof {
            Proof::Unproven { why } => why.as_str(),
            Proof::Proven { .. } => unreachable!(),
        })
        .collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons[0].contains("Access denied"), "{reasons:?}");
    assert!(reasons[1].contains("Sorry"), "{reasons:?}");
    assert!(!reasons[1].contains('\u{1b}'), "{reasons:?}");
}

#[test]
fn destructive_tools_are_not_called() {
    let delete = |args: &Value, root: &Path| {
        answer(
            inside(root, get(args, "path"))
                .and_then(fs::remove_file)
                .map(|()| "deleted"),
        )
    };
    let allowed = [String::from("delete_file")];
    let server = Server::new()
        .tool("delete_file", "Deletes a file", file_schema(), delete)
        .tool("wipe", "Reads a file", file_schema(), |_, _| {
            panic!("called")
        })
        .tool(
            "open_document",
            "Reads a file",
            file_schema(),
            |args, root| answer(read(root, get(args, "path"))),
        )
        .annotated(json!({ "destructiveHint": false }));
    let discovery = server.discover();
    let skipped: Vec<_> = discovery
        .unbound
        .iter()
        .filter(|unbound| unbound.parameter.is_none())
        .map(|unbound| {
            (
                unbound.tool.as_str(),
                unbound.why.contains("--allow-destructive"),
            )
        })
        .collect();
    assert_eq!(skipped, [("delete_file", true), ("wipe", true)]);
    proven(&discovery, Role::FileRead);

    let discovery = server.discover_with(&[], |ground| ground.allow_destructive = &allowed);
    let channel = proven(&discovery, Role::FileDelete);
    assert!(channel.destructive);
}

#[test]
fn a_given_binding_is_proven_as_it_is() {
    let server = Server::new().tool("x1", "", Value::Null, |args, root| {
        if args["kind"] != "plain" {
            return Answer::Refused(-32602, "no".into());
        }
        answer(fs::read_to_string(root.join(get(&args["q"], "where"))))
    });
    assert_eq!(server.discover().channels, []);
    let given: Channel = serde_json::from_value(json!({
        "tool": "x1", "role": "file.read", "slots": { "path": ["/q/where"] },
        "fixed": { "kind": "plain" }, "form": "relative"
    }))
    .unwrap();
    let discovery = server.discover_with(std::slice::from_ref(&given), |_| {});
    assert_eq!(proven(&discovery, Role::FileRead).slots, given.slots);

    let wrong = Channel {
        fixed: Map::new(),
        ..given.clone()
    };
    nothing_proven(&server.discover_with(&[wrong], |_| {}));

    let absent = Channel {
        tool: "gone".into(),
        ..given
    };
    let discovery = server.discover_with(&[absent], |_| {});
    assert!(
        discovery
            .unbound
            .iter()
            .any(|unbound| unbound.tool == "gone")
    );
}

#[test]
fn what_is_not_driven_is_listed() {
    let server = Server::new()
        .tool(
            "read_file",
            "Read a file",
            object(
                &["path"],
                json!({
                    "path": text("The file"),
                    "language": { "type": "string" },
                    "api_token": { "type": "string" },
                    "encoding": { "type": "string", "enum": ["utf-8"] },
                    "limit": { "type": "integer" }
                }),
            ),
            |args, root| answer(read(root, get(args, "path"))),
        )
        .tool(
            "get_weather",
            "Tells the weather",
            object(&["city"], json!({ "city": { "type": "string" } })),
            |_, _| Answer::Text("Fine".into()),
        )
        .tool(
            "ping",
            "Answers",
            // It says that it takes nothing.
            json!({ "type": "object", "properties": {}, "additionalProperties": false }),
            |_, _| panic!("called"),
        );
    let discovery = server.discover();
    let listed: Vec<_> = discovery
        .unbound
        .iter()
        .map(|unbound| (unbound.tool.as_str(), unbound.parameter.as_deref()))
        .collect();
    assert_eq!(
        listed,
        [
            ("read_file", Some("/language")),
            ("read_file", Some("/api_token")),
            ("read_file", Some("/encoding")),
            ("get_weather", None),
            ("get_weather", Some("/city")),
            ("ping", None),
        ]
    );
}

#[test]
fn tokens_are_never_sent() {
    let minted: Mutex<Vec<String>> = Mutex::default();
    let mint = || {
        let token = mint();
        minted.lock().unwrap().push(token.clone());
        token
    };
    let server = Server::new()
        .tool("read_file", "Read a file", file_schema(), |args, root| {
            answer(read(root, get(args, "path")))
        })
        .tool(
            "list_directory",
            "List a directory",
            object(&["path"], json!({ "path": { "type": "string" } })),
            |args, root| answer(inside(root, get(args, "path")).and_then(|dir| names(&dir))),
        );
    let ground = Ground {
        root: &server.root,
        told: &server.root,
        mint: &mint,
        deadline: Duration::from_secs(5),
        jobs: 1,
        allow_destructive: &[],
        read_only: false,
        forgets: true,
        resources: false,
        uris: &[],
        net: None,
    };
    let discovery = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(discover(&server, &server.tools, &[], &ground));
    assert_eq!(discovery.channels.len(), 2);
    let sent = Value::Array(server.log.lock().unwrap().clone()).to_string();
    let minted = minted.lock().unwrap();
    assert!(minted.len() >= 4);
    assert!(minted.iter().all(|token| !sent.contains(token.as_str())));
}

/// A server that takes files in with one tool and gives them out with another.
fn chain(answer_with: impl Fn(usize) -> String + Send + Sync + 'static, id: Value) -> Server {
    let taken: Arc<Mutex<Vec<String>>> = Arc::default();
    let held = Arc::clone(&taken);
    Server::new()
        .tool(
            "attach_document",
            "Attach a document to the conversation",
            object(&["path"], json!({ "path": text("Path of the document") })),
            move |args, root| {
                answer(read(root, get(args, "path")).map(|content| {
                    let mut taken = taken.lock().unwrap();
                    taken.push(content);
                    answer_with(taken.len() + 40)
                }))
            },
        )
        .tool(
            "get_attachment",
            "Returns an attachment",
            object(&["attachment_id"], json!({ "attachment_id": id })),
            move |args, _| {
                let id = match &args["attachment_id"] {
                    Value::Number(number) => number.as_u64(),
                    Value::String(text) => text.trim_start_matches("a-").parse().ok(),
                    _ => None,
                };
                let held = held.lock().unwrap();
                let content = id
                    .and_then(|id| usize::try_from(id).ok()?.checked_sub(41))
                    .and_then(|index| held.get(index));
                match content {
                    Some(content) => Answer::Text(content.clone()),
                    None => Answer::Failed("no such attachment".into()),
                }
            },
        )
        .tool(
            "delete_attachment",
            "Deletes an attachment",
            object(
                &["attachment_id"],
                json!({ "attachment_id": { "type": "string" } }),
            ),
            |_, _| panic!("a tool that deletes was called"),
        )
}

#[test]
fn one_tool_takes_in_and_another_gives_out() {
    let string = json!({ "type": "string" });
    let integer = json!({ "type": "integer" });
    type Shape<'s> = (fn(usize) -> String, &'s Value, Take);
    let shapes: [Shape<'_>; 3] = [
        (|id| format!("Attached as a-{id}."), &string, Take::Word(2)),
        (|id| id.to_string(), &integer, Take::Text),
        (
            |id| json!({ "status": "ok", "attachment": { "id": format!("a-{id}") } }).to_string(),
            &string,
            Take::Member(String::from("/attachment/id")),
        ),
    ];
    for (answer_with, id, take) in shapes {
        let server = chain(answer_with, id.clone());
        let discovery = server.discover();
        let channel = proven(&discovery, Role::FileStage);
        let then = channel.then.as_ref().unwrap();
        assert_eq!(
            (&*then.tool, &*then.pointer, &then.take),
            ("get_attachment", "/attachment_id", &take)
        );
        assert_eq!(then.number, id == &integer);
        assert_eq!(discovery.channels.len(), 1, "{discovery:#?}");

        // What a lock holds is proven as it is.
        let text = Lock::new(&discovery.channels, &server.tools)
            .to_toml()
            .unwrap();
        let given = Lock::parse(&text).unwrap().given(&[], &server.tools);
        let again = server.discover_with(&given, |_| {});
        assert_eq!(proven(&again, Role::FileStage).then, channel.then);
        assert!(again.calls < discovery.calls);

        let refused = Outcome::Error {
            code: None,
            message: String::from("denied 41"),
        };
        assert_eq!(channel.follow(&refused), None);
    }
}

#[test]
fn a_chain_that_shows_everything_proves_nothing() {
    let taken: Arc<Mutex<String>> = Arc::default();
    let held = Arc::clone(&taken);
    let server = Server::new()
        .tool(
            "upload_file",
            "Upload a file",
            object(&["path"], json!({ "path": text("Path of the file") })),
            move |args, root| {
                answer(read(root, get(args, "path")).map(|content| {
                    taken.lock().unwrap().push_str(&content);
                    "upload 7"
                }))
            },
        )
        .tool(
            "show_upload",
            "Shows an upload",
            object(&["id"], json!({ "id": { "type": "integer" } })),
            move |_, _| Answer::Text(held.lock().unwrap().clone()),
        );
    let discovery = server.discover();
    assert!(
        !discovery
            .channels
            .iter()
            .any(|channel| channel.role == Role::FileStage),
        "{discovery:#?}"
    );
}

#[test]
fn parts_of_a_file_are_asked_for_by_name() {
    let number = json!({ "type": ["integer", "null"] });
    let slots = |properties: Value| {
        let server = Server::new().tool(
            "read_file",
            "Read a file",
            object(&["path"], properties),
            |args, root| answer(read(root, get(args, "path"))),
        );
        let discovery = server.discover();
        proven(&discovery, Role::FileRead).slots.clone()
    };
    let found = slots(json!({
        "path": text("Path of the file"), "head": number, "last_lines": number,
        "offset": number, "limit": number, "page": number, "encoding": text("Encoding")
    }));
    let expected = BTreeMap::from([
        (Slot::Path, vec![String::from("/path")]),
        (Slot::Head, vec![String::from("/head")]),
        (Slot::Tail, vec![String::from("/last_lines")]),
        (Slot::Offset, vec![String::from("/offset")]),
        (Slot::Length, vec![String::from("/limit")]),
    ]);
    assert_eq!(found, expected);
    // Which of two is meant cannot be told; a text is no number.
    let found = slots(json!({
        "path": text("Path of the file"), "offset": number, "start": number,
        "length": text("Length")
    }));
    assert_eq!(found.len(), 1, "{found:?}");
}

fn lock_server() -> Server {
    Server::new()
        .tool("read_file", "Read a file", file_schema(), |args, root| {
            answer(read(root, get(args, "path")))
        })
        .tool(
            "write_note",
            "Writes a note into a file",
            object(
                &["params"],
                json!({ "params": object(
                    &["path", "content", "project_dir"],
                    json!({
                        "path": text("Path relative to the project"),
                        "content": { "type": "string" },
                        "project_dir": { "type": "string" }
                    })
                ) }),
            ),
            |args, root| {
                let args = &args["params"];
                if Path::new(get(args, "project_dir"))
                    .join(get(args, "path"))
                    .starts_with("/")
                {
                    return Answer::Failed("relative paths only".into());
                }
                answer(
                    fs::write(root.join(get(args, "path")), get(args, "content"))
                        .map(|()| "written"),
                )
            },
        )
}

#[test]
fn the_lock_is_reviewable_and_stable() {
    let server = lock_server();
    let discovery = server.discover();
    let text = Lock::new(&discovery.channels, &server.tools)
        .to_toml()
        .unwrap();
    insta::assert_snapshot!("bindings_lock", text);

    let read = Lock::parse(&text).unwrap();
    assert_eq!(read.to_toml().unwrap(), text);
    let given = read.given(&[], &server.tools);
    assert_eq!(given.len(), 2);
    let again = server.discover_with(&given, |_| {});
    assert!(again.channels.iter().all(|channel| channel.proof.proven()));

    let mut tools = server.tools.clone();
    tools[0].definition["description"] = json!("Another");
    assert_eq!(read.changed(&tools), ["read_file"]);
    assert_eq!(
        read.notes(&tools),
        ["the definition of tool read_file changed since it was locked"]
    );
    assert_eq!(read.given(&given[..1], &tools), given[1..]);
    assert_eq!(read.given(&[], &tools[1..]), given[1..]);
}

#[test]
fn a_bad_lock_is_refused_with_its_place() {
    for (text, message) in [
        ("format = 2\n", "format 2"),
        ("format = 1\nchannels = []\n", "unknown field `channels`"),
        (
            "format = 1\n[[channel]]\ntool = \"a\"\nrole = \"file.reed\"\nslots = {}\n",
            "unknown variant `file.reed`",
        ),
        (
            "format = 1\n[[channel]]\ntool = \"a\"\nrole = \"file.read\"\nslots = {}\n",
            "no pointer for slot Path",
        ),
    ] {
        let error = Lock::parse(text).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.span.is_some(), "{text}");
    }
}

#[test]
fn arguments_are_built_for_attacks() {
    let channel: Channel = serde_json::from_value(json!({
        "tool": "t", "role": "file.write",
        "slots": { "path": ["/p/dir", "/p/name"], "content": ["/p/text"] },
        "fixed": { "p": { "base": "{allowed}" } }, "form": "split"
    }))
    .unwrap();
    let root = Path::new("/srv/allowed");
    let arguments = channel.arguments(
        &BTreeMap::from([
            (
                Slot::Path,
                SlotValue::Text("/srv/allowed/../x/s.txt".into()),
            ),
            (Slot::Content, SlotValue::Json(json!(null))),
        ]),
        root,
    );
    assert_eq!(
        Value::Object(arguments),
        json!({ "p": {
            "base": "/srv/allowed", "dir": "/srv/allowed/../x", "name": "s.txt", "text": null
        } })
    );
}

/// Of two actions that could be meant, neither did anything: one of them is asked about, once.
#[test]
fn two_actions_that_take_the_same_parameter_are_one_channel() {
    let server = Server::new().tool(
        "manage_file",
        "Manages files",
        object(
            &["path", "action"],
            json!({
                "path": { "type": "string", "description": "Path of the file" },
                "action": { "enum": ["read", "read_text", "get", "delete"] }
            }),
        ),
        |_, _| Answer::Failed(String::from("not today")),
    );
    let discovery = server.discover();
    let names: Vec<_> = discovery
        .channels
        .iter()
        .map(|channel| (channel.role, channel.name()))
        .collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert!(!names.is_empty(), "{discovery:#?}");
    assert_eq!(names.len(), distinct.len(), "{names:?}");
}

/// Names in another language, of one letter, or of no meaning say nothing: what the tool does is tried.
#[test]
fn names_that_say_nothing() {
    let one = |name: &str| object(&[name], json!({ name: { "type": "string" } }));
    let server = Server::new()
        .tool(
            "datei_lesen",
            "Liest eine Datei",
            one("pfad"),
            |args, root| answer(read(root, get(args, "pfad"))),
        )
        .tool("x", "", one("f"), |args, root| {
            answer(read(root, get(args, "f")))
        })
        .tool("etwas", "", one("was"), |args, root| {
            let path = root.join(format!("{}.json", get(args, "was")));
            answer(read(root, &path.to_string_lossy()))
        })
        .tool("zaehle", "", one("was"), |args, root| {
            answer(read(root, get(args, "was")).map(|text| format!("{} Zeichen", text.len())))
        })
        .tool("wetter", "", one("ort"), |_, _| {
            Answer::Text("sonnig".into())
        });
    let discovery = server.discover();
    let found: Vec<_> = discovery
        .channels
        .iter()
        .map(|channel| (channel.tool.as_str(), channel.role, channel.proof.proven()))
        .collect();
    assert_eq!(
        found,
        [
            ("datei_lesen", Role::FileRead, true),
            ("x", Role::FileRead, true),
            ("etwas", Role::IdentRead, true),
            ("zaehle", Role::FileInfo, true),
        ],
        "{discovery:#?}"
    );
}

/// What each choice of a tool does is tried, when neither choices nor parameters have names that fit.
#[test]
fn choices_that_say_nothing() {
    let server = Server::new().tool(
        "perform",
        "Performs",
        object(
            &["op"],
            json!({
                "op": { "type": "string", "enum": ["hole", "lege_ab"] },
                "params": {
                    "type": "object",
                    "properties": { "was": { "type": "string" }, "womit": { "type": "string" } }
                }
            }),
        ),
        |args, root| {
            let text = |name: &str| get(&args["params"], name);
            match get(args, "op") {
                "hole" => answer(read(root, text("was"))),
                _ => answer(
                    inside(root, text("was"))
                        .and_then(|path| fs::write(path, text("womit")))
                        .map(|()| "ok"),
                ),
            }
        },
    );
    let discovery = server.discover_with(&[], |ground| ground.forgets = true);
    let sent = |role| proven(&discovery, role).fixed["op"].clone();
    assert_eq!(sent(Role::FileRead), "hole");
    assert_eq!(sent(Role::FileWrite), "lege_ab");
}

/// A tool that only takes patterns lists what they match.
#[test]
fn patterns_alone() {
    for relative in [true, false] {
        let server = Server::new().tool(
            "find",
            "Find files",
            object(&["glob"], json!({ "glob": { "type": "string" } })),
            move |args, root| {
                let glob = get(args, "glob");
                if glob.starts_with('/') == relative {
                    return Answer::Failed("not a pattern".into());
                }
                match glob.strip_suffix("/*") {
                    Some(dir) => answer(names(&root.join(dir))),
                    None => Answer::Text(String::new()),
                }
            },
        );
        let discovery = server.discover();
        let form = match relative {
            true => PathForm::RelativeGlob,
            false => PathForm::Glob,
        };
        assert_eq!(proven(&discovery, Role::DirList).form, form);
    }
}

/// A server that refuses a call while another is under way is asked one thing at a time.
#[test]
fn one_call_at_a_time() {
    let reads = |args: &Value, root: &Path| answer(read(root, get(args, "path")));
    let mut server = Server::new()
        .tool("read_file", "Read a file", file_schema(), reads)
        .tool("cat_file", "Read a file", file_schema(), reads)
        .tool("get_file", "Read a file", file_schema(), reads);
    server.jealous = true;
    let discovery = server.discover();
    let proven: Vec<_> = discovery
        .channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .map(|channel| channel.tool.as_str())
        .collect();
    assert_eq!(
        proven,
        ["read_file", "cat_file", "get_file"],
        "{discovery:#?}"
    );
}

/// An object in a list takes a file, and the list takes several.
#[test]
fn files_in_a_list_of_objects() {
    let one = object(&["path"], json!({ "path": { "type": "string" } }));
    let server = Server::new().tool(
        "read_all",
        "Read documents",
        object(
            &["documents"],
            json!({ "documents": { "type": "array", "items": one } }),
        ),
        |args, root| {
            let documents = args["documents"].as_array().cloned().unwrap_or_default();
            let texts = documents.iter().map(|one| read(root, get(one, "path")));
            answer(
                texts
                    .collect::<std::io::Result<Vec<_>>>()
                    .map(|texts| texts.join("\n")),
            )
        },
    );
    let discovery = server.discover();
    let single = proven(&discovery, Role::FileRead);
    assert_eq!(slot(single, Slot::Path), ["/documents/0/path"]);
    let several = proven(&discovery, Role::FileReadMany);
    assert_eq!(slot(several, Slot::Paths), ["/documents/-/path"]);
}

/// What evaluates expressions is not taken for what runs code, where no name says which it is.
#[test]
fn a_calculator_without_a_name() {
    let server = Server::new().tool(
        "x",
        "",
        object(&["y"], json!({ "y": { "type": "string" } })),
        |args, _| {
            let product = get(args, "y")
                .split_once(" * ")
                .and_then(|(one, two)| Some(one.parse::<u64>().ok()? * two.parse::<u64>().ok()?));
            match product {
                Some(product) => Answer::Text(product.to_string()),
                None => Answer::Failed("no expression".into()),
            }
        },
    );
    let discovery = server.discover();
    proven(&discovery, Role::ExecExpression);
    assert_eq!(discovery.channels.len(), 1, "{discovery:#?}");
}
