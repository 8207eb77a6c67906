//! Front ends: files in, graphs out.

pub mod onnx;
