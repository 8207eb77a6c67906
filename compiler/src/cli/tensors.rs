//! Tensors in files: `.npy`, `.npz`, `.pb` (ONNX TensorProto), `.png`, `.jpg`, and `random:SEED`.

use super::failure::Failure;
use super::output;
use crate::frontend::onnx::tensor_from_file;
use cnnc_ir::{DType, Tensor};
use half::{bf16, f16};
use npyz::{AutoSerialize, Deserialize, NpyFile, WriterBuilder};
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Write};
use std::path::Path;
use zip::ZipArchive;

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
        "npy" => read_npy(BufReader::new(file))
            .map_err(|e| Failure::input(format!("{}: {e}", path.display()))),
        "npz" => read_npz(path, file),
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

fn read_npy(reader: impl Read) -> Result<Tensor, String> {
    let npy = NpyFile::new(reader).map_err(|e| e.to_string())?;
    let shape: Vec<usize> = npy
        .shape()
        .iter()
        .map(|&d| usize::try_from(d).map_err(|_| format!("dimension {d} is too large")))
        .collect::<Result<_, _>>()?;
    if npy.order() != npyz::Order::C && shape.len() > 1 {
        return Err(
            "the array is in Fortran order; save it with numpy.ascontiguousarray".to_string(),
        );
    }
    let declared = npy.dtype();
    macro_rules! attempt {
        ($($rust:ty => $dtype:ident),*) => {$(
            if <$rust as Deserialize>::reader(&declared).is_ok() {
                return collect::<$rust>(npy, DType::$dtype, shape);
            }
        )*};
    }
    attempt!(f32 => F32, f64 => F64, f16 => F16, i64 => I64, i32 => I32, i16 => I16, i8 => I8,
             u64 => U64, u32 => U32, u16 => U16, u8 => U8, bool => Bool);
    Err(format!(
        "element type {} is not supported",
        declared.descr()
    ))
}

/// Elements with a little-endian form.
trait Bytes {
    fn put(self, to: &mut Vec<u8>);
}
macro_rules! bytes {
    ($($t:ty)*) => {$(impl Bytes for $t { fn put(self, to: &mut Vec<u8>) { to.extend_from_slice(&self.to_le_bytes()) } })*};
}
bytes!(f32 f64 f16 i64 i32 i16 i8 u64 u32 u16 u8);
impl Bytes for bool {
    fn put(self, to: &mut Vec<u8>) {
        to.push(u8::from(self));
    }
}

fn collect<T: Deserialize + Bytes>(
    npy: NpyFile<impl Read>,
    dtype: DType,
    shape: Vec<usize>,
) -> Result<Tensor, String> {
    let mut data = Vec::new();
    for v in npy.data::<T>().map_err(|e| e.to_string())? {
        v.map_err(|e| e.to_string())?.put(&mut data);
    }
    Tensor::new(dtype, shape, data.into())
        .ok_or_else(|| "the data is shorter or longer than the shape says".to_string())
}

/// The only array of an `.npz` archive.
fn read_npz(path: &Path, file: File) -> Result<Tensor, Failure> {
    let wrong = |e: String| Failure::input(format!("{}: {e}", path.display()));
    let mut archive = ZipArchive::new(file).map_err(|e| wrong(e.to_string()))?;
    if archive.len() != 1 {
        let names: Vec<&str> = archive.file_names().collect();
        return Err(wrong(format!(
            "holds {} arrays ({}), expected one",
            names.len(),
            names.join(", ")
        )));
    }
    let mut entry = archive.by_index(0).map_err(|e| wrong(e.to_string()))?;
    let mut bytes = Vec::new();
    entry
        .read_to_end(&mut bytes)
        .map_err(|e| wrong(e.to_string()))?;
    read_npy(&bytes[..]).map_err(wrong)
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
    let wrong = |e: &dyn std::fmt::Display| Failure::system(format!("{}: {e}", path.display()));
    let extension = path.extension().and_then(|e| e.to_str());
    match extension.map(str::to_lowercase).as_deref() {
        Some("png") => return write_picture(path, tensor),
        Some("npy") => {}
        _ => {
            return Err(Failure::input(format!(
                "{}: expected the name of a .npy or .png file",
                path.display()
            )));
        }
    }
    let mut file = Vec::new();
    let shape: Vec<u64> = tensor.shape().iter().map(|&d| d as u64).collect();
    macro_rules! values {
        ($t:ty, $from:expr) => {
            write_npy::<$t>(
                &mut file,
                &shape,
                tensor.bytes().chunks_exact(size_of::<$t>()).map($from),
            )
        };
        ($t:ty) => {
            values!($t, |c| <$t>::from_le_bytes(
                c.try_into().unwrap_or_default()
            ))
        };
    }
    let written = match tensor.dtype() {
        DType::F32 => values!(f32),
        DType::F64 => values!(f64),
        DType::F16 => values!(f16),
        DType::BF16 => write_npy(
            &mut file,
            &shape,
            tensor
                .bytes()
                .chunks_exact(2)
                .map(|c| bf16::from_le_bytes([c[0], c[1]]).to_f32()),
        ),
        DType::I8 => values!(i8),
        DType::I16 => values!(i16),
        DType::I32 => values!(i32),
        DType::I64 => values!(i64),
        DType::U8 => values!(u8),
        DType::U16 => values!(u16),
        DType::U32 => values!(u32),
        DType::U64 => values!(u64),
        DType::Bool => write_npy(&mut file, &shape, tensor.bytes().iter().map(|&b| b != 0)),
    };
    written.map_err(|e| wrong(&e))?;
    output::write(path, &file)
}

fn write_npy<T: AutoSerialize>(
    file: impl Write,
    shape: &[u64],
    values: impl Iterator<Item = T>,
) -> std::io::Result<()> {
    let mut writer = npyz::WriteOptions::new()
        .default_dtype()
        .shape(shape)
        .writer(file)
        .begin_nd()?;
    for v in values {
        writer.push(&v)?;
    }
    writer.finish()
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
