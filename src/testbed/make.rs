//! Objects that take more than a write: archives and repositories.
//!
//! Owns how their bytes are laid out. Knows nothing of where they are planted or why; member names
//! and link targets are stored exactly as given, traversal included.

use std::{
    fs,
    io::{self, Cursor, Write},
    path::Path,
};

use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};
use sha1::{Digest, Sha1};

use crate::probe::ArchiveFormat;

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name as stored.
    pub name: String,
    /// What it is.
    pub body: Body,
}

/// What a member of an archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A regular file with this content.
    File(Vec<u8>),
    /// A regular file of so many zeros.
    Zeros(u64),
    /// A symbolic link to this target.
    Symlink(String),
    /// A hard link to this member or path; in a ZIP, which has none, a symbolic one.
    Hardlink(String),
}

/// Writes an archive of the members, in order.
///
/// # Errors
///
/// When the file cannot be written.
pub fn archive(path: &Path, format: ArchiveFormat, members: &[Member]) -> io::Result<()> {
    let bytes = match format {
        ArchiveFormat::Zip => zip_bytes(members)?,
        ArchiveFormat::Tar => tar(members)?,
        ArchiveFormat::TarGz => {
            let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
            packed.write_all(&tar(members)?)?;
            packed.finish()?
        }
    };
    fs::write(path, bytes)
}

/// The bytes of a ZIP archive of the members, in order.
///
/// # Errors
///
/// When a member is too big for the format.
pub fn zip_bytes(members: &[Member]) -> io::Result<Vec<u8>> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
    for member in members {
        match &member.body {
            Body::File(content) => {
                writer.start_file(member.name.as_str(), options)?;
                writer.write_all(content)?;
            }
            Body::Zeros(size) => {
                writer.start_file(member.name.as_str(), options)?;
                io::copy(&mut io::Read::take(io::repeat(0), *size), &mut writer)?;
            }
            Body::Symlink(target) | Body::Hardlink(target) => {
                writer.add_symlink(member.name.as_str(), target.as_str(), options)?;
            }
        }
    }
    Ok(writer.finish()?.into_inner())
}

fn tar(members: &[Member]) -> io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let (kind, content, target) = match &member.body {
            Body::File(content) => (tar::EntryType::Regular, content.as_slice(), None),
            Body::Zeros(_) => {
                let why = "zeros are made in ZIP archives only: a tar holds them as they are";
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            Body::Symlink(target) => (tar::EntryType::Symlink, [].as_slice(), Some(target)),
            Body::Hardlink(target) => (tar::EntryType::Link, [].as_slice(), Some(target)),
        };
        let mut header = tar::Header::new_gnu();
        // The setters of the crate refuse `..`, which is what a traversal archive is made of.
        literal(&mut builder, b'L', member.name.as_bytes())?;
        place(&mut header.as_old_mut().name, member.name.as_bytes());
        if let Some(target) = target {
            literal(&mut builder, b'K', target.as_bytes())?;
            place(&mut header.as_old_mut().linkname, target.as_bytes());
        }
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        header.set_cksum();
        builder.append(&header, content)?;
    }
    builder.into_inner()
}

fn place(field: &mut [u8], text: &[u8]) {
    let length = text.len().min(field.len());
    field[..length].copy_from_slice(&text[..length]);
}

/// GNU long-name (`L`) or long-link (`K`) record for names that do not fit into a header.
fn literal(builder: &mut tar::Builder<Vec<u8>>, kind: u8, text: &[u8]) -> io::Result<()> {
    if text.len() <= 100 {
        return Ok(());
    }
    let mut header = tar::Header::new_gnu();
    place(&mut header.as_old_mut().name, b"././@LongLink");
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(text.len() as u64 + 1);
    header.set_mode(0o644);
    header.set_cksum();
    let mut data = text.to_vec();
    data.push(0);
    builder.append(&header, data.as_slice())
}

