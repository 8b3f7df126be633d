//! Readers of MCP client configs: the files in which editors and assistants keep their servers.
//!
//! Owns the shapes of those files and the choice of one server. References such as `${TOKEN}` stay
//! as they are written: each client replaces its own. Keys that are not about servers are ignored,
//! since every client has its own and adds more.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::diag::{At, Diagnostic, Format, Problems, Source, nearest};

/// The servers of an MCP client config.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Names and servers, by name.
    pub servers: BTreeMap<String, At<ClientServer>>,
    /// Whether the text has comments, or commas at the end of lists, that JSON does not know.
    pub commented: bool,
    source: Source,
}

/// A server as a client config names it.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct ClientServer {
    /// Program to launch.
    pub command: Option<At<String>>,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<At<Scalar>>,
    /// Variables that it gets.
    #[serde(default)]
    pub env: BTreeMap<String, At<Scalar>>,
    /// Its working directory.
    pub cwd: Option<At<String>>,
    /// Address of a running server.
    #[serde(alias = "serverUrl", alias = "httpUrl")]
    pub url: Option<At<String>>,
    /// Headers sent with each request to the address.
    #[serde(default, alias = "http_headers")]
    pub headers: BTreeMap<String, At<Scalar>>,
}

/// A text; numbers and truth values are taken as clients take them, as the text that they print.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scalar(pub String);

#[derive(Default, Deserialize)]
struct Raw {
    #[serde(default, rename = "mcpServers", alias = "mcp_servers")]
    mcp_servers: BTreeMap<String, At<ClientServer>>,
    #[serde(default, alias = "mcp.servers")]
    servers: BTreeMap<String, At<ClientServer>>,
    #[serde(default)]
    mcp: Section,
    #[serde(default)]
    projects: BTreeMap<String, Section>,
}

/// A table that holds servers among other things.
#[derive(Default, Deserialize)]
struct Section {
    #[serde(default, rename = "mcpServers")]
    mcp_servers: BTreeMap<String, At<ClientServer>>,
    #[serde(default)]
    servers: BTreeMap<String, At<ClientServer>>,
}

impl ClientConfig {
    /// Reads a file, if its content is that of an MCP client config: `mcpServers`, `mcp_servers`,
    /// or `servers` at the top or below `mcp`, with commands or addresses in them; or
    /// `projects` with `mcpServers`. JSON comments are taken.
    ///
    /// # Errors
    ///
    /// It is such a config, and has mistakes.
    pub fn recognise(source: &Source) -> Option<Result<Self, Problems>> {
        let format = source.format();
        let (source, commented) = match format {
            Format::Json if source.parse::<Top>(format).is_err() => {
                (source.without_comments(), true)
            }
            _ => (source.clone(), false),
        };
        let top: Top = source.parse(format).ok()?;
        top.is_client_config().then(|| {
            let raw: Raw = source.parse(format)?;
            let mut servers = raw.mcp_servers;
            servers.extend(raw.servers);
            servers.extend(raw.mcp.servers);
            servers.extend(raw.mcp.mcp_servers);
            for project in raw.projects.into_values() {
                for (name, server) in project.mcp_servers.into_iter().chain(project.servers) {
                    // The same name in several projects: each is kept.
                    let mut unique = name;
                    while servers.contains_key(&unique) {
                        unique.push('\'');
                    }
                    servers.insert(unique, server);
                }
            }
            Ok(Self {
                servers,
                commented,
                source,
            })
        })
    }

    /// The text that it was read from.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The server of that name, or the only one.
    ///
    /// # Errors
    ///
    /// There is no such server, or no name was given and there are several, or none.
    pub fn pick(&self, name: Option<&str>) -> Result<(&str, &At<ClientServer>), Diagnostic> {
        let file = self.source.name();
        let names: Vec<&str> = self.servers.keys().map(String::as_str).collect();
        let known = format!("servers in it: {}", names.join(", "));
        let failed = |message| Diagnostic::error("client::server", message);
        match (name, self.servers.iter().next()) {
            (_, None) => Err(failed(format!("{file} names no server"))),
            (Some(name), _) => match self.servers.get_key_value(name) {
                Some((name, server)) => Ok((name, server)),
                None => {
                    let help = match nearest(name, names) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => known,
                    };
                    Err(failed(format!("{file} names no server `{name}`")).help(help))
                }
            },
            (None, Some((name, server))) if self.servers.len() == 1 => Ok((name, server)),
            (None, Some((first, _))) => {
                let message = format!("{file} names {} servers", self.servers.len());
                Err(failed(message).help(format!("choose one with --server {first}\n{known}")))
            }
        }
    }
}

impl ClientServer {
    /// Program and arguments, if it is launched.
    #[must_use]
    pub fn command_line(&self) -> Option<Vec<At<String>>> {
        let program = self.command.clone()?;
        let args = self.args.iter().map(|at| at.with(at.value.0.clone()));
        Some(std::iter::once(program).chain(args).collect())
    }

    /// References to variables, inputs and secret stores that only the client can replace.
    pub fn references(&self) -> impl Iterator<Item = At<String>> {
        self.command
            .iter()
            .chain(&self.url)
            .chain(&self.cwd)
            .cloned()
            .chain(
                self.args
                    .iter()
                    .chain(self.env.values())
                    .chain(self.headers.values())
                    .map(|at| at.with(at.value.0.clone())),
            )
            .filter(|at| {
                at.value
                    .find("${")
                    .is_some_and(|start| at.value[start..].contains('}'))
            })
    }
}

