//! The catalogue of known defects: their names, what each one is, and sets of them.
//!
//! Owns the one table of flaws. Must not know how a tool behaves with a flaw switched on: a tool asks
//! [`FlawSet::has`], and its flawed path is in [`super::flawed`] or beside the sound one.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::ReferenceError;

/// Declares [`Flaw`] together with its table, so that no variant can lack a name or a description.
macro_rules! flaws {
    ($($variant:ident $name:literal $text:literal)*) => {
        /// One known defect of a server, which the reference target can be given.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Flaw {
            $(#[doc = $text] $variant,)*
        }

        /// Every flaw with its name and its one-line description, in the order in which they are listed.
        const TABLE: &[(Flaw, &str, &str)] = &[$((Flaw::$variant, $name, $text),)*];

        /// Names and descriptions, for listings.
        const NAMES: &[(&str, &str)] = &[$(($name, $text),)*];
    };
}

flaws! {
    NoCheck "fs.no-check" "read_file checks no path at all"
    JoinOnly "fs.join-only" "read_file refuses absolute paths outside the roots, but not `..`"
    PrefixSibling "fs.prefix-sibling" "read_file and write_file compare the root as a string prefix without a separator"
    FollowFileLink "fs.follow-file-link" "read_file follows a link in the last component"
    FollowDirLink "fs.follow-dir-link" "read_file looks for a link in the last component only, not in parent directories"
    OneHop "fs.one-hop" "read_file resolves and checks only the first hop of a link"
    LexicalDotdot "fs.lexical-dotdot" "read_file checks the path with `link/..` cleaned as text, and opens the raw one"
    HardLink "fs.hard-link" "files with more than one name are read"
    Backslash "fs.backslash" "read_file turns `\\` into `/` after the check"
    PercentDecode "fs.percent-decode" "read_file percent-decodes twice, overlong forms too, after the check"
    UnicodeFold "fs.unicode-fold" "read_file folds the path by NFKC after the check"
    CaseFold "fs.case-fold" "read_file compares deny rules exactly, and opens ignoring case and Unicode form"
    Trailing "fs.trailing" "read_file compares deny rules with the raw text, and strips trailing `/`, `.`, blanks, `#..`, `?..` to open"
    Tilde "fs.tilde" "read_file expands `~` to HOME after the check"
    VarExpand "fs.var-expand" "read_file expands `$NAME`, `${NAME}` and `%NAME%` after the check"
    FileUri "fs.file-uri" "read_file turns `file:` URIs into paths without a check"
    NulTruncate "fs.nul-truncate" "read_file checks what follows a NUL, opens what precedes it, and drops control characters"
    Trim "fs.trim" "read_file drops blanks around the path after the check"
    TypeJuggle "fs.type-juggle" "read_file accepts a path in a list or an object, without a check"
    ProcAllowed "fs.proc-allowed" "read_file lets paths below /proc through"
    FdAllowed "fs.fd-allowed" "read_file lets /dev/fd/N and /proc/self/fd/N through"
    GlobExpand "fs.glob-expand" "read_file expands globs and braces after the check"
    BatchFirst "fs.batch-first" "read_files checks only the first path of a batch"
    SecretsTold "fs.secrets-told" "refusals of read_file show what the server knows of its user: HOME/.netrc"
    InfoUnchecked "fs.info-unchecked" "file_info checks nothing, and shows the first two lines"
    SearchFollows "fs.search-follows" "search_files follows directory links"
    ListUnchecked "fs.list-unchecked" "list_directory checks nothing"
    ListSizes "fs.list-sizes" "list_directory shows size and time of what links point to"
    ExistenceTold "fs.existence-told" "refusals tell whether a forbidden path exists"
    RaceLeaf "fs.race-leaf" "read_file opens the last component by name after the check"
    RaceParent "fs.race-parent" "read_file resolves the parent directories again after the check"
    CopySource "fs.copy-source" "copy_file and move_file do not check the source"
    StageUnchecked "fs.stage-unchecked" "stage_file does not check"
    IdentPath "fs.ident-path" "get_note joins the identifier into a path without a check"
    RepoUnchecked "fs.repo-unchecked" "git_log does not check repo_path, and looks for .git in its parents"
    Gitdir "fs.gitdir" "git_log follows `gitdir:` files and alternates without a check"
    Include "fs.include" "render reads `@include` and `file:` references without a check"
    ArchiveLink "fs.archive-link" "read_archive follows link members; extract_archive creates and follows them"
    EmptyAllowsAll "fs.empty-allows-all" "no usable root means that everything is allowed"
    RelativeCwd "fs.relative-cwd" "read_file resolves relative paths against the working directory, unchecked"
    DenyIgnored "fs.deny-ignored" "deny rules are not looked at"
    DenyLiteral "fs.deny-literal" "deny rules are compared with the raw request text only"
    ArchiveDestination "fs.archive-destination" "extract_archive extracts into any directory"
    WriteNoCheck "fs.write-no-check" "write_file checks nothing"
    WriteJoinOnly "fs.write-join-only" "write_file refuses absolute paths outside the roots, but not `..`"
    WriteLink "fs.write-link" "write_file writes through a link in the last component"
    WriteDirLink "fs.write-dir-link" "write_file and create_directory create below linked directories"
    WriteDangling "fs.write-dangling" "write_file follows a dangling link and creates its target"
    WriteRaceParent "fs.write-race-parent" "write_file resolves the parent directories again after the check"
    WriteRaceLeaf "fs.write-race-leaf" "write_file opens the last component by name after the check"
    MoveDest "fs.move-dest" "move_file and copy_file do not check the destination"
    CopyDeref "fs.copy-deref" "copy_file follows links inside a copied directory"
    SaveUnchecked "fs.save-unchecked" "export_report does not check its output path"
    ArchiveSlip "fs.archive-slip" "extract_archive joins member names without a check"
    PatchHeader "fs.patch-header" "apply_patch joins the paths of patch headers without a check"
    CreateUnchecked "fs.create-unchecked" "create_directory and create_project check nothing"
    DeleteUnchecked "fs.delete-unchecked" "delete_file checks nothing"
    ReadOnlyPartial "fs.read-only-partial" "read-only mode forgets edit_file, move_file and create_directory"
    ProtectExact "fs.protect-exact" "protected names are compared exactly, with the raw text, in write_file only"
    SizeUnlimited "fs.size-unlimited" "reading has no size limit"
    SizeWriteUnlimited "fs.size-write-unlimited" "writing has no size limit"
    SizeRange "fs.size-range" "reads of a part of a file bypass the size limit"
    SizeStat "fs.size-stat" "the size limit compares the size that stat tells, so pipes and growing files pass"
    SizeDecompressed "fs.size-decompressed" "the size limit looks at the archive, not at what comes out of it"
    NetNoCheck "net.no-check" "http_get checks no host at all"
    NetAllowUnlisted "net.allow-unlisted" "a list of allowed hosts does not deny the others"
    NetFirstMatch "net.first-match" "the first rule that matches wins, allowing ones first, not the longest prefix"
    NetCidrStringPrefix "net.cidr-string-prefix" "ranges are compared as the text of their whole octets"
    NetCidrOffByOne "net.cidr-off-by-one" "the first and the last address of a range count as outside of it"
    NetNameUnresolved "net.name-unresolved" "http_get checks addresses only; names pass"
    NetDecimalIp "net.decimal-ip" "addresses that are no plain dotted quad pass, and are read as inet_aton does"
    NetOctalIp "net.octal-ip" "octets with leading zeros are checked as decimal and connected as octal"
    NetMappedIpv6 "net.mapped-ipv6" "IPv4-mapped IPv6 addresses pass"
    NetV6Unchecked "net.v6-unchecked" "IPv6 addresses pass, except loopback and mapped ones"
    NetLoopbackLiteral "net.loopback-literal" "`127.0.0.1` and `localhost` are the only spellings of loopback that are refused"
    NetSpecialPartial "net.special-partial" "special ranges other than 10/8, 172.16/12, 192.168/16 and 127/8 pass"
    NetMetadataOpen "net.metadata-open" "the metadata services of clouds pass"
    NetPortUnchecked "net.port-unchecked" "ports are not looked at"
    NetPortRedirect "net.port-redirect" "ports of redirects are not looked at"
    NetPortPattern "net.port-pattern" "the port that is checked is the first number behind a colon in the URL"
    NetPortWraps "net.port-wraps" "ports above 65535 pass, and wrap"
    NetRedirectUnchecked "net.redirect-unchecked" "hosts of redirects are not checked"
    NetRedirectFile "net.redirect-file" "a redirect to a `file:` URL is followed"
    NetRedirectMeta "net.redirect-meta" "Refresh headers and meta refresh are followed without a check"
    NetUrlRegex "net.url-regex" "the check takes the host before `@` or behind the last one, by pattern; the connection parses the URL"
    NetNameSuffix "net.name-suffix" "names pass that end with the text of an allowed name"
    NetNamePrefix "net.name-prefix" "names pass that begin with the text of an allowed name"
    NetNamePattern "net.name-pattern" "allowed names are patterns, in which a dot is any character"
    NetNameBelow "net.name-below" "names below an allowed name pass"
    NetDenyIgnored "net.deny-ignored" "names that the rules deny pass"
    NetDenyExact "net.deny-exact" "names that the rules deny are compared as they are written"
    NetNulTruncate "net.nul-truncate" "the check sees the whole host, the connection what precedes a NUL or %00"
    NetCrlf "net.crlf" "CR and LF in the path and in headers are sent as they are"
    NetSchemeFile "net.scheme-file" "`file:` URLs are read"
    NetSchemeAny "net.scheme-any" "addresses in URLs of any scheme but HTTP are connected without a check, and their path is sent raw"
    NetConnectUnchecked "net.connect-unchecked" "can_connect checks nothing"
    NetConnectName "net.connect-name" "can_connect checks addresses only; names pass"
    NetUnixSocket "net.unix-socket" "`unix:` and `http+unix:` URLs are connected"
    NetProxyBypass "net.proxy-bypass" "with a proxy in the environment nothing is checked, and the proxy is asked"
    NetSubresource "net.subresource" "images, links and scripts of HTML pages are fetched without a check"
    NetReferences "net.references" "what links, previews, feeds, sitemaps and further pages lead to is fetched without a check"
    NetCredForward "net.cred-forward" "redirects to other hosts carry the caller's credentials and keys of the environment"
    NetBeacon "net.beacon" "a connection to the internet is made at startup"
    NetRemoteName "net.remote-name" "download takes the name that the host gives as a path"
    NetRobots "net.robots" "/robots.txt is fetched from the host before the check"
    NetHitThenRefuse "net.hit-then-refuse" "a refused request is sent before it is refused"
    NetBaseJoin "net.base-join" "get_record joins the id to the URL of its API as a reference, so that a URL takes its place"
    NetBaseConcat "net.base-concat" "get_record puts the id directly behind the host of its API"
    NetBaseDotdot "net.base-dotdot" "get_record leaves slashes in the id as they are"
    NetBaseCut "net.base-cut" "get_record leaves `?` and `#` in the id as they are"
    NetHeaderUpstream "net.header-upstream" "the URL in the header X-Upstream-Url is not checked"
    DnsSystemResolver "dns.system-resolver" "the system's name server is asked, not that of --dns"
    DnsCheckThenConnect "dns.check-then-connect" "a name is looked up once for the check and again for the connection"
    DnsFirstAnswer "dns.first-answer" "only the first address of a name is checked, all are tried"
    DnsV4Only "dns.v4-only" "only IPv4 addresses of a name are checked, IPv6 ones are tried first"
    DnsCname "dns.cname" "addresses behind an alias are not checked, only the name that was asked for"
    DnsIpName "dns.ip-name" "an address written into a name is connected without a check"
    DnsLookupFirst "dns.lookup-first" "denied names are looked up before they are refused"
    DnsFallback "dns.fallback" "the system's name server is asked when that of --dns fails"
    DnsCacheVerdict "dns.cache-verdict" "a name that was permitted once stays so"
    TimeNoTimeout "time.no-timeout" "calls have no time limit"
    TimeIdleTimeout "time.idle-timeout" "the time limit starts anew with every byte, and knows nothing else"
    TimePerHop "time.per-hop" "the time limit starts anew with every redirect"
    TimeConnectUnbounded "time.connect-unbounded" "name resolution, connection and TLS have no time limit"
    TimeRetriesUnbounded "time.retries-unbounded" "a request is retried up to 20 times"
    TimeRetriesSilence "time.retries-silence" "a request that is not answered soon is made again, up to 5 times"
    TimeRetryAfter "time.retry-after" "Retry-After is waited for beyond the time limit"
    ExecShell "exec.shell" "sort_lines puts its key into a shell command, unquoted"
    ExecShellQuoted "exec.shell-quoted" "sort_lines puts its key into a shell command, in single quotes"
    ExecShellFiltered "exec.shell-filtered" "sort_lines refuses `;`, `&` and `|`, and puts its key into a shell command, in double quotes"
    ExecShellBlind "exec.shell-blind" "sort_lines puts its key into a shell command, and shows nothing of what it prints"
    ExecOption "exec.option" "sort_lines gives its key to sort as a word of its own, which may be an option"
    ExecOptionWord "exec.option-word" "sort_lines puts its key into a command line that is split into words"
    ExecStoredOption "exec.stored-option" "git_log gives the name of the branch to a program as a word of its own, which may be an option"
    ExecPath "exec.path" "git_log runs a program called `git` in the working directory, if there is one"
    ExecLoad "exec.load" "sort_lines runs the file that its key names"
    ExecTemplate "exec.template" "sort_lines replaces `{{expression}}` in its text by the value"
    ExecTemplateEscape "exec.template-escape" "fill_template starts what `popen('...')` in an expression names"
    ExecRepoConfig "exec.repo-config" "git_log runs the program that the repository's configuration names as core.fsmonitor"
    ExecAnyCommand "exec.any-command" "run_command runs everything, in a shell"
    ExecFirstWord "exec.first-word" "run_command checks the first word, and runs the line in a shell"
    ExecAnyVariable "exec.any-variable" "run_command gives an allowed command any variables that the caller names"
    ExecBaseName "exec.base-name" "run_command checks the last component of the program's path"
    ExecDirectory "exec.directory" "run_command runs an allowed command in any directory"
    ExecCommandPaths "exec.command-paths" "run_command runs an allowed command with any arguments"
    ExecExpression "exec.expression" "calculate lets a shell evaluate"
    ExecCodeFiles "exec.code-files" "run_code opens files without a check"
    ExecCodeShared "exec.code-shared" "run_code opens files without a check, and runs what the last call wrote to a file of all"
    ExecCodeEscape "exec.code-escape" "run_code knows os.system"
    EnvAnyName "env.any-name" "get_variable tells every variable"
    EnvDump "env.dump" "server_status tells all variables"
    EnvExpands "env.expands" "show_message replaces names of variables in a message by their values"
    EnvInErrors "env.in-errors" "refusals show all variables, to help whoever looks for the mistake"
    EnvInDescription "env.in-description" "the description of the first tool holds all variables"
    EnvInRequests "env.in-requests" "http_get sends all variables along, in a header"
    EnvInLog "env.in-log" "every call writes all variables to standard error"
    SqlStacked "sql.stacked" "query checks the first statement, and runs those after it"
    SqlDisguised "sql.disguised" "query refuses statements that begin with CREATE, and makes tables for all others that do"
    SqlFileRead "sql.file-read" "read_text of SQL reads files without a check"
    SqlFileWrite "sql.file-write" "query runs ATTACH, VACUUM INTO and COPY"
    SqlNet "sql.net" "read_text of SQL fetches URLs without a check"
    SqlProgram "sql.program" "query runs COPY with PROGRAM"
    SqlIdentifier "sql.identifier" "describe_table puts the name of the table into a query as it is"
    ScopeWidens "state.scope-widens" "add_allowed_directory adds any directory"
    ScopePersists "state.scope-persists" "add_allowed_directory keeps any directory for the next start, in the home"
    HiddenTools "surface.hidden-tools" "tools that are not listed in read-only mode are answered"
    ResFrameDies "res.frame-dies" "a frame that is no JSON-RPC message ends the server"
    ResLineUnbounded "res.line-unbounded" "a frame is kept in memory until it ends, however long it is"
    ResArgumentsKept "res.arguments-kept" "64 copies of the arguments of every call stay in memory"
    ResSearchBacktracks "res.search-backtracks" "search_files takes the text for a pattern and tries every way to match it, one call at a time"
    ResUnpackUnbounded "res.unpack-unbounded" "what comes out of compressed data has no limit"
    ResReadUnbounded "res.read-unbounded" "reading has no limit at all, not even one of memory"
    ResPipeWaits "res.pipe-waits" "read_file waits for a pipe to be written, one call at a time"
    ResOneAtATime "res.one-at-a-time" "calls are answered one at a time, a quarter of a second each"
    AuditFilesUnrecorded "audit.files-unrecorded" "access to files is not recorded"
    AuditDenialsUnrecorded "audit.denials-unrecorded" "refused calls are not recorded"
    AuditCommandsUnrecorded "audit.commands-unrecorded" "commands are not recorded"
    AuditAuthUnrecorded "audit.auth-unrecorded" "callers that are not let in are not recorded (with --listen and --bearer-env)"
    AuditNetworkUnrecorded "audit.network-unrecorded" "requests to hosts are not recorded"
    AuditAliasOnly "audit.alias-only" "the path that was asked for is recorded, not the one that was reached"
    AuditSecretsRecorded "audit.secrets-recorded" "records hold the arguments and the answer in full"
    AuditLinesKept "audit.lines-kept" "records are written as text, with whatever the caller sent in them"
    AuditDropsUnderLoad "audit.drops-under-load" "records are dropped while many calls are under way"
    AuditLogExposed "audit.log-exposed" "read_file and write_file let the path of the audit log through"
    AuditWorldReadable "audit.world-readable" "everybody on the machine can read the audit log"
    AuditRotationLoses "audit.rotation-loses" "a full log is removed, with the record that comes then"
    AuditOnStdout "audit.on-stdout" "records are written to standard output too"
    EnvChildren "env.children" "sort_lines gives its environment to the program that it starts"
    EnvExcess "env.excess" "a child process is given a secret that nobody needs"
    EnvArgv "env.argv" "a child process is given a password on its command line"
    ProcRoot "proc.root" "with --confine, root, its groups and its capabilities are kept"
    ProcGains "proc.gains" "with --confine, no_new_privs is not set"
    ProcUnlimited "proc.unlimited" "with --confine, no limits are set"
    ProcInstall "proc.install" "with --confine, everybody may write the directory"
    ProcListens "proc.listens" "a port is opened on all interfaces"
    ProcOrphan "proc.orphan" "a child process outlives the server"
    ProcOutlives "proc.outlives" "the server goes on when its input has ended"
    ProcDeaf "proc.deaf" "SIGTERM is ignored"
    TimeOrphanWork "time.orphan-work" "the time limit ends the wait for a request, and not the request"
    TimeLocalUnbounded "time.local-unbounded" "read_file opens whatever is inside and waits for it, named pipes too"
    TimeCancelIgnored "time.cancel-ignored" "a call goes on after the client has cancelled it"
}

