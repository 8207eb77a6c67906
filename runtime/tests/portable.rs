//! The portable kernels on small tensors. The examples are those of the ONNX operators' pages where these have some.

use cnnc_runtime::portable::{
    Activation, ActivationKind, Compress, Concat, Copy, Cumulative, Det, Direction, GatherElements,
    GatherNd, Gru, Lstm, MaxPoolGradient, MaxUnpool, NonMaxSuppression, NonZero, Reduction,
    ReverseSequence, Rnn, RoiAlign, RoiPooling, ScatterElements, ScatterNd, TopK, Unique,
};
use cnnc_runtime::{
    Code, CpuLevel, DType, Element, Extent, ExtentSlot, Location, Model, Operand, Port, Portable,
    Program, RunError, Space, Step, StepKind, Tensor,
};
use std::slice::from_ref;

fn tensor<T: Element>(dims: &[usize], data: &[T]) -> Option<Tensor> {
    Some(Tensor::new(dims, data).expect("as many values as the shape has elements"))
}

fn f32s(dims: &[usize], data: &[f32]) -> Option<Tensor> {
    tensor(dims, data)
}

fn ints(dims: &[usize], data: &[i64]) -> Option<Tensor> {
    tensor(dims, data)
}

/// An output as planned: its type and extents, negative where known at run time only and so much at most.
type Plan<'a> = (DType, &'a [i64]);

