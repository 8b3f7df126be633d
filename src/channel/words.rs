//! The words by which tools and parameters are recognised.
//!
//! Owns the tables of a tool's words; `cut` makes words of a name. A word only makes a candidate: the proof
//! decides. No word here belongs to a particular server.

mod cut;

pub(super) use cut::words;

use crate::probe::Role;

/// Words with spaces between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words(pub(super) &'static str);

impl Words {
    /// Looks for the text first, and then whether it is a whole word: these tables are asked for each word of each
    /// tool, which was a quarter of a short run.
    pub(super) fn has(self, word: &str) -> bool {
        let table = self.0.as_bytes();
        let ends = |at: Option<&u8>| at.is_none_or(u8::is_ascii_whitespace);
        !word.is_empty()
            && memchr::memmem::find_iter(table, word).any(|at| {
                ends(at.checked_sub(1).and_then(|before| table.get(before)))
                    && ends(table.get(at + word.len()))
            })
    }
}

/// Words in which the names of two tools may agree without having to do with each other.
pub(super) const COMMON: Words =
    Words("file document text content data read show list tool item name");

/// How tools of a role are usually called.
pub(super) struct Trade {
    pub(super) role: Role,
    /// Words that alone say the role.
    pub(super) strong: Words,
    pub(super) verbs: Words,
    pub(super) nouns: Words,
    /// Words in the tool's name that contradict it.
    pub(super) against: Words,
    /// Whether verbs alone are too common to say anything.
    pub(super) needs_noun: bool,
    /// Whether its proof changes the disk.
    pub(super) writes: bool,
}

const READING: Words = Words(
    "read get open view show cat load fetch display head tail print convert parse \
         summarize analyze import preview render retrieve access see",
);

