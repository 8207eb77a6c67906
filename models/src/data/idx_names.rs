//! Which IDX file is which: `[PREFIX-]images-idxN-ubyte[.gz]` belongs to `[PREFIX-]labels-idx1-ubyte[.gz]`; a prefix that begins with
//! `t10k`, `test` or `val` is the test part, any other the training part.

use super::error::DataError;
use super::part::Part;
use super::{Options, Source, idx};
use std::fs;
use std::path::{Path, PathBuf};

const TEST: [&str; 3] = ["t10k", "test", "val"];

/// Reads the IDX files of a folder, or `None` where there are none.
pub(super) fn read(folder: &Path, options: &Options) -> Result<Option<Source>, DataError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    // Sorted, so that a plain file comes before its compressed twin.
    names.sort();
    let (mut train, mut test) = (None, None);
    for (prefix, name) in names
        .iter()
        .filter_map(|n| Some((prefix_of(n, "images")?, n)))
    {
        let part = if TEST.iter().any(|t| prefix.starts_with(t)) {
            &mut test
        } else {
            &mut train
        };
        match part {
            None => *part = Some((prefix, name)),
            Some((other, _)) if *other == prefix => {}
            Some((_, other)) => {
                let expected =
                    format!("one file of images for each part, found '{other}' and '{name}'");
                return Err(DataError::missing(folder, expected));
            }
        }
    }
    let read = |(prefix, images): (&str, &String)| -> Result<Part, DataError> {
        let labels = labels_of(folder, &names, prefix)?;
        Ok(Part {
            images: idx::read_images(&folder.join(images), options.limit)?,
            labels: idx::read_labels(&labels, options.limit)?,
        })
    };
    match (train, test) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(DataError::missing(
            folder,
            "train-images-idx3-ubyte beside the test part",
        )),
        (Some(train), test) => Ok(Some(Source {
            train: read(train)?,
            test: test.map(read).transpose()?,
            names: None,
        })),
    }
}

fn labels_of(folder: &Path, names: &[String], prefix: &str) -> Result<PathBuf, DataError> {
    let found = names
        .iter()
        .find(|n| prefix_of(n, "labels") == Some(prefix));
    found.map(|name| folder.join(name)).ok_or_else(|| {
        DataError::missing(
            folder,
            format!("{prefix}labels-idx1-ubyte beside the images"),
        )
    })
}

/// What stands before `what` in a file's name, where the rest is that of an IDX file.
fn prefix_of<'a>(name: &'a str, what: &str) -> Option<&'a str> {
    let (prefix, rest) = name.split_once(what)?;
    let rest = rest.strip_suffix(".gz").unwrap_or(rest);
    let rest = rest.strip_prefix(['-', '.'])?.strip_prefix("idx")?;
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(rest, "" | "-ubyte").then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::prefix_of;

    #[test]
    fn prefixes_are_told_from_other_files() {
        assert_eq!(
            prefix_of("train-images-idx3-ubyte.gz", "images"),
            Some("train-")
        );
        assert_eq!(prefix_of("t10k-images.idx3-ubyte", "images"), Some("t10k-"));
        assert_eq!(prefix_of("images-idx3", "images"), Some(""));
        assert_eq!(prefix_of("train-labels-idx1-ubyte", "images"), None);
        assert_eq!(prefix_of("images.zip", "images"), None);
    }
}
