//! Files that are replaced whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// How names of unfinished files end.
pub(super) const TEMPORARY: &str = ".tmp";

/// Gives `path` these contents or leaves it as it was, also where the machine stops: a temporary file beside it, fsync, rename, fsync of
/// the folder. Of two processes that do so at once, one wins.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{}{TEMPORARY}", std::process::id()));
    let written = write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| sync_folder(path));
    if written.is_err() {
        // The error that matters is the first.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // An unfinished file of a process that was killed and had our number is written over.
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
