//! Channels that reach hosts are found on servers of every shape, and never believed without proof.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use watertight::{
    channel::{
        Arrival, Channel, Discovery, Ground, Lock, Net, NetForm, Place, Proof, SlotValue, Values,
        discover,
    },
    probe::{Role, Slot},
    session::{Caller, Exchange, Outcome, Tool},
};

/// A network in memory.
#[derive(Default)]
struct World {
    places: Mutex<Vec<Known>>,
}

struct Known {
    place: Place,
    word: String,
    arrived: Vec<Arrival>,
}

impl Net for World {
    fn place(&self, word: &str, _: Arrival) -> Place {
        let mut places = self.places.lock().unwrap();
        let number = u16::try_from(places.len()).unwrap();
        let nonce = format!("n{}", fastrand::u64(1 << 40..1 << 50));
        let place = Place {
            url: format!("http://198.51.100.7/{nonce}/page.html"),
            host: "198.51.100.7".into(),
            name: format!("{nonce}.allowed.test"),
            port: 20_000 + number,
            closed: 30_000 + number,
            nonce,
        };
        places.push(Known {
            place: place.clone(),
            word: word.into(),
            arrived: Vec::new(),
        });
        place
    }

    fn arrived(&self, place: &Place, what: Arrival) -> bool {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places
            .iter()
            .any(|known| known.place == *place && known.arrived.contains(&what))
    }
}

impl World {
    fn arrive(&self, what: Arrival, at: impl Fn(&Place) -> bool) -> Option<String> {
        let mut places = self.places.lock().unwrap();
        let known = places.iter_mut().find(|known| at(&known.place))?;
        known.arrived.push(what);
        Some(known.word.clone())
    }

    /// What a URL of `http` holds.
    fn fetch(&self, url: &str) -> Option<String> {
        let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
        self.arrive(Arrival::Request, |place| {
            (host == place.host && path.contains(&place.nonce)) || host == place.name
        })
        .map(|word| format!("<p>{word}</p>"))
    }

    fn connect(&self, host: &str, port: u16) -> Option<String> {
        self.arrive(Arrival::Connection, |place| {
            (host == place.host || host == place.name) && port == place.port
        })
    }

    fn lookup(&self, name: &str) -> Option<String> {
        self.arrive(Arrival::Question, |place| name == place.name)
            .map(|_| "198.51.100.7".into())
    }
}

type Handler = Box<dyn Fn(&Value, &World) -> Option<String> + Send + Sync>;

/// A server in memory whose tools act on that network. What fails answers in words only.
struct Server {
    world: World,
    dir: tempfile::TempDir,
    tools: Vec<Tool>,
    handlers: BTreeMap<String, Handler>,
}

impl Server {
    fn new() -> Server {
        Server {
            world: World::default(),
            dir: tempfile::tempdir().unwrap(),
            tools: Vec::new(),
            handlers: BTreeMap::new(),
        }
    }

    fn tool(
        mut self,
        name: &str,
        description: &str,
        schema: Value,
        handler: impl Fn(&Value, &World) -> Option<String> + Send + Sync + 'static,
    ) -> Server {
        self.tools.push(Tool {
            name: name.into(),
            description: description.into(),
            annotations: Value::Null,
            definition: json!({ "name": name }),
            input_schema: schema,
        });
        self.handlers.insert(name.into(), Box::new(handler));
        self
    }

    fn discover(&self) -> Discovery {
        self.discover_on(&[], Some(&self.world))
    }

    fn discover_on(&self, given: &[Channel], net: Option<&dyn Net>) -> Discovery {
        let root = self.dir.path().canonicalize().unwrap();
        let ground = Ground {
            root: &root,
            told: &root,
            mint: &mint,
            deadline: Duration::from_secs(5),
            jobs: 4,
            allow_destructive: &[],
            read_only: false,
            forgets: true,
            resources: false,
            uris: &[],
            net,
        };
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(discover(self, &self.tools, given, &ground))
    }
}

fn mint() -> String {
    (0..36)
        .map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[fastrand::usize(..32)]))
        .collect()
}

