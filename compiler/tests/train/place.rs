//! A folder with a network and a data set in it, and the program to be run there.

use super::common::{NET, strokes};
use cnnc_models::data::Samples;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub struct Place(TempDir);

impl Place {
    /// `small.cnn`, and `data` with 120 strokes to learn from and 50 to judge by.
    pub fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::write(place.file("small.cnn"), NET).unwrap();
        write_idx(&place.file("data"), "train", &strokes(120, 1));
        write_idx(&place.file("data"), "t10k", &strokes(50, 2));
        place
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// The program, to be run here; words are parted by spaces.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnnc"));
        let words = line.split_whitespace();
        command.args(words).current_dir(self.0.path());
        command.env_remove("CNNC_CPU").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Status, standard output, standard error.
    pub fn run(&self, line: &str) -> (i32, String, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(line).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    /// Runs what must succeed; its standard output.
    pub fn done(&self, line: &str) -> String {
        let (status, stdout, stderr) = self.run(line);
        assert_eq!(status, 0, "{line}\n{stdout}{stderr}");
        stdout
    }

    /// Runs what must fail: status and message in one line.
    pub fn failed(&self, line: &str) -> String {
        let (status, _, stderr) = self.run(line);
        let folder = format!("{}/", self.0.path().display());
        let last = stderr.lines().last().unwrap_or_default();
        format!("{status}: {}", last.replace(&folder, ""))
    }
}

/// Writes images and labels as MNIST's files.
pub fn write_idx(folder: &Path, part: &str, samples: &Samples) {
    fs::create_dir_all(folder).unwrap();
    let [_, height, width] = samples.shape();
    let mut images = idx_head(3, &[samples.len(), height, width]);
    let mut image = vec![0.0; samples.image_len()];
    for index in 0..samples.len() {
        samples.read(index, &mut image);
        images.extend(image.iter().map(|v| (v * 255.0).round() as u8));
    }
    let mut labels = idx_head(1, &[samples.len()]);
    labels.extend(samples.labels().iter().map(|&l| l as u8));
    fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
    fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
}

fn idx_head(rank: u8, extents: &[usize]) -> Vec<u8> {
    let mut head = vec![0, 0, 8, rank];
    head.extend(extents.iter().flat_map(|&n| (n as u32).to_be_bytes()));
    head
}
