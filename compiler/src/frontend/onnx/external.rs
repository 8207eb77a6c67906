//! External data: bytes of a regular file below the model's folder.
//!
//! A model is a stranger's file: its locations may not leave the folder, by `..`, by an absolute path or by any kind of link, and may
//! not name devices or pipes. Contents never appear in messages.

use super::problem::shown;
use super::proto::Entry;
use bytes::Bytes;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use std::fs::File;
use std::path::{Component, Path};

/// The `expected` bytes that the entries name.
pub fn read(entries: &[Entry], folder: Option<&Path>, expected: usize) -> Result<Bytes, String> {
    let folder = folder.ok_or("external data is not allowed here: there is no model file")?;
    let (mut location, mut offset, mut length) = (None, 0u64, None);
    for e in entries {
        let number = || {
            e.value.parse::<u64>().map_err(|_| {
                format!(
                    "external data: {} '{}' is not a valid offset or length",
                    e.key,
                    shown(&e.value)
                )
            })
        };
        match e.key.as_str() {
            "location" => location = Some(e.value.as_str()),
            "offset" => offset = number()?,
            "length" => length = Some(number()?),
            "checksum" | "basepath" => {}
            other => return Err(format!("external data: unknown key '{}'", shown(other))),
        }
    }
    let location = location
        .filter(|l| !l.is_empty())
        .ok_or("external data without a location")?;
    let length = length.unwrap_or(expected as u64);
    if length != expected as u64 {
        return Err(format!(
            "external data: length {length} does not match the {expected} bytes of the tensor's shape"
        ));
    }
    let file = open(folder, location)?;
    let size = file
        .metadata()
        .map_err(|e| format!("external data '{}': {e}", shown(location)))?
        .len();
    let end = offset.checked_add(length).filter(|end| *end <= size).ok_or_else(|| {
        format!("external data '{}': offset {offset} and length {length} exceed the file's size of {size}", shown(location))
    })?;
    let map = cnnc_runtime::map_whole(&file)
        .map_err(|e| format!("external data '{}': {e}", shown(location)))?;
    Ok(Bytes::from_owner(map).slice(offset as usize..end as usize))
}

/// Opens a regular file below the folder without following a link.
fn open(folder: &Path, location: &str) -> Result<File, String> {
    let outside = |why: &str| format!("external data: location '{}' {why}", shown(location));
    let path = Path::new(location);
    if location.contains('\0') {
        return Err(outside("contains NUL: invalid path"));
    }
    if path
        .components()
        .any(|c| !matches!(c, Component::Normal(_) | Component::CurDir))
    {
        return Err(outside(
            "is absolute or leaves the model's folder by '..': not allowed",
        ));
    }
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let root = File::open(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let file = openat2(
        &root,
        path,
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
    .map_err(|e| outside(&format!("cannot be opened (links are not followed): {e}")))?;
    let stat = fstat(&file).map_err(|e| outside(&e.to_string()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(outside("is not a regular file: not allowed"));
    }
    if stat.st_nlink != 1 {
        return Err(outside("is a hard link to a file elsewhere: not allowed"));
    }
    Ok(file.into())
}
