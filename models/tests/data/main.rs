//! Data sets on disk: what is read, and what is said where something is wrong with them.

mod maps;

use cnnc_models::data::{Dataset, Options, Samples};
use npyz::WriterBuilder;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use zip::write::FileOptions;

fn idx(extents: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, extents.len() as u8];
    file.extend(extents.iter().flat_map(|d| d.to_be_bytes()));
    file.extend(data);
    file
}

fn npy<T: npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Vec<u8> {
    let mut file = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(shape);
    let mut writer = options.writer(&mut file).begin_nd().unwrap();
    writer.extend(values.iter().copied()).unwrap();
    writer.finish().unwrap();
    file
}

fn npz(path: &Path, arrays: &[(&str, Vec<u8>)]) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    for (name, bytes) in arrays {
        let name = format!("{name}.npy");
        archive.start_file(name, FileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap();
}

/// A folder that holds these files.
fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn open(folder: &Path, options: &Options) -> Result<Dataset, String> {
    let root = format!("{}/", folder.display());
    let said = |e: cnnc_models::data::DataError| {
        let text = e.to_string().replace(&root, "");
        text.replace(&folder.display().to_string(), "DIR")
    };
    Dataset::open(folder, options).map_err(said)
}

/// What is wrong with a folder of these files.
fn fault(files: &[(&str, Vec<u8>)]) -> String {
    open(folder(files).path(), &Options::default()).unwrap_err()
}

fn image(samples: &Samples, index: usize) -> Vec<f32> {
    let mut image = vec![0.0; samples.image_len()];
    samples.read(index, &mut image);
    image
}

fn png(width: u32, height: u32, rgb: [u8; 3]) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(width, height, image::Rgb(rgb));
    let mut file = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut file, image::ImageFormat::Png)
        .unwrap();
    file.into_inner()
}

#[test]
fn mnist_names_are_understood() {
    let folder = folder(&[
        ("train-images-idx3-ubyte", idx(&[2, 1, 2], &[0, 255, 51, 0])),
        ("train-labels-idx1-ubyte", idx(&[2], &[1, 0])),
        ("t10k-images-idx3-ubyte", idx(&[1, 1, 2], &[7, 7])),
        ("t10k-labels-idx1-ubyte", idx(&[1], &[1])),
        ("classes.txt", b"cat\ndog\n".to_vec()),
    ]);
    let data = open(folder.path(), &Options::default()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (2, 1));
    assert_eq!(data.train.shape(), [1, 1, 2]);
    assert_eq!(image(&data.train, 1), [0.2, 0.0]);
    assert_eq!(data.train.labels(), [1, 0]);
    assert_eq!(data.classes, ["cat", "dog"]);
}

#[test]
fn one_part_is_split() {
    let labels: Vec<u8> = (0..20).map(|i| i % 2).collect();
    let folder = folder(&[
        ("images-idx4-ubyte", idx(&[20, 5, 1, 3], &[9; 300])),
        ("labels-idx1-ubyte", idx(&[20], &labels)),
    ]);
    let data = open(folder.path(), &Options::default()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (16, 4));
    assert_eq!(data.train.shape(), [3, 5, 1]);
    assert_eq!(data.classes, ["0", "1"]);
}

#[test]
fn arrays_are_found_in_archives_and_beside_each_other() {
    let arrays = [
        ("x_train", npy(&[2, 1, 1, 2], &[0.0f32, 0.5, 2.0, -1.0])),
        ("y_train", npy(&[2, 1], &[1i64, 0])),
        ("x_test", npy(&[1, 1, 1, 2], &[0.25f64, 0.0])),
        ("y_test", npy(&[1], &[0u8])),
    ];
    let archive = tempfile::tempdir().unwrap();
    let path = archive.path().join("data.npz");
    npz(&path, &arrays);
    let data = Dataset::open(&path, &Options::default()).unwrap();
    assert_eq!(image(&data.train, 1), [2.0, -1.0]);
    assert_eq!(image(&data.test, 0), [0.25, 0.0]);
    assert_eq!(data.train.labels(), [1, 0]);
    assert_eq!(open(archive.path(), &Options::default()).unwrap(), data);
    let files: Vec<(String, Vec<u8>)> = arrays
        .iter()
        .map(|(name, bytes)| (format!("{name}.npy"), bytes.clone()))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    assert_eq!(
        open(folder(&files).path(), &Options::default()).unwrap(),
        data
    );
}

