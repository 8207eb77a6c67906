//! The printed forms: nests, CLIF, machine code, object files.

use crate::layout::place;
use crate::numbers::Numbers;
use cnnc::codegen::{Source, flat, listing, object};
use cnnc::kernel::nest::{self, Nest};
use cnnc_ir::class::{Contract, Conv, Window, WindowKind};
use cnnc_ir::{DType, Ex};
use cnnc_runtime::CpuLevel;

fn relu() -> Nest {
    let mut numbers = Numbers(1);
    let x = place(&numbers.whole(DType::F32, &[2, 6], 1), false, 0).view;
    let y = place(&numbers.whole(DType::F32, &[2, 6], 1), false, 64).view;
    let expr = Ex::arg(0, DType::F32).clamp(0.0, 6.0).finish();
    nest::elementwise(&expr, &[x], &y)
        .expect("lowers")
        .remove(0)
}

#[test]
fn a_dense_elementwise_operator_is_one_loop() {
    insta::assert_snapshot!(relu());
}

#[test]
fn a_padded_convolution_guards_its_kernel_loops() {
    let mut numbers = Numbers(1);
    let mut at = 0;
    let mut view = |shape: &[usize], blocked: bool| {
        let placed = place(&numbers.whole(DType::F32, shape, 1), blocked, at);
        at += placed.bytes.len() as u64;
        placed.view
    };
    let conv = Contract::Conv(Conv {
        groups: 1,
        kernel: vec![3, 3],
        strides: vec![2, 2],
        dilations: vec![1, 1],
        pads_begin: vec![1, 1],
        pads_end: vec![0, 1],
    });
    let inputs = [
        view(&[1, 3, 8, 9], false),
        view(&[20, 3, 3, 3], false),
        view(&[20], false),
    ];
    let output = view(&[1, 20, 3, 5], true);
    let nests = nest::contract(&conv, &inputs, &output, None).expect("lowers");
    insta::assert_snapshot!(nests[0]);
}

#[test]
fn an_average_counts_its_cells() {
    let mut numbers = Numbers(1);
    let x = place(&numbers.whole(DType::F32, &[1, 4, 5, 6], 1), false, 0).view;
    let y = place(&numbers.whole(DType::F32, &[1, 4, 5, 6], 1), false, 512).view;
    let window = Window {
        kind: WindowKind::Average { count_pad: false },
        kernel: vec![3, 3],
        strides: vec![1, 1],
        dilations: vec![1, 1],
        pads_begin: vec![1, 1],
        pads_end: vec![1, 1],
    };
    let nests = nest::window(&window, &x, &y, None).expect("lowers");
    insta::assert_snapshot!(nests[0]);
}

#[test]
fn a_nest_prints_as_clif() {
    insta::assert_snapshot!(listing::clif(&relu(), CpuLevel::V3));
}

#[test]
fn a_function_prints_as_machine_code() {
    let nest = relu();
    let blob = flat::blob(&[Source::Nest(&nest)], CpuLevel::V3).expect("compiles");
    insta::assert_snapshot!(listing::machine_code(&blob.bytes));
}

#[test]
fn an_object_file_names_its_steps() {
    let nest = relu();
    let sources = [Source::Nest(&nest), Source::Nest(&nest)];
    let bytes = object::object(&sources, CpuLevel::V3, "test").expect("compiles");
    assert!(bytes.starts_with(b"\x7fELF"));
    for name in [b"step0\0", b"step1\0"] {
        assert!(bytes.windows(name.len()).any(|w| w == name));
    }
}