/// The top level of a file: which keys there are, and which keys each entry below has.
#[derive(Deserialize)]
#[serde(transparent)]
struct Top(BTreeMap<String, Peek>);

impl Top {
    fn is_client_config(&self) -> bool {
        let has = |section: &Peek, key: &str| {
            section
                .0
                .as_ref()
                .is_some_and(|keys| keys.contains_key(key))
        };
        let launches = |key: &str| {
            self.0
                .get(key)
                .and_then(|servers| servers.0.as_ref())
                .is_some_and(|servers| {
                    !servers.is_empty()
                        && servers.values().all(|server| {
                            server
                                .iter()
                                .any(|key| ["command", "url"].contains(&key.as_str()))
                        })
                })
        };
        self.0.contains_key("mcpServers")
            || self.0.contains_key("mcp_servers")
            || launches("servers")
            || launches("mcp.servers")
            || self.0.get("mcp").is_some_and(|mcp| has(mcp, "servers"))
            || self.0.get("projects").is_some_and(|projects| {
                projects
                    .0
                    .iter()
                    .flat_map(BTreeMap::values)
                    .any(|keys| keys.iter().any(|key| key == "mcpServers"))
            })
    }
}

/// The keys of a table and the keys below each; none for anything else.
struct Peek(Option<BTreeMap<String, Vec<String>>>);

impl<'de> Deserialize<'de> for Peek {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Keys::<Keys<IgnoredAny>>::deserialize(deserializer).map(|keys| {
            Self(keys.0.map(|keys| {
                keys.into_iter()
                    .map(|(name, below)| {
                        let below = below.0.map(BTreeMap::into_keys);
                        (name, below.into_iter().flatten().collect())
                    })
                    .collect()
            }))
        })
    }
}

/// The entries of a table; none for anything else.
struct Keys<T>(Option<BTreeMap<String, T>>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Keys<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for KeysVisitor<T> {
            type Value = Keys<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys<T>, A::Error> {
                let mut keys = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    keys.insert(key, value);
                }
                Ok(Keys(Some(keys)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Keys<T>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Keys(None))
            }

            fn visit_unit<E>(self) -> Result<Keys<T>, E> {
                Ok(Keys(None))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Keys<T>, E> {
                Ok(Keys(None))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Keys<T>, E> {
                Ok(Keys(None))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Keys<T>, E> {
                Ok(Keys(None))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Keys<T>, E> {
                Ok(Keys(None))
            }

            fn visit_str<E>(self, _: &str) -> Result<Keys<T>, E> {
                Ok(Keys(None))
            }
        }

        deserializer.deserialize_any(KeysVisitor(std::marker::PhantomData))
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::default())
            }

            fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
                Ok(Scalar(truth.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar(number.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar(text.to_owned()))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ClientConfig {
        ClientConfig::recognise(&Source::new("x.json", text))
            .expect("it is a client config")
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn every_form_of_the_file_is_known_by_its_content() {
        for text in [
            r#"{ "mcpServers": { "a": { "command": "x" } } }"#,
            r#"{ "servers": { "a": { "type": "http", "url": "https://x.dev" } }, "inputs": [] }"#,
            r#"{ "mcp": { "servers": { "a": { "command": "x" } } } }"#,
            r#"{ "mcp.servers": { "a": { "command": "x" } }, "editor.tabSize": 2 }"#,
            r#"{ "projects": { "/p": { "mcpServers": { "a": { "command": "x" } } } } }"#,
            "{ // a comment\n \"servers\": { \"a\": { \"command\": \"x\", }, }, }",
        ] {
            assert_eq!(read(text).servers.len(), 1, "{text}");
        }
        let toml = Source::new("config.toml", "[mcp_servers.a]\ncommand = 'x'\n");
        assert!(ClientConfig::recognise(&toml).is_some_and(|config| config.is_ok()));
        for text in [
            r#"{ "servers": [ { "url": "https://x.dev" } ] }"#,
            r#"{ "servers": { "a": { "image": "x" } } }"#,
            r#"{ "name": "x" }"#,
            "[]",
            "",
        ] {
            assert!(
                ClientConfig::recognise(&Source::new("x.json", text)).is_none(),
                "{text}"
            );
        }
    }

    #[test]
    fn one_server_is_picked_and_several_are_asked_about() {
        let one = read(
            r#"{ "mcpServers": { "a": { "command": "x", "args": ["-p", 8080],
                "env": { "T": "${T}", "N": "n" } } } }"#,
        );
        let (name, server) = one.pick(None).expect("there is one");
        assert_eq!(name, "a");
        let line = server.value.command_line().expect("it has a command");
        let words: Vec<&str> = line.iter().map(|at| at.value.as_str()).collect();
        assert_eq!(words, ["x", "-p", "8080"]);
        let left: Vec<String> = server.value.references().map(|at| at.value).collect();
        assert_eq!(left, ["${T}"]);
        let two = read(r#"{ "mcpServers": { "one": { "command": "x" }, "two": { "url": "y" } } }"#);
        assert_eq!(two.pick(Some("two")).expect("it is there").0, "two");
        for (name, told) in [(None, "--server one"), (Some("tow"), "did you mean `two`?")] {
            let error = two.pick(name).expect_err("it is not told which");
            assert!(error.to_string().contains(told), "{error}");
        }
        assert!(read(r#"{ "mcpServers": {} }"#).pick(None).is_err());
    }
}