/// Makes a named pipe (`mkfifo(3)`).
///
/// # Errors
///
/// When it cannot be made.
pub fn fifo(path: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode};
    let mode = Mode::from_raw_mode(0o644);
    Ok(rustix::fs::mknodat(CWD, path, FileType::Fifo, mode, 0)?)
}

/// Makes a git repository with one commit whose message is `message`, and returns the id of
/// that commit. A line with the message was
/// added to its one tracked file, `notes.txt`, and staged, and another one was added after that: so
/// every kind of diff has something to tell. A second branch and a file that is not tracked are called
/// `word`, so that lists of either tell something too.
///
/// # Errors
///
/// When a file cannot be written.
pub fn repo(dir: &Path, message: &str, word: &str) -> io::Result<String> {
    let git = dir.join(".git");
    for sub in ["objects", "refs/heads", "refs/tags", "info"] {
        fs::create_dir_all(git.join(sub))?;
    }
    let notes = b"notes\n";
    let blob = object(&git, "blob", notes)?;
    let mut entry = b"100644 notes.txt\0".to_vec();
    entry.extend(blob);
    let tree = object(&git, "tree", &entry)?;
    let commit = object(
        &git,
        "commit",
        format!(
            "tree {}\nauthor Some One <some.one@example.com> 1700000000 +0000\n\
             committer Some One <some.one@example.com> 1700000000 +0000\n\n{message}\n",
            HEXLOWER.encode(&tree)
        )
        .as_bytes(),
    )?;
    fs::write(git.join("HEAD"), "ref: refs/heads/main\n")?;
    for branch in ["main", word] {
        fs::write(
            git.join("refs/heads").join(branch),
            format!("{}\n", HEXLOWER.encode(&commit)),
        )?;
    }
    fs::write(dir.join(format!("{word}.txt")), "a note\n")?;
    fs::write(
        git.join("config"),
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n",
    )?;
    fs::write(git.join("description"), "notes\n")?;
    let staged = format!("notes\n{message}\n");
    let staged_blob = object(&git, "blob", staged.as_bytes())?;
    fs::write(git.join("index"), index(staged_blob, staged.len() as u32))?;
    fs::write(dir.join("notes.txt"), format!("{staged}{message}\n"))?;
    Ok(HEXLOWER.encode(&commit))
}

/// Gives a commit of a repository a name, such as `heads/NAME` or `tags/NAME`, though no `git` would take that name.
///
/// # Errors
///
/// When the file cannot be written.
pub fn reference(dir: &Path, name: &str, commit: &str) -> io::Result<()> {
    let path = dir.join(".git/refs").join(name);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, format!("{commit}\n"))
}

/// Checks a branch of a repository out, as far as `HEAD` tells.
///
/// # Errors
///
/// When the file cannot be written.
pub fn check_out(dir: &Path, branch: &str) -> io::Result<()> {
    fs::write(dir.join(".git/HEAD"), format!("ref: refs/heads/{branch}\n"))
}

/// Writes a loose object and returns its id.
fn object(git: &Path, kind: &str, content: &[u8]) -> io::Result<[u8; 20]> {
    let mut whole = format!("{kind} {}\0", content.len()).into_bytes();
    whole.extend(content);
    let id: [u8; 20] = Sha1::digest(&whole).into();
    let name = HEXLOWER.encode(&id);
    let dir = git.join("objects").join(&name[..2]);
    fs::create_dir_all(&dir)?;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&whole)?;
    fs::write(dir.join(&name[2..]), packed.finish()?)?;
    Ok(id)
}

