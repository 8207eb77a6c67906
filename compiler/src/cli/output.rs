//! Files that commands write: each appears complete or not at all. Devices and pipes are written to.

use super::failure::Failure;
use cnnc_runtime::artifact::replace_file;
use std::path::Path;

/// Gives `path` these contents or leaves it as it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    check(path)?;
    replace_file(path, bytes).map_err(|e| Failure::file(path, &e))
}

/// Refuses what cannot be replaced before any work is done.
pub fn check(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Err(Failure::input(format!("{}: is a folder", path.display())));
    }
    Ok(())
}

/// Whether two paths lead to one file that exists.
pub fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}
