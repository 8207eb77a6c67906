//! Whole networks: a training step's gradients, compiled, beside those of the interpreter in f64, and those beside differences.
//!
//! With momentum, whose slot is zero before the first step, a step leaves the gradients in its slots.

use super::{FAR, model};
use crate::execute::run;
use crate::seeded::tensor;
use cnnc::compile::{CompileOptions, compile};
use cnnc::select::Numerics;
use cnnc::train::{bound, settings};
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{DType, Graph, OpKind, Tensor, TensorType, Value};
use cnnc_models::description::{Arguments, expand};
use cnnc_models::loss::Loss;
use cnnc_models::optimizer::{Optimizer, Sgd};
use cnnc_models::step::{self, Settings, State, StateKind, Step};
use cnnc_models::zoo::ZOO;
use cnnc_runtime::CpuLevel;

/// What single precision leaves where many normalisations of few numbers follow each other; the interpreter in f32 leaves as much.
const ILL: f64 = 1e-4;

/// Networks, what is written otherwise for the interpreter's sake (smaller pictures) or away from kinks, and how far they may be off.
type Row = (&'static str, &'static [(&'static str, &'static str)], f64);

const NETWORKS: &[Row] = &[
    ("lenet5", &[], FAR),
    ("mnist_a", &[], FAR),
    ("mnist_b", &[], FAR),
    ("mnist_c", &[], FAR),
    ("mnist_d", &[], FAR),
    ("mlp", &[], FAR),
    ("bn_dropout", &[], FAR),
    ("elman_rnn", &[], FAR),
    ("gru", &[], FAR),
    ("lstm", &[], FAR),
    ("resnet20", &[("[3, 32, 32]", "[3, 16, 16]")], FAR),
    ("resnet18_cifar", &[("[3, 32, 32]", "[3, 16, 16]")], FAR),
    // A step from 5.99 to 6 of one of few elements would move all gradients by a hundredth.
    (
        "mobilenet_v2",
        &[("size=224", "size=64"), ("relu6", "silu")],
        ILL,
    ),
    ("unet", &[("size=256", "size=16")], FAR),
];

const BATCH: usize = 4;

fn training_step(name: &str, otherwise: &[(&str, &str)]) -> Step {
    let mut text = cnnc_models::zoo::find(name)
        .expect("a name of the zoo")
        .text
        .to_string();
    for (large, small) in otherwise {
        assert!(text.contains(large), "{name}: {large}");
        text = text.replace(large, small);
    }
    let no_imports = |_: &str| Err("no imports here".to_string());
    let network = expand(&text, &Arguments::default(), Some(3), &no_imports)
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    let momentum = Sgd {
        rate: 0.1,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 0.0,
    };
    let settings = Settings {
        loss: Loss::CrossEntropy { smoothing: 0.0 },
        optimizer: Optimizer::Sgd(momentum),
        l1: 0.0,
        l2: 0.0,
        clip: None,
        batch: BATCH,
        weighted: false,
        seed: 5,
    };
    step::step(&network, &settings).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Random pictures and labels, first values of everything else.
fn inputs(step: &Step) -> Vec<(String, Tensor)> {
    let graph = &step.graph;
    let mut inputs = Vec::new();
    for (number, &id) in graph.inputs().iter().enumerate() {
        let output = &graph.node(id).outputs[0];
        let state = step.states.iter().find(|s| s.name == output.name);
        let value = match (state, output.name.as_str()) {
            (Some(state), _) => state.initial.clone(),
            (None, step::RATE | step::STEP) => Tensor::scalar_f64(DType::F32, 1.0),
            (None, _) => tensor(&output.ty, number as u64 + 3),
        };
        inputs.push((output.name.clone(), value));
    }
    inputs
}

fn interpreted(graph: &Graph, inputs: &[(String, Tensor)]) -> Vec<(String, Tensor)> {
    let named: Vec<(&str, Tensor)> = inputs
        .iter()
        .map(|(n, t)| (n.as_str(), t.clone()))
        .collect();
    let outputs = Interpreter::new(Precision::F64).run(graph, &named);
    outputs.unwrap_or_else(|e| panic!("{}: {e}", graph.name))
}

/// The slots' next values, by parameter.
fn gradients<'a>(
    step: &'a Step,
    outputs: &'a [(String, Tensor)],
) -> impl Iterator<Item = (&'a State, &'a Tensor)> {
    let parameters = step
        .states
        .iter()
        .filter(|s| s.kind == StateKind::Parameter);
    parameters.map(|parameter| {
        let stem = format!("{}.", parameter.name);
        let is_slot = |s: &&State| s.kind == StateKind::Slot && s.name.starts_with(&stem);
        let slot = step.states.iter().find(is_slot).expect("a slot");
        let found = outputs.iter().find(|(name, _)| *name == slot.next);
        (parameter, &found.expect("its next value").1)
    })
}

/// How far along a way the loss is looked at. In the graph, since inputs are single.
const FAR_ALONG: f64 = 1.0 / (1 << 28) as f64;

