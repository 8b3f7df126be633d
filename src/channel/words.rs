//! The words by which tools and parameters are recognised.
//!
//! Owns the tables and how a name is cut into words. A word only makes a candidate: the proof
//! decides. No word here belongs to a particular server.

use crate::probe::{Role, Slot};

/// Cuts a name into lower-case singular words: `readTextFiles` is `read`, `text`, `file`.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for letter in name.chars() {
        if !letter.is_alphanumeric() || (letter.is_uppercase() && before_lower) {
            words.push(std::mem::take(&mut word));
        }
        if letter.is_alphanumeric() {
            word.extend(letter.to_lowercase());
        }
        before_lower = letter.is_lowercase();
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words.iter_mut().for_each(|word| singular(word));
    words
}

fn singular(word: &mut String) {
    const AS_THEY_ARE: &[&str] = &["ls", "address", "class", "status", "details", "alias", "js"];
    if AS_THEY_ARE.contains(&word.as_str()) || word.len() < 4 {
        return;
    }
    if word.ends_with("ies") {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.ends_with("ches") || word.ends_with("shes") || word.ends_with("xes") {
        word.truncate(word.len() - 2);
    } else if word.ends_with('s') && !word.ends_with("ss") {
        word.truncate(word.len() - 1);
    }
}

/// How a slot's parameter is usually called and described.
pub(super) struct Meaning {
    /// Names that say it.
    pub(super) names: &'static [&'static str],
    /// Names that may say it.
    pub(super) weak: &'static [&'static str],
    /// Words in a name that contradict it.
    pub(super) against: &'static [&'static str],
    /// Values of `format`.
    pub(super) formats: &'static [&'static str],
    /// Words of a description.
    pub(super) phrases: &'static [&'static str],
}

const NOT_A_PLACE: &[&str] = &[
    "content",
    "text",
    "body",
    "data",
    "encoding",
    "type",
    "size",
    "line",
    "count",
    "pattern",
    "glob",
    "query",
    "regex",
    "format",
    "mode",
    "limit",
    "offset",
    "number",
    "max",
    "min",
    "depth",
    "message",
    "version",
    "hash",
    "extension",
    "exclude",
    "include",
    "language",
    "command",
    "description",
    "comment",
    "sheet",
    "cell",
    "range",
    "column",
    "row",
    "table",
    "author",
    "tag",
];

const FILE_PHRASES: &[&str] = &[
    "path",
    "file",
    "filename",
    "document",
    "uri",
    "location",
    "directory",
    "folder",
];

const READ_PATH: Meaning = Meaning {
    names: &[
        "path",
        "filepath",
        "file",
        "filename",
        "pathname",
        "fullpath",
        "abspath",
        "src",
        "source",
        "input",
        "target",
        "location",
        "document",
        "doc",
        "inputfile",
        "inputpath",
    ],
    weak: &[
        "uri",
        "url",
        "name",
        "resource",
        "href",
        "note",
        "page",
        "title",
        "archive",
        "zip",
        "image",
        "notebook",
        "key",
        "attachment",
        "link",
        "dir",
        "directory",
        "folder",
        "root",
        "project",
        "repo",
        "media",
    ],
    against: NOT_A_PLACE,
    formats: &[
        "path",
        "file-path",
        "filepath",
        "file",
        "uri",
        "uri-reference",
    ],
    phrases: FILE_PHRASES,
};

const DIR_PATH: Meaning = Meaning {
    names: &[
        "path",
        "dir",
        "directory",
        "folder",
        "dirname",
        "root",
        "location",
        "dirpath",
        "directorypath",
        "folderpath",
        "rootpath",
        "repopath",
        "repo",
        "repository",
        "project",
        "projectpath",
        "workspace",
        "cwd",
        "workdir",
        "workingdirectory",
        "base",
        "basepath",
        "repositorypath",
    ],
    weak: &[
        "target", "source", "src", "input", "uri", "name", "filepath", "url", "file", "vault",
        "prefix", "parent",
    ],
    against: NOT_A_PLACE,
    formats: &["path", "directory-path", "directory", "uri"],
    phrases: &[
        "path",
        "directory",
        "folder",
        "root",
        "repository",
        "location",
    ],
};

