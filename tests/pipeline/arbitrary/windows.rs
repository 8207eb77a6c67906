//! Convolutions of all forms, pools, resampling.

use super::{Dice, Net, attrs, ints, text};
use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::{DType, OpKind, Tensor, Value};

impl Net {
    pub fn convolution(&mut self, x: Value, dice: &mut Dice) {
        let channels = self.shape(x)[1];
        let groups = match dice.below(6) {
            0 | 1 => channels,
            2 => (1..=channels)
                .rev()
                .filter(|g| channels.is_multiple_of(*g))
                .nth(1)
                .unwrap_or(1),
            _ => 1,
        };
        let out = match groups {
            1 => dice.pick(&[1, 3, 8, 16, 16, 19, 32, 40]),
            g => g * dice.pick(&[1, 1, 1, 2, 16 / g.min(16)]),
        };
        let [height, width] = dice.pick(&[
            [1, 1],
            [1, 1],
            [3, 3],
            [3, 3],
            [3, 3],
            [5, 5],
            [1, 3],
            [5, 1],
            [2, 2],
            [3, 2],
        ]);
        let fan_in = channels / groups * height * width;
        let w = self.weights(&[out, channels / groups, height, width], fan_in, dice);
        let bias = (dice.below(3) > 0).then(|| self.weights(&[out], 1, dice));
        let half = [height as i64 / 2, width as i64 / 2];
        let pads = match dice.below(4) {
            0 => [0; 4],
            1 => [dice.pair(&[0, 1, 2]), dice.pair(&[0, 1, 2])]
                .concat()
                .try_into()
                .expect("four"),
            _ => [half[0], half[1], half[0], half[1]],
        };
        let attrs = attrs([
            ("group", AttrValue::Int(groups as i64)),
            ("pads", ints(&pads)),
            ("strides", ints(&dice.pair(&[1, 1, 1, 2]))),
            ("dilations", ints(&dice.pair(&[1, 1, 1, 2]))),
        ]);
        self.add(OpKind::Conv, &[Some(x), Some(w), bias], attrs);
    }

    /// A residual block of a dense 3x3 convolution, the shape that Winograd's algorithms are for.
    pub fn block(&mut self, x: Value, dice: &mut Dice) {
        let channels = self.shape(x)[1];
        let w = self.weights(&[channels, channels, 3, 3], 9 * channels, dice);
        let bias = (dice.below(2) == 0).then(|| self.weights(&[channels], 1, dice));
        let pads = attrs([("pads", ints(&[1; 4]))]);
        self.add(OpKind::Conv, &[Some(x), Some(w), bias], pads);
        let y = self.values[self.values.len() - 1];
        if dice.below(2) == 0 {
            self.add(OpKind::Add, &[Some(y), Some(x)], Attrs::new());
        }
        let y = self.values[self.values.len() - 1];
        self.activation(y, dice);
    }

    pub fn transposed(&mut self, x: Value, dice: &mut Dice) {
        let channels = self.shape(x)[1];
        let groups = if dice.below(3) == 0 { channels } else { 1 };
        let out = dice.pick(&[1, 2, 8, 16, 17]);
        let kernel = dice.pick(&[[1, 1], [2, 2], [3, 3], [4, 4], [2, 3]]);
        let w = self.weights(
            &[channels, out, kernel[0], kernel[1]],
            channels / groups * 4,
            dice,
        );
        let bias = (dice.below(2) == 0).then(|| self.weights(&[out * groups], 1, dice));
        let attrs = attrs([
            ("group", AttrValue::Int(groups as i64)),
            (
                "pads",
                ints(&[dice.pair(&[0, 1]), dice.pair(&[0, 1])].concat()),
            ),
            ("strides", ints(&dice.pair(&[1, 2, 2]))),
            ("dilations", ints(&dice.pair(&[1, 1, 1, 2]))),
        ]);
        self.add(OpKind::ConvTranspose, &[Some(x), Some(w), bias], attrs);
    }

    pub fn pool(&mut self, x: Value, dice: &mut Dice) {
        let kernel = dice.pick(&[[2, 2], [3, 3], [1, 2], [3, 1], [5, 5]]);
        let mut list = attrs([
            ("kernel_shape", ints(&kernel)),
            ("strides", ints(&dice.pair(&[1, 2]))),
            (
                "pads",
                ints(
                    &[
                        dice.pair(&[0, kernel[0].min(2) / 2]),
                        dice.pair(&[0, kernel[1].min(2) / 2]),
                    ]
                    .concat(),
                ),
            ),
            ("ceil_mode", AttrValue::Int(dice.pick(&[0, 0, 1]))),
        ]);
        match dice.below(6) {
            0 => self.unary(OpKind::GlobalAveragePool, x, Attrs::new()),
            1 => self.unary(OpKind::GlobalMaxPool, x, Attrs::new()),
            2 | 3 => self.unary(OpKind::MaxPool, x, list),
            _ => {
                list.insert(
                    "count_include_pad".to_string(),
                    AttrValue::Int(dice.pick(&[0, 1])),
                );
                self.unary(OpKind::AveragePool, x, list);
            }
        }
    }

    pub fn resize(&mut self, x: Value, dice: &mut Dice) {
        let scales = dice.pick(&[
            [1.0, 1.0, 2.0, 2.0],
            [1.0, 1.0, 1.5, 2.0],
            [1.0, 1.0, 3.0, 1.0],
            [1.0, 1.0, 0.5, 0.75],
        ]);
        let scales = self
            .graph
            .add_constant("scales", Tensor::from_f64(DType::F32, &[4], &scales));
        let attrs = attrs([
            ("mode", text(dice.pick(&["nearest", "linear", "cubic"]))),
            (
                "coordinate_transformation_mode",
                text(dice.pick(&["half_pixel", "asymmetric", "align_corners"])),
            ),
        ]);
        self.add(OpKind::Resize, &[Some(x), None, Some(scales)], attrs);
    }
}
