//! Whole networks: time to compile, to open and to run: `cargo bench --bench networks [WORD]`.
//!
//! One thread. Each network's result is compared with the interpreter's before anything is measured. Networks
//! are the shipped one and stacks of layers that show one kernel each; real networks are measured by `cnnc bench`.

use cnnc::compile::{CompileOptions, compile};
use cnnc::frontend::onnx::{ImportOptions, import};
use cnnc_ir::{AttrValue, Attrs, DType, Graph, Interpreter, OpKind, Precision, Tensor, TensorType};
use cnnc_runtime::{CpuLevel, Model, Session, TensorView};
use criterion::{Criterion, criterion_group, criterion_main};

fn networks(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let onnx = folder.path().join("digits.onnx");
    std::fs::write(&onnx, cnnc_models::DIGITS.onnx).expect("room for a small file");
    let digits = import(&onnx, &ImportOptions::default()).expect("the shipped network");
    let networks = [
        ("digits", digits.graph),
        ("3x3 stack", stack(6, 64, 28, 3)),
        ("1x1 stack", stack(6, 256, 14, 1)),
    ];
    for (name, graph) in networks {
        let file = folder.path().join("net.bin");
        let write = || {
            let made = compile(graph.clone(), &options()).expect("a legal graph");
            let written = made.artefact(None, |w| w.write_file(&file));
            written.expect("code").expect("room for a file");
        };
        write();
        let mut group = criterion.benchmark_group(name);
        group.bench_function("compile", |b| b.iter(write));
        group.bench_function("open", |b| {
            b.iter(|| Model::open(&file).expect("a whole file"))
        });
        let model = Model::open(&file).expect("a whole file");
        let mut session = checked(&graph, &model);
        group.bench_function("run", |b| b.iter(|| session.run().expect("a run")));
        group.finish();
    }
}

criterion_group!(benches, networks);
criterion_main!(benches);

fn options() -> CompileOptions {
    CompileOptions::new(CpuLevel::host().unwrap_or(CpuLevel::Baseline))
}

/// `depth` convolutions with ReLU, `channels` in and out, the size kept. Weights are small integers over a power of two.
fn stack(depth: usize, channels: usize, size: usize, kernel: usize) -> Graph {
    let mut graph = Graph::new("stack");
    let input = TensorType::new(DType::F32, [1, channels, size, size]);
    let mut value = graph.add_input("x", input);
    let shape = [channels, channels, kernel, kernel];
    let count: usize = shape.iter().product();
    let pad = (kernel / 2) as i64;
    let pads = Attrs::from([("pads".to_string(), AttrValue::Ints(vec![pad; 4]))]);
    for layer in 0..depth {
        let weights: Vec<f64> = (0..count)
            .map(|i| ((i * 7 + layer) % 5) as f64 / 1024.0 - 2.0 / 1024.0)
            .collect();
        let weights = graph.add_constant("w", Tensor::from_f64(DType::F32, &shape, &weights));
        value = graph
            .op(OpKind::Conv, &[value, weights], pads.clone())
            .expect("a legal convolution");
        value = graph
            .op(OpKind::Relu, &[value], Attrs::default())
            .expect("a legal activation");
    }
    graph.add_output("y", value);
    graph
}

/// A session of one thread that has run once, with the interpreter's result.
fn checked(graph: &Graph, model: &Model) -> Session {
    let input = graph.inputs()[0].into();
    let shape = graph.ty(input).fixed_shape().expect("a fixed shape");
    let values: Vec<f64> = (0..shape.iter().product())
        .map(|i: usize| (i % 17) as f64 / 16.0)
        .collect();
    let x = Tensor::from_f64(DType::F32, &shape, &values);
    let name = graph.value_name(input);
    let expected = Interpreter::new(Precision::default())
        .run(graph, &[(name, x.clone())])
        .expect("a legal run");
    let mut session = model.session(1).expect("memory");
    let view = TensorView::from_bytes(cnnc_runtime::DType::F32, x.shape(), x.bytes());
    let fed = view.expect("as many bytes as the shape says");
    session.set_input(name, fed).expect("a fitting input");
    session.run().expect("a run");
    let (output, expected) = &expected[0];
    let found = session.fetch_output(output).expect("memory");
    let found = found.as_slice::<f32>().expect("floats");
    for (&y, want) in found.iter().zip(expected.to_f64()) {
        let off = (f64::from(y) - want).abs();
        assert!(off <= 1e-4 + 1e-3 * want.abs(), "{y} is not {want}");
    }
    session
}