fn run(
    kernel: impl Into<Portable>,
    inputs: &[Option<Tensor>],
    outputs: &[Plan<'_>],
) -> Result<Vec<Tensor>, RunError> {
    let mut weights = Vec::new();
    let mut constant = |tensor: &Tensor| {
        weights.resize(weights.len().next_multiple_of(64), 0u8);
        let dims: Vec<u64> = tensor.dims().iter().map(|&n| n as u64).collect();
        let location = Location {
            space: Space::Weights,
            offset: weights.len() as u64,
        };
        weights.extend_from_slice(tensor.bytes());
        Operand::dense(tensor.dtype(), &dims, location)
    };
    let inputs = inputs
        .iter()
        .map(|input| input.as_ref().map(&mut constant))
        .collect();
    let mut extents = Vec::new();
    let mut arena_bytes = 0;
    let mut ports = Vec::new();
    for &(dtype, dims) in outputs {
        let upper: Vec<u64> = dims.iter().map(|n| n.unsigned_abs()).collect();
        let mut operand = Operand::dense(
            dtype,
            &upper,
            Location {
                space: Space::Arena,
                offset: arena_bytes,
            },
        );
        arena_bytes += (upper.iter().product::<u64>() * 8).next_multiple_of(64);
        for (axis, _) in dims.iter().enumerate().filter(|&(_, &n)| n < 0) {
            operand.dims[axis] = Extent::Slot(extents.len() as u32);
            extents.push(ExtentSlot {
                name: format!("n{axis}"),
                upper: upper[axis],
            });
        }
        ports.push(Port {
            name: format!("output {}", ports.len()),
            operand,
        });
    }
    let kernel = kernel.into();
    let program = Program {
        name: kernel.name().into(),
        producer: "test".into(),
        cpu: CpuLevel::Baseline,
        inputs: Vec::new(),
        steps: vec![Step {
            label: kernel.name().into(),
            kind: StepKind::Portable {
                kernel,
                inputs,
                outputs: ports
                    .iter()
                    .map(|port| Some(port.operand.clone()))
                    .collect(),
            },
        }],
        outputs: ports,
        states: Vec::new(),
        initials: Vec::new(),
        arena_bytes,
        scratch_bytes: 0,
        state_bytes: 0,
        extents,
    };
    let code = Code::Blob {
        bytes: Vec::new(),
        entries: Vec::new(),
    };
    let model = Model::from_parts(program, weights, code).expect("a sound program");
    let outputs = model.session(1)?.run_with(&[])?;
    Ok(outputs.into_iter().map(|(_, tensor)| tensor).collect())
}

/// The outputs as text, one a line.
fn show(kernel: impl Into<Portable>, inputs: &[Option<Tensor>], outputs: &[Plan<'_>]) -> String {
    match run(kernel, inputs, outputs) {
        Ok(tensors) => tensors.iter().map(text).collect::<Vec<_>>().join("; "),
        Err(error) => error.to_string(),
    }
}

fn text(tensor: &Tensor) -> String {
    let values = match tensor.dtype() {
        DType::F32 => format!("{:?}", tensor.as_slice::<f32>()),
        DType::I64 => format!("{:?}", tensor.as_slice::<i64>()),
        _ => format!("{:?}", tensor.bytes()),
    };
    let values = values.trim_start_matches("Some(").trim_end_matches(')');
    format!("{:?} {values}", tensor.dims())
}

fn numbers(tensor: &Tensor) -> &[f32] {
    tensor.as_slice().expect("f32")
}

#[test]
fn gather_elements_picks_along_its_axis() {
    let data = f32s(&[3, 3], &[1., 2., 3., 4., 5., 6., 7., 8., 9.]);
    let indices = ints(&[2, 3], &[1, 2, 0, -1, 0, 0]);
    insta::assert_snapshot!(show(GatherElements { axis: 0 }, &[data.clone(), indices], &[(DType::F32, &[2, 3])]), @"[2, 3] [4.0, 8.0, 3.0, 7.0, 2.0, 3.0]");
    let narrow = tensor(&[3, 1], &[0i32, 2, -2]);
    insta::assert_snapshot!(show(GatherElements { axis: 1 }, &[data, narrow], &[(DType::F32, &[3, 1])]), @"[3, 1] [1.0, 6.0, 8.0]");
}

#[test]
fn gather_nd_picks_slices_by_coordinates() {
    let data = ints(&[2, 2, 2], &[0, 1, 2, 3, 4, 5, 6, 7]);
    let indices = ints(&[2, 1], &[1, 0]);
    insta::assert_snapshot!(show(GatherNd { batch_dims: 1 }, &[data.clone(), indices], &[(DType::I64, &[2, 2])]), @"[2, 2] [2, 3, 4, 5]");
    let indices = ints(&[2, 2], &[0, 1, 1, 2]);
    insta::assert_snapshot!(show(GatherNd { batch_dims: 0 }, &[data, indices], &[(DType::I64, &[2, 2])]), @"step 'GatherNd': index 2 at position 3 is outside of -2..2");
}

#[test]
fn scatter_elements_reduces_hits_in_order() {
    let data = f32s(&[1, 5], &[1., 2., 3., 4., 5.]);
    let indices = ints(&[1, 3], &[1, 3, -4]);
    let updates = f32s(&[1, 3], &[1.1, 2.1, f32::NAN]);
    let mut results = Vec::new();
    for reduction in [
        Reduction::None,
        Reduction::Add,
        Reduction::Mul,
        Reduction::Max,
        Reduction::Min,
    ] {
        let inputs = [data.clone(), indices.clone(), updates.clone()];
        results.push(show(
            ScatterElements { axis: 1, reduction },
            &inputs,
            &[(DType::F32, &[1, 5])],
        ));
    }
    insta::assert_snapshot!(results.join("\n"), @r#"
        [1, 5] [1.0, NaN, 3.0, 2.1, 5.0]
        [1, 5] [1.0, NaN, 3.0, 6.1, 5.0]
        [1, 5] [1.0, NaN, 3.0, 8.4, 5.0]
        [1, 5] [1.0, NaN, 3.0, 4.0, 5.0]
        [1, 5] [1.0, NaN, 3.0, 2.1, 5.0]
        "#);
}

#[test]
fn scatter_nd_replaces_slices() {
    let inputs = [
        ints(&[3, 2], &[1, 2, 3, 4, 5, 6]),
        ints(&[2, 1], &[2, 0]),
        ints(&[2, 2], &[10, 20, 30, 40]),
    ];
    insta::assert_snapshot!(show(ScatterNd { reduction: Reduction::None }, &inputs, &[(DType::I64, &[3, 2])]), @"[3, 2] [30, 40, 3, 4, 10, 20]");
    insta::assert_snapshot!(show(ScatterNd { reduction: Reduction::Add }, &inputs, &[(DType::I64, &[3, 2])]), @"[3, 2] [31, 42, 3, 4, 15, 26]");
}

#[test]
fn top_k_prefers_lower_indices_and_counts_nan_as_largest() {
    let data = f32s(&[2, 4], &[3., 1., 3., f32::NAN, 0., -0., -1., -1.]);
    let top = |largest| TopK {
        axis: 1,
        largest,
        sorted: true,
    };
    let plan: [Plan<'_>; 2] = [(DType::F32, &[2, 3]), (DType::I64, &[2, 3])];
    insta::assert_snapshot!(show(top(true), from_ref(&data), &plan), @"[2, 3] [NaN, 3.0, 3.0, 0.0, -0.0, -1.0]; [2, 3] [3, 0, 2, 0, 1, 2]");
    insta::assert_snapshot!(show(top(false), from_ref(&data), &plan), @"[2, 3] [1.0, 3.0, 3.0, -1.0, -1.0, 0.0]; [2, 3] [1, 0, 2, 2, 3, 0]");
    let plan: [Plan<'_>; 2] = [(DType::F32, &[-2, 4]), (DType::I64, &[-2, 4])];
    let along_rows = TopK {
        axis: 0,
        largest: true,
        sorted: true,
    };
    insta::assert_snapshot!(show(along_rows.clone(), &[data.clone(), ints(&[1], &[1])], &plan), @"[1, 4] [3.0, 1.0, 3.0, NaN]; [1, 4] [0, 0, 0, 0]");
    insta::assert_snapshot!(show(along_rows, &[data, ints(&[1], &[3])], &plan), @"step 'TopK': k is 3, must be at most 2, the extent of the axis");
}

#[test]
fn cumulative_runs_both_ways() {
    let data = f32s(&[2, 3], &[1., 2., 3., 4., 5., 6.]);
    let mut results = Vec::new();
    for (axis, exclusive, reverse, product) in [
        (1, false, false, false),
        (1, true, false, false),
        (1, true, true, false),
        (0, false, true, true),
    ] {
        let kernel = Cumulative {
            axis,
            exclusive,
            reverse,
            product,
        };
        results.push(show(kernel, from_ref(&data), &[(DType::F32, &[2, 3])]));
    }
    insta::assert_snapshot!(results.join("\n"), @r#"
        [2, 3] [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]
        [2, 3] [0.0, 1.0, 3.0, 0.0, 4.0, 9.0]
        [2, 3] [5.0, 3.0, 0.0, 11.0, 6.0, 0.0]
        [2, 3] [4.0, 10.0, 18.0, 4.0, 5.0, 6.0]
        "#);
}

#[test]
fn non_zero_and_compress_find_their_extents() {
    let data = f32s(&[2, 2], &[1., -0., f32::NAN, 1.]);
    insta::assert_snapshot!(show(NonZero, from_ref(&data), &[(DType::I64, &[2, -4])]), @"[2, 3] [0, 1, 1, 0, 0, 1]");
    insta::assert_snapshot!(show(NonZero, from_ref(&data), &[(DType::I64, &[2, -2])]), @"step 'NonZero': extent 'n1' is 3, planned for at most 2");
    let table = ints(&[3, 2], &[1, 2, 3, 4, 5, 6]);
    let condition =
        Some(Tensor::new(&[3], &[false, true, true].map(cnnc_runtime::Bool::from)).unwrap());
    let rows = Compress { axis: Some(0) };
    insta::assert_snapshot!(show(rows, &[table.clone(), condition.clone()], &[(DType::I64, &[-3, 2])]), @"[2, 2] [3, 4, 5, 6]");
    let flat = Compress { axis: None };
    insta::assert_snapshot!(show(flat, &[table, condition], &[(DType::I64, &[-6])]), @"[2] [2, 3]");
}

#[test]
fn unique_groups_equals() {
    let data = f32s(&[6], &[2., 1., 1., 3., 4., 3.]);
    let plan: [Plan<'_>; 4] = [
        (DType::F32, &[-6]),
        (DType::I64, &[-6]),
        (DType::I64, &[-6]),
        (DType::I64, &[-6]),
    ];
    insta::assert_snapshot!(show(Unique { axis: None, sorted: true }, from_ref(&data), &plan), @"[4] [1.0, 2.0, 3.0, 4.0]; [4] [1, 0, 3, 4]; [6] [1, 0, 0, 2, 3, 2]; [4] [2, 1, 2, 1]");
    insta::assert_snapshot!(show(Unique { axis: None, sorted: false }, &[data], &plan), @"[4] [2.0, 1.0, 3.0, 4.0]; [4] [0, 1, 3, 4]; [6] [0, 1, 1, 2, 3, 2]; [4] [1, 2, 2, 1]");
    let rows = f32s(&[3, 3], &[1., 0., 0., 1., 0., 0., 2., 3., 4.]);
    let plan: [Plan<'_>; 1] = [(DType::F32, &[-3, 3])];
    insta::assert_snapshot!(show(Unique { axis: Some(0), sorted: true }, &[rows], &plan), @"[2, 3] [1.0, 0.0, 0.0, 2.0, 3.0, 4.0]");
}

#[test]
fn non_max_suppression_keeps_the_best_of_each_place() {
    let corners = [
        0., 0., 1., 1., 0., 0.1, 1., 1.1, 0., -0.1, 1., 0.9, 0., 10., 1., 11., 0., 10.1, 1., 11.1,
        0., 100., 1., 101.,
    ];
    let boxes = f32s(&[1, 6, 4], &corners);
    let scores = f32s(&[1, 1, 6], &[0.9, 0.75, 0.6, 0.95, 0.5, 0.3]);
    let kernel = NonMaxSuppression {
        center_point_box: false,
    };
    let select = |most: i64, threshold: f32| {
        let limits = [
            ints(&[1], &[most]),
            f32s(&[1], &[0.5]),
            f32s(&[1], &[threshold]),
        ];
        let inputs = [&[boxes.clone(), scores.clone()][..], &limits].concat();
        show(kernel.clone(), &inputs, &[(DType::I64, &[-6, 3])])
    };
    insta::assert_snapshot!(select(3, 0.0), @"[3, 3] [0, 0, 3, 0, 0, 0, 0, 0, 5]");
    insta::assert_snapshot!(select(3, 0.4), @"[2, 3] [0, 0, 3, 0, 0, 0]");
    insta::assert_snapshot!(select(1, 0.0), @"[1, 3] [0, 0, 3]");
    insta::assert_snapshot!(show(kernel, &[boxes, scores], &[(DType::I64, &[-6, 3])]), @"[0, 3] []");
}

#[test]
fn copies_and_concatenations_know_run_time_extents() {
    let table = ints(&[2, 3], &[1, 2, 3, 4, 5, 6]);
    insta::assert_snapshot!(show(Copy, from_ref(&table), &[(DType::I64, &[3, 2])]), @"[3, 2] [1, 2, 3, 4, 5, 6]");
    insta::assert_snapshot!(show(Copy, from_ref(&table), &[(DType::I64, &[-10, 2])]), @"[3, 2] [1, 2, 3, 4, 5, 6]");
    insta::assert_snapshot!(show(Copy, from_ref(&table), &[(DType::I64, &[5])]), @"step 'Copy': the output has shape [5], expected 6 elements");
    let column = ints(&[2, 1], &[7, 8]);
    insta::assert_snapshot!(show(Concat { axis: 1 }, &[table.clone(), column.clone()], &[(DType::I64, &[2, -9])]), @"[2, 4] [1, 2, 3, 7, 4, 5, 6, 8]");
    insta::assert_snapshot!(show(Concat { axis: 0 }, &[table, column], &[(DType::I64, &[-9, 3])]), @"step 'Concat': a part has shape [2, 1], expected [2, 3] but for dimension 0");
}

#[test]
fn reverse_sequence_reverses_prefixes() {
    let data = f32s(&[4, 4], &(0..16).map(|n| n as f32).collect::<Vec<_>>());
    let kernel = ReverseSequence {
        batch_axis: 0,
        time_axis: 1,
    };
    let lens = ints(&[4], &[1, 2, 3, 4]);
    insta::assert_snapshot!(show(kernel.clone(), &[data.clone(), lens], &[(DType::F32, &[4, 4])]), @"[4, 4] [0.0, 1.0, 2.0, 3.0, 5.0, 4.0, 6.0, 7.0, 10.0, 9.0, 8.0, 11.0, 15.0, 14.0, 13.0, 12.0]");
    let lens = ints(&[4], &[1, 2, 3, 5]);
    insta::assert_snapshot!(show(kernel, &[data, lens], &[(DType::F32, &[4, 4])]), @"step 'ReverseSequence': a sequence length is 5, must be within 0..=4");
}

#[test]
fn max_unpool_places_values_in_a_larger_output() {
    let (data, indices) = (
        f32s(&[1, 1, 2, 2], &[1., 2., 3., 4.]),
        ints(&[1, 1, 2, 2], &[5, 7, 13, 15]),
    );
    let kernel = MaxUnpool {
        index_shape: vec![1, 1, 4, 4],
    };
    insta::assert_snapshot!(show(kernel, &[data, indices], &[(DType::F32, &[1, 1, 5, 5])]), @"[1, 1, 5, 5] [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]");
}

#[test]
fn pools_pass_gradients_to_the_first_greatest() {
    let x = f32s(&[1, 1, 1, 5], &[1., 3., 3., 2., 3.]);
    let kernel = MaxPoolGradient {
        kernel: vec![1, 3],
        strides: vec![1, 2],
        dilations: vec![1, 1],
        pads: vec![0, 1],
        rectified: false,
    };
    let dy = f32s(&[1, 1, 1, 3], &[10., 20., 30.]);
    insta::assert_snapshot!(show(kernel.clone(), &[x.clone(), dy.clone()], &[(DType::F32, &[1, 1, 1, 5])]), @"[1, 1, 1, 5] [0.0, 30.0, 0.0, 0.0, 30.0]");
    let rectified = MaxPoolGradient {
        rectified: true,
        ..kernel.clone()
    };
    let below = f32s(&[1, 1, 1, 5], &[-1., -3., 3., 2., 0.]);
    insta::assert_snapshot!(show(rectified, &[below, dy], &[(DType::F32, &[1, 1, 1, 5])]), @"[1, 1, 1, 5] [0.0, 0.0, 20.0, 30.0, 0.0]");
    let dy = f32s(&[1, 2, 1, 3], &[0.; 6]);
    insta::assert_snapshot!(show(kernel, &[x, dy], &[(DType::F32, &[1, 1, 1, 5])]), @"step 'MaxPoolGradient': the gradient has shape [1, 2, 1, 3], expected [1, 1] first");
}

#[test]
fn determinants_pivot() {
    let data = f32s(
        &[3, 2, 2],
        &[1., 2., 3., 4., 0., 1., 1., 0., 1., 2., 2., 4.],
    );
    insta::assert_snapshot!(show(Det, &[data], &[(DType::F32, &[3])]), @"[3] [-2.0, -1.0, -0.0]");
}

#[test]
fn roi_align_interpolates() {
    let data = f32s(&[1, 1, 2, 2], &[0., 1., 2., 3.]);
    let region = f32s(&[1, 4], &[0., 0., 2., 2.]);
    let align = |pooling| {
        let kernel = RoiAlign {
            pooling,
            half_pixel: true,
            sampling_ratio: 1,
            spatial_scale: 1.0,
        };
        show(
            kernel,
            &[data.clone(), region.clone(), ints(&[1], &[0])],
            &[(DType::F32, &[1, 1, 2, 1])],
        )
    };
    insta::assert_snapshot!(align(RoiPooling::Average), @"[1, 1, 2, 1] [0.5, 2.5]");
    insta::assert_snapshot!(align(RoiPooling::Max), @"[1, 1, 2, 1] [0.5, 1.5]");
    let kernel = RoiAlign {
        pooling: RoiPooling::Average,
        half_pixel: true,
        sampling_ratio: 1,
        spatial_scale: 1.0,
    };
    insta::assert_snapshot!(show(kernel, &[data.clone(), region.clone(), ints(&[1], &[1])], &[(DType::F32, &[1, 1, 1, 1])]), @"step 'RoiAlign': index 1 at position 0 is outside of -1..1");
}

fn activations(kinds: &[ActivationKind]) -> Vec<Activation> {
    kinds
        .iter()
        .map(|&kind| Activation {
            kind,
            alpha: 0.5,
            beta: 0.25,
        })
        .collect()
}

fn noise(dims: &[usize], seed: u32) -> Option<Tensor> {
    let count: usize = dims.iter().product();
    let value = |i: usize| {
        ((i as u32 + 1)
            .wrapping_mul(seed)
            .wrapping_mul(2_654_435_761)
            >> 8) as f32
            / (1 << 24) as f32
            - 0.5
    };
    f32s(dims, &(0..count).map(value).collect::<Vec<_>>())
}

#[test]
fn a_recurrent_layer_of_one_unit_can_be_followed_by_hand() {
    let kernel = Rnn {
        hidden_size: 1,
        direction: Direction::Forward,
        batch_first: false,
        activations: activations(&[ActivationKind::Affine]),
        clip: None,
    };
    // h = (x + 2 h) / 2 + 1/4, from 0 on: 0.75, 2.0, 3.75
    let inputs = [
        f32s(&[3, 1, 1], &[1., 2., 3.]),
        f32s(&[1, 1, 1], &[1.]),
        f32s(&[1, 1, 1], &[2.]),
    ];
    let plan: [Plan<'_>; 2] = [(DType::F32, &[3, 1, 1, 1]), (DType::F32, &[1, 1, 1])];
    insta::assert_snapshot!(show(kernel, &inputs, &plan), @"[3, 1, 1, 1] [0.75, 2.0, 3.75]; [1, 1, 1] [3.75]");
}

/// X, W, R, B, lengths, initial h, initial c and P of a layer with 3 steps, 2 entries, 4 inputs and 5 units.
fn layer(gates: usize, directions: usize, lengths: Option<[i32; 2]>) -> Vec<Option<Tensor>> {
    vec![
        noise(&[3, 2, 4], 3),
        noise(&[directions, gates * 5, 4], 5),
        noise(&[directions, gates * 5, 5], 7),
        noise(&[directions, 2 * gates * 5], 11),
        lengths.and_then(|lengths| tensor(&[2], &lengths)),
        noise(&[directions, 2, 5], 13),
        noise(&[directions, 2, 5], 17),
        noise(&[directions, 3 * 5], 19),
    ]
}

fn lstm(direction: Direction) -> Lstm {
    use ActivationKind::{Sigmoid, Tanh};
    let both = [Sigmoid, Tanh, Tanh, Sigmoid, Tanh, Tanh];
    let count = if direction == Direction::Bidirectional {
        6
    } else {
        3
    };
    Lstm {
        hidden_size: 5,
        direction,
        batch_first: false,
        activations: activations(&both[..count]),
        clip: None,
        input_forget: false,
    }
}

/// The first (or second) half of a tensor whose first extent is 2.
fn half(tensor: &Option<Tensor>, second: bool) -> Option<Tensor> {
    let tensor = tensor.as_ref()?;
    let values = numbers(tensor);
    let (low, high) = values.split_at(values.len() / 2);
    let dims = [&[1], &tensor.dims()[1..]].concat();
    f32s(&dims, if second { high } else { low })
}

#[test]
fn a_bidirectional_layer_is_two_layers() {
    let lengths = Some([3, 2]);
    let inputs = layer(4, 2, lengths);
    let plan = |d: i64| -> [(DType, Vec<i64>); 3] {
        [
            (DType::F32, vec![3, d, 2, 5]),
            (DType::F32, vec![d, 2, 5]),
            (DType::F32, vec![d, 2, 5]),
        ]
    };
    let run = |direction, inputs: &[Option<Tensor>], d| {
        let plan = plan(d);
        let plan: Vec<Plan<'_>> = plan
            .iter()
            .map(|(dtype, dims)| (*dtype, &dims[..]))
            .collect();
        run(lstm(direction), inputs, &plan).unwrap()
    };
    let both = run(Direction::Bidirectional, &inputs, 2);
    for (second, direction) in [(false, Direction::Forward), (true, Direction::Reverse)] {
        let mut one: Vec<_> = inputs
            .iter()
            .map(|input| input.clone().filter(|t| t.dims()[0] != 2))
            .collect();
        for index in [1, 2, 3, 5, 6, 7] {
            one[index] = half(&inputs[index], second);
        }
        one[4] = inputs[4].clone();
        let single = run(direction, &one, 1);
        assert_eq!(
            numbers(&single[1]),
            numbers(&half(&Some(both[1].clone()), second).unwrap())
        );
        let of_time = numbers(&both[0])
            .chunks(10)
            .skip(usize::from(second))
            .step_by(2)
            .flatten();
        assert!(numbers(&single[0]).iter().eq(of_time));
        // The second entry has two steps: nothing is written behind them, and its state is that of its last step.
        assert_eq!(numbers(&single[0])[25..30], [0.0; 5]);
        let last = if second { 5..10 } else { 15..20 };
        assert_eq!(numbers(&single[0])[last], numbers(&single[1])[5..10]);
    }
    assert!(numbers(&both[0]).iter().filter(|y| **y != 0.0).count() > 40);
}

/// The same numbers with the first two axes exchanged.
fn exchanged(tensor: &Tensor) -> Option<Tensor> {
    let &[a, b, ref rest @ ..] = tensor.dims() else {
        return None;
    };
    let width: usize = rest.iter().product();
    let row = |i: usize| (i % a * b + i / a) * width;
    let values: Vec<f32> = (0..a * b)
        .flat_map(|i| numbers(tensor)[row(i)..][..width].to_vec())
        .collect();
    f32s(&[&[b, a], rest].concat(), &values)
}

#[test]
fn the_batch_may_come_first() {
    let gru = |batch_first, linear_before_reset| Gru {
        hidden_size: 5,
        direction: Direction::Reverse,
        batch_first,
        activations: activations(&[ActivationKind::HardSigmoid, ActivationKind::Softsign]),
        clip: Some(0.3),
        linear_before_reset,
    };
    let time_first = layer(3, 1, Some([1, 3]))[..6].to_vec();
    let mut batch_first = time_first.clone();
    for index in [0, 5] {
        batch_first[index] = time_first[index].as_ref().and_then(exchanged);
    }
    let mut finals = Vec::new();
    for linear in [false, true] {
        let a = run(
            gru(false, linear),
            &time_first,
            &[(DType::F32, &[3, 1, 2, 5]), (DType::F32, &[1, 2, 5])],
        )
        .unwrap();
        let b = run(
            gru(true, linear),
            &batch_first,
            &[(DType::F32, &[2, 3, 1, 5]), (DType::F32, &[2, 1, 5])],
        )
        .unwrap();
        assert_eq!(exchanged(&a[1]).as_ref(), Some(&b[1]));
        let squeezed = Tensor::new(&[3, 2, 5], numbers(&a[0])).unwrap();
        assert_eq!(numbers(&exchanged(&squeezed).unwrap()), numbers(&b[0]));
        finals.push(a[1].clone());
    }
    assert_ne!(finals[0], finals[1]);
}

#[test]
fn recurrent_layers_refuse_what_does_not_fit() {
    let plan: [Plan<'_>; 1] = [(DType::F32, &[3, 1, 2, 5])];
    let refuse = |change: &dyn Fn(&mut Vec<Option<Tensor>>, &mut Lstm)| {
        let (mut inputs, mut kernel) = (layer(4, 1, None), lstm(Direction::Forward));
        change(&mut inputs, &mut kernel);
        show(kernel, &inputs, &plan)
    };
    insta::assert_snapshot!(refuse(&|inputs, _| inputs[1] = noise(&[1, 19, 4], 5)), @"step 'Lstm': W has shape [1, 19, 4], expected [1, 20, 4]");
    insta::assert_snapshot!(refuse(&|inputs, _| inputs[2] = None), @"step 'Lstm': input 2 is missing");
    insta::assert_snapshot!(refuse(&|inputs, _| inputs[4] = tensor(&[2], &[3i32, 4])), @"step 'Lstm': a sequence length is 4, must be within 0..=3");
    insta::assert_snapshot!(refuse(&|inputs, _| inputs[5] = noise(&[2, 1, 5], 13)), @"step 'Lstm': an initial state has shape [2, 1, 5], expected [1, 2, 5]");
    insta::assert_snapshot!(refuse(&|_, kernel| kernel.activations.truncate(2)), @"step 'Lstm': the number of activation functions is 2, must be 3");
    insta::assert_snapshot!(refuse(&|_, kernel| kernel.hidden_size = u32::MAX), @"step 'Lstm': W has shape [1, 20, 4], expected [1, 17179869180, 4]");
}