impl Caller for Server {
    async fn request(&self, method: &str, params: Value, _deadline: Duration) -> Exchange {
        let name = params["name"].as_str().unwrap();
        let text = self.handlers[name](&params["arguments"], &self.world)
            .unwrap_or_else(|| "could not be done".into());
        let result = json!({ "content": [{ "type": "text", "text": text }], "isError": false });
        Exchange {
            number: 0,
            id: "0".into(),
            method: method.into(),
            params,
            raw: Arc::from(
                json!({ "id": 0, "result": result })
                    .to_string()
                    .into_bytes(),
            ),
            outcome: Outcome::Result(result),
            took: Duration::ZERO,
        }
    }
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

fn string() -> Value {
    json!({ "type": "string" })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn get<'a>(arguments: &'a Value, pointer: &str) -> &'a str {
    arguments
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// What a channel does, where its values go, and how they are spelled.
type Use<P> = (Role, Vec<(Slot, P)>, NetForm);

fn proven(discovery: &Discovery) -> Vec<Use<&str>> {
    discovery
        .channels
        .iter()
        .filter(|channel| channel.proof.proven())
        .map(|channel| {
            let slots = channel
                .slots
                .iter()
                .map(|(slot, pointers)| (*slot, pointers[0].as_str()))
                .collect();
            (channel.role, slots, channel.net)
        })
        .collect()
}

/// A tool in the shape of a real one: what it is called, what it takes and what it does with it.
struct Shape {
    name: &'static str,
    about: &'static str,
    schema: Value,
    does: fn(&Value, &World) -> Option<String>,
}

fn shape(
    name: &'static str,
    about: &'static str,
    schema: Value,
    does: fn(&Value, &World) -> Option<String>,
) -> Shape {
    Shape {
        name,
        about,
        schema,
        does,
    }
}

/// The only thing that a shape was found to do.
#[track_caller]
fn found(shape: Shape) -> Use<String> {
    let name = shape.name;
    let server = Server::new().tool(name, shape.about, shape.schema, shape.does);
    let discovery = server.discover();
    let mut proven = proven(&discovery);
    assert_eq!(proven.len(), 1, "{name}: {discovery:#?}");
    let (role, slots, form) = proven.remove(0);
    let slots = slots
        .into_iter()
        .map(|(slot, pointer)| (slot, pointer.to_owned()))
        .collect();
    (role, slots, form)
}

fn only_url(args: &Value, world: &World) -> Option<String> {
    world.fetch(get(args, "/url"))
}

/// Each with the pointer of its URL and the form of it.
fn fetching() -> Vec<(Shape, &'static str, NetForm)> {
    use NetForm::{Bare, Host, Whole};
    let url = || object(&["url"], json!({ "url": string() }));
    let uri = || json!({ "type": "string", "format": "uri", "minLength": 1 });
    vec![
        (
            shape(
                "fetch",
                "Fetches a URL from the internet and optionally extracts its contents as markdown.",
                object(
                    &["url"],
                    json!({
                        "url": { "type": "string", "format": "uri", "description": "URL to fetch" },
                        "max_length": { "type": "integer", "default": 5000 },
                        "raw": { "type": "boolean", "default": false }
                    }),
                ),
                only_url,
            ),
            "/url",
            Whole,
        ),
        (shape("fetch_html", "", url(), only_url), "/url", Whole),
        (
            shape("read_url", "Reads a page", url(), only_url),
            "/url",
            Whole,
        ),
        (
            shape(
                "scrape",
                "Scrapes web pages",
                object(
                    &["urls"],
                    json!({ "urls": { "type": "array", "items": { "type": "string" } } }),
                ),
                |args, world| {
                    let urls = args["urls"].as_array()?;
                    urls.iter().map(|url| world.fetch(url.as_str()?)).collect()
                },
            ),
            "/urls/-",
            Whole,
        ),
        (
            shape(
                "browser_navigate",
                "Navigate to a URL",
                object(&["url"], json!({ "url": text("The URL to navigate to") })),
                // Shows nothing of what it loaded.
                |args, world| only_url(args, world).map(|_| "ok".into()),
            ),
            "/url",
            Whole,
        ),
        (
            shape(
                "goto",
                "Go to a page",
                object(&["link"], json!({ "link": string() })),
                |args, world| world.fetch(get(args, "/link")).map(|_| "done".into()),
            ),
            "/link",
            Whole,
        ),
        (
            shape(
                "open_page",
                "Opens a web page in the browser",
                object(&["address"], json!({ "address": text("Web address") })),
                |args, world| world.fetch(get(args, "/address")),
            ),
            "/address",
            Whole,
        ),
        (
            shape(
                "download_file",
                "Downloads a file from a URL",
                object(
                    &["url", "path"],
                    json!({ "url": string(), "path": text("Where to save it") }),
                ),
                |args, world| {
                    get(args, "/path").starts_with('/').then_some(())?;
                    only_url(args, world).map(|_| "saved".into())
                },
            ),
            "/url",
            Whole,
        ),
        (
            shape(
                "convert_to_markdown",
                "Convert a resource described by an http:, https:, file: or data: URI to markdown",
                object(&["uri"], json!({ "uri": string() })),
                |args, world| world.fetch(get(args, "/uri")),
            ),
            "/uri",
            Whole,
        ),
        (
            shape(
                "http_request",
                "Makes an HTTP request",
                object(
                    &["method", "url", "headers", "body", "timeout"],
                    json!({
                        "method": { "type": "string", "enum": ["POST", "PUT", "DELETE", "GET", "HEAD"] },
                        "url": uri(),
                        "headers": { "type": "object", "additionalProperties": { "type": "string" } },
                        "body": string(),
                        "timeout": { "type": "integer" }
                    }),
                ),
                |args, world| {
                    let sound = args["method"] == "GET"
                        && args["body"] == ""
                        && args["headers"].is_object()
                        && args["timeout"].as_u64()? > 1;
                    sound.then_some(())?;
                    only_url(args, world)
                },
            ),
            "/url",
            Whole,
        ),
        (
            shape(
                "make_request",
                "Make a request to an API",
                object(
                    &["method", "endpoint"],
                    json!({ "method": string(), "endpoint": uri() }),
                ),
                |args, world| {
                    (args["method"] == "GET").then_some(())?;
                    world.fetch(get(args, "/endpoint"))
                },
            ),
            "/endpoint",
            Whole,
        ),
        (
            shape(
                "get_feed",
                "Get the entries of an RSS feed",
                object(
                    &["feed_url"],
                    json!({ "feed_url": string(), "count": { "type": "integer" } }),
                ),
                |args, world| world.fetch(get(args, "/feed_url")),
            ),
            "/feed_url",
            Whole,
        ),
        (
            shape(
                "batch_fetch",
                "Run several requests",
                object(
                    &["requests"],
                    json!({ "requests": { "type": "array", "minItems": 1, "items": object(
                        &["url", "method"],
                        json!({ "url": string(), "method": { "enum": ["GET", "POST"] } })
                    ) } }),
                ),
                |args, world| {
                    (get(args, "/requests/0/method") == "GET").then_some(())?;
                    world.fetch(get(args, "/requests/0/url"))
                },
            ),
            "/requests/-/url",
            Whole,
        ),
        (
            shape(
                "extract_content",
                "Extracts the article of a web page",
                object(
                    &["params"],
                    json!({ "params": object(&["url"], json!({ "url": uri() })) }),
                ),
                |args, world| world.fetch(get(args, "/params/url")),
            ),
            "/params/url",
            Whole,
        ),
        (
            shape("crawl", "Crawls a site", url(), |args, world| {
                let url = get(args, "/url");
                (!url.contains("://")).then_some(())?;
                world.fetch(&format!("http://{url}"))
            }),
            "/url",
            Bare,
        ),
        (
            shape(
                "check_website",
                "Checks whether a website is up",
                object(
                    &["domain"],
                    json!({ "domain": text("Domain of the website") }),
                ),
                |args, world| {
                    let domain = get(args, "/domain");
                    (!domain.contains('/')).then_some(())?;
                    world
                        .fetch(&format!("http://{domain}/"))
                        .map(|_| "up".into())
                },
            ),
            "/domain",
            Host,
        ),
        (shape("curl", "", json!({}), only_url), "/url", Whole),
        (
            shape(
                "take_screenshot",
                "Take a screenshot of a webpage",
                object(
                    &["url"],
                    json!({ "url": uri(), "width": { "type": "integer" } }),
                ),
                |args, world| only_url(args, world).map(|_| "a picture".into()),
            ),
            "/url",
            Whole,
        ),
        (
            shape(
                "load_source",
                "Load a document from the web",
                object(
                    &["source"],
                    json!({ "source": text("URL of the document") }),
                ),
                |args, world| world.fetch(get(args, "/source")),
            ),
            "/source",
            Whole,
        ),
    ]
}

#[test]
fn tools_that_fetch() {
    for (shape, pointer, form) in fetching() {
        let name = shape.name;
        let (role, mut slots, found) = found(shape);
        // What the slot is for is another test's.
        slots.retain(|(slot, _)| *slot != Slot::Headers);
        assert_eq!(
            (role, slots, found),
            (Role::HttpFetch, vec![(Slot::Url, pointer.to_owned())], form),
            "{name}"
        );
    }
}

fn host_and_port(args: &Value, world: &World) -> Option<String> {
    let port = args["port"].as_u64()?;
    world
        .connect(get(args, "/host"), u16::try_from(port).ok()?)
        .map(|_| "open".into())
}

#[test]
fn tools_that_connect() {
    use NetForm::{TextPort, Whole};
    let two = || {
        object(
            &["host", "port"],
            json!({ "host": string(), "port": { "type": "integer", "minimum": 1, "maximum": 65535 } }),
        )
    };
    let usual = ["/host", "/port"];
    let shapes: Vec<(Shape, [&str; 2], NetForm)> = vec![
        (
            shape(
                "check_port",
                "Checks whether a port is open",
                two(),
                host_and_port,
            ),
            usual,
            Whole,
        ),
        (shape("can_connect", "", two(), host_and_port), usual, Whole),
        (shape("tcp_connect", "", two(), host_and_port), usual, Whole),
        (
            shape("ping", "Ping a TCP port", two(), host_and_port),
            usual,
            Whole,
        ),
        (
            shape(
                "ssh_connect",
                "Connect to a server over SSH",
                object(
                    &["hostname", "username", "password"],
                    json!({
                        "hostname": string(), "username": string(), "password": string(),
                        "port": { "type": "number", "default": 22 }
                    }),
                ),
                |args, world| {
                    let port = args["port"].as_u64()?;
                    world.connect(get(args, "/hostname"), u16::try_from(port).ok()?)
                },
            ),
            ["/hostname", "/port"],
            Whole,
        ),
        (
            shape(
                "test_connection",
                "Test the connection to a server",
                object(
                    &["server", "port"],
                    json!({ "server": string(), "port": string() }),
                ),
                |args, world| world.connect(get(args, "/server"), get(args, "/port").parse().ok()?),
            ),
            ["/server", "/port"],
            TextPort,
        ),
        (
            shape(
                "connect",
                "Connects to a host",
                object(&["address"], json!({ "address": text("host:port") })),
                |args, world| {
                    let (host, port) = get(args, "/address").rsplit_once(':')?;
                    world.connect(host, port.parse().ok()?)
                },
            ),
            ["/address", "/address"],
            Whole,
        ),
    ];
    for (shape, [host, port], form) in shapes {
        let name = shape.name;
        let slots = vec![(Slot::Host, host.to_owned()), (Slot::Port, port.to_owned())];
        assert_eq!(found(shape), (Role::NetConnect, slots, form), "{name}");
    }
}

#[test]
fn tools_that_look_names_up() {
    let shapes = [
        ("dns_lookup", "Look up DNS records of a domain", "domain"),
        ("resolve_hostname", "", "hostname"),
        ("nslookup", "", "name"),
        ("whois", "Ownership of a domain", "domain"),
        ("ping_host", "Pings a host", "host"),
        ("traceroute", "Route to a host", "target"),
    ];
    for (name, about, parameter) in shapes {
        let schema = object(
            &[parameter],
            json!({ parameter: string(), "type": { "enum": ["A", "AAAA"] } }),
        );
        let server = Server::new().tool(name, about, schema, move |args, world| {
            world.lookup(args[parameter].as_str()?)
        });
        let discovery = server.discover();
        let pointer = format!("/{parameter}");
        assert_eq!(
            proven(&discovery),
            [(
                Role::NetResolve,
                vec![(Slot::Host, pointer.as_str())],
                NetForm::Whole
            )],
            "{name}: {discovery:#?}"
        );
    }
}

#[test]
fn a_proof_says_what_came_and_costs_three_calls() {
    let schema = || object(&["url"], json!({ "url": text("The URL") }));
    let server = Server::new()
        .tool("fetch", "Fetch a URL", schema(), only_url)
        .tool("open_url", "Open a URL", schema(), |args, world| {
            only_url(args, world).map(|_| "opened".into())
        })
        // By a third party, which is not seen at the place.
        .tool("read_url", "Read a URL", schema(), |args, world| {
            let url = get(args, "/url");
            let places = world.places.lock().unwrap();
            let known = places.iter().find(|known| known.place.url == url)?;
            Some(known.word.clone())
        });
    let discovery = server.discover();
    let steps = |tool: &str| {
        let channel = discovery
            .channels
            .iter()
            .find(|channel| channel.tool == tool)
            .unwrap();
        match &channel.proof {
            Proof::Proven { steps } => steps
                .iter()
                .map(|step| step.rsplit_once(" -> ").unwrap().1.to_owned())
                .collect::<Vec<_>>(),
            Proof::Unproven { why } => panic!("{tool}: {why}"),
        }
    };
    let both = "its own request at the sink and its own word in the reply";
    assert_eq!(steps("fetch"), [both, both, "neither"]);
    let sink = "its own request at the sink";
    assert_eq!(steps("open_url"), [sink, sink, "neither"]);
    let word = "its own word in the reply";
    assert_eq!(steps("read_url"), [word, word, "neither"]);
    assert!(
        discovery
            .channels
            .iter()
            .all(|channel| channel.role == Role::HttpFetch)
    );
    let first_calls = |of_network: bool| {
        let log = discovery.log.iter();
        log.filter(|step| step.role.of_network() == of_network)
            .count()
    };
    assert_eq!(first_calls(true), 3, "{:#?}", discovery.log);
    // Whether they also take files by URL is asked for shortly.
    assert!(first_calls(false) <= 6, "{:#?}", discovery.log);
}

fn all_arrive(world: &World) -> String {
    let mut places = world.places.lock().unwrap();
    let said = places.iter_mut().map(|known| {
        known
            .arrived
            .extend([Arrival::Request, Arrival::Connection, Arrival::Question]);
        known.word.clone()
    });
    said.collect()
}

/// Tools that look as if they fetched, connected or looked up.
#[test]
fn what_does_not_steer_proves_nothing() {
    let schema = || {
        object(
            &["url", "host", "port"],
            json!({ "url": string(), "host": string(), "port": { "type": "integer" } }),
        )
    };
    let cases: [fn(&Value, &World) -> Option<String>; 4] = [
        // Always fetches everything.
        |_, world| Some(all_arrive(world)),
        // The same, and says nothing of it.
        |_, world| {
            all_arrive(world);
            None
        },
        |args, _| Some(format!("fetched {args}")),
        |_, _| Some("done".into()),
    ];
    for does in cases {
        for name in ["fetch_url", "tcp_connect", "dns_lookup"] {
            let discovery = Server::new().tool(name, "", schema(), does).discover();
            assert_eq!(proven(&discovery), [], "{name}: {discovery:#?}");
            let tried = discovery.log.iter().any(|step| step.role.of_network());
            assert!(tried, "{name}: {discovery:#?}");
        }
    }
    // To look up the name of a URL is no fetching.
    let server = Server::new().tool(
        "check_website",
        "Checks a website",
        object(&["domain"], json!({ "domain": string() })),
        |args, world| world.lookup(get(args, "/domain")),
    );
    let discovery = server.discover();
    let fetches = proven(&discovery)
        .into_iter()
        .any(|(role, ..)| role == Role::HttpFetch);
    assert!(!fetches, "{discovery:#?}");
    assert!(
        discovery
            .log
            .iter()
            .any(|step| step.role == Role::HttpFetch)
    );
}

#[test]
fn a_success_for_what_is_not_there_proves_nothing() {
    // What is not there leads it to the last place that was made.
    let server = Server::new().tool(
        "fetch_url",
        "Fetch a URL",
        object(&["url"], json!({ "url": string() })),
        |args, world| {
            only_url(args, world).or_else(|| {
                let mut places = world.places.lock().unwrap();
                places.last_mut()?.arrived.push(Arrival::Request);
                None
            })
        },
    );
    let discovery = server.discover();
    assert_eq!(proven(&discovery), []);
    let Proof::Unproven { why } = &discovery.channels[0].proof else {
        panic!("{discovery:#?}")
    };
    assert!(why.contains("names nothing"), "{why}");
}

#[test]
fn one_parameter_for_urls_and_files() {
    let server = Server::new().tool(
        "convert_to_markdown",
        "Convert a resource described by an http:, https:, file: or data: URI to markdown",
        object(&["uri"], json!({ "uri": string() })),
        |args, world| {
            let uri = get(args, "/uri");
            match uri.strip_prefix("file://") {
                Some(path) => fs::read_to_string(path).ok(),
                None => world.fetch(uri),
            }
        },
    );
    let discovery = server.discover();
    let mut roles: Vec<Role> = proven(&discovery)
        .into_iter()
        .map(|(role, ..)| role)
        .collect();
    roles.sort();
    assert_eq!(roles, [Role::FileRead, Role::HttpFetch], "{discovery:#?}");
}

#[test]
fn tools_for_files_are_not_asked_for_hosts() {
    let one = |name: &str| object(&[name], json!({ name: text("The file to read") }));
    let read = |args: &Value, name: &str| fs::read_to_string(args[name].as_str()?).ok();
    let mut server = Server::new();
    for (tool, parameter) in [
        ("read_file", "path"),
        ("get_document", "source"),
        ("open_file", "target"),
        ("fetch_file", "location"),
    ] {
        server = server.tool(tool, "", one(parameter), move |args, _| {
            read(args, parameter)
        });
    }
    let discovery = server.discover();
    assert_eq!(discovery.channels.len(), 4, "{discovery:#?}");
    for channel in &discovery.channels {
        assert!(
            channel.proof.proven() && channel.role == Role::FileRead,
            "{channel:#?}"
        );
    }
    assert!(
        server.world.places.lock().unwrap().is_empty(),
        "a file tool was asked for a host: {:#?}",
        discovery.log
    );
}

#[test]
fn without_a_network_the_parameters_are_listed() {
    let server = Server::new()
        .tool(
            "fetch",
            "Fetch a URL",
            object(&["url"], json!({ "url": text("The URL") })),
            // Whether it takes files is asked all the same.
            |args, _| {
                assert!(!get(args, "/url").starts_with("http"));
                None
            },
        )
        .tool(
            "check_port",
            "Check whether a port of a host is open",
            object(
                &["host", "port"],
                json!({ "host": string(), "port": { "type": "integer" } }),
            ),
            |_, _| panic!("called although there is no network"),
        );
    let given: Channel = serde_json::from_value(json!({
        "tool": "check_port", "role": "net.connect",
        "slots": { "host": ["/host"], "port": ["/port"] }
    }))
    .unwrap();
    for given in [&[][..], &[given]] {
        let discovery = server.discover_on(given, None);
        assert!(
            discovery
                .channels
                .iter()
                .all(|channel| !channel.role.of_network())
        );
        let why = |parameter: Option<&str>| {
            discovery
                .unbound
                .iter()
                .find(|one| one.tool == "check_port" && one.parameter.as_deref() == parameter)
                .map(|one| one.why.as_str())
        };
        let sentence = "reaches hosts; that needs the namespace testbed";
        assert_eq!(
            why(Some("/host")),
            Some(sentence),
            "{:#?}",
            discovery.unbound
        );
        assert_eq!(why(None), Some(&*format!("net.connect: {sentence}")));
    }
}

#[test]
fn values_are_spelled_as_the_tool_wants_them() {
    let channel = |role: &str, slots: &Value, net: &str| -> Channel {
        serde_json::from_value(json!({ "tool": "t", "role": role, "slots": slots, "net": net }))
            .unwrap()
    };
    let arguments = |channel: &Channel, values: &Values| {
        let (method, params) = channel.request(values, Path::new("/srv"));
        assert_eq!(method, "tools/call");
        params["arguments"].clone()
    };
    let one = json!({ "url": ["/url"] });
    for (form, url, expected) in [
        ("whole", "http://10.0.0.5/x", "http://10.0.0.5/x"),
        ("bare", "http://10.0.0.5/x?y", "10.0.0.5/x?y"),
        ("host", "https://[::1]:8/x", "[::1]:8"),
        ("host", "http://a@b?c", "a@b"),
        ("host", "gopher://10.0.0.5/x", "gopher://10.0.0.5/x"),
    ] {
        let values = Values::from([(Slot::Url, SlotValue::Text(url.into()))]);
        let sent = arguments(&channel("http.fetch", &one, form), &values);
        assert_eq!(sent, json!({ "url": expected }), "{form} {url}");
    }
    let many = SlotValue::Many(vec!["http://a/".into(), "http://b/".into()]);
    let sent = arguments(
        &channel("http.fetch", &json!({ "url": ["/urls/-"] }), "bare"),
        &Values::from([(Slot::Url, many)]),
    );
    assert_eq!(sent, json!({ "urls": ["a/", "b/"] }));

    let two = json!({ "host": ["/h"], "port": ["/p"] });
    let same = json!({ "host": ["/a"], "port": ["/a"] });
    for (slots, form, host, port, expected) in [
        (
            &two,
            "whole",
            "10.0.0.5",
            json!(80),
            json!({ "h": "10.0.0.5", "p": 80 }),
        ),
        (
            &two,
            "text-port",
            "10.0.0.5",
            json!(80),
            json!({ "h": "10.0.0.5", "p": "80" }),
        ),
        (
            &two,
            "whole",
            "::1",
            json!("0x50"),
            json!({ "h": "::1", "p": "0x50" }),
        ),
        (
            &same,
            "whole",
            "10.0.0.5",
            json!(80),
            json!({ "a": "10.0.0.5:80" }),
        ),
        (
            &same,
            "whole",
            "::ffff:127.0.0.1",
            json!(80),
            json!({ "a": "[::ffff:127.0.0.1]:80" }),
        ),
    ] {
        let values = Values::from([
            (Slot::Host, SlotValue::Text(host.into())),
            (Slot::Port, SlotValue::Json(port)),
        ]);
        let sent = arguments(&channel("net.connect", slots, form), &values);
        assert_eq!(sent, expected, "{form} {host}");
    }
}

#[test]
fn the_lock_keeps_the_form() {
    let (shape, ..) = fetching()
        .into_iter()
        .find(|(_, _, form)| *form == NetForm::Bare)
        .unwrap();
    let server = Server::new().tool(shape.name, shape.about, shape.schema, shape.does);
    let discovery = server.discover();
    let toml = Lock::new(&discovery.channels, &server.tools)
        .to_toml()
        .unwrap();
    assert!(toml.contains("net = \"bare\""), "{toml}");
    let lock = Lock::parse(&toml).unwrap();
    let given = lock.given(&[], &server.tools);
    let again = server.discover_on(&given, Some(&server.world));
    assert_eq!(again.channels[0].net, NetForm::Bare);
    assert!(again.channels[0].proof.proven());
    // Locks from before still read.
    let old = toml.replace("net = \"bare\"\n", "");
    let old = Lock::parse(&old).unwrap();
    assert_eq!(old.entries[0].channel.net, NetForm::Whole);
}

/// Without a network nothing that reaches hosts can be tried, and what was not tried is no worse than it was.
#[test]
fn a_lock_keeps_what_could_not_be_tried() {
    let (shape, ..) = fetching().into_iter().next().unwrap();
    let server = Server::new().tool(shape.name, shape.about, shape.schema, shape.does);
    let old = Lock::new(&server.discover().channels, &server.tools);
    assert_eq!(old.entries[0].channel.role, Role::HttpFetch);
    let mut new = Lock::new(&[], &server.tools);
    assert_eq!(new.keep_of_network(&old, &server.tools), 1);
    assert_eq!(new, old);
    assert_eq!(new.keep_of_network(&old, &server.tools), 0, "it is there");
    let mut gone = Lock::new(&[], &[]);
    assert_eq!(gone.keep_of_network(&old, &[]), 0, "its tool is gone");
}

/// Only an object of that name takes header fields: a text might be anything.
#[test]
fn header_fields_have_a_slot_of_their_own() {
    for (name, schema, takes) in [
        ("headers", json!({ "type": "object" }), true),
        (
            "request_headers",
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            true,
        ),
        ("headers", text("Header fields"), false),
        ("options", json!({ "type": "object" }), false),
    ] {
        let fields = json!({ "url": text("URL"), name: schema });
        let tool = shape("fetch", "Fetches a URL", object(&["url"], fields), only_url);
        let (_, slots, _) = found(tool);
        let told = slots.contains(&(Slot::Headers, format!("/{name}")));
        assert_eq!(told, takes, "{name}: {slots:?}");
    }
}

/// A parameter that takes files, and says that it takes URLs too, is asked for both.
#[test]
fn a_parameter_for_files_that_says_url() {
    let server = Server::new().tool(
        "describe",
        "Describes an image",
        object(
            &["image"],
            json!({ "image": text("URL or path of the image") }),
        ),
        |args, world| {
            let image = get(args, "/image");
            match fs::metadata(image) {
                Ok(file) => Some(format!("{} bytes", file.len())),
                Err(_) => world.fetch(image),
            }
        },
    );
    let found = server.discover();
    let roles: Vec<Role> = proven(&found).iter().map(|(role, ..)| *role).collect();
    assert_eq!(roles, [Role::FileInfo, Role::HttpFetch], "{found:#?}");
}

/// Host and path in two parameters are a URL.
#[test]
fn host_and_path_apart() {
    for (form, base) in [(NetForm::Split, "host"), (NetForm::SplitBase, "base_url")] {
        let server = Server::new().tool(
            "http_call",
            "Makes an HTTP call",
            object(&[base, "path"], json!({ base: string(), "path": string() })),
            move |args, world| {
                let base = get(args, &format!("/{base}"));
                let url = match form {
                    NetForm::Split => format!("http://{base}{}", get(args, "/path")),
                    _ => format!("{base}{}", get(args, "/path")),
                };
                world.fetch(&url)
            },
        );
        let found = server.discover();
        let fetches = found
            .channels
            .iter()
            .find(|channel| channel.role == Role::HttpFetch && channel.proof.proven());
        let fetches = fetches.unwrap_or_else(|| panic!("{found:#?}"));
        assert_eq!(fetches.net, form);
        assert_eq!(
            fetches.slots[&Slot::Url],
            [format!("/{base}"), "/path".into()]
        );
        let values = Values::from([(Slot::Url, SlotValue::Text("http://[::1]:8080?q=1".into()))]);
        let sent = fetches.arguments(&values, Path::new("/srv"));
        assert_eq!(sent["path"], "/?q=1");
        assert!(sent[base].as_str().unwrap().ends_with("[::1]:8080"));
    }
}
