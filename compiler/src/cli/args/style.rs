//! What `cnnc style` takes.

use clap::{Args, ValueEnum};
use cnnc_models::optimizer::Optimizer;
use cnnc_models::style::Normalization;
use std::path::PathBuf;

#[derive(Args)]
pub struct Style {
    /// The picture to change (.png, .jpg), of any size
    pub content: PathBuf,
    /// The picture whose style it takes on, of any size
    pub style: PathBuf,
    /// Where the result goes; beside it OUT-00100.png, ... every so many iterations
    #[arg(short, long, value_name = "OUT.png")]
    pub output: PathBuf,
    /// The network that looks at the pictures: a .onnx file or a .cnn file that carries its weights
    #[arg(long, value_name = "MODEL")]
    pub network: PathBuf,
    /// What the network was shown in training
    #[arg(long, value_enum, default_value_t = Normalize::Imagenet)]
    pub normalize: Normalize,
    /// Layers that hold the content (default: the last convolution of the last resolution but one)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub content_layers: Vec<String>,
    /// Layers that hold the style (default: the first and last convolution of each resolution)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub style_layers: Vec<String>,
    /// Pictures whose longer side exceeds this are made smaller first
    #[arg(long, value_name = "PIXELS", default_value_t = 640, value_parser = clap::value_parser!(u32).range(1..=16384))]
    pub size: u32,
    /// How often the picture is changed
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    pub iterations: u32,
    /// Write the picture, and print its losses, every so many iterations
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub every: u32,
    /// Weight of the content's loss
    #[arg(long, default_value_t = 0.02, value_parser = weight)]
    pub content_weight: f64,
    /// Weight of the style's loss
    #[arg(long, default_value_t = 0.1, value_parser = weight)]
    pub style_weight: f64,
    /// Weight of the total variation
    #[arg(long, default_value_t = 1e-6, value_parser = weight)]
    pub variation_weight: f64,
    /// How the picture follows its gradient
    #[arg(
        long,
        value_name = "NAME:KEY=VALUE,...",
        default_value = "adam:lr=0.02,beta1=0.99,eps=0.1"
    )]
    pub optimizer: Optimizer,
    /// Write the loss of every iteration as a table
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    /// Draw the curve of the loss
    #[arg(long, value_name = "FILE.svg|.png")]
    pub plot: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Normalize {
    /// Red, green, blue, less their mean, by their deviation (torchvision)
    Imagenet,
    /// Blue, green, red from 0 to 255, less 104, 117, 123
    Caffe,
    /// Red, green, blue from 0 to 1
    None,
}

impl From<Normalize> for Normalization {
    fn from(normalize: Normalize) -> Self {
        match normalize {
            Normalize::Imagenet => Normalization::ImageNet,
            Normalize::Caffe => Normalization::Caffe,
            Normalize::None => Normalization::None,
        }
    }
}

/// A finite number from 0 on.
fn weight(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n >= 0.0 && n.is_finite() => Ok(n),
        _ => Err("expected a number from 0 on".to_string()),
    }
}