/// Names and one-line descriptions of all flaws.
pub fn flaws() -> &'static [(&'static str, &'static str)] {
    NAMES
}

impl Flaw {
    /// What the flaw is about: the part of its name before the dot.
    pub fn family(self) -> &'static str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// The name that `--flaw` takes.
    pub fn name(self) -> &'static str {
        TABLE
            .iter()
            .find(|(flaw, ..)| *flaw == self)
            .map_or("", |(_, name, _)| name)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Flaw {
    type Err = ReferenceError;

    /// # Errors
    /// [`ReferenceError::UnknownFlaw`] with the names that look most alike.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        TABLE
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(flaw, ..)| *flaw)
            .ok_or_else(|| ReferenceError::UnknownFlaw {
                name: name.to_owned(),
                near: near(name),
            })
    }
}

/// What flaws are about; says nothing about which one is meant.
const FAMILIES: [&str; 12] = [
    "fs", "net", "dns", "time", "exec", "env", "sql", "state", "surface", "res", "audit", "proc",
];

/// The flaws that share most words with `name`, best first; at most three.
fn near(name: &str) -> Vec<&'static str> {
    let words = |text: &str| -> BTreeSet<String> {
        text.to_lowercase()
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| word.len() > 1 && !FAMILIES.contains(word))
            .map(|word| word.chars().take(4).collect())
            .collect()
    };
    let wanted = words(name);
    let mut scored: Vec<(usize, &'static str)> = NAMES
        .iter()
        .map(|(known, _)| (words(known).intersection(&wanted).count(), *known))
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by_key(|(score, known)| (std::cmp::Reverse(*score), known.len()));
    scored.into_iter().take(3).map(|(_, known)| known).collect()
}

