//! Images whose pixels have a class each.

use super::{fault, folder, image, npy, open, png};
use cnnc_models::data::{Labelling, Options};
use image::ExtendedColorType::{L8, L16, Rgb8};

/// A grey PNG file.
fn gray(width: u32, values: &[u8]) -> Vec<u8> {
    encoded(width, values, L8)
}

fn encoded(width: u32, bytes: &[u8], color: image::ExtendedColorType) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let size = bytes.len() as u32 * 8 / u32::from(color.bits_per_pixel());
    let format = image::ImageFormat::Png;
    image::write_buffer_with_format(&mut file, bytes, width, size / width, color, format).unwrap();
    file.into_inner()
}

/// A PNG file of two bits a pixel, indices into a palette.
fn palette(width: u32, height: u32, packed: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width, height);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Two);
    encoder.set_palette(vec![9; 12]);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(packed).unwrap();
    writer.finish().unwrap();
    file
}

fn classes(classes: usize, size: [usize; 2]) -> Options {
    Options {
        size: Some(size),
        classes: Some(classes),
        ..Options::default()
    }
}

#[test]
fn arrays_of_labels_are_maps() {
    let images = |n: u8| npy(&[n.into(), 2, 1], &vec![7u8; 2 * usize::from(n)]);
    let folder_of = |labels| {
        folder(&[
            ("x_train.npy", images(2)),
            ("y_train.npy", labels),
            ("x_test.npy", images(1)),
            ("y_test.npy", npy(&[1, 1, 2, 1], &[2i16, 1])),
        ])
    };
    let plain = folder_of(npy(&[2, 2, 1], &[0u8, 1, 2, 0]));
    let data = open(plain.path(), &Options::default()).unwrap();
    assert_eq!(data.train.labelling(), Labelling::Pixels);
    assert_eq!((data.train.len(), data.test.len()), (2, 1));
    assert_eq!(data.train.labels(), [0, 1, 2, 0]);
    assert_eq!(data.test.labels(), [2, 1]);
    assert_eq!(data.classes, ["0", "1", "2"]);
    let last = folder_of(npy(&[2, 2, 1, 1], &[0i64, 1, 2, 0]));
    assert_eq!(open(last.path(), &Options::default()).unwrap(), data);
}

#[test]
fn black_and_white_are_two_classes() {
    let files = |labels: &[u8]| {
        folder(&[
            ("x.npy", npy(&[2, 1, 2], &[7u8; 4])),
            ("y.npy", npy(&[2, 1, 2], labels)),
        ])
    };
    let all = Options {
        test_fraction: 0.0,
        ..Options::default()
    };
    let white = files(&[0, 255, 255, 0]);
    let data = open(white.path(), &all).unwrap();
    assert_eq!(data.train.labels(), [0, 1, 1, 0]);
    assert_eq!(data.classes.len(), 2);
    let many = Options {
        classes: Some(256),
        ..all.clone()
    };
    let data = open(white.path(), &many).unwrap();
    assert_eq!(data.train.labels(), [0, 255, 255, 0]);
    let truths = folder(&[
        ("x.npy", npy(&[1, 1, 2], &[7u8; 2])),
        ("y.npy", npy(&[1, 1, 2], &[false, true])),
    ]);
    assert_eq!(open(truths.path(), &all).unwrap().train.labels(), [0, 1]);
    let gray = open(files(&[0, 254, 255, 0]).path(), &classes(2, [1, 2])).unwrap_err();
    insta::assert_snapshot!(gray, @"y.npy: map 0, row 0, column 1 is 254, expected a class, 0 to 1");
}

#[test]
fn pictures_have_masks_of_their_names() {
    let folder = folder(&[
        ("train/images/a.png", gray(2, &[1, 2, 3, 4])),
        ("train/images/b.png", png(2, 2, [9, 9, 9])),
        ("train/masks/a.png", gray(2, &[0, 1, 2, 0])),
        (
            "train/masks/b.png",
            palette(2, 2, &[0b0110_0000, 0b0001_0000]),
        ),
        ("test/Images/c.png", gray(2, &[0; 4])),
        (
            "test/Masks/c.PNG",
            encoded(2, &[0, 0, 1, 0, 2, 0, 1, 0], L16),
        ),
        ("classes.txt", b"ground\ncat\ndog".to_vec()),
    ]);
    let data = open(folder.path(), &classes(3, [2, 2])).unwrap();
    assert_eq!(data.classes, ["ground", "cat", "dog"]);
    assert_eq!(data.train.labels(), [0, 1, 2, 0, 1, 2, 0, 1]);
    assert_eq!(data.test.labels(), [0, 1, 2, 1]);
    assert_eq!(image(&data.train, 0)[3], 4.0 / 255.0);
    // Each pixel becomes four, or one of four stays.
    let large = open(folder.path(), &classes(3, [4, 4])).unwrap();
    let rows: Vec<&[u32]> = large.train.labels()[..16].chunks(4).collect();
    assert_eq!(
        rows,
        [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 0, 0], [2, 2, 0, 0]]
    );
    let small = open(folder.path(), &classes(3, [1, 1])).unwrap();
    assert_eq!(small.train.labels(), [0, 1]);
}