const DESTINATION: Meaning = Meaning {
    names: &[
        "destination",
        "dest",
        "dst",
        "to",
        "target",
        "output",
        "out",
        "saveto",
        "newpath",
        "topath",
        "targetpath",
        "destinationpath",
        "destpath",
        "outputpath",
        "outputfile",
        "newname",
        "into",
        "targetdir",
        "outputdir",
        "destdir",
        "extractto",
        "newfilename",
    ],
    weak: &[
        "path",
        "file",
        "filename",
        "filepath",
        "new",
        "name",
        "dir",
        "directory",
        "folder",
        "download",
        "location",
        "uri",
    ],
    against: &[
        "content",
        "text",
        "body",
        "data",
        "encoding",
        "type",
        "size",
        "source",
        "src",
        "from",
        "old",
        "pattern",
        "mode",
        "format",
        "overwrite",
        "limit",
        "original",
    ],
    formats: &["path", "file-path", "directory-path", "uri"],
    phrases: &[
        "destination",
        "target",
        "new",
        "output",
        "where",
        "save",
        "into",
    ],
};

const SOURCE: Meaning = Meaning {
    names: &[
        "source",
        "src",
        "from",
        "oldpath",
        "sourcepath",
        "frompath",
        "old",
        "original",
        "origin",
        "input",
        "sourcefile",
        "archive",
        "archivepath",
        "zipfile",
        "zippath",
        "srcpath",
        "oldname",
        "inputpath",
        "inputfile",
    ],
    weak: &[
        "path", "file", "filename", "filepath", "zip", "name", "uri", "tar",
    ],
    against: &[
        "content",
        "text",
        "body",
        "data",
        "encoding",
        "type",
        "size",
        "destination",
        "dest",
        "dst",
        "to",
        "new",
        "output",
        "pattern",
        "mode",
        "format",
        "limit",
        "target",
    ],
    formats: &["path", "file-path", "uri"],
    phrases: &[
        "source", "from", "existing", "original", "archive", "current",
    ],
};

const CONTENT: Meaning = Meaning {
    names: &[
        "content",
        "text",
        "body",
        "data",
        "filecontent",
        "filetext",
        "newcontent",
        "markdown",
        "payload",
        "code",
        "string",
        "value",
    ],
    weak: &[
        "message", "source", "input", "note", "html", "json", "csv", "line",
    ],
    against: &[
        "path", "file", "name", "type", "encoding", "old", "find", "search", "format", "mode",
        "pattern", "number",
    ],
    formats: &["textarea", "markdown", "text"],
    phrases: &["content", "text", "write", "data", "body"],
};

const REPLACEMENT: Meaning = Meaning {
    names: &[
        "newtext",
        "newstring",
        "newstr",
        "replacement",
        "replace",
        "replacewith",
        "new",
        "newcontent",
        "after",
        "newvalue",
        "newcode",
        "with",
        "updated",
        "replacetext",
        "replacementtext",
    ],
    weak: &["content", "text", "to", "value", "insert", "string"],
    against: &[
        "path", "file", "name", "type", "encoding", "old", "find", "search", "format", "mode",
        "pattern", "original", "before", "number", "line", "all", "count",
    ],
    formats: &[],
    phrases: &["replace", "replacement", "new", "with"],
};

const FIND: Meaning = Meaning {
    names: &[
        "oldtext",
        "oldstring",
        "oldstr",
        "find",
        "search",
        "searchtext",
        "old",
        "original",
        "before",
        "oldcontent",
        "oldvalue",
        "oldcode",
        "pattern",
        "findtext",
        "searchstring",
        "match",
        "originaltext",
    ],
    weak: &["target", "from", "text", "query", "anchor", "string"],
    against: &[
        "path",
        "file",
        "name",
        "type",
        "encoding",
        "new",
        "replace",
        "replacement",
        "format",
        "mode",
        "after",
        "number",
        "with",
    ],
    formats: &[],
    phrases: &["replaced", "search", "match", "find", "existing", "old"],
};

const PATTERN: Meaning = Meaning {
    names: &[
        "pattern",
        "query",
        "glob",
        "search",
        "regex",
        "keyword",
        "term",
        "searchpattern",
        "searchterm",
        "searchtext",
        "text",
        "needle",
        "find",
        "q",
        "searchquery",
        "globpattern",
    ],
    weak: &[
        "name",
        "filename",
        "string",
        "filter",
        "content",
        "match",
        "expression",
        "substring",
    ],
    against: &[
        "exclude",
        "ignore",
        "include",
        "path",
        "dir",
        "directory",
        "folder",
        "root",
        "limit",
        "max",
        "type",
        "case",
        "depth",
        "file",
    ],
    formats: &["regex", "glob"],
    phrases: &["pattern", "search", "find", "match", "glob", "query"],
};

