//! Extents that are known at run time only: loops end where the value does, strides are those of the upper bound.

use cnnc::codegen::{Source, flat};
use cnnc::kernel::nest::{self, Nest};
use cnnc::memory::view::{Extent, Space, View};
use cnnc_ir::class::{Combine, Reduce};
use cnnc_ir::{DType, Ex, Layout};
use cnnc_runtime::{
    Code, CpuLevel, ExtentSlot, Location, Model, Operand, Port, Program, Step, StepKind, TensorView,
};

const UPPER: u64 = 500;
const COLUMNS: u64 = 7;

/// `f32[n<=500, 7]` at the start of the arena.
fn rows() -> View {
    View {
        space: Space::Arena,
        offset: 0,
        dtype: DType::F32,
        dims: vec![
            Extent::Slot {
                index: 0,
                upper: UPPER,
            },
            Extent::Fixed(COLUMNS),
        ],
        strides: vec![COLUMNS as i64, 1],
        layout: Layout::Plain,
    }
}

fn port(name: &str, dims: Vec<cnnc_runtime::Extent>, strides: Vec<i64>, offset: u64) -> Port {
    Port {
        name: name.to_owned(),
        operand: Operand {
            dtype: cnnc_runtime::DType::F32,
            dims,
            strides,
            location: Location {
                space: cnnc_runtime::Space::Arena,
                offset,
            },
        },
    }
}

/// Runs the nests on `n` rows of 0, 1, 2, ... for several `n`; yields what lies behind the input.
fn run(nests: &[Nest], output: Port) -> Vec<Vec<f32>> {
    use cnnc_runtime::Extent::{Fixed, Slot};
    let sources: Vec<Source> = nests.iter().map(Source::Nest).collect();
    let steps = sources.iter().enumerate().map(|(k, source)| Step {
        label: "nest".to_owned(),
        kind: StepKind::Native {
            entry: k as u32,
            chunks: source.chunks(),
        },
    });
    let program = Program {
        name: "test".to_owned(),
        producer: "test".to_owned(),
        cpu: CpuLevel::Baseline,
        inputs: vec![port(
            "x",
            vec![Slot(0), Fixed(COLUMNS)],
            vec![COLUMNS as i64, 1],
            0,
        )],
        outputs: vec![output],
        states: Vec::new(),
        initials: Vec::new(),
        arena_bytes: 2 * UPPER * COLUMNS * 4,
        scratch_bytes: 0,
        state_bytes: 0,
        extents: vec![ExtentSlot {
            name: "n".to_owned(),
            upper: UPPER,
        }],
        steps: steps.collect(),
    };
    let blob = flat::blob(&sources, CpuLevel::Baseline).expect("the nests compile");
    let code = Code::Blob {
        bytes: blob.bytes,
        entries: blob.entries,
    };
    let model = Model::from_parts(program, Vec::<u8>::new(), code).expect("the program is valid");
    let mut session = model.session(2).expect("a session starts");
    let counts = [3usize, 500, 0, 64];
    counts
        .iter()
        .map(|&n| {
            let values: Vec<f32> = (0..n * COLUMNS as usize).map(|i| i as f32).collect();
            let dims = [n, COLUMNS as usize];
            let x = TensorView::new(&dims, &values).expect("sizes agree");
            let outputs = session.run_with(&[("x", x)]).expect("the program runs");
            outputs[0].1.as_slice::<f32>().expect("f32").to_vec()
        })
        .collect()
}

#[test]
fn elementwise_loops_end_at_the_extent() {
    use cnnc_runtime::Extent::{Fixed, Slot};
    let offset = UPPER * COLUMNS * 4;
    let output = View { offset, ..rows() };
    let expr = (Ex::arg(0, DType::F32) + 1.0).finish();
    let nests = nest::elementwise(&expr, &[rows()], &output).expect("lowers");
    let y = port(
        "y",
        vec![Slot(0), Fixed(COLUMNS)],
        vec![COLUMNS as i64, 1],
        offset,
    );
    for found in run(&nests, y) {
        let expected: Vec<f32> = (0..found.len()).map(|i| i as f32 + 1.0).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn reductions_combine_what_is_there() {
    use cnnc_runtime::Extent::Fixed;
    let offset = UPPER * COLUMNS * 4;
    let output = View {
        offset,
        dims: vec![Extent::Fixed(COLUMNS)],
        strides: vec![1],
        ..rows()
    };
    let sum = Reduce {
        axes: vec![0],
        keepdims: false,
        combine: Combine::Sum,
        map: None,
        finish: None,
    };
    let nests = nest::reduce(&sum, &rows(), &output, None).expect("lowers");
    let y = port("y", vec![Fixed(COLUMNS)], vec![1], offset);
    let found = run(&nests, y);
    for (n, sums) in [3u64, 500, 0, 64].into_iter().zip(found) {
        let rows = n * n.saturating_sub(1) / 2 * COLUMNS;
        let expected: Vec<f32> = (0..COLUMNS).map(|c| (rows + n * c) as f32).collect();
        assert_eq!(sums, expected);
    }
}