#[test]
fn one_part_with_masks_is_split_by_the_seed() {
    let names: Vec<[String; 2]> = (0..10)
        .map(|i| ["images", "masks"].map(|folder| format!("{folder}/{i}.png")))
        .collect();
    let files: Vec<(&str, Vec<u8>)> = (0..10u8)
        .flat_map(|i| {
            let [image, mask] = &names[usize::from(i)];
            [(image.as_str(), gray(1, &[i])), (mask, gray(1, &[i % 2]))]
        })
        .collect();
    let folder = folder(&files);
    let data = open(folder.path(), &Options::default()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (8, 2));
    for part in [&data.train, &data.test] {
        for index in 0..part.len() {
            let shown = (image(part, index)[0] * 255.0).round() as u32;
            assert_eq!(part.labels()[index], shown % 2);
        }
    }
    let other = Options {
        seed: 1,
        ..Options::default()
    };
    assert_ne!(open(folder.path(), &other).unwrap().test, data.test);
}

#[test]
fn what_is_wrong_with_a_mask_is_named() {
    let a = ("train/images/a.png", gray(2, &[1, 2]));
    let mask = |bytes| ("train/masks/a.png", bytes);
    let good = mask(gray(2, &[0, 1]));
    let mut told = vec![
        fault(&[a.clone(), ("train/masks/b.png", gray(2, &[0, 1]))]),
        fault(&[
            a.clone(),
            good.clone(),
            ("train/masks/b.png", gray(2, &[0, 1])),
        ]),
        fault(&[a.clone(), good.clone(), ("train/masks/b.jpg", vec![1])]),
        fault(&[a.clone(), mask(gray(1, &[0, 1]))]),
        fault(&[a.clone(), mask(encoded(2, &[0; 6], Rgb8))]),
        fault(&[a.clone(), mask(good.1[..40].to_vec())]),
        fault(&[
            a.clone(),
            good.clone(),
            ("test/images/a.png", gray(2, &[1, 2])),
        ]),
        fault(&[
            ("train/images/a.txt", Vec::new()),
            ("train/masks/a.txt", Vec::new()),
        ]),
    ];
    let beyond = [a, good, ("classes.txt", b"only".to_vec())];
    told.push(open(folder(&beyond).path(), &Options::default()).unwrap_err());
    insta::assert_snapshot!(told.join("\n"), @r#"
    train/masks/a.png: expected a mask for train/images/a.png, and for it alone
    train/masks/b.png: expected a picture of this name in train/images
    train/masks/b.jpg: is no PNG file; JPEG would change the values of a mask
    train/masks/a.png: a mask of 2x1, expected 1x2 as its picture is
    train/masks/a.png: a mask of type Rgb, expected a grey picture or one with a palette
    train/masks/a.png: unexpected end of file
    test: expected a folder 'masks'
    train/images: holds no images
    train/masks/a.png: row 0, column 1 is 1, expected a class, 0 to 0
    "#);
}

#[test]
fn what_is_wrong_with_an_array_of_maps_is_named() {
    let files = |shape: &[u64], values: &[i32]| {
        fault(&[
            ("x_train.npy", npy(&[2, 1, 2], &[0u8; 4])),
            ("y_train.npy", npy(shape, values)),
            ("x_test.npy", npy(&[1, 1, 2], &[0u8; 2])),
            ("y_test.npy", npy(&[1], &[0u8])),
        ])
    };
    let told = [
        files(&[2, 1, 2], &[0, 1, 0, -1]),
        files(&[2, 2, 1], &[0; 4]),
        files(&[1, 1, 2], &[0; 2]),
        files(&[1, 2, 1, 2], &[0; 4]),
        files(&[2, 1, 2], &[0; 4]),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    y_train.npy: map 1, row 0, column 1 is -1, expected a class, 0 to 65535
    y_train.npy: maps of 2x1, expected 1x2 as the images are
    y_train.npy: holds 1 labels for the 2 images of x_train.npy
    y_train.npy: labels of type i32[1,2,1,2], expected one integer a sample, or a map of them: [samples, height, width]
    y_test.npy: labels images where the training part labels pixels, or the other way round
    "#);
}

#[test]
fn arrays_are_resized_with_their_maps_where_asked() {
    let images = [0u8, 0, 255, 255, 102, 102, 204, 204];
    let files = folder(&[
        ("x_train.npy", npy(&[1, 2, 4], &images)),
        ("y_train.npy", npy(&[1, 2, 4], &[0u8, 0, 1, 1, 0, 0, 1, 1])),
        ("x_test.npy", npy(&[1, 1, 2], &[0u8, 255])),
        ("y_test.npy", npy(&[1, 1, 2], &[0u8, 1])),
    ]);
    let options = Options {
        resize: true,
        ..classes(2, [1, 2])
    };
    let data = open(files.path(), &options).unwrap();
    assert_eq!(data.train.shape(), [1, 1, 2]);
    assert_eq!(image(&data.train, 0), [77.0 / 255.0, 204.0 / 255.0]);
    assert_eq!(data.train.labels(), [0, 1]);
    assert_eq!(image(&data.test, 0), [0.0, 1.0]);
    let floats = folder(&[
        ("x_train.npy", npy(&[1, 2, 1], &[0.5f32, 0.25])),
        ("y_train.npy", npy(&[1], &[0u8])),
    ]);
    insta::assert_snapshot!(open(floats.path(), &options).unwrap_err(), @"x_train.npy: floats of 2x1; only bytes are resized");
}
