//! Tensors in files: `.npy`, `.npz`, `.pb` (ONNX TensorProto), `.png`, `.jpg`, and `random:SEED`.

use super::args::Common;
use super::failure::Failure;
use super::{load, note, output};
use crate::frontend::onnx::tensor_from_file;
use cnnc_ir::{DType, Tensor};
use cnnc_models::data::numpy;
use cnnc_models::photo::{self, Photo, PhotoError};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

impl From<PhotoError> for Failure {
    fn from(e: PhotoError) -> Failure {
        match e {
            PhotoError::Io { .. } => Failure::system(e),
            e => Failure::input(e),
        }
    }
}

/// How pictures become tensors and tensors pictures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pictures {
    pub resize: Option<Size>,
    /// What white is, where that is said.
    pub white: Option<f64>,
}

/// What pictures are resized to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Height and width.
    Exact([usize; 2]),
    /// The longer side at most.
    Bound(usize),
}

/// `HxW` or `N`.
pub fn size(text: &str) -> Result<Size, String> {
    let side = |text: &str| text.parse().ok().filter(|n| (1..=1 << 14).contains(n));
    let size = match text.split_once('x') {
        None => side(text).map(Size::Bound),
        Some((h, w)) => side(h).zip(side(w)).map(|(h, w)| Size::Exact([h, w])),
    };
    size.ok_or_else(|| "expected HxW or N, pixels from 1 to 16384".to_string())
}

/// A photograph as `--resize` wants it.
pub fn photo(path: &Path, pictures: Pictures) -> Result<Photo, Failure> {
    let photo = Photo::open(path)?;
    Ok(match pictures.resize {
        None => photo,
        Some(Size::Exact(size)) => photo.resized(size),
        Some(Size::Bound(most)) => photo.bounded(most),
    })
}

/// Reads a tensor. A picture becomes `[1, channels, height, width]` of `shape`, resized where it has another size; the other formats carry
/// their own type and shape.
pub fn read(
    path: &Path,
    shape: &[usize],
    pictures: Pictures,
    common: &Common,
) -> Result<Tensor, Failure> {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or("")
        .to_lowercase();
    let file = File::open(path).map_err(|e| Failure::file(path, &e))?;
    match extension.as_str() {
        "npy" => numpy::read_npy(BufReader::new(file))
            .map_err(|e| Failure::input(format!("{}: {e}", path.display()))),
        "npz" => read_only_array(path, file),
        "pb" => {
            tensor_from_file(path).map_err(|e| Failure::input(format!("{}: {e}", path.display())))
        }
        "png" | "jpg" | "jpeg" => read_picture(path, shape, pictures, common),
        _ => Err(Failure::input(format!(
            "{}: expected a .npy, .npz, .pb, .png or .jpg file",
            path.display()
        ))),
    }
}

/// The only array of an `.npz` archive.
fn read_only_array(path: &Path, file: File) -> Result<Tensor, Failure> {
    let wrong = |e: String| Failure::input(format!("{}: {e}", path.display()));
    let mut names = Vec::new();
    let arrays = numpy::read_npz(BufReader::new(file), usize::MAX, |name| {
        names.push(name.to_string());
        names.len() == 1
    });
    match arrays.map_err(|e| wrong(e.to_string()))?.pop() {
        Some((_, tensor)) if names.len() == 1 => Ok(tensor),
        _ => Err(wrong(format!(
            "holds {} arrays ({}), expected one",
            names.len(),
            names.join(", ")
        ))),
    }
}

fn read_picture(
    path: &Path,
    shape: &[usize],
    pictures: Pictures,
    common: &Common,
) -> Result<Tensor, Failure> {
    let [1, channels @ (1 | 3), height, width] = *shape else {
        return Err(Failure::input(format!(
            "{}: a picture fits an input of shape 1x1xHxW or 1x3xHxW, this one has {shape:?}",
            path.display()
        )));
    };
    let photo = photo(path, pictures)?;
    let [h, w] = photo.size();
    if [h, w] != [height, width] {
        let path = path.display();
        let message = format!("{path}: {h}x{w}, resized to the input's {height}x{width}");
        note(common, &message);
    }
    let tensor = photo.resized([height, width]).tensor(channels)?;
    Ok(match pictures.white {
        None => tensor,
        Some(white) => {
            let values: Vec<f64> = tensor.to_f64().iter().map(|v| v * white).collect();
            Tensor::from_f64(DType::F32, shape, &values)
        }
    })
}

/// Writes a `.npy` file (bf16 as f32, which numpy lacks), or a `.png` of a `[1, 1|3, H, W]` tensor in which white is `white` (if that is not
/// said: 255 where some value exceeds 2, else 1).
pub fn write(path: &Path, tensor: &Tensor, white: Option<f64>) -> Result<(), Failure> {
    let extension = path.extension().and_then(|e| e.to_str());
    match extension.map(str::to_lowercase).as_deref() {
        Some("png") => {
            let has_levels = || tensor.to_f64().iter().any(|v| *v > 2.0);
            let white = white.unwrap_or_else(|| if has_levels() { 255.0 } else { 1.0 });
            let png = photo::png(tensor, white);
            let png = png.map_err(|e| load::wrong(path, e))?;
            output::write(path, &png)
        }
        Some("npy") => output::write(path, &numpy::to_npy(tensor)),
        _ => Err(Failure::input(format!(
            "{}: expected the name of a .npy or .png file",
            path.display()
        ))),
    }
}

/// Values from a seed: floats standard normal, integers 0 to 9, booleans either.
pub fn random(dtype: DType, shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    // SplitMix64 (Steele et al. 2014).
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let count: usize = shape.iter().product();
    if dtype.is_float() {
        let mut unit = || ((next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        // Box and Muller 1958.
        let values: Vec<f64> = (0..count)
            .map(|_| (-2.0 * unit().ln()).sqrt() * (std::f64::consts::TAU * unit()).cos())
            .collect();
        Tensor::from_f64(dtype, shape, &values)
    } else {
        let range = if dtype == DType::Bool { 2 } else { 10 };
        let values: Vec<i64> = (0..count).map(|_| (next() % range) as i64).collect();
        Tensor::from_i64(dtype, shape, &values)
    }
}

/// Number of elements, least, mean and greatest value, and a hash of the bytes: enough to see whether two runs agree.
pub fn digest(tensor: &Tensor) -> String {
    let v = tensor.to_f64();
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for b in tensor.bytes() {
        hash = (hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
    }
    let (min, max) = v
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| {
            (a.min(*x), b.max(*x))
        });
    let mean = v.iter().sum::<f64>() / v.len().max(1) as f64;
    format!("min {min:.6} mean {mean:.6} max {max:.6} hash {hash:016x}")
}
