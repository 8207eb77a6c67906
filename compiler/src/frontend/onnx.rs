//! ONNX: protobuf, tensors (inline and external), the importer and the exporter.

pub mod export;
pub mod external;
pub mod import;
pub mod problem;
pub mod proto;
mod schema_check;
pub mod tensor;

pub use export::{ExportError, export};
pub use import::{ImportOptions, Imported, InputDims, import, input_dims, input_names};
pub use problem::{ImportError, Problem};
pub use tensor::tensor_from_file;