const IDENT: Meaning = Meaning {
    names: &[
        "id",
        "name",
        "key",
        "slug",
        "title",
        "noteid",
        "docid",
        "documentid",
        "identifier",
        "notename",
        "topic",
        "template",
        "permalink",
        "language",
        "lang",
    ],
    weak: &[
        "ref", "tag", "version", "note", "document", "page", "entry", "resource", "branch",
    ],
    against: &[
        "path",
        "file",
        "dir",
        "directory",
        "folder",
        "content",
        "text",
        "user",
        "session",
        "token",
        "type",
        "format",
        "query",
        "pattern",
    ],
    formats: &[],
    phrases: &["identifier", "name", "title", "id", "slug"],
};

const DIFF: Meaning = Meaning {
    names: &[
        "patch",
        "diff",
        "unifieddiff",
        "patchtext",
        "patchcontent",
        "diffcontent",
    ],
    weak: &["content", "text", "input"],
    against: &["path", "file", "name", "mode", "format", "context", "line"],
    formats: &[],
    phrases: &["patch", "diff", "unified"],
};

/// What the parameter of a slot is called in tools of a role.
pub(super) fn meaning(role: Role, slot: Slot) -> &'static Meaning {
    match (role, slot) {
        (Role::FileMove | Role::FileCopy | Role::ArchiveExtract, Slot::Path) => &DESTINATION,
        (Role::FilePatch, Slot::Content) => &DIFF,
        (Role::FileEdit, Slot::Content) => &REPLACEMENT,
        (
            Role::DirList | Role::DirCreate | Role::FileSearch | Role::RepoRead | Role::RepoCreate,
            Slot::Path,
        ) => &DIR_PATH,
        (_, Slot::Path | Slot::Paths) => &READ_PATH,
        (_, Slot::Source) => &SOURCE,
        (_, Slot::Content) => &CONTENT,
        (_, Slot::Find) => &FIND,
        (_, Slot::Pattern) => &PATTERN,
        // Parts of a file are asked for beside a path, never instead of one.
        (_, Slot::Ident | Slot::Head | Slot::Tail | Slot::Offset | Slot::Length) => &IDENT,
    }
}

/// How tools of a role are usually called.
pub(super) struct Trade {
    pub(super) role: Role,
    /// Words that alone say the role.
    pub(super) strong: &'static [&'static str],
    pub(super) verbs: &'static [&'static str],
    pub(super) nouns: &'static [&'static str],
    /// Words in the tool's name that contradict it.
    pub(super) against: &'static [&'static str],
    /// Whether verbs alone are too common to say anything.
    pub(super) needs_noun: bool,
    /// Whether its proof changes the disk.
    pub(super) writes: bool,
}

const READING: &[&str] = &[
    "read",
    "get",
    "open",
    "view",
    "show",
    "cat",
    "load",
    "fetch",
    "display",
    "head",
    "tail",
    "print",
    "convert",
    "parse",
    "summarize",
    "analyze",
    "import",
    "preview",
    "retrieve",
    "access",
    "see",
];