#[test]
fn pictures_are_resized_and_named_after_their_folder() {
    let folder = folder(&[
        ("train/red/1.png", png(4, 4, [255, 0, 0])),
        ("train/blue/1.png", png(8, 2, [0, 0, 255])),
        ("test/blue/2.png", png(2, 2, [0, 0, 255])),
        ("test/blue/notes.txt", b"no picture".to_vec()),
    ]);
    let options = Options {
        size: Some([1, 2]),
        ..Options::default()
    };
    let data = open(folder.path(), &options).unwrap();
    assert_eq!(data.classes, ["blue", "red"]);
    assert_eq!(data.train.shape(), [3, 1, 2]);
    assert_eq!(image(&data.train, 0), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(image(&data.train, 1), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(data.test.labels(), [0]);
    let gray = Options {
        channels: Some(1),
        ..options
    };
    assert_eq!(open(folder.path(), &gray).unwrap().train.shape(), [1, 1, 2]);
    insta::assert_snapshot!(open(folder.path(), &Options::default()).unwrap_err(), @"train/red/1.png: images of shape 4x4, expected 2x8 as the first has; give a size to resize to");
}

#[test]
fn a_damaged_picture_is_named() {
    let mut broken = png(4, 4, [1, 2, 3]);
    broken.truncate(40);
    insta::assert_snapshot!(fault(&[("cat/1.png", broken)]), @"cat/1.png: unexpected end of file");
}

#[test]
fn labels_out_of_range_are_named() {
    let images = ("train-images-idx3-ubyte", idx(&[3, 1, 1], &[0; 3]));
    let labels = ("train-labels-idx1-ubyte", idx(&[3], &[0, 1, 9]));
    let classes = ("classes.txt", b"a\nb".to_vec());
    insta::assert_snapshot!(fault(&[images.clone(), labels.clone(), classes]), @"train-labels-idx1-ubyte: label 2 is 9, expected 0 to 1");
    let test = ("t10k-images-idx3-ubyte", idx(&[1, 1, 1], &[0]));
    let beyond = ("t10k-labels-idx1-ubyte", idx(&[1], &[10]));
    insta::assert_snapshot!(fault(&[images.clone(), labels, test, beyond]), @"t10k-labels-idx1-ubyte: label 0 is 10, expected 0 to 9");
    let negative = [
        ("x.npy", npy(&[1, 1, 1], &[0u8])),
        ("y.npy", npy(&[1], &[-1i32])),
    ];
    insta::assert_snapshot!(fault(&negative), @"y.npy: label 0 is -1, expected 0 to 65535");
    let absurd = [
        ("x.npy", npy(&[1, 1, 1], &[0u8])),
        ("y.npy", npy(&[1], &[i64::from(u32::MAX)])),
    ];
    insta::assert_snapshot!(fault(&absurd), @"y.npy: label 0 is 4294967295, expected 0 to 65535");
}

#[test]
fn parts_that_do_not_fit_are_named() {
    let images = ("train-images-idx3-ubyte", idx(&[2, 1, 1], &[0; 2]));
    let labels = ("train-labels-idx1-ubyte", idx(&[2], &[0, 1]));
    let short = ("train-labels-idx1-ubyte", idx(&[1], &[0]));
    insta::assert_snapshot!(fault(&[images.clone(), short]), @"train-labels-idx1-ubyte: holds 1 labels for the 2 images of train-images-idx3-ubyte");
    insta::assert_snapshot!(fault(std::slice::from_ref(&images)), @"DIR: expected train-labels-idx1-ubyte beside the images");
    let larger = ("t10k-images-idx3-ubyte", idx(&[1, 2, 1], &[0; 2]));
    let test = ("t10k-labels-idx1-ubyte", idx(&[1], &[0]));
    insta::assert_snapshot!(fault(&[images, labels, larger, test]), @"t10k-images-idx3-ubyte: images of shape [1, 2, 1], expected [1, 1, 1] as the training part has");
}

#[test]
fn nothing_is_not_a_data_set() {
    insta::assert_snapshot!(fault(&[]), @"DIR: expected IDX files (train-images-idx3-ubyte.gz, ...), arrays (x_train, y_train), a folder of pictures for each class, or folders 'images' and 'masks'");
    insta::assert_snapshot!(fault(&[("cat/readme.txt", b"".to_vec())]), @"DIR: holds no images");
    insta::assert_snapshot!(fault(&[("x_train.npy", npy(&[0, 2, 2], &[0u8; 0])), ("y_train.npy", npy(&[0], &[0u8; 0]))]), @"x_train.npy: holds no images");
    insta::assert_snapshot!(fault(&[("x_train.npy", npy(&[1, 2, 2], &[0u8; 4]))]), @"x_train.npy: expected an array 'y_train' beside it");
    insta::assert_snapshot!(fault(&[("x_train.npy", npy(&[1, 2, 2], &[0i64; 4])), ("y_train.npy", npy(&[1], &[0u8]))]), @"x_train.npy: images of element type i64, expected u8 or a float");
}

#[test]
fn a_damaged_archive_is_refused_or_equal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    npz(
        &path,
        &[("x", npy(&[1, 1, 2], &[1u8, 2])), ("y", npy(&[1], &[0u8]))],
    );
    let whole = fs::read(&path).unwrap();
    let data = Dataset::open(&path, &Options::default()).unwrap();
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        Dataset::open(&path, &Options::default()).unwrap_err();
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&path, &flipped).unwrap();
        // Some bits say nothing about the data: times, versions, attributes.
        if let Ok(read) = Dataset::open(&path, &Options::default()) {
            assert_eq!(read, data, "bit {bit}");
        }
    }
}
