//! Shapes and refusals of the operators whose geometry is easy to get wrong: the type of the results, or the words of the error.

use cnnc_ir::attrs::AttrValue;
use cnnc_ir::graph::{Graph, Op};
use cnnc_ir::ops::OpKind::{self, *};
use cnnc_ir::{DType, Tensor, TensorType};

/// An operand: a free value of that f32 shape, or a constant.
enum Operand {
    Free(Vec<usize>),
    Const(Tensor),
}

fn free(shape: &[usize]) -> Operand {
    Operand::Free(shape.to_vec())
}

fn floats(values: &[f64]) -> Operand {
    Operand::Const(Tensor::from_f64(DType::F32, &[values.len()], values))
}

fn ints(values: &[i64]) -> AttrValue {
    AttrValue::Ints(values.to_vec())
}

fn text(value: &str) -> AttrValue {
    AttrValue::Str(value.into())
}

/// Types of the results of an operator, or its error.
fn infer(kind: OpKind, operands: &[Operand], attrs: &[(&str, AttrValue)]) -> String {
    let mut graph = Graph::new("test");
    let mut inputs = Vec::new();
    for operand in operands {
        inputs.push(Some(match operand {
            Operand::Free(shape) => {
                graph.add_input("x", TensorType::new(DType::F32, shape.iter().copied()))
            }
            Operand::Const(t) => graph.add_constant("c", t.clone()),
        }));
    }
    let op = Op {
        kind,
        attrs: attrs
            .iter()
            .map(|(k, v)| (k.to_string(), v.clone()))
            .collect(),
        bodies: Vec::new(),
        epilogue: None,
    };
    match graph.infer(&op, &inputs, 1, "y") {
        Ok(types) => types[0].to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn convolutions_have_checked_geometry() {
    let conv = |attrs: &[(&'static str, &[i64])]| {
        let operands = [free(&[1, 3, 8, 8]), free(&[4, 3, 3, 3])];
        let attrs: Vec<_> = attrs.iter().map(|(k, v)| (*k, ints(v))).collect();
        infer(Conv, &operands, &attrs)
    };
    insta::assert_snapshot!(conv(&[]), @"f32[1,4,6,6]");
    insta::assert_snapshot!(conv(&[("pads", &[1, 1, 1, 1]), ("strides", &[2, 3])]), @"f32[1,4,4,3]");
    insta::assert_snapshot!(conv(&[("strides", &[0, 1])]), @"Conv: attribute strides must not be below 1, is [0, 1]");
    insta::assert_snapshot!(conv(&[("strides", &[1])]), @"Conv: attribute strides must have 2 entries, one a spatial dimension, has [1]");
    insta::assert_snapshot!(conv(&[("dilations", &[i64::MAX, 1])]), @"Conv: a kernel of size 18446744073709551615 (dilated) does not fit into spatial dimension 0: input 8 + pads 0 and 0");
    insta::assert_snapshot!(conv(&[("pads", &[1, 1])]), @"Conv: attribute pads must have 4 entries (all begins, then all ends), has [1, 1]");
    insta::assert_snapshot!(conv(&[("pads", &[1_000_000_000; 4])]), @"Conv: result of shape f32[1,4,2000000006,2000000006] is too large for memory: its size overflows the limit of 1099511627776 bytes");
    insta::assert_snapshot!(conv(&[("kernel_shape", &[5, 5])]), @"Conv: attribute kernel_shape is [5, 5], but the weights W have the kernel [3, 3]");
    insta::assert_snapshot!(infer(Conv, &[free(&[1, 5, 8, 8]), free(&[4, 2, 3, 3])], &[]), @"Conv: the input has 5 channels, the weights take 2 in each of 1 group(s)");
    insta::assert_snapshot!(infer(Conv, &[free(&[1, 3, 0, 8]), free(&[4, 3, 3, 3])], &[("pads", ints(&[2; 4]))]), @"Conv: a kernel of size 3 (dilated) does not fit into spatial dimension 0: input 0 + pads 2 and 2");
    insta::assert_snapshot!(infer(Conv, &[free(&[1, 3, 8, 8]), free(&[4, 3, 3, 3]), free(&[3])], &[]), @"Conv: the bias B must have the shape [4], one entry an output channel, is f32[3]");
    insta::assert_snapshot!(infer(Conv, &[free(&[1, 3, 7, 8]), free(&[4, 3, 3, 3])], &[("auto_pad", text("SAME_UPPER")), ("strides", ints(&[2, 2]))]), @"f32[1,4,4,4]");
    insta::assert_snapshot!(infer(Conv, &[free(&[1, 3, 7, 8]), free(&[4, 3, 3, 3])], &[("auto_pad", text("SAME")), ("strides", ints(&[2, 2]))]), @"Conv: attribute auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, is 'SAME'");
}

#[test]
fn transposed_convolutions_reach_the_wanted_size() {
    let operands = [free(&[1, 1, 3, 3]), free(&[1, 2, 3, 3])];
    let strides = || ("strides", ints(&[3, 2]));
    insta::assert_snapshot!(infer(ConvTranspose, &operands, &[strides()]), @"f32[1,2,9,7]");
    insta::assert_snapshot!(infer(ConvTranspose, &operands, &[strides(), ("output_shape", ints(&[10, 8]))]), @"f32[1,2,10,8]");
    insta::assert_snapshot!(infer(ConvTranspose, &operands, &[strides(), ("auto_pad", text("SAME_LOWER"))]), @"f32[1,2,9,6]");
    insta::assert_snapshot!(infer(ConvTranspose, &operands, &[strides(), ("output_padding", ints(&[1, 2]))]), @"ConvTranspose: attribute output_padding [1, 2] must stay below stride [3, 2] or dilation [1, 1]");
    insta::assert_snapshot!(infer(ConvTranspose, &operands, &[strides(), ("pads", ints(&[9; 4]))]), @"ConvTranspose: pads leave an output of size -9 in spatial dimension 0");
}

#[test]
fn pooling_refuses_windows_of_padding() {
    let x = [free(&[1, 2, 6, 6])];
    let kernel = |k: i64| ("kernel_shape", ints(&[k, k]));
    insta::assert_snapshot!(infer(MaxPool, &x, &[kernel(3), ("strides", ints(&[2, 2])), ("ceil_mode", AttrValue::Int(1))]), @"f32[1,2,3,3]");
    insta::assert_snapshot!(infer(MaxPool, &x, &[kernel(2), ("pads", ints(&[2, 2, 2, 2]))]), @"MaxPool: attribute pads [2, 2] and [2, 2] must be smaller than the kernel [2, 2]: a window would see only padding");
    insta::assert_snapshot!(infer(MaxPool, &x, &[kernel(0)]), @"MaxPool: attribute kernel_shape must not be below 1, is [0, 0]");
    insta::assert_snapshot!(infer(MaxPool, &x, &[kernel(i64::MAX)]), @"MaxPool: a kernel of size 9223372036854775807 (dilated) does not fit into spatial dimension 0: input 6 + pads 0 and 0");
    insta::assert_snapshot!(infer(MaxPool, &x, &[]), @"MaxPool: the kernel has size 0");
    insta::assert_snapshot!(infer(AveragePool, &x, &[kernel(2), ("strides", ints(&[0, 0]))]), @"AveragePool: attribute strides must not be below 1, is [0, 0]");
}

#[test]
fn products_name_the_dimensions_that_differ() {
    insta::assert_snapshot!(infer(Gemm, &[free(&[2, 3]), free(&[4, 5])], &[]), @"Gemm: inner dimensions 3 and 4 of shapes f32[2,3] and f32[4,5] differ");
    insta::assert_snapshot!(infer(Gemm, &[free(&[2, 3]), free(&[3, 5]), free(&[3])], &[]), @"Gemm: the shape of the bias C f32[3] does not broadcast to [2,5]");
    insta::assert_snapshot!(infer(Gemm, &[free(&[3, 2]), free(&[5, 3]), free(&[5])], &[("transA", AttrValue::Int(1)), ("transB", AttrValue::Int(1))]), @"f32[2,5]");
    insta::assert_snapshot!(infer(MatMul, &[free(&[7, 1, 2, 3]), free(&[4, 3, 5])], &[]), @"f32[7,4,2,5]");
    insta::assert_snapshot!(infer(MatMul, &[free(&[3]), free(&[4, 3, 5])], &[]), @"f32[4,5]");
    insta::assert_snapshot!(infer(MatMul, &[free(&[4, 3]), free(&[3])], &[]), @"f32[4]");
    insta::assert_snapshot!(infer(MatMul, &[free(&[3]), free(&[3])], &[]), @"f32[]");
    insta::assert_snapshot!(infer(MatMul, &[free(&[4, 3]), free(&[4])], &[]), @"MatMul: inner dimensions 3 and 4 of shapes f32[4,3] and f32[4] differ");
}

#[test]
fn resizing_is_bounded() {
    let resize = |scales: &[f64]| {
        infer(
            Resize,
            &[free(&[1, 1, 5, 10]), floats(&[]), floats(scales)],
            &[],
        )
    };
    // 0.7 as an f32 is a little less than 0.7; in f64 the last extent would be 6.
    insta::assert_snapshot!(resize(&[1.0, 1.0, 2.0, 0.7]), @"f32[1,1,10,7]");
    insta::assert_snapshot!(resize(&[1.0, 1.0, f64::NAN, 1.0]), @"Resize: scale NaN of axis 2 is not positive and finite");
    insta::assert_snapshot!(resize(&[1.0, 1.0, 1e9, 1e9]), @"Resize: axis 2 of extent 5 to extent 5000000000: too large for memory");
    insta::assert_snapshot!(resize(&[1.0, 1.0, 0.01, 1.0]), @"Resize: axis 2 of extent 5 cannot be resized to extent 0");
    insta::assert_snapshot!(resize(&[2.0]), @"Resize: wants scales or sizes with 4 entries, one an axis");
}

fn scalar(value: i64) -> Operand {
    Operand::Const(Tensor::scalar_i64(DType::I64, value))
}

#[test]
fn spectra_have_the_bins_of_their_length() {
    let dft = |x: &[usize], length: i64, attrs: &[(&str, AttrValue)]| {
        infer(DFT, &[free(x), scalar(length), scalar(1)], attrs)
    };
    let (onesided, inverse) = (
        ("onesided", AttrValue::Int(1)),
        ("inverse", AttrValue::Int(1)),
    );
    insta::assert_snapshot!(dft(&[2, 10, 1], 16, &[]), @"f32[2,16,2]");
    insta::assert_snapshot!(dft(&[2, 10, 1], 9, std::slice::from_ref(&onesided)), @"f32[2,5,2]");
    insta::assert_snapshot!(dft(&[2, 6, 2], 10, &[onesided.clone(), inverse]), @"f32[2,10,1]");
    insta::assert_snapshot!(dft(&[2, 6, 2], 10, &[onesided]), @"DFT: attribute onesided wants real values");
    insta::assert_snapshot!(dft(&[2, 6, 3], 10, &[]), @"DFT: the last dimension must be 1 (real) or 2 (complex), is 3");
    insta::assert_snapshot!(dft(&[2, 6, 1], 0, &[]), @"DFT: the length of the transform is 0");
    insta::assert_snapshot!(dft(&[2, 6, 1], i64::MAX, &[]), @"DFT: a transform of length 9223372036854775807 (not supported)");
    insta::assert_snapshot!(infer(DFT, &[free(&[6, 1]), scalar(6), scalar(-1)], &[]), @"DFT: the axis must not be the last, which holds real and imaginary part");
    let stft = |samples: usize, step: i64, frame: i64| {
        infer(
            STFT,
            &[
                free(&[1, samples, 1]),
                scalar(step),
                free(&[16]),
                scalar(frame),
            ],
            &[],
        )
    };
    insta::assert_snapshot!(stft(128, 8, 16), @"f32[1,15,9,2]");
    insta::assert_snapshot!(stft(16, 8, 16), @"f32[1,1,9,2]");
    insta::assert_snapshot!(stft(15, 8, 16), @"STFT: a frame of 16 samples does not fit a signal of 15, or a window of 16");
    insta::assert_snapshot!(stft(128, 0, 16), @"STFT: input 1 must be positive, is 0");
    insta::assert_snapshot!(stft(128, 8, 20), @"STFT: a frame of 20 samples does not fit a signal of 128, or a window of 16");
}

#[test]
fn losses_fit_scores_and_labels() {
    let loss = |scores: &[usize], labels: &[usize], weights: &[usize], reduction: &str| {
        let attrs = [("reduction", text(reduction))];
        let operands = [free(scores), free(labels), free(weights)];
        infer(NegativeLogLikelihoodLoss, &operands, &attrs)
    };
    insta::assert_snapshot!(loss(&[2, 5, 3, 4], &[2, 3, 4], &[5], "none"), @"f32[2,3,4]");
    insta::assert_snapshot!(loss(&[2, 5, 3, 4], &[2, 3, 4], &[5], "mean"), @"f32[]");
    insta::assert_snapshot!(loss(&[2, 5, 3], &[2, 4], &[5], "sum"), @"NegativeLogLikelihoodLoss: labels f32[2,4] do not fit scores f32[2,5,3]");
    insta::assert_snapshot!(loss(&[2, 5], &[2], &[4], "sum"), @"NegativeLogLikelihoodLoss: weights f32[4] do not fit 5 classes");
    insta::assert_snapshot!(loss(&[2], &[2], &[2], "sum"), @"NegativeLogLikelihoodLoss: the scores must have the shape [N,C,d..], are f32[2]");
    insta::assert_snapshot!(loss(&[2, 5], &[2], &[5], "all"), @"NegativeLogLikelihoodLoss: attribute reduction must be none, sum or mean, is 'all'");
}

#[test]
fn scales_lie_along_one_axis() {
    let convolution = |zeros: &[usize]| {
        let operands = [
            free(&[1, 3, 8, 8]),
            free(&[4, 3, 3, 3]),
            free(&[]),
            free(zeros),
        ];
        infer(ConvInteger, &operands, &[])
    };
    insta::assert_snapshot!(convolution(&[4]), @"i32[1,4,6,6]");
    insta::assert_snapshot!(convolution(&[1]), @"i32[1,4,6,6]");
    insta::assert_snapshot!(convolution(&[3]), @"ConvInteger: input 3 ('w_zero_point') of type f32[3] is no scale or zero point of f32[4,3,3,3]");
    let product = |a_zero: &[usize], b_zero: &[usize]| {
        let operands = [free(&[2, 3]), free(&[3, 5]), free(a_zero), free(b_zero)];
        infer(MatMulInteger, &operands, &[])
    };
    insta::assert_snapshot!(product(&[2], &[5]), @"i32[2,5]");
    insta::assert_snapshot!(product(&[2, 1], &[1, 5]), @"i32[2,5]");
    insta::assert_snapshot!(product(&[3], &[5]), @"MatMulInteger: input 2 ('a_zero_point') of type f32[3] is no scale or zero point of f32[2,3]");
}
