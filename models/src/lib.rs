//! Networks that come with cnnc, and how networks learn.
//!
//! * [`description`]: networks as people write them. [`zoo`]: those that come with cnnc.
//! * [`network`]: a graph with parameters that can learn, and how it wants to be trained.
//! * [`loss`], [`optimizer`], [`step`]: a training step as a graph.
//! * [`style`]: style transfer, a step that changes a picture. [`photo`]: photographs as tensors and back.
//! * [`initializer`]: what parameters are before they learn.
//! * [`data`]: data sets, read from files and held against what they claim; augmentation; the order in which training sees them.
//! * [`metrics`]: how good a classifier is. [`schedule`]: the learning rate's course. [`stopping`]: when to end. [`search`]: which settings
//!   to try.
//! * [`checkpoint`]: files from which a run goes on as if it had never stopped.
//! * [`history`]: the figures of a run as CSV. [`plot`]: pictures of them and of predictions, SVG and PNG. [`tensorboard`]: event files.
//! * [`spec`]: the small language of options, `name:key=value`.
//! * [`random`]: numbers that a resumed run draws again.
//! * [`DIGITS`]: a small trained network to try cnnc on.
//!
//! Everything here is data in, data out. Deliberately absent: the compiler. A loss, an optimiser or a layer is a graph, and what makes
//! a graph run is not known here.

pub mod checkpoint;
pub mod data;
pub mod description;
pub mod history;
pub mod initializer;
pub mod loss;
pub mod metrics;
pub mod network;
pub mod optimizer;
pub mod photo;
pub mod plot;
pub mod random;
pub mod schedule;
pub mod search;
pub mod spec;
pub mod step;
pub mod stopping;
pub mod style;
pub mod tensorboard;
pub mod zoo;

/// A network and what is needed to try it.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    pub name: &'static str,
    /// The ONNX file.
    pub onnx: &'static [u8],
    /// Names of the output's elements, one a line.
    pub labels: &'static str,
    /// A PNG file that fits the only input.
    pub example: &'static [u8],
    /// Index of the label that the example should get.
    pub answer: usize,
}

/// Handwritten digits: `image` f32\[1,1,28,28\], 0 (black) to 1 (white, the stroke), to `digit` f32\[1,10\], probabilities.
///
/// Two 3x3 convolutions of 8 and 16 channels, each with ReLU and 2x2 max-pooling, a dense layer and softmax: 9,098 parameters. Trained
/// from random weights on the 60,000 training images of MNIST, shifted by up to two pixels, with Adam and a cosine schedule for five
/// epochs, then scaled so that probabilities are calibrated: right on 98.4 % of the 10,000 test images. The example is drawn by a
/// program, not taken from a data set.
pub const DIGITS: Network = Network {
    name: "digits",
    onnx: include_bytes!("../digits/digits.onnx"),
    labels: include_str!("../digits/labels.txt"),
    example: include_bytes!("../digits/seven.png"),
    answer: 7,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_have_a_name_each() {
        let labels: Vec<&str> = DIGITS.labels.lines().collect();
        assert_eq!(labels.len(), 10);
        assert_eq!(labels[DIGITS.answer], "7");
    }
}