/// The table. Order is the order of trying among equals.
pub(super) const TRADES: &[Trade] = &[
    Trade {
        role: Role::FileRead,
        strong: &["cat", "head", "tail", "read"],
        verbs: READING,
        nouns: &[
            "file", "document", "doc", "content", "text", "note", "page", "line", "media", "pdf",
            "markdown", "image", "source", "notebook", "csv", "json", "data",
        ],
        against: &[
            "directory",
            "folder",
            "dir",
            "tree",
            "info",
            "metadata",
            "size",
            "hash",
            "search",
            "find",
            "list",
            "multiple",
            "many",
            "batch",
            "archive",
            "zip",
            "exist",
            "stat",
            "write",
        ],
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::FileReadMany,
        strong: &["multiple", "many", "batch", "bulk", "multi"],
        verbs: READING,
        nouns: &["file", "document", "doc", "content", "note"],
        against: &["write", "edit", "delete", "zip", "search", "stat", "info"],
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::FileInfo,
        strong: &[
            "stat",
            "info",
            "metadata",
            "details",
            "size",
            "hash",
            "checksum",
            "digest",
            "property",
            "attribute",
            "properties",
            "information",
        ],
        verbs: &["get", "describe", "show", "check", "inspect", "read"],
        nouns: &["file", "path"],
        against: &["content", "write", "search", "tree", "directory", "text"],
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::DirList,
        strong: &["ls", "tree", "listing", "readdir", "list"],
        verbs: &[
            "list", "browse", "index", "scan", "walk", "show", "get", "explore", "view", "read",
        ],
        nouns: &[
            "directory",
            "dir",
            "folder",
            "tree",
            "file",
            "entry",
            "children",
            "structure",
            "content",
        ],
        against: &[
            "search", "write", "text", "create", "info", "allowed", "size",
        ],
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::FileSearch,
        strong: &["search", "grep", "find", "glob", "ripgrep", "rg", "locate"],
        verbs: &[
            "search", "find", "query", "locate", "match", "lookup", "filter", "list",
        ],
        nouns: &[
            "file",
            "content",
            "text",
            "code",
            "directory",
            "pattern",
            "document",
            "note",
        ],
        against: &["write", "replace", "delete", "edit"],
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::FileWrite,
        strong: &["write"],
        verbs: &[
            "write",
            "create",
            "save",
            "put",
            "append",
            "add",
            "new",
            "set",
            "update",
            "store",
            "overwrite",
            "upload",
            "generate",
            "make",
            "insert",
        ],
        nouns: &["file", "document", "doc", "note", "content", "text", "page"],
        against: &["read", "directory", "folder", "search", "edit", "replace"],
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileEdit,
        strong: &["edit", "replace", "substitute", "str_replace", "sed"],
        verbs: &[
            "edit", "replace", "modify", "update", "change", "refactor", "insert", "patch",
        ],
        nouns: &[
            "file", "text", "content", "document", "string", "block", "note",
        ],
        against: &["read", "directory", "list"],
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileMove,
        strong: &["move", "rename", "mv", "relocate"],
        verbs: &["move", "rename"],
        nouns: &["file", "directory", "path", "note", "item"],
        against: &["copy", "read"],
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileCopy,
        strong: &["copy", "cp", "duplicate", "clone"],
        verbs: &["copy", "duplicate"],
        nouns: &["file", "directory", "path", "item"],
        against: &["move", "read", "repo", "repository", "git"],
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::DirCreate,
        strong: &["mkdir"],
        verbs: &["create", "make", "new", "add", "ensure"],
        nouns: &["directory", "dir", "folder"],
        against: &["file", "list", "read"],
        needs_noun: true,
        writes: true,
    },
    Trade {
        role: Role::ArchiveExtract,
        strong: &[
            "unzip",
            "unpack",
            "untar",
            "decompress",
            "uncompress",
            "extract",
        ],
        verbs: &["extract", "expand", "open"],
        nouns: &["archive", "zip", "tar", "file"],
        against: &["read", "list", "text"],
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::ArchiveRead,
        strong: &[],
        verbs: &["list", "read", "show", "inspect", "open", "view", "get"],
        nouns: &["archive", "zip", "tar", "tarball"],
        against: &["extract", "create", "write", "unzip"],
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::RepoRead,
        strong: &[],
        verbs: &[
            "log", "status", "diff", "show", "blame", "history", "commit", "branch", "list", "get",
            "read", "search",
        ],
        nouns: &["git", "repo", "repository", "commit", "branch", "vcs"],
        against: &[
            "init", "add", "reset", "checkout", "create", "clone", "push", "stash",
        ],
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::RepoCreate,
        strong: &[],
        verbs: &[
            "init",
            "create",
            "new",
            "scaffold",
            "initialize",
            "setup",
            "generate",
        ],
        nouns: &[
            "repo",
            "repository",
            "project",
            "workspace",
            "git",
            "vault",
            "app",
        ],
        against: &["branch", "commit", "file", "tag", "issue"],
        needs_noun: true,
        writes: true,
    },
    Trade {
        role: Role::FilePatch,
        strong: &["patch", "diff"],
        verbs: &["apply", "patch"],
        nouns: &["patch", "diff", "file"],
        against: &["show", "get", "read", "log"],
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileSave,
        strong: &["export", "screenshot", "save", "dump"],
        verbs: &[
            "save", "export", "convert", "create", "render", "generate", "download", "zip",
            "compress", "archive", "pack", "build", "capture", "record", "plot", "draw", "write",
            "new", "touch",
        ],
        nouns: &[
            "file",
            "image",
            "chart",
            "report",
            "pdf",
            "workbook",
            "document",
            "diagram",
            "screenshot",
            "presentation",
            "archive",
            "sheet",
        ],
        against: &[
            "directory",
            "folder",
            "dir",
            "read",
            "get",
            "list",
            "repo",
            "repository",
            "unzip",
            "extract",
            "markdown",
        ],
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::IdentRead,
        strong: &[],
        verbs: READING,
        nouns: &[
            "note", "document", "doc", "entry", "page", "template", "memory", "article", "record",
            "resource", "item", "prompt", "standard", "guide",
        ],
        against: &["directory", "folder", "search", "list", "write", "create"],
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::FileDelete,
        strong: &["delete", "remove", "rm", "unlink", "erase", "trash"],
        verbs: &["delete", "remove"],
        nouns: &["file", "document", "note", "path"],
        against: &["directory", "folder"],
        needs_noun: false,
        writes: true,
    },
];

