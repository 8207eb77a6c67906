//! Scalar expressions, with and without broadcasting.

use super::drawn;
use crate::harness::Case;

fn unary(range: [f64; 2], operators: &[&str]) -> Vec<Case> {
    let body = |op| format!("(%x: f64[{{a}},{{d}}]) {{\n  %y = {op}(%x)");
    drawn(range, operators.iter().map(body))
}

fn binary(range: [f64; 2], operators: &[&str]) -> Vec<Case> {
    let mut bodies = Vec::new();
    for op in operators {
        for shapes in [
            "f64[{a},{d}], %b: f64[{d}]",
            "f64[{a},{b},{c}], %b: f64[{b},1]",
            "f64[{a},{b}], %b: f64[]",
        ] {
            // PRelu's slopes have an axis.
            if *op != "PRelu" || !shapes.ends_with("f64[]") {
                bodies.push(format!("(%a: {shapes}) {{\n  %y = {op}(%a, %b)"));
            }
        }
    }
    drawn(range, bodies)
}

pub fn cases() -> Vec<Case> {
    [
        unary(
            [-2.0, 2.0],
            &[
                "Neg", "Abs", "Exp", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Tanh", "Asinh", "Atan", "Erf", "Sigmoid", "Softplus",
                "Softsign", "Relu", "LeakyRelu", "Elu", "Selu", "Celu", "HardSigmoid", "HardSwish", "Mish", "Gelu", "Swish",
                "ThresholdedRelu", "Floor", "Ceil", "Sign", "Round", "Identity", "Shrink", "Dropout",
            ],
        ),
        unary([0.2, 3.0], &["Log", "Sqrt", "Reciprocal"]),
        unary([-0.9, 0.9], &["Asin", "Acos", "Atanh"]),
        unary([1.1, 3.0], &["Acosh"]),
        binary([0.3, 2.0], &["Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean"]),
        binary([-2.0, 2.0], &["PRelu"]),
        drawn(
            [-2.0, 2.0],
            [
                "(%x: f64[{a},{d}], %z: f64[{d}]) {\n  %y = Mod(%x, %z) {fmod=1}",
                "(%c: bool[{a},{b}], %x: f64[{a},{b}], %z: f64[{b}]) {\n  %y = Where(%c, %x, %z)",
                "(%x: f64[{a},{b}]) {\n  %l = const f64[] [-1]\n  %h = const f64[] [1]\n  %y = Clip(%x, %l, %h)",
                "(%x: f64[{a},{b}], %l: f64[]) {\n  %k = Abs(%l)\n  %m = Neg(%k)\n  %y = Clip(%x, %m, %k)",
                "(%x: f64[{a},{b}]) {\n  %y = Cast(%x) {to=f64}",
                "(%x: f64[{a},{b}]) {\n  %z = Neg(%x)\n  %y = CastLike(%x, %z)",
                "(%x: f64[{a},{b}], %z: f64[{a},{b}]) {\n  %y = cnnc.Map(%x, %z) {dtype=f64, expr={ arg 0:f64; arg 1:f64; mul %0 %1:f64; sin %2:f64; add %3 %1:f64 }}",
            ],
        ),
    ]
    .concat()
}