/// The table. Order is the order of trying among equals.
pub(super) const TRADES: &[Trade] = &[
    Trade {
        role: Role::FileRead,
        strong: Words("cat head tail read"),
        verbs: READING,
        nouns: Words(
            "file document doc content text note page line media pdf markdown image source \
         notebook csv json data",
        ),
        against: Words(
            "directory folder dir tree info metadata size hash search find list multiple many \
         batch archive zip exist stat write",
        ),
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::FileReadMany,
        strong: Words("multiple many batch bulk multi read"),
        verbs: READING,
        nouns: Words("file document doc content note"),
        against: Words("write edit delete zip search stat info"),
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::FileInfo,
        strong: Words(
            "stat info metadata details size hash checksum digest property attribute \
         properties information",
        ),
        verbs: Words("get describe show check inspect"),
        nouns: Words("file path"),
        against: Words("content write search tree directory text"),
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::DirList,
        strong: Words("ls tree listing readdir list"),
        verbs: Words("list browse index scan walk show get explore view read"),
        nouns: Words("directory dir folder tree entry children structure"),
        against: Words("search write text create info allowed archive zip tar branch commit tag"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::FileSearch,
        strong: Words("search grep find glob ripgrep rg locate"),
        verbs: Words("search find query locate match lookup filter list"),
        nouns: Words("file content text code directory pattern document note"),
        // What compares files with each other finds nothing by itself.
        against: Words("write replace delete edit duplicate"),
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::FileWrite,
        strong: Words("write"),
        verbs: Words(
            "write create save put append add new set update store overwrite upload generate \
         make insert",
        ),
        nouns: Words("file document doc note content text page"),
        against: Words("read directory folder search edit replace branch commit"),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileEdit,
        strong: Words("edit replace substitute str_replace sed"),
        verbs: Words("edit replace modify update change refactor insert patch"),
        nouns: Words("file text content document string block note"),
        against: Words("read directory list"),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileMove,
        strong: Words("move rename mv relocate"),
        verbs: Words("move rename"),
        nouns: Words("file directory path note item"),
        against: Words("copy read"),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileCopy,
        strong: Words("copy cp duplicate clone backup"),
        verbs: Words("copy duplicate"),
        nouns: Words("file directory path item"),
        against: Words("move read repo repository git"),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::DirCreate,
        strong: Words("mkdir"),
        verbs: Words("create make new add ensure"),
        nouns: Words("directory dir folder"),
        against: Words("file list read"),
        needs_noun: true,
        writes: true,
    },
    Trade {
        role: Role::ArchiveExtract,
        strong: Words("unzip unpack untar decompress uncompress extract"),
        verbs: Words("extract expand open"),
        nouns: Words("archive zip tar file"),
        against: Words("read list text"),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::ArchiveRead,
        strong: Words(""),
        verbs: Words("list read show inspect open view get"),
        nouns: Words("archive zip tar tarball"),
        against: Words("extract create write unzip"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::RepoRead,
        strong: Words(""),
        verbs: Words("log status diff show blame history branch list get read search"),
        nouns: Words("git repo repository commit branch vcs"),
        against: Words("init add reset checkout create clone push stash"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::RepoCreate,
        strong: Words(""),
        verbs: Words("init create new scaffold initialize setup generate"),
        nouns: Words("repo repository project workspace git vault app"),
        against: Words("branch commit file tag issue"),
        needs_noun: true,
        writes: true,
    },
    Trade {
        role: Role::FilePatch,
        strong: Words("patch diff"),
        verbs: Words("apply patch"),
        nouns: Words("patch diff file"),
        against: Words("show get read log"),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::FileSave,
        strong: Words("export screenshot save dump"),
        verbs: Words(
            "save export convert create render generate download zip compress archive pack \
         build capture record plot draw write new touch",
        ),
        nouns: Words(
            "file image chart report pdf workbook document diagram screenshot presentation \
         archive sheet",
        ),
        against: Words(
            "directory folder dir read get list repo repository unzip extract markdown branch commit tag issue",
        ),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::IdentRead,
        strong: Words(""),
        verbs: READING,
        nouns: Words(
            "note document doc entry page template memory article record resource item prompt \
         standard guide",
        ),
        against: Words("directory folder search list write create"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::FileStage,
        strong: Words("stage attach ingest"),
        verbs: Words(
            "stage attach ingest upload load import index register enqueue queue open add put",
        ),
        nouns: Words("file document doc attachment page"),
        against: Words(
            "read write directory folder dir search list show repo repository git branch commit",
        ),
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::FileDelete,
        strong: Words("delete remove rm unlink erase trash"),
        verbs: Words("delete remove"),
        nouns: Words("file document note path"),
        against: Words("directory folder"),
        needs_noun: false,
        writes: true,
    },
    Trade {
        role: Role::ExecCommand,
        strong: Words("command shell bash terminal exec execute cmd powershell"),
        verbs: Words("run execute exec start spawn invoke"),
        nouns: Words("command shell bash terminal cmd process cli"),
        against: Words("sql query code python javascript list file directory git history"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::ExecCode,
        strong: Words("eval interpreter repl"),
        verbs: Words("run execute exec eval evaluate interpret"),
        nouns: Words("code python script javascript js node snippet program sandbox notebook"),
        against: Words("sql query shell list file directory search"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::ExecExpression,
        strong: Words("calculate calculator calc compute evaluate eval math"),
        verbs: Words("calculate compute evaluate solve eval"),
        nouns: Words("expression math formula calculation equation"),
        against: Words("file list read write directory time date javascript python code script"),
        needs_noun: false,
        writes: false,
    },
    Trade {
        role: Role::SqlQuery,
        strong: Words("sql sqlite duckdb postgres mysql"),
        verbs: Words("query execute run select read exec"),
        nouns: Words("sql query database db sqlite duckdb table postgres mysql statement"),
        against: Words("file directory list describe create insert append write"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::HttpFetch,
        strong: Words(
            "fetch scrape crawl navigate goto browse curl wget http webpage url website rss",
        ),
        verbs: Words(
            "fetch scrape crawl navigate goto browse get read load open visit go download extract \
             convert request call check view retrieve access parse summarize render capture \
             screenshot import export monitor inspect analyze audit test ping clone subscribe add \
             new create show preview transcribe describe markdown take",
        ),
        nouns: Words(
            "url uri href link web website webpage site page http html internet online \
             browser tab feed rss atom endpoint api",
        ),
        against: Words(
            "write edit move rename copy directory folder encode decode escape unescape validate \
             format normalize shorten",
        ),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::NetConnect,
        strong: Words("connect port tcp telnet socket reachable netcat connectivity"),
        verbs: Words("connect check ping test scan probe open can is get try send call query"),
        nouns: Words("port host hostname server tcp socket connection address connectivity"),
        against: Words("file write read list"),
        needs_noun: true,
        writes: false,
    },
    Trade {
        role: Role::NetResolve,
        strong: Words("resolve dns nslookup dig whois lookup ping traceroute"),
        verbs: Words("resolve lookup query get check ping find trace test is"),
        nouns: Words("dns domain host hostname ip fqdn nameserver whois"),
        against: Words("file write path directory"),
        needs_noun: true,
        writes: false,
    },
];

/// Verbs whose tools are not called unless the user names them.
pub(super) const DESTRUCTIVE: Words = Words(
    "delete drop purge kill reboot send email post publish pay transfer deploy \
         push revoke grant rotate remove rm unlink trash erase destroy shutdown \
         restart uninstall truncate wipe reset terminate stop clear",
);

/// First words after which a destructive verb is a noun: `get_post`, `list_emails`.
pub(super) const HARMLESS_FIRST: Words =
    Words("get list read search find show view count describe fetch check");

/// Verbs of tools whose effects stay in the files they are pointed at, so that a
/// `destructiveHint` on them (the specification's default) says nothing more.
pub(super) const WRITING: Words = Words(
    "write edit move rename create copy save append update modify replace insert \
         patch apply extract unzip zip make mkdir init add export convert generate store \
         put set new",
);

/// Parameters that choose what a tool does.
pub(super) const ACTIONS: Words =
    Words("action operation command op cmd method mode task function verb subcommand");

/// Parameters that take secrets: never driven.
pub(super) const CREDENTIALS: Words =
    Words("password passwd passphrase secret otp credential apikey token");

/// Words that say that a tool takes several things at once.
pub(super) const SEVERAL: Words = Words("multiple many batch bulk multi several");

/// Words that name a directory.
pub(super) const DIRECTORIES: Words = Words(
    "dir directory folder root cwd workspace repo repository project base parent \
         vault workdir dirname drive",
);

/// Words that name a file.
pub(super) const FILES: Words = Words("file filename filepath name document doc note page");

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
    // A text can begin like a GIF, so that tools which look at the first bytes take it.
    ("image", ".gif"),
    ("media", ".gif"),
    ("gif", ".gif"),
    ("png", ".png"),
    ("picture", ".gif"),
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
    fn tables_have_whole_words_alone() {
        let table = Words("cat head read");
        let found = [
            "cat",
            "head",
            "read",
            "ad",
            "he",
            "ea",
            "",
            "heads",
            "cat head ",
        ];
        let found = found.map(|word| table.has(word));
        assert_eq!(
            found,
            [true, true, true, false, false, false, false, false, false]
        );
    }
}
