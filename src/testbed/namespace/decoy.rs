//! Decoys where real secrets lie.
//!
//! Owns which files of a user and of a machine hold secrets, and what stands there inside instead:
//! something of the same form, with a canary for the secret.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    canary::{Mint, Token},
    testbed::Decoy,
};

use super::Wanted;

/// A decoy as it is made.
#[derive(Debug)]
pub(super) struct Planted {
    pub(super) decoy: Decoy,
    /// Whether it is a directory that covers the real one.
    pub(super) covers: bool,
    /// Names in the directory with contents; for a file, one without name.
    pub(super) files: Vec<(String, Vec<u8>)>,
}

/// How a file looks that holds a secret.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A private key.
    Key,
    /// `KEY=value` or `key = value`; what is no secret stays.
    Settings,
    /// A document of its own.
    Text(&'static str),
}

/// The settings of a client of MCP servers.
const SERVERS: Form = Form::Text(
    "{\"mcpServers\": {\"notes\": {\"command\": \"notes\", \"env\": {\"API_KEY\": \"{}\"}}}}\n",
);

/// Files below the home.
const HOME: [(&str, Form); 16] = [
    (
        ".aws/credentials",
        Form::Text(
            "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = {}\n",
        ),
    ),
    (
        ".netrc",
        Form::Text("machine example.com login user password {}\n"),
    ),
    (
        ".git-credentials",
        Form::Text("https://user:{}@example.com\n"),
    ),
    (
        ".docker/config.json",
        Form::Text("{\"auths\":{\"registry.example.com\":{\"auth\":\"{}\"}}}\n"),
    ),
    (
        ".config/gh/hosts.yml",
        Form::Text("github.com:\n    user: user\n    oauth_token: {}\n"),
    ),
    (
        ".kube/config",
        Form::Text(
            "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers:\n- name: user\n  user:\n    token: {}\n",
        ),
    ),
    (
        ".config/gcloud/application_default_credentials.json",
        Form::Text(
            "{\"type\": \"authorized_user\", \"client_id\": \"user\", \"refresh_token\": \"{}\"}\n",
        ),
    ),
    // Where clients keep how they start servers, and with which keys.
    (".claude.json", SERVERS),
    (".config/Claude/claude_desktop_config.json", SERVERS),
    (".cursor/mcp.json", SERVERS),
    (".codeium/windsurf/mcp_config.json", SERVERS),
    (".gemini/settings.json", SERVERS),
    (".cargo/credentials.toml", Form::Settings),
    (".cargo/credentials", Form::Settings),
    (".npmrc", Form::Settings),
    (".pypirc", Form::Settings),
];

/// Directories below the home in which everything is secret.
const HOME_DIRECTORIES: [(&str, &str); 2] =
    [(".ssh", "id_ed25519"), (".gnupg", "private-keys-v1.d.key")];

/// Files of the machine.
const MACHINE: [&str; 2] = ["/etc/shadow", "/etc/gshadow"];

/// The decoys of a run. Looks at the real disk.
pub(super) fn planted(wanted: &Wanted, mint: &Mint) -> Vec<Planted> {
    let mut made = Vec::new();
    if let Some(home) = &wanted.home {
        for (name, form) in HOME {
            made.extend(over(mint, &home.join(name), form));
        }
        for (name, file) in HOME_DIRECTORIES {
            let path = home.join(name);
            // The home of a home-less user may be `/`.
            if path.is_dir() && home.parent().is_some() {
                let token = mint.token();
                made.push(Planted {
                    files: vec![(file.to_owned(), key(&token))],
                    decoy: decoy(path, token, false),
                    covers: true,
                });
            }
        }
    }
    for path in MACHINE {
        made.extend(over(
            mint,
            Path::new(path),
            Form::Text("root:$6${}:19000:0:99999:7:::\n"),
        ));
    }
    for path in host_keys() {
        made.extend(over(mint, &path, Form::Key));
    }
    made.extend(over(mint, &wanted.cwd.join(".env"), Form::Settings));
    made.extend(over(mint, &wanted.cwd.join(".mcp.json"), SERVERS));
    for path in &wanted.denied {
        if made.iter().any(|one| one.decoy.path == *path) {
            continue;
        }
        made.push(denied(mint, path));
    }
    made
}

