//! What `cnnc train` and `cnnc eval` take.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Args)]
pub struct Train {
    /// A network description (.cnn)
    pub network: PathBuf,
    /// IDX files of MNIST's names, a .npz file or .npy arrays, or folders of pictures, one a class; for networks that tell the class of every
    /// pixel arrays of labels [images, height, width], or folders `images` and `masks`, PNG files whose grey values are classes
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    #[command(flatten)]
    pub learn: Learn,
    /// Where the trained network goes: weights (.safetensors, for --weights), a model (.onnx) or an artefact of batch 1 (.bin); may be
    /// given more than once (default: NET.safetensors in the working directory)
    #[arg(short, long = "output", value_name = "OUT")]
    pub outputs: Vec<PathBuf>,
    /// Keep checkpoints in a folder, one after every epoch
    #[arg(long, value_name = "DIR")]
    pub checkpoint: Option<PathBuf>,
    /// And one after every N steps
    #[arg(long, value_name = "N", requires = "checkpoint", value_parser = clap::value_parser!(u64).range(1..))]
    pub checkpoint_every: Option<u64>,
    /// Checkpoints that are kept
    #[arg(long, value_name = "N", requires = "checkpoint", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    pub keep: u16,
    /// Go on from the newest checkpoint, to the same bits as without the break; from the start where there is none
    #[arg(long, requires = "checkpoint")]
    pub resume: bool,
    /// Curves of loss and metrics over epochs (.svg, .png); may be given more than once
    #[arg(long, value_name = "FILE")]
    pub plot: Vec<PathBuf>,
    /// The figures of every epoch
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    /// Event files for TensorBoard
    #[arg(long, value_name = "DIR")]
    pub tensorboard: Option<PathBuf>,
    /// The first nine test images with true and predicted class, or the first six beside their true and predicted maps (.svg, .png)
    #[arg(long, value_name = "FILE")]
    pub predictions: Option<PathBuf>,
}

/// How to learn; what is not said, the description says.
#[derive(Args)]
pub struct Learn {
    /// Passes over the data
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub epochs: Option<u64>,
    /// Samples a step
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub batch: Option<u64>,
    /// sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw: adam:lr=1e-3
    #[arg(long, value_name = "SPEC")]
    pub optimizer: Option<String>,
    /// cross_entropy, focal, binary_cross_entropy, mse, mae, huber, kl: cross_entropy:smoothing=0.1
    #[arg(long, value_name = "SPEC")]
    pub loss: Option<String>,
    /// The learning rate's course: constant, step:epochs=E,factor=F, exponential:..., cosine:epochs=E,floor=F; each with warmup=STEPS
    #[arg(long, value_name = "SPEC")]
    pub schedule: Option<String>,
    /// accuracy, top5, precision, recall, f1, iou, auc, with commas between
    #[arg(long, value_name = "LIST")]
    pub metrics: Option<String>,
    /// flip, crop:P, shift:P, rotate:D, cutout:S, with spaces between; an empty text for none
    #[arg(long, value_name = "LIST")]
    pub augment: Option<String>,
    /// End when the validation loss gets no better: patience=N,min_delta=D; the best epoch's weights are the result
    #[arg(long, value_name = "RULE")]
    pub early_stop: Option<String>,
    /// Penalty on absolute values of weights
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub l1: Option<f64>,
    /// Penalty on squares of weights
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    pub l2: Option<f64>,
    /// Bound on gradients: norm=X or value=X
    #[arg(long, value_name = "BOUND")]
    pub clip: Option<String>,
    /// Let samples, or pixels, of rare classes weigh more in the loss
    #[arg(long, value_enum, default_value = "equal")]
    pub class_weights: ClassWeighting,
    /// Draw samples of rare classes more often
    #[arg(long, value_enum, default_value = "shuffled")]
    pub sampling: Sampled,
    /// Of parameters, order of samples, augmentation and dropout (default: 0; with --resume the checkpoint's)
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Resize images of arrays and IDX files to what the network takes, as pictures in folders always are
    #[arg(long)]
    pub resize: bool,
    /// Share of the samples that becomes the test part where the data set has none
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    pub test_share: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ClassWeighting {
    Equal,
    Balanced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sampled {
    Shuffled,
    Balanced,
}

#[derive(Args)]
pub struct Eval {
    /// A .onnx file, a native description (.cnn, with --weights) or an artefact (.bin)
    pub model: PathBuf,
    /// A data set as `cnnc train` takes it; its test part is judged
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// The part that is judged
    #[arg(long, value_enum, default_value = "test")]
    pub part: Part,
    /// Samples at once (default: 32, or what the model is fixed to)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub batch: Option<u32>,
    /// The K of top-K accuracy
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub top: u32,
    /// Fail with status 1 where a figure is lower: accuracy=0.98; may be given more than once
    #[arg(long, value_name = "FIGURE=VALUE")]
    pub min: Vec<String>,
    /// Fail with status 1 where a figure is higher: loss=0.1; may be given more than once
    #[arg(long, value_name = "FIGURE=VALUE")]
    pub max: Vec<String>,
    /// Resize images of arrays and IDX files to what the network takes, as pictures in folders always are
    #[arg(long)]
    pub resize: bool,
    /// Share of the samples that becomes the test part where the data set has none
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = share)]
    pub test_share: f64,
    /// Which samples those are: the seed that the network was trained with
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    Train,
    Test,
}

/// A finite number from 0 on.
fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n >= 0.0 && n.is_finite() => Ok(n),
        _ => Err("expected a number from 0 on".to_string()),
    }
}

/// A number from 0 to 1, 1 excluded.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if (0.0..1.0).contains(&n) => Ok(n),
        _ => Err("expected a number from 0 to 1, and less than that".to_string()),
    }
}
