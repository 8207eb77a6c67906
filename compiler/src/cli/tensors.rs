//! Tensors in files: `.npy`, `.npz`, `.pb` (ONNX TensorProto), `.png`, `.jpg`, and `random:SEED`.

use super::failure::Failure;
use super::output;
use crate::frontend::onnx::tensor_from_file;
use cnnc_ir::{DType, Tensor};
use cnnc_models::data::numpy;
use std::fs::File;
use std::io::{BufReader, Cursor};
use std::path::Path;

/// Reads a tensor. A picture becomes `[1, channels, height, width]` of `shape` (resized, values 0 to 1); the other formats carry
/// their own type and shape.
pub fn read(path: &Path, shape: &[usize]) -> Result<Tensor, Failure> {
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
        "png" | "jpg" | "jpeg" => read_picture(path, shape),
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

fn read_picture(path: &Path, shape: &[usize]) -> Result<Tensor, Failure> {
    let [1, channels @ (1 | 3), height, width] = *shape else {
        return Err(Failure::input(format!(
            "{}: a picture fits an input of shape 1x1xHxW or 1x3xHxW, this one has {shape:?}",
            path.display()
        )));
    };
    let picture =
        image::open(path).map_err(|e| Failure::input(format!("{}: {e}", path.display())))?;
    let picture = picture.resize_exact(
        width as u32,
        height as u32,
        image::imageops::FilterType::Triangle,
    );
    let pixels = if channels == 1 {
        picture.to_luma8().into_raw()
    } else {
        picture.to_rgb8().into_raw()
    };
    let planes: Vec<f64> = (0..channels)
        .flat_map(|c| {
            pixels
                .iter()
                .skip(c)
                .step_by(channels)
                .map(|&p| f64::from(p) / 255.0)
        })
        .collect();
    Ok(Tensor::from_f64(DType::F32, shape, &planes))
}

/// Writes a `.npy` file (bf16 as f32, which numpy lacks), or a `.png` of a `[1, 1|3, H, W]` tensor with values 0 to 1 (or 0 to 255
/// where some value exceeds 2).
pub fn write(path: &Path, tensor: &Tensor) -> Result<(), Failure> {
    let extension = path.extension().and_then(|e| e.to_str());
    match extension.map(str::to_lowercase).as_deref() {
        Some("png") => write_picture(path, tensor),
        Some("npy") => output::write(path, &numpy::to_npy(tensor)),
        _ => Err(Failure::input(format!(
            "{}: expected the name of a .npy or .png file",
            path.display()
        ))),
    }
}

fn write_picture(path: &Path, tensor: &Tensor) -> Result<(), Failure> {
    let [1, channels @ (1 | 3), height, width] = *tensor.shape() else {
        return Err(Failure::input(format!(
            "{}: only a 1x1xHxW or 1x3xHxW tensor is a picture",
            path.display()
        )));
    };
    let v = tensor.to_f64();
    let scale = if v.iter().any(|x| *x > 2.0) {
        1.0
    } else {
        255.0
    };
    let plane = height * width;
    let pixels: Vec<u8> = (0..plane)
        .flat_map(|p| (0..channels).map(move |c| c * plane + p))
        .map(|i| (v[i] * scale).round().clamp(0.0, 255.0) as u8)
        .collect();
    let kind = if channels == 1 {
        image::ColorType::L8
    } else {
        image::ColorType::Rgb8
    };
    let mut file = Cursor::new(Vec::new());
    image::write_buffer_with_format(
        &mut file,
        &pixels,
        width as u32,
        height as u32,
        kind,
        image::ImageFormat::Png,
    )
    .map_err(|e| Failure::system(format!("{}: {e}", path.display())))?;
    output::write(path, file.get_ref())
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