/// Which flaws are switched on; the empty set is the sound server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlawSet(BTreeSet<Flaw>);

impl FlawSet {
    /// Reads a set from names.
    ///
    /// # Errors
    /// [`ReferenceError::UnknownFlaw`] for the first name that is not known.
    pub fn from_names<S: AsRef<str>>(
        names: impl IntoIterator<Item = S>,
    ) -> Result<Self, ReferenceError> {
        names
            .into_iter()
            .map(|name| name.as_ref().parse())
            .collect()
    }

    /// Whether a flaw of the tools that reach hosts is switched on.
    pub fn of_network(&self) -> bool {
        let family = |flaw: &Flaw| matches!(flaw.family(), "net" | "dns" | "time");
        self.0.iter().any(family)
    }

    /// Whether a flaw about the server's environment is switched on.
    pub fn of_environment(&self) -> bool {
        self.0.iter().any(|flaw| flaw.family() == "env")
    }

    /// Whether a flaw of the tools that run programs is switched on.
    pub fn of_execution(&self) -> bool {
        let family = |flaw: &Flaw| matches!(flaw.family(), "exec" | "sql" | "state");
        self.0.iter().any(family)
    }

    /// Whether the flaw is switched on.
    pub fn has(&self, flaw: Flaw) -> bool {
        self.0.contains(&flaw)
    }
}

impl FromIterator<Flaw> for FlawSet {
    fn from_iter<I: IntoIterator<Item = Flaw>>(flaws: I) -> Self {
        Self(flaws.into_iter().collect())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_parse_back() {
        let unique: BTreeSet<_> = flaws().iter().map(|(name, _)| name).collect();
        assert_eq!(unique.len(), flaws().len());
        for (flaw, name, text) in TABLE {
            assert_eq!(name.parse::<Flaw>().ok(), Some(*flaw));
            assert!(!text.is_empty() && !text.contains('\n'), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_lists_near_ones() {
        let error = "fs.prefix_siblings"
            .parse::<Flaw>()
            .unwrap_err()
            .to_string();
        assert!(error.contains("fs.prefix-sibling"), "{error}");
        let error = "zzz".parse::<Flaw>().unwrap_err().to_string();
        assert!(error.contains("zzz"), "{error}");
    }
}
