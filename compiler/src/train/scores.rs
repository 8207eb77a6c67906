//! From what a loss reads to what the network gives.

use cnnc_ir::OpKind;
use cnnc_models::loss::Loss;
use cnnc_models::network::Network;

/// The activation at a network's end that its loss has taken the place of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squash {
    Nothing,
    Softmax,
    Sigmoid,
}

impl Squash {
    pub fn of(network: &Network, loss: Loss) -> Squash {
        let graph = &network.graph;
        let output = graph.outputs().first().map(|(_, output)| *output);
        let absorbed = output.filter(|output| loss.logits(graph, *output).is_some());
        match absorbed.and_then(|output| graph.node(output.node).op_kind()) {
            Some(OpKind::Softmax) => Squash::Softmax,
            Some(OpKind::Sigmoid) => Squash::Sigmoid,
            _ => Squash::Nothing,
        }
    }

    /// Makes probabilities of scores in rows.
    pub fn apply(self, scores: &mut [f32], columns: usize) {
        match self {
            Squash::Nothing => {}
            Squash::Sigmoid => scores
                .iter_mut()
                .for_each(|s| *s = 1.0 / (1.0 + (-*s).exp())),
            Squash::Softmax => scores.chunks_exact_mut(columns.max(1)).for_each(softmax),
        }
    }
}

fn softmax(row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    row.iter_mut().for_each(|s| *s = (*s - most).exp());
    let total: f32 = row.iter().sum();
    row.iter_mut().for_each(|s| *s /= total);
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnnc_models::description::{Arguments, expand};

    #[test]
    fn scores_become_probabilities() {
        let mut scores = [1000.0, 1000.0, 0.0, f32::NEG_INFINITY];
        Squash::Softmax.apply(&mut scores, 2);
        assert_eq!(scores, [0.5, 0.5, 1.0, 0.0]);
        Squash::Sigmoid.apply(&mut scores[3..], 1);
        assert_eq!(scores[3], 0.5);
    }

    #[test]
    fn a_softmax_over_anything_but_classes_stays() {
        let squash = |output: &str| {
            let text = format!("network n\ninput x: f32[2, 4, 4]\noutput y = {output}\n");
            let no_imports = |_: &str| Err(String::new());
            let network = expand(&text, &Arguments::default(), Some(1), &no_imports).unwrap();
            Squash::of(&network, "cross_entropy".parse().unwrap())
        };
        assert_eq!(squash("softmax(x)"), Squash::Softmax);
        assert_eq!(squash("softmax(x, axis=-3)"), Squash::Softmax);
        assert_eq!(squash("softmax(x, axis=-1)"), Squash::Nothing);
        assert_eq!(squash("sigmoid(x)"), Squash::Nothing);
    }
}
