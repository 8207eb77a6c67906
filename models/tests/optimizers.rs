//! Every optimiser against its formula, written out as a loop in f64: twenty steps of one parameter of five elements.

use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{AttrValue, DType, Ex, Graph, OpKind, Tensor, TensorType};
use cnnc_models::optimizer::{Element, Optimizer};

const STEPS: usize = 20;

/// What f32 may be off by in so many steps.
const TOLERANCE: f64 = 1e-5;
const START: [f64; 5] = [-1.5, -0.2, 0.0, 0.7, 2.0];

/// The gradient at `w` in step `t`: of a parabola that moves.
fn gradient(w: f64, t: usize) -> f64 {
    0.8 * w + (t as f64).sin()
}

/// The optimiser's update as a graph, `(w, g, rate, t, slots..) -> (w', slots'..)`.
fn graph(optimizer: &Optimizer) -> Graph {
    let mut graph = Graph::new("update");
    let vector = || TensorType::new(DType::F32, [START.len()]);
    let mut operands = vec![
        graph.add_input("w", vector()),
        graph.add_input("g", vector()),
        graph.add_input("rate", TensorType::scalar(DType::F32)),
        graph.add_input("t", TensorType::scalar(DType::F32)),
    ];
    let slots = optimizer.slots();
    operands.extend(slots.iter().map(|slot| graph.add_input(slot, vector())));
    let arg = |k: usize| Ex::arg(k, DType::F32);
    let element = Element {
        parameter: arg(0),
        gradient: arg(1),
        slots: (4..4 + slots.len()).map(arg).collect(),
        rate: arg(2),
        scalar: optimizer.scalar(&arg(2), &arg(3)),
    };
    let slots = optimizer.next_slots(&element);
    let parameter = optimizer.next_parameter(&element, &slots);
    for (k, next) in [parameter].iter().chain(&slots).enumerate() {
        let attrs = [
            ("dtype", AttrValue::DType(DType::F32)),
            ("expr", AttrValue::Expr(next.finish())),
        ];
        let attrs = attrs.map(|(name, value)| (name.to_string(), value));
        let next = graph.op(OpKind::Map, &operands, attrs.into()).unwrap();
        graph.add_output(&format!("y{k}"), next);
    }
    graph
}

/// The parameter after each step.
fn course(text: &str) -> Vec<Vec<f64>> {
    let optimizer: Optimizer = text.parse().unwrap();
    let graph = graph(&optimizer);
    let tensor = |values: &[f64]| Tensor::from_f64(DType::F32, &[START.len()], values);
    let scalar = |value: f64| Tensor::scalar_f64(DType::F32, value);
    let mut w = START.to_vec();
    let mut slots = vec![vec![0.0; START.len()]; optimizer.slots().len()];
    let mut all = Vec::new();
    for t in 1..=STEPS {
        let g: Vec<f64> = w.iter().map(|&w| gradient(w, t)).collect();
        let mut feeds = vec![
            ("w", tensor(&w)),
            ("g", tensor(&g)),
            ("rate", scalar(optimizer.rate())),
            ("t", scalar(t as f64)),
        ];
        let values = slots.iter().map(|slot| tensor(slot));
        feeds.extend(optimizer.slots().iter().copied().zip(values));
        let outputs = Interpreter::new(Precision::F32).run(&graph, &feeds);
        let mut outputs = outputs.unwrap().into_iter().map(|(_, t)| t.to_f64());
        w = outputs.next().unwrap();
        slots = outputs.collect();
        all.push(w.clone());
    }
    all
}

/// Holds an optimiser against `next(w, g, t, memory)`, the formula for one element; memory starts as zeros.
fn check(text: &str, next: fn(f64, f64, f64, &mut [f64; 2]) -> f64) {
    let found = course(text);
    for (k, &start) in START.iter().enumerate() {
        let (mut w, mut memory) = (start, [0.0; 2]);
        for (t, found) in (1..).zip(&found) {
            w = next(w, gradient(w, t), t as f64, &mut memory);
            assert!(
                (found[k] - w).abs() < TOLERANCE,
                "{text}, step {t}: {} for {w}",
                found[k]
            );
        }
        assert!((w - start).abs() > 1e-3, "{text} stands still");
    }
}

#[test]
fn sgd() {
    check("sgd:lr=0.1", |w, g, _, _| w - 0.1 * g);
    check("sgd:lr=0.1,weight_decay=0.01", |w, g, _, _| {
        w - 0.1 * (g + 0.01 * w)
    });
}

#[test]
fn momentum() {
    check("momentum:lr=0.05,momentum=0.8", |w, g, _, [v, _]| {
        *v = 0.8 * *v + g;
        w - 0.05 * *v
    });
}

#[test]
fn nesterov() {
    check("nesterov:lr=0.05", |w, g, _, [v, _]| {
        *v = 0.9 * *v + g;
        w - 0.05 * (g + 0.9 * *v)
    });
}

#[test]
fn adagrad() {
    check("adagrad:lr=0.1,eps=1e-3", |w, g, _, [s, _]| {
        *s += g * g;
        w - 0.1 * g / (s.sqrt() + 1e-3)
    });
}

#[test]
fn rmsprop() {
    check("rmsprop:lr=0.01,rho=0.8,eps=1e-3", |w, g, _, [s, _]| {
        *s = 0.8 * *s + 0.2 * g * g;
        w - 0.01 * g / (*s + 1e-3).sqrt()
    });
}

/// Adam's way with the given rate and the usual constants, but for an epsilon that shows.
fn adam_way(g: f64, t: f64, rate: f64, [m, s]: &mut [f64; 2]) -> f64 {
    *m = 0.9 * *m + 0.1 * g;
    *s = 0.999 * *s + 0.001 * g * g;
    let rate = rate * (1.0 - 0.999f64.powf(t)).sqrt() / (1.0 - 0.9f64.powf(t));
    rate * *m / (s.sqrt() + 0.1)
}

#[test]
fn adam() {
    check("adam:lr=0.01,eps=0.1", |w, g, t, memory| {
        w - adam_way(g, t, 0.01, memory)
    });
}

#[test]
fn adamw() {
    check(
        "adamw:lr=0.01,weight_decay=0.1,eps=0.1",
        |w, g, t, memory| w - adam_way(g, t, 0.01, memory) - 0.01 * 0.1 * w,
    );
}
