//! `cnnc run` on pictures: their own size where the network leaves it free, their range as it is said.

use image::{Rgb, RgbImage};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Whatever the size, half as bright.
const FREE: &str = "graph \"half\" (%x: f32[1,3,H,W]) {
  %h = const f32[] [0.5]
  %y = Mul(%x, %h)
  return \"y\" = %y
}
";

struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::write(place.file("free.cnn"), FREE).unwrap();
        let fixed = FREE.replace("H,W", "4,6");
        fs::write(place.file("fixed.cnn"), fixed).unwrap();
        let photo = RgbImage::from_pixel(9, 5, Rgb([200, 100, 0]));
        photo.save(place.file("photo.png")).unwrap();
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs what must succeed: width, height and first pixel of `out.png`, the output's greatest value, and what was noted.
    fn run(&self, line: &str) -> ([u32; 2], [u8; 3], f64, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnnc"));
        command.args("run --json --output y=out.png".split(' '));
        command.args(line.split_whitespace());
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("CNNC_CPU");
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{line}: {said}");
        let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let digest = row["digest"].as_str().unwrap();
        let most = digest
            .split("max ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap();
        let out = image::open(self.file("out.png")).unwrap().into_rgb8();
        let (width, height) = out.dimensions();
        (
            [width, height],
            out.get_pixel(0, 0).0,
            most.parse().unwrap(),
            said,
        )
    }
}

#[test]
fn a_free_network_takes_the_pictures_own_size() {
    let place = Place::new();
    let (size, pixel, most, said) = place.run("free.cnn --input x=photo.png");
    assert_eq!((size, pixel), ([9, 5], [100, 50, 0]));
    assert!((most - 100.0 / 255.0).abs() < 1e-6);
    assert_eq!(said, "");
    let size = |line: &str| place.run(&format!("free.cnn --input x=photo.png {line}")).0;
    assert_eq!(size("--resize 7x3"), [3, 7]);
    assert_eq!(size("--resize 6"), [6, 3]);
}

#[test]
fn a_fixed_network_has_pictures_resized_and_says_so() {
    let place = Place::new();
    let (size, pixel, _, said) = place.run("fixed.cnn --input x=photo.png");
    assert_eq!((size, pixel), ([6, 4], [100, 50, 0]));
    assert_eq!(said, "cnnc: photo.png: 5x9, resized to the input's 4x6\n");
}

#[test]
fn white_is_what_it_is_said_to_be() {
    let place = Place::new();
    let (_, pixel, most, _) = place.run("free.cnn --input x=photo.png --scale 255");
    assert_eq!((pixel, most), ([100, 50, 0], 100.0));
    let (_, pixel, most, _) = place.run("free.cnn --input x=photo.png --scale 2");
    assert_eq!(pixel, [100, 50, 0]);
    assert!((most - 200.0 / 255.0).abs() < 1e-6);
}