/// The slope of the loss along a random way of all parameters, by a difference; and the gradients' product with the way.
fn along(step: &Step, inputs: &[(String, Tensor)], outputs: &[(String, Tensor)]) -> (f64, f64) {
    let mut graph = Graph::new("along");
    let t = graph.add_input("t", TensorType::scalar(DType::F32));
    let mut args = Vec::new();
    for &id in step.graph.inputs() {
        let (name, ty) = (step.graph.value_name(id.into()), step.graph.ty(id.into()));
        args.push(graph.add_input(name, ty.clone()));
    }
    let mut product = 0.0;
    for (number, (parameter, gradient)) in gradients(step, outputs).enumerate() {
        let way = tensor(&parameter.initial.ty(), 77 + number as u64);
        let slopes = gradient.to_f64().into_iter().zip(way.to_f64());
        product += slopes.map(|(g, w)| g * w).sum::<f64>();
        let place = args
            .iter_mut()
            .find(|v| graph.value_name(**v) == parameter.name);
        let place = place.expect("an input");
        let way = graph.add_constant("way", way);
        let mut op = |kind, operands: [Value; 2]| graph.op(kind, &operands, Default::default());
        let way = op(OpKind::Mul, [way, t]).expect("a factor");
        *place = op(OpKind::Add, [*place, way]).expect("one type");
    }
    let made = graph.inline(&step.graph, &args, "", "");
    let made = made.unwrap_or_else(|e| panic!("{e}"));
    let loss = step
        .graph
        .outputs()
        .iter()
        .position(|(name, _)| name == step::LOSS);
    graph.add_output(step::LOSS, made[loss.expect("a loss")]);
    graph.sweep();
    let at = |t: f64| {
        let mut inputs = inputs.to_vec();
        inputs.push(("t".to_string(), Tensor::scalar_f64(DType::F32, t)));
        interpreted(&graph, &inputs)[0].1.to_f64()[0]
    };
    let difference = (at(FAR_ALONG) - at(-FAR_ALONG)) / (2.0 * FAR_ALONG);
    (difference, product)
}

fn hold(&(name, otherwise, far): &Row) {
    let step = training_step(name, otherwise);
    let inputs = inputs(&step);
    let exact = interpreted(&step.graph, &inputs);
    let (difference, product) = along(&step, &inputs, &exact);
    let near = (difference - product).abs() <= 1e-5 + 1e-3 * product.abs();
    assert!(
        near,
        "{name}: <v, J'u> is {product}, differences say {difference}"
    );
    let level = CpuLevel::host().unwrap_or(CpuLevel::Baseline);
    let model = model(&step.graph, level, Numerics::default());
    let model = model.unwrap_or_else(|e| panic!("{name}: {e}"));
    let found = run(&model, &inputs, 2);
    let (mut apart, mut whole) = (0.0, 0.0);
    for (parameter, gradient) in gradients(&step, &exact) {
        let next = exact.iter().position(|(_, t)| std::ptr::eq(t, gradient));
        let (_, found) = &found[next.expect("an output")];
        let found = found.as_slice::<f32>().expect("f32");
        for (&x, y) in found.iter().zip(gradient.to_f64()) {
            assert!(x.is_finite(), "{name}: {} has {x}", parameter.name);
            apart += (f64::from(x) - y).powi(2);
            whole += y * y;
        }
    }
    let off = (apart / whole).sqrt();
    println!("{name}: relative L2 {off:.1e}, <v, J'u> {product:.6} beside {difference:.6}");
    assert!(whole > 0.0 && off <= far, "{name} is off by {off:e}");
}

#[test]
fn networks_of_the_zoo_agree() {
    NETWORKS.iter().for_each(hold);
}

/// Forms of convolution that the zoo has not.
const FORMS: &str = "network forms
input image: f32[3, 32, 32]
x = conv(image, 32, 5x3, relu, stride=2, pad=same)
x = conv(x, 64, 3x3, groups=2, pad=1)
x = conv(x, 48, 3x3, dilation=2, pad=2)
x = conv_transpose(x, 32, 4x4, stride=2, pad=1)
x = depthwise_conv(x, 5x5, stride=2, pad=2)
output label = softmax(dense(global_avg_pool(x), 10))
train { loss cross_entropy  optimizer adam  l2 1e-4  clip norm=1 }";

/// The contractions of every network's own training step that no tile does.
#[test]
fn contractions_are_done_on_tiles() {
    let no_imports = |_: &str| Err("no imports here".to_string());
    let mut left = Vec::new();
    let zoo = ZOO.iter().map(|exhibit| (exhibit.name, exhibit.text));
    for (name, text) in zoo.chain([("forms", FORMS)]) {
        let network = expand(text, &Arguments::default(), None, &no_imports);
        let network = network.unwrap_or_else(|e| panic!("{name}: {e}"));
        let settings = settings(&network.training.clone().unwrap_or_default(), BATCH, 0);
        let step = step::step(&network, &settings).expect("a step");
        let options = CompileOptions {
            states: bound(&step, false),
            ..CompileOptions::new(CpuLevel::V3)
        };
        let compiled = compile(step.graph, &options).expect("an artefact");
        let kinds = ["Conv", "ConvTranspose", "ConvFilterGradient", "Gemm"];
        let ends = kinds.map(|kind| format!("({kind}): loop nest"));
        let nests = compiled.explanation.lines();
        let nests = nests.filter(|line| ends.iter().any(|end| line.ends_with(end)));
        left.extend(nests.map(|line| format!("{name}: {line}")));
    }
    insta::assert_snapshot!(left.join("\n"), @"");
}