/// A version 2 index (`gitformat-index(5)`) of the one file. Its stat data is zero, so git looks at
/// the file itself.
fn index(blob: [u8; 20], size: u32) -> Vec<u8> {
    let name = b"notes.txt";
    let mut bytes = b"DIRC".to_vec();
    bytes.extend(2_u32.to_be_bytes());
    bytes.extend(1_u32.to_be_bytes());
    let start = bytes.len();
    bytes.extend([0; 24]);
    bytes.extend(0o100_644_u32.to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend(size.to_be_bytes());
    bytes.extend(blob);
    bytes.extend((name.len() as u16).to_be_bytes());
    bytes.extend(name);
    // One to eight NULs, so that entries are a multiple of eight bytes long.
    let padding = 8 - (bytes.len() - start) % 8;
    bytes.extend(std::iter::repeat_n(0, padding));
    let sum: [u8; 20] = Sha1::digest(&bytes).into();
    bytes.extend(sum);
    bytes
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use std::io::Read;

    fn members() -> Vec<Member> {
        let far = format!("../{}", "a".repeat(120));
        vec![
            Member {
                name: "../../up.txt".into(),
                body: Body::File(b"up".to_vec()),
            },
            Member {
                name: far.clone(),
                body: Body::Symlink(far),
            },
        ]
    }

    #[test]
    fn tar_members_are_stored_as_given() {
        let dir = tempfile::tempdir().unwrap();
        for format in [ArchiveFormat::Tar, ArchiveFormat::TarGz] {
            let path = dir.path().join("a");
            archive(&path, format, &members()).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            if format == ArchiveFormat::TarGz {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(bytes.as_slice())
                    .read_to_end(&mut plain)
                    .unwrap();
                bytes = plain;
            }
            let mut archive = tar::Archive::new(bytes.as_slice());
            let stored: Vec<(Vec<u8>, Option<Vec<u8>>)> = archive
                .entries()
                .unwrap()
                .map(|entry| {
                    let entry = entry.unwrap();
                    (
                        entry.path_bytes().into_owned(),
                        entry.link_name_bytes().map(|name| name.into_owned()),
                    )
                })
                .collect();
            let far = members()[1].name.clone().into_bytes();
            assert_eq!(
                stored,
                [(b"../../up.txt".to_vec(), None), (far.clone(), Some(far))]
            );
        }
    }

    #[test]
    fn zip_members_are_stored_as_given() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.zip");
        archive(&path, ArchiveFormat::Zip, &members()).unwrap();
        let mut archive = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
        let mut first = archive.by_index(0).unwrap();
        assert_eq!(first.name().unwrap(), "../../up.txt");
        let mut text = String::new();
        first.read_to_string(&mut text).unwrap();
        assert_eq!(text, "up");
        drop(first);
        assert!(archive.by_index(1).unwrap().is_symlink());
    }

    #[test]
    fn git_reads_the_repository() {
        let dir = tempfile::tempdir().unwrap();
        repo(dir.path(), "a message", "word").unwrap();
        let head = fs::read_to_string(dir.path().join(".git/refs/heads/main")).unwrap();
        let name = head.trim();
        let object = fs::read(
            dir.path()
                .join(".git/objects")
                .join(&name[..2])
                .join(&name[2..]),
        )
        .unwrap();
        let mut commit = String::new();
        flate2::read::ZlibDecoder::new(object.as_slice())
            .read_to_string(&mut commit)
            .unwrap();
        assert!(commit.ends_with("\n\na message\n"), "{commit}");
        // Where git is installed it has the last word on the layout.
        if let Ok(output) = std::process::Command::new("git")
            .args(["-c", "safe.directory=*", "-C"])
            .arg(dir.path())
            .args(["fsck", "--strict", "--no-dangling"])
            .output()
        {
            assert!(output.status.success(), "{output:?}");
            for staged in [&["diff"][..], &["diff", "--staged"]] {
                let diff = std::process::Command::new("git")
                    .args(["-c", "safe.directory=*", "-C"])
                    .arg(dir.path())
                    .args(staged)
                    .output()
                    .unwrap();
                assert!(String::from_utf8_lossy(&diff.stdout).contains("+a message"));
            }
        }
    }
}
