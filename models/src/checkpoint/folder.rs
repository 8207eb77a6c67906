//! A folder of checkpoints, `step-000000001234.safetensors`, of which the last few are kept.

use super::replace::TEMPORARY;
use super::{Checkpoint, CheckpointError};
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "step-";
const SUFFIX: &str = ".safetensors";

/// The checkpoints of one run.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    keep: usize,
}

impl Folder {
    /// Checkpoints at `path`, which is made where it is not there; the newest `keep` are kept, one at least.
    pub fn open(path: &Path, keep: usize) -> Result<Folder, CheckpointError> {
        fs::create_dir_all(path).map_err(CheckpointError::io(path))?;
        Ok(Folder {
            path: path.to_owned(),
            keep: keep.max(1),
        })
    }

    /// Every checkpoint with its step, the oldest first.
    pub fn list(&self) -> Result<Vec<(u64, PathBuf)>, CheckpointError> {
        let step = |name: &str| {
            name.strip_prefix(PREFIX)?
                .strip_suffix(SUFFIX)?
                .parse()
                .ok()
        };
        let mut found = Vec::new();
        for name in self.names()? {
            if let Some(step) = step(&name) {
                found.push((step, self.path.join(name)));
            }
        }
        found.sort();
        Ok(found)
    }

    /// The newest checkpoint, or `None` where there is none. A damaged one is an error, not passed over: the file system lost what it
    /// had promised to keep, and somebody should know.
    pub fn newest(&self) -> Result<Option<Checkpoint>, CheckpointError> {
        match self.list()?.last() {
            Some((_, path)) => Checkpoint::read(path).map(Some),
            None => Ok(None),
        }
    }

    /// Writes a checkpoint; once it stands, removes those that are too old, and what killed runs left unfinished.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
        let step = checkpoint.progress.step;
        let path = self.path.join(format!("{PREFIX}{step:012}{SUFFIX}"));
        checkpoint.write(&path)?;
        let listed = self.list()?;
        let old = listed.len().saturating_sub(self.keep);
        let mut waste: Vec<PathBuf> = listed.into_iter().take(old).map(|(_, path)| path).collect();
        let is_unfinished = |name: &String| {
            name.starts_with('.') && name.contains(PREFIX) && name.ends_with(TEMPORARY)
        };
        waste.extend(
            self.names()?
                .into_iter()
                .filter(is_unfinished)
                .map(|name| self.path.join(name)),
        );
        // The one just written stays, also where a run that began anew finds older files with higher steps.
        for path in waste.into_iter().filter(|old| *old != path) {
            fs::remove_file(&path).map_err(CheckpointError::io(&path))?;
        }
        Ok(path)
    }

    fn names(&self) -> Result<Vec<String>, CheckpointError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(CheckpointError::io(&self.path))? {
            let entry = entry.map_err(CheckpointError::io(&self.path))?;
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }
}
