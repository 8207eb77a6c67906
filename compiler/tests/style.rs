//! `cnnc style` as a process, on a small network and small pictures.

use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use insta::assert_snapshot;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const NET: &str = "network small
input x: f32[3, 32, 32]
a = conv(x, 8, 3x3, relu)
b = conv(max_pool(a, 2x2), 8, 3x3, relu)
output label = softmax(dense(flatten(b), 2))
";

struct Place(TempDir);

impl Place {
    /// A network, a picture in colours, a grey one, one that shines through, and one that is too small.
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::write(place.file("net.cnn"), NET).unwrap();
        let level = |v: u32| (v * 37 % 256) as u8;
        let rgb = RgbImage::from_fn(21, 17, |x, y| Rgb([level(x), level(y), level(x * y)]));
        let grey = GrayImage::from_fn(40, 24, |x, y| Luma([level(x / 4 + y)]));
        let rgba = RgbaImage::from_fn(18, 30, |x, y| Rgba([level(y), 9, 90, level(x)]));
        let pictures = [
            ("content.png", DynamicImage::ImageRgb8(rgb)),
            ("grey.png", DynamicImage::ImageLuma8(grey)),
            ("glass.png", DynamicImage::ImageRgba8(rgba)),
            ("tiny.png", DynamicImage::ImageRgb8(RgbImage::new(1, 1))),
        ];
        for (name, picture) in pictures {
            picture.save(place.file(name)).unwrap();
        }
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnnc"));
        command.arg("style").args(line.split_whitespace());
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command.env_remove("CNNC_CPU");
        command
    }

    fn output(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What a refused command says, and its status.
    fn refusal(&self, line: &str) -> String {
        let output = self.output(line);
        assert!(output.stdout.is_empty());
        let status = output.status.code().unwrap();
        format!("{}= {status}", String::from_utf8(output.stderr).unwrap())
    }

    fn size(&self, name: &str) -> [u32; 2] {
        let picture = image::open(self.file(name)).unwrap();
        [picture.width(), picture.height()]
    }
}

#[test]
fn a_picture_takes_on_a_style() {
    let place = Place::new();
    let line = "content.png grey.png -o out.png --network net.cnn --normalize none --iterations 20 --every 10 --csv loss.csv --plot loss.svg --json";
    let output = place.output(line);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let rows: Vec<serde_json::Value> = output
        .stdout
        .split(|b| *b == b'\n')
        .filter(|row| !row.is_empty())
        .map(|row| serde_json::from_slice(row).unwrap())
        .collect();
    let iterations: Vec<u64> = rows
        .iter()
        .map(|r| r["iteration"].as_u64().unwrap())
        .collect();
    assert_eq!(iterations, [1, 10, 20]);
    let loss = |row: &serde_json::Value| row["loss"].as_f64().unwrap();
    assert!(loss(&rows[2]) < 0.9 * loss(&rows[0]), "{rows:?}");
    for row in &rows {
        let terms = ["content", "style", "variation"].map(|t| row[t].as_f64().unwrap());
        let sum: f64 = terms.iter().sum();
        assert!((sum - loss(row)).abs() <= 1e-5 * loss(row), "{row}");
    }
    for picture in ["out.png", "out-00010.png", "out-00020.png"] {
        assert_eq!(place.size(picture), [21, 17]);
    }
    let [last, end, before] = ["out.png", "out-00020.png", "out-00010.png"]
        .map(|name| fs::read(place.file(name)).unwrap());
    assert!(last == end && last != before);
    let table = fs::read_to_string(place.file("loss.csv")).unwrap();
    assert_eq!(table.lines().count(), 21);
    assert!(table.starts_with("iteration,loss,content,style,variation\n1,"));
    let plot = fs::read_to_string(place.file("loss.svg")).unwrap();
    assert!(plot.starts_with("<svg") && plot.contains(">iteration<"));
}

#[test]
fn any_picture_is_one() {
    let place = Place::new();
    let made = |pictures: &str, more: &str| {
        let line = format!("{pictures} -o out.png --network net.cnn --iterations 2 {more}");
        let output = place.output(&line);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}: {said}");
        place.size("out.png")
    };
    assert_eq!(made("grey.png glass.png", ""), [40, 24]);
    assert_eq!(made("glass.png content.png", "--size 20"), [12, 20]);
    assert_eq!(
        made("content.png content.png", "--normalize caffe --threads 1"),
        [21, 17]
    );
}

#[test]
fn the_same_picture_for_any_number_of_threads() {
    let place = Place::new();
    let made = |threads: u32| {
        let line = format!(
            "content.png grey.png -o {threads}.png --network net.cnn --iterations 5 --threads {threads} --quiet"
        );
        assert!(place.output(&line).status.success());
        fs::read(place.file(&format!("{threads}.png"))).unwrap()
    };
    let one = made(1);
    assert!(one == made(2));
}

#[test]
fn refusals_are_one_line() {
    let place = Place::new();
    let with = |line: &str| place.refusal(&format!("{line} --quiet"));
    assert_snapshot!(with("tiny.png grey.png -o out.png --network net.cnn"));
    assert_snapshot!(with("content.png tiny.png -o out.png --network net.cnn"));
    assert_snapshot!(with("content.png net.cnn -o out.png --network net.cnn"));
    assert_snapshot!(with("content.png nowhere.png -o out.png --network net.cnn"));
    assert_snapshot!(with("content.png grey.png -o out.jpg --network net.cnn"));
    assert_snapshot!(with(
        "content.png grey.png -o content.png --network net.cnn"
    ));
    assert_snapshot!(with(
        "content.png grey.png -o out.png --network net.cnn --style-layers conv1.rleu"
    ));
    assert_snapshot!(with(
        "content.png grey.png -o out.png --network net.cnn --optimizer adm"
    ));
    assert!(!place.file("out.png").exists());
}

#[test]
fn a_loss_that_is_no_number_ends_it() {
    let place = Place::new();
    let line = "content.png grey.png -o out.png --network net.cnn --style-weight 1e300 --quiet";
    let refusal = place.refusal(line);
    assert!(refusal.ends_with("= 4"), "{refusal}");
    assert!(refusal.contains("the loss of iteration 1 is "), "{refusal}");
}

#[test]
fn an_interrupt_leaves_the_last_picture() {
    let place = Place::new();
    let line = "content.png grey.png -o out.png --network net.cnn --iterations 4000000 --every 20 --csv loss.csv";
    let mut command = place.command(line);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let begin = Instant::now();
    while !place.file("out-00020.png").exists() {
        assert!(begin.elapsed() < Duration::from_secs(120));
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("out.png is the picture so far"), "{said}");
    assert_eq!(place.size("out.png"), [21, 17]);
    assert!(
        fs::read_to_string(place.file("loss.csv"))
            .unwrap()
            .lines()
            .count()
            > 20
    );
}
