//! What this machine can do, measured: the rate of a matrix product that fits its caches, and the bandwidth of a copy that does not.

use crate::cli::args::Common;
use crate::cli::failure::Failure;
use crate::cli::load;
use crate::compile::compile;
use cnnc_ir::schema::TypeError;
use cnnc_ir::{Attrs, DType, Graph, OpKind, Tensor, TensorType};
use std::time::{Duration, Instant};

/// Rates of as many threads as were asked for.
pub struct Peak {
    /// 10^9 operations a second.
    pub gflops: f64,
    /// 10^9 bytes a second, read and written.
    pub gbs: f64,
}

/// Side of the matrices; no power of two, whose rows would share few sets of a cache.
const SIDE: usize = 480;
/// Bytes a thread copies: more than its share of any cache.
const COPIED: usize = 64 << 20;
/// How long each rate is measured; the best run counts.
const BUDGET: Duration = Duration::from_millis(200);

impl Peak {
    pub fn measure(threads: usize, common: &Common) -> Result<Peak, Failure> {
        Ok(Peak {
            gflops: product_rate(threads, common)?,
            gbs: copy_rate(threads),
        })
    }
}

fn product_rate(threads: usize, common: &Common) -> Result<f64, Failure> {
    let graph = product().map_err(Failure::input)?;
    let model = compile(graph, &load::compile_options(common)?)?.model()?;
    let mut session = model.session(threads)?;
    // Memory that was never written is one page of zeros, again and again, which a first cache may not cope with.
    let ones = vec![1.0f32; SIDE * SIDE];
    session.input_mut::<f32>("a")?.copy_from(&ones)?;
    let mut outcome = Ok(());
    let best = shortest(|| outcome = session.run());
    outcome?;
    Ok(2.0 * (SIDE * SIDE * SIDE) as f64 / best / 1e9)
}

/// Seconds of the shortest run.
fn shortest(mut run: impl FnMut()) -> f64 {
    let (begin, mut best) = (Instant::now(), Duration::MAX);
    while begin.elapsed() < BUDGET {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best.as_secs_f64()
}

/// A product with a constant matrix, as a dense layer has it.
fn product() -> Result<Graph, TypeError> {
    let mut graph = Graph::new("peak");
    let ones = Tensor::from_f64(DType::F32, &[SIDE, SIDE], &vec![1.0; SIDE * SIDE]);
    let a = graph.add_input("a", TensorType::new(DType::F32, [SIDE, SIDE]));
    let b = graph.add_constant("b", ones);
    let y = graph.op(OpKind::MatMul, &[a, b], Attrs::default())?;
    graph.add_output("y", y);
    Ok(graph)
}

fn copy_rate(threads: usize) -> f64 {
    let mut buffers = vec![(vec![1u8; COPIED / 2], vec![0u8; COPIED / 2]); threads.max(1)];
    let best = shortest(|| {
        std::thread::scope(|scope| {
            for (from, to) in &mut buffers {
                scope.spawn(|| to.copy_from_slice(std::hint::black_box(from)));
            }
        });
    });
    (COPIED * threads.max(1)) as f64 / best / 1e9
}