fn decoy(path: PathBuf, token: Token, of_policy: bool) -> Decoy {
    Decoy {
        path,
        token,
        of_policy,
    }
}

fn host_keys() -> Vec<PathBuf> {
    fs::read_dir("/etc/ssh")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("_key"))
        .collect()
}

/// A decoy over a file that is there and that we could read. What we cannot read, nobody inside can.
fn over(mint: &Mint, path: &Path, form: Form) -> Option<Planted> {
    let path = path.canonicalize().ok()?;
    let real = fs::read(&path).ok()?;
    let token = mint.token();
    let content = match form {
        Form::Key => key(&token),
        Form::Settings => settings(&String::from_utf8_lossy(&real), &token).into_bytes(),
        Form::Text(text) => text.replacen("{}", token.as_str(), 1).into_bytes(),
    };
    Some(Planted {
        decoy: decoy(path, token, false),
        covers: false,
        files: vec![(String::new(), content)],
    })
}

/// What the policy denies. Whether something is a file or a directory is seen on the real disk, else
/// by its name: with a dot in it, it is a file.
fn denied(mint: &Mint, path: &Path) -> Planted {
    let token = mint.token();
    let content = format!("SECRET={token}\n").into_bytes();
    let named_file = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().contains('.'));
    let covers = path.is_dir() || (!path.exists() && !named_file);
    let name = if covers { "secret.txt" } else { "" };
    Planted {
        decoy: decoy(path.to_path_buf(), token, true),
        covers,
        files: vec![(name.to_owned(), content)],
    }
}

fn key(token: &Token) -> Vec<u8> {
    format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{token}\n-----END OPENSSH PRIVATE KEY-----\n")
        .into_bytes()
}

/// The same settings with the canary for every value that may be a secret, so that programs which
/// read them still start.
fn settings(real: &str, token: &Token) -> String {
    let mut hidden = false;
    let mut text = String::new();
    for line in real.lines() {
        let trimmed = line.trim_start();
        match line.split_once('=') {
            Some((name, value)) if !trimmed.starts_with(['#', ';']) && secret(name, value) => {
                let (space, quote) = (
                    if value.starts_with(' ') { " " } else { "" },
                    if value.trim_start().starts_with('"') {
                        "\""
                    } else {
                        ""
                    },
                );
                text.push_str(&format!("{name}={space}{quote}{token}{quote}\n"));
                hidden = true;
            }
            // A comment may hold an old secret; a line without a name may be the rest of one.
            None if !trimmed.is_empty() && !trimmed.starts_with('[') => {}
            _ if trimmed.starts_with(['#', ';']) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    if !hidden {
        text.push_str(&format!("# {token}\n"));
    }
    text
}

/// Whether a value may be a secret, by the words that names of secrets have. Other values stay,
/// unless they look like nothing but random letters, or carry a password in a URL.
fn secret(name: &str, value: &str) -> bool {
    const WORDS: [&str; 9] = [
        "token",
        "secret",
        "pass",
        "key",
        "auth",
        "credential",
        "private",
        "dsn",
        "cookie",
    ];
    let name = name.to_lowercase();
    let value = value.trim().trim_matches(['"', '\'']);
    let random = value.len() >= 20
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte));
    WORDS.iter().any(|word| name.contains(word)) || random || value.contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_keep_what_is_no_secret() {
        let token = Mint::new().token();
        let real = "# old: hunter2\nPORT=3000\nAPI_TOKEN=\"hunter2\"\nregistry=https://r.example/\n\
            //r.example/:_authToken=hunter2\nDATABASE_URL=postgres://u:hunter2@db/x\nhunter2\n\n[server]\npassword = hunter2\n";
        let found = settings(real, &token);
        assert!(!found.contains("hunter2"), "{found}");
        let expected = format!(
            "PORT=3000\nAPI_TOKEN=\"{token}\"\nregistry=https://r.example/\n\
             //r.example/:_authToken={token}\nDATABASE_URL={token}\n\n[server]\npassword = {token}\n"
        );
        assert_eq!(found, expected);
    }
}
