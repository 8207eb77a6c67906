//! Front ends: files in, graphs out.

pub mod native;
pub mod onnx;
