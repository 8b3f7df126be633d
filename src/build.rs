//! Embeds the catalogue: `probes/` and `suites/`, so that adding a file adds a probe.
//!
//! An include macro alone does not notice a new file; this script names the directories to Cargo
//! and writes the list anew whenever one of them changes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    // Clones may share a target directory, and the embedded files are named by their absolute paths.
    println!("cargo::rerun-if-env-changed=CARGO_MANIFEST_DIR");
    let mut code = String::new();
    for (name, directory, depth) in [
        ("PROBES", "probes", 2),
        ("SUITES", "suites", 1),
        ("EDITIONS", "suites/frozen", 1),
        ("KEPT", "suites/frozen/probes", 1),
    ] {
        // A directory that is not there yet would have this run at every build; the one above it is named.
        if root.join(directory).exists() {
            println!("cargo::rerun-if-changed={directory}");
        }
        code += &format!("pub(crate) static {name}: &[(&str, &str)] = &[\n");
        for file in toml_files(&root.join(directory), depth)? {
            let relative = file.strip_prefix(&root).unwrap_or(&file);
            code += &format!("    ({relative:?}, include_str!({file:?})),\n");
        }
        code += "];\n";
    }
    fs::write(Path::new(&variable("OUT_DIR")?).join("embedded.rs"), code)
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|why| io::Error::other(format!("{name}: {why}")))
}

/// All `.toml` files so many levels below a directory, sorted, so that builds are reproducible.
fn toml_files(directory: &Path, depth: usize) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    // Git keeps no empty directory.
    if depth == 0 || !directory.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(toml_files(&path, depth - 1)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
