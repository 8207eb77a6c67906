//! The ONNX front end: protobuf, tensors (inline and external), and the importer.

pub mod external;
pub mod import;
pub mod problem;
pub mod proto;
mod schema_check;
pub mod tensor;

pub use import::{ImportOptions, Imported, import, input_names};
pub use problem::{ImportError, Problem};
pub use tensor::tensor_from_file;
