//! Compiles the nests of one operator, runs them, and holds the result against the interpreter.

use crate::layout::{HALO, Placed, place, unplace};
use cnnc::codegen::{Source, flat, jit};
use cnnc::kernel::nest::{self, Nest};
use cnnc::memory::view::View;
use cnnc::select::{Staged, Tiled};
use cnnc_ir::interp::{Interpreter, Precision, distance};
use cnnc_ir::{AttrValue, DType, Ex, Graph, Layout, NodeId, OpKind, Semantics, Tensor, TensorType};
use cnnc_runtime::{
    Code, CpuLevel, Location, Model, Operand, Port, Program, SessionOptions, Step, StepKind,
    TensorView,
};

pub fn runtime_type(dtype: DType) -> cnnc_runtime::DType {
    cnnc_runtime::DType::ALL
        .into_iter()
        .find(|d| d.name() == dtype.name())
        .expect("both crates name the same types")
}

/// A one-operator graph.
pub fn operator(kind: OpKind, attrs: &[(&str, AttrValue)], inputs: &[Tensor]) -> (Graph, NodeId) {
    let mut graph = Graph::new("test");
    let values: Vec<_> = inputs
        .iter()
        .enumerate()
        .map(|(k, t)| {
            graph.add_input(
                &format!("x{k}"),
                TensorType::new(t.dtype(), t.shape().to_vec()),
            )
        })
        .collect();
    let attrs = attrs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let value = graph
        .op(kind, &values, attrs)
        .expect("the operator is well typed");
    graph.add_output("y", value);
    (graph, value.node)
}

pub fn lower(
    semantics: &Semantics,
    inputs: &[View],
    output: &View,
    epilogue: Option<&nest::Epilogue>,
) -> Vec<Nest> {
    let nests = match semantics {
        Semantics::Elementwise(e) => nest::elementwise(e, inputs, output),
        Semantics::Reduce(r) => nest::reduce(r, &inputs[0], output, epilogue),
        Semantics::Contract(c) => nest::contract(c, inputs, output, epilogue),
        Semantics::Window(w) => nest::window(w, &inputs[0], output, epilogue),
        Semantics::Movement(m) => nest::movement(m, inputs, output),
        other => panic!("{other:?} is no loop nest"),
    };
    nests.expect("the class lowers to nests")
}

/// How a case is compiled.
#[derive(Clone, Copy)]
pub struct Setup {
    pub blocked_input: bool,
    pub blocked_output: bool,
    pub level: CpuLevel,
    pub threads: usize,
    pub in_process: bool,
}

pub const SETUP: Setup = Setup {
    blocked_input: false,
    blocked_output: false,
    level: CpuLevel::V3,
    threads: 1,
    in_process: false,
};

/// A step to compile.
pub enum Work {
    Nest(Nest),
    Tiled(Tiled),
    Staged(Staged),
}

impl Work {
    /// Scratch memory a thread needs, in bytes.
    fn scratch(&self) -> u64 {
        match self {
            Work::Staged(staged) => staged.plan.scratch,
            Work::Nest(_) | Work::Tiled(_) => 0,
        }
    }

    fn source(&self) -> Source<'_> {
        match self {
            Work::Nest(nest) => Source::Nest(nest),
            Work::Tiled(tiled) => Source::Tiled(tiled),
            Work::Staged(staged) => Source::Staged(staged),
        }
    }
}

/// Compiles nests and runs them; see [`run_work`].
pub fn run_nests(
    setup: Setup,
    inputs: &[Tensor],
    output: &Tensor,
    nests: impl FnOnce(&[View], &View) -> Vec<Nest>,
) -> Tensor {
    run_work(setup, inputs, output, Vec::new(), |views, out| {
        nests(views, out).into_iter().map(Work::Nest).collect()
    })
}

/// Compiles steps that compute a value like `output` from the inputs and the weights, and runs them. The first operand and those of
/// its shape may be blocked.
pub fn run_work(
    setup: Setup,
    inputs: &[Tensor],
    output: &Tensor,
    weights: Vec<u8>,
    work: impl FnOnce(&[View], &View) -> Vec<Work>,
) -> Tensor {
    let mut arena_bytes = 0u64;
    let mut next = |t: &Tensor, blocked: bool| {
        let placed = place(t, blocked, arena_bytes);
        arena_bytes = (arena_bytes + placed.bytes.len() as u64).next_multiple_of(64);
        placed
    };
    let shape = inputs.first().map(Tensor::shape);
    let placed: Vec<Placed> = inputs
        .iter()
        .map(|t| next(t, setup.blocked_input && Some(t.shape()) == shape))
        .collect();
    let out = next(output, setup.blocked_output);
    let views: Vec<View> = placed.iter().map(|p| p.view.clone()).collect();
    let work = work(&views, &out.view);
    let sources: Vec<Source> = work.iter().map(Work::source).collect();
    let inputs = placed.iter().enumerate();
    let program = Program {
        name: "test".to_owned(),
        producer: "test".to_owned(),
        cpu: setup.level,
        inputs: inputs.map(|(k, p)| port(format!("x{k}"), p)).collect(),
        outputs: vec![port("y".to_owned(), &out)],
        states: Vec::new(),
        initials: Vec::new(),
        arena_bytes,
        scratch_bytes: work.iter().map(Work::scratch).max().unwrap_or(0),
        state_bytes: 0,
        extents: Vec::new(),
        steps: steps(&sources),
    };
    let code = code(setup, &sources);
    let model = Model::from_parts(program, weights, code).expect("the program is valid");
    let threads = setup.threads;
    let mut session = model
        .session_with(SessionOptions { threads })
        .expect("a session starts");
    for (k, p) in placed.iter().enumerate() {
        let dims: Vec<usize> = p.dims.iter().map(|&n| n as usize).collect();
        let dtype = runtime_type(p.view.dtype);
        let view = TensorView::from_bytes(dtype, &dims, &p.bytes).expect("bytes fit");
        session
            .set_input(&format!("x{k}"), view)
            .expect("the input is accepted");
    }
    session.run().expect("the program runs");
    let result = session.fetch_output("y").expect("the output exists");
    unplace(result.bytes(), output, setup.blocked_output)
}

