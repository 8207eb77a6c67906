//! Dead code: operators and constants that no output needs.

use super::{PassError, PassOptions};
use cnnc_ir::Graph;

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    Ok(graph.sweep())
}
