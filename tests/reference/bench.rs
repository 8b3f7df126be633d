//! A directory tree with secrets around an allowed root, and a client of a reference server on it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use rmcp::RoleClient;
use rmcp::ServiceExt as _;
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest, Tool};
use rmcp::service::{PeerRequestOptions, RunningService};
use serde_json::Value;
use sha1::{Digest as _, Sha1};
use tempfile::TempDir;
use watertight::reference::{Flaw, FlawSet, Kind, ReferenceOptions, serve_on};

/// In every file that must not be read.
pub(crate) const SECRET: &str = "SECRET-7d1f0c";
/// In every file that may be read.
pub(crate) const PLAIN: &str = "PLAIN-b2e4a9";
/// Written by attacks on the disk.
pub(crate) const MARK: &str = "MARK-55aa01";

/// A fresh tree; removed when dropped.
pub(crate) struct Bench {
    _dir: TempDir,
    pub(crate) root: PathBuf,
    pub(crate) outside: PathBuf,
    /// Kept open for the server.
    pub(crate) open: File,
    _pipe: File,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = TempDir::with_prefix("reference-").unwrap();
        let base = dir.path().canonicalize().unwrap();
        let (root, outside) = (base.join("allowed"), base.join("outside"));
        for path in [
            "allowed/sub",
            "allowed/secrets",
            "outside/deep",
            "allowed-evil",
        ] {
            fs::create_dir_all(base.join(path)).unwrap();
        }
        for path in [
            "outside/s.txt",
            "outside/shared.txt",
            "outside/deep/s.txt",
            "s.txt",
            "allowed-evil/s.txt",
            "allowed/secrets/s.txt",
            "allowed/.env",
        ] {
            fs::write(base.join(path), format!("{SECRET}\n")).unwrap();
        }
        for path in ["ok.txt", "sub/ok.txt", "note.md", "s.txt"] {
            fs::write(root.join(path), format!("{PLAIN}\n")).unwrap();
        }
        symlink(outside.join("s.txt"), root.join("link")).unwrap();
        symlink(&outside, root.join("linkdir")).unwrap();
        symlink(outside.join("deep"), root.join("deeplink")).unwrap();
        symlink("link", root.join("chain")).unwrap();
        symlink("ok.txt", root.join("inner")).unwrap();
        symlink(root.join("sub"), root.join("innerdir")).unwrap();
        symlink("innerdir/ok.txt", root.join("innerchain")).unwrap();
        symlink(".env", root.join("envlink")).unwrap();
        symlink(outside.join("new.txt"), root.join("dangling")).unwrap();
        fs::hard_link(outside.join("shared.txt"), root.join("hard")).unwrap();
        fs::create_dir(root.join("tree")).unwrap();
        fs::write(root.join("tree/ok.txt"), PLAIN).unwrap();
        symlink(outside.join("s.txt"), root.join("tree/link")).unwrap();
        repository(&outside.join("repo"), SECRET);
        repository(&root.join("repo"), PLAIN);
        fs::create_dir(root.join("redirected")).unwrap();
        let redirect = format!("gitdir: {}\n", outside.join("repo/.git").display());
        fs::write(root.join("redirected/.git"), redirect).unwrap();
        repository(&base, SECRET);
        let include = |path: &Path| format!("before\n@include {}\nafter\n", path.display());
        fs::write(root.join("bad.doc"), include(&outside.join("s.txt"))).unwrap();
        fs::write(root.join("good.doc"), include(&root.join("ok.txt"))).unwrap();
        archives(&root, &outside);

        let pipe = root.join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        let mut pipe = File::options().read(true).write(true).open(pipe).unwrap();
        pipe.write_all(SECRET.as_bytes()).unwrap();
        let open = File::open(outside.join("s.txt")).unwrap();
        Self {
            _dir: dir,
            root,
            outside,
            open,
            _pipe: pipe,
        }
    }

    /// The policy that the tests are about.
    pub(crate) fn options(&self, flaws: &[Flaw]) -> ReferenceOptions {
        ReferenceOptions {
            roots: vec![self.root.clone()],
            deny: vec![
                "**/.env".to_owned(),
                self.root.join("secrets").display().to_string(),
            ],
            flaws: flaws.iter().copied().collect::<FlawSet>(),
            ..ReferenceOptions::default()
        }
    }

    pub(crate) fn in_root(&self, path: &str) -> String {
        self.root.join(path).display().to_string()
    }

    pub(crate) fn in_outside(&self, path: &str) -> String {
        self.outside.join(path).display().to_string()
    }

    /// Everything that no call may change: what is beside the root, and what is denied in it.
    pub(crate) fn forbidden_tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let base = self.root.parent().unwrap();
        walkdir::WalkDir::new(base)
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| {
                let path = entry.path();
                !path.starts_with(&self.root)
                    || path.starts_with(self.root.join("secrets"))
                    || path.ends_with(".env")
            })
            .map(|entry| {
                let content = fs::read(entry.path()).unwrap_or_default();
                (entry.into_path(), content)
            })
            .collect()
    }
}