/// Verbs whose tools are not called unless the user names them.
pub(super) const DESTRUCTIVE: &[&str] = &[
    "delete",
    "drop",
    "purge",
    "format",
    "kill",
    "reboot",
    "send",
    "email",
    "post",
    "publish",
    "pay",
    "transfer",
    "deploy",
    "merge",
    "push",
    "revoke",
    "grant",
    "rotate",
    "remove",
    "rm",
    "unlink",
    "trash",
    "erase",
    "destroy",
    "shutdown",
    "restart",
    "uninstall",
    "truncate",
    "wipe",
    "reset",
    "terminate",
    "stop",
    "clear",
];

/// First words after which a destructive verb is a noun: `get_post`, `list_emails`.
pub(super) const HARMLESS_FIRST: &[&str] = &[
    "get", "list", "read", "search", "find", "show", "view", "count", "describe", "fetch", "check",
];

/// Verbs of tools whose effects stay in the files they are pointed at, so that a
/// `destructiveHint` on them (the specification's default) says nothing more.
pub(super) const WRITING: &[&str] = &[
    "write", "edit", "move", "rename", "create", "copy", "save", "append", "update", "modify",
    "replace", "insert", "patch", "apply", "extract", "unzip", "zip", "make", "mkdir", "init",
    "add", "export", "convert", "generate", "store", "put", "set", "new",
];

/// Parameters that choose what a tool does.
pub(super) const ACTIONS: &[&str] = &[
    "action",
    "operation",
    "command",
    "op",
    "cmd",
    "method",
    "mode",
    "task",
    "function",
    "verb",
    "subcommand",
];

/// Parameters that take secrets: never driven.
pub(super) const CREDENTIALS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "otp",
    "credential",
    "apikey",
    "token",
];

/// Words that name a directory.
pub(super) const DIRECTORIES: &[&str] = &[
    "dir",
    "directory",
    "folder",
    "root",
    "cwd",
    "workspace",
    "repo",
    "repository",
    "project",
    "base",
    "parent",
    "vault",
    "workdir",
    "dirname",
    "drive",
];

/// Words that name a file.
pub(super) const FILES: &[&str] = &[
    "file", "filename", "filepath", "name", "document", "doc", "note", "page",
];

/// Words in a tool's name or description, and the extension of the files it takes.
pub(super) const EXTENSIONS: &[(&str, &str)] = &[
    ("markdown", ".md"),
    ("md", ".md"),
    ("json", ".json"),
    ("csv", ".csv"),
    ("html", ".html"),
    ("python", ".py"),
    ("py", ".py"),
    ("xml", ".xml"),
    ("yaml", ".yaml"),
    ("yml", ".yml"),
    ("toml", ".toml"),
    ("image", ".png"),
    ("png", ".png"),
    ("picture", ".png"),
    ("screenshot", ".png"),
    ("pdf", ".pdf"),
    ("word", ".docx"),
    ("docx", ".docx"),
    ("excel", ".xlsx"),
    ("xlsx", ".xlsx"),
    ("workbook", ".xlsx"),
    ("notebook", ".ipynb"),
    ("jupyter", ".ipynb"),
    ("powerpoint", ".pptx"),
    ("presentation", ".pptx"),
    ("sql", ".sql"),
    ("javascript", ".js"),
    ("typescript", ".ts"),
    ("rust", ".rs"),
    ("log", ".log"),
    ("txt", ".txt"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        let cases = [
            ("readTextFiles", vec!["read", "text", "file"]),
            ("get_file-info", vec!["get", "file", "info"]),
            ("fs.list_directories", vec!["fs", "list", "directory"]),
            ("git_status", vec!["git", "status"]),
            ("filePath", vec!["file", "path"]),
            ("URL", vec!["url"]),
        ];
        for (name, expected) in cases {
            assert_eq!(words(name), expected, "{name}");
        }
    }
}