fn port(name: String, p: &Placed) -> Port {
    let interior = match p.view.layout {
        Layout::Plain => 0,
        Layout::Blocked { .. } => {
            let s = &p.view.strides;
            (HALO as i64 * (s[2] + s[3])) as u64 * p.view.dtype.size() as u64
        }
    };
    let location = Location {
        space: cnnc_runtime::Space::Arena,
        offset: p.view.offset - interior,
    };
    Port {
        name,
        operand: Operand::dense(runtime_type(p.view.dtype), &p.dims, location),
    }
}

fn steps(sources: &[Source<'_>]) -> Vec<Step> {
    let numbered = sources.iter().enumerate();
    numbered
        .map(|(k, source)| Step {
            label: format!("step {k}"),
            kind: StepKind::Native {
                entry: k as u32,
                chunks: source.chunks(),
            },
        })
        .collect()
}

fn code(setup: Setup, sources: &[Source<'_>]) -> Code {
    if setup.in_process {
        return jit::jit(sources, setup.level).expect("the steps compile");
    }
    let blob = flat::blob(sources, setup.level).expect("the steps compile");
    Code::Blob {
        bytes: blob.bytes,
        entries: blob.entries,
    }
}

/// Holds one operator against the interpreter.
pub fn check_with(
    setup: Setup,
    kind: OpKind,
    attrs: &[(&str, AttrValue)],
    inputs: &[Tensor],
    tolerance: f64,
) {
    let (graph, node) = operator(kind, attrs, inputs);
    let semantics = graph.semantics(node).expect("the operator has semantics");
    let operands: Vec<Option<Tensor>> = inputs.iter().cloned().map(Some).collect();
    let expected = Interpreter::new(Precision::F32)
        .eval_node(&graph, node, &operands)
        .expect("the interpreter evaluates it")
        .remove(0);
    let found = run_nests(setup, inputs, &expected, |views, out| {
        lower(&semantics, views, out, None)
    });
    let off = distance(&found, &expected);
    assert!(
        off <= tolerance,
        "{kind:?} {attrs:?}: off by {off}\nexpected {:?}\nfound {:?}",
        &expected.to_f64()[..expected.len().min(64)],
        &found.to_f64()[..found.len().min(64)]
    );
}

/// Every setup of threads, levels and code that must not change a bit.
pub fn check(kind: OpKind, attrs: &[(&str, AttrValue)], inputs: &[Tensor], tolerance: f64) {
    check_with(SETUP, kind, attrs, inputs, tolerance);
    check_with(
        Setup {
            threads: 3,
            level: CpuLevel::Baseline,
            ..SETUP
        },
        kind,
        attrs,
        inputs,
        tolerance,
    );
}

/// All four combinations of layouts of operand and result.
pub fn check_layouts(kind: OpKind, attrs: &[(&str, AttrValue)], inputs: &[Tensor], tolerance: f64) {
    for (blocked_input, blocked_output) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        let setup = Setup {
            blocked_input,
            blocked_output,
            ..SETUP
        };
        check_with(setup, kind, attrs, inputs, tolerance);
    }
}

pub fn ints(values: &[i64]) -> AttrValue {
    AttrValue::Ints(values.to_vec())
}

pub fn map_attrs(expr: &Ex) -> [(&'static str, AttrValue); 2] {
    [
        ("dtype", AttrValue::DType(expr.dtype())),
        ("expr", AttrValue::Expr(expr.finish())),
    ]
}

/// Axes are a constant operand of these operators.
pub fn check_axes(
    kind: OpKind,
    x: &Tensor,
    axes: &[i64],
    keepdims: i64,
    tolerance: f64,
    setup: Setup,
) {
    let mut graph = Graph::new("test");
    let value = graph.add_input("x", TensorType::new(x.dtype(), x.shape().to_vec()));
    let axes_value = graph.add_constant("axes", Tensor::ints(axes));
    let attrs = [("keepdims".to_owned(), AttrValue::Int(keepdims))]
        .into_iter()
        .collect();
    let y = graph
        .op(kind, &[value, axes_value], attrs)
        .expect("well typed");
    let semantics = graph.semantics(y.node).expect("semantics");
    let operands = [Some(x.clone()), Some(Tensor::ints(axes))];
    let expected = Interpreter::new(Precision::F32)
        .eval_node(&graph, y.node, &operands)
        .expect("evaluates")
        .remove(0);
    let found = run_nests(setup, std::slice::from_ref(x), &expected, |views, out| {
        lower(&semantics, views, out, None)
    });
    let off = distance(&found, &expected);
    assert!(
        off <= tolerance,
        "{kind:?} {axes:?} keepdims {keepdims}: off by {off}\n{:?}\n{:?}",
        expected.to_f64(),
        found.to_f64()
    );
}