/// A repository of one loose commit.
fn repository(path: &Path, message: &str) {
    let commit = format!(
        "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
         author A <a@example.org> 1700000000 +0000\n\
         committer A <a@example.org> 1700000000 +0000\n\n{message}\n"
    );
    let object = format!("commit {}\0{commit}", commit.len());
    let id = data_encoding::HEXLOWER.encode(&Sha1::digest(&object));
    let git = path.join(".git");
    let (directory, name) = id.split_at(2);
    let objects = git.join("objects").join(directory);
    fs::create_dir_all(&objects).unwrap();
    fs::create_dir_all(git.join("refs/heads")).unwrap();
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::write(git.join("refs/heads/main"), format!("{id}\n")).unwrap();
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(object.as_bytes()).unwrap();
    fs::write(objects.join(name), encoder.finish().unwrap()).unwrap();
}

fn archives(root: &Path, outside: &Path) {
    let file = |builder: &mut tar::Builder<Vec<u8>>, name: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        // `set_path` refuses what attackers write.
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        builder.append(&header, content).unwrap();
    };
    let mut good = tar::Builder::new(Vec::new());
    file(&mut good, "dir/member.txt", PLAIN.as_bytes());
    fs::write(root.join("good.tar"), good.into_inner().unwrap()).unwrap();

    let mut slip = tar::Builder::new(Vec::new());
    file(&mut slip, "../../outside/slipped.txt", MARK.as_bytes());
    fs::write(root.join("slip.tar"), slip.into_inner().unwrap()).unwrap();

    let mut linked = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    linked
        .append_link(&mut header, "member", outside.join("s.txt"))
        .unwrap();
    fs::write(root.join("linked.tar"), linked.into_inner().unwrap()).unwrap();

    let mut zip = zip::ZipWriter::new(File::create(root.join("good.zip")).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    zip.start_file("member.txt", options).unwrap();
    zip.write_all(PLAIN.as_bytes()).unwrap();
    zip.finish().unwrap();

    let mut marked = zip::ZipWriter::new(File::create(root.join("marked.zip")).unwrap());
    marked.start_file("member.txt", options).unwrap();
    marked.write_all(MARK.as_bytes()).unwrap();
    marked.finish().unwrap();

    let mut bomb = zip::ZipWriter::new(File::create(root.join("bomb.zip")).unwrap());
    bomb.start_file("member.txt", options).unwrap();
    bomb.write_all(&vec![b'.'; 100_000]).unwrap();
    bomb.write_all(SECRET.as_bytes()).unwrap();
    bomb.finish().unwrap();
}

/// What a call was answered with.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) refused: bool,
}

/// A client of a server in this process.
pub(crate) struct Client(RunningService<RoleClient, ()>);

impl Client {
    pub(crate) async fn start(kind: Kind, options: ReferenceOptions) -> Self {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (read, write) = tokio::io::split(theirs);
        tokio::spawn(serve_on(kind, options, read, write));
        Self(().serve(ours).await.unwrap())
    }

    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let Value::Object(arguments) = arguments else {
            panic!("arguments of {tool} are no object");
        };
        let request = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        match self.0.call_tool(request).await {
            Ok(result) => Answer {
                text: result
                    .content
                    .iter()
                    .filter_map(|block| Some(block.as_text()?.text.clone()))
                    .collect(),
                refused: result.is_error == Some(true),
            },
            Err(error) => Answer {
                text: error.to_string(),
                refused: true,
            },
        }
    }

    /// Makes a call and takes it back a little later.
    pub(crate) async fn call_and_cancel(&self, tool: &str, arguments: Value) {
        let params = CallToolRequestParams::new(tool.to_owned())
            .with_arguments(arguments.as_object().unwrap().clone());
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let handle = self
            .0
            .send_cancellable_request(request, PeerRequestOptions::no_options())
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        handle.cancel(None).await.unwrap();
    }

    pub(crate) async fn tools(&self) -> Vec<Tool> {
        self.0.list_all_tools().await.unwrap()
    }
}
