//! The command line's grammar.

mod learn;
mod style;
mod tune;

use super::failure::Failure;
use super::tensors::Size;
use crate::frontend::native::Given;
use crate::select;
use clap::{Args, Parser, Subcommand, ValueEnum};
use cnnc_models::description::Arguments;
use cnnc_runtime::CpuLevel;
pub use learn::{ClassWeighting, Eval, Learn, Part, Sampled, Train};
use std::path::{Path, PathBuf};
pub use style::Style;
pub use tune::Tune;

/// A graph compiler for convolutional networks: ONNX in, one mapped file of native code out.
#[derive(Parser)]
#[command(name = "cnnc", version, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args, Clone)]
pub struct Common {
    /// One JSON object a line on standard output, nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// No notes and no progress
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Everything that can be said about an error, a line each
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Threads that work is cut for; the processors this process may really use run it (default: all of these)
    #[arg(long, global = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Instruction set (default: $CNNC_CPU, else native)
    #[arg(long, global = true, value_enum)]
    pub cpu: Option<Cpu>,
    /// Largest arena in bytes
    #[arg(long, global = true, default_value_t = 16 << 30)]
    pub max_arena: u64,
    /// Weights of a network description (.cnn), as `cnnc train` writes them or another program's; a checkpoint's are taken too
    #[arg(long, global = true, value_name = "FILE.safetensors")]
    pub weights: Option<PathBuf>,
    /// Parameters of a network description, those in its head (`network vgg16(classes=1000)`): numbers, 3x3, true, words such as relu;
    /// several with commas, or --set more than once
    #[arg(long = "set", global = true, value_name = "NAME=VALUE")]
    pub arguments: Vec<Arguments>,
    /// Whether convolutions may use algorithms with an error bound of their own (Winograd's)
    #[arg(long, global = true, value_enum, default_value_t = Numerics::Fast)]
    pub numerics: Numerics,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Numerics {
    Fast,
    Strict,
}

impl From<Numerics> for select::Numerics {
    fn from(numerics: Numerics) -> Self {
        match numerics {
            Numerics::Fast => select::Numerics::Fast,
            Numerics::Strict => select::Numerics::Strict,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Cpu {
    Native,
    Baseline,
    #[value(name = "x86-64-v3")]
    V3,
    #[value(name = "x86-64-v4")]
    V4,
}

impl Common {
    /// 0 stands for all processors.
    pub fn threads(&self) -> usize {
        self.threads.map_or(0, usize::from)
    }

    pub fn weights(&self) -> Option<&Path> {
        self.weights.as_deref()
    }

    /// What a network description is given.
    pub fn given(&self) -> Given<'_> {
        Given {
            arguments: self.arguments.iter().cloned().collect(),
            weights: self.weights(),
        }
    }

    /// The level to compile for.
    pub fn cpu(&self) -> Result<CpuLevel, Failure> {
        let asked = match (self.cpu, std::env::var("CNNC_CPU")) {
            (Some(cpu), _) => cpu,
            (None, Ok(name)) if !name.is_empty() => Cpu::from_str(&name, true).map_err(|_| {
                Failure::input(format!(
                    "CNNC_CPU must be native, baseline, x86-64-v3 or x86-64-v4, is '{name}'"
                ))
            })?,
            _ => Cpu::Native,
        };
        Ok(match asked {
            Cpu::Native => CpuLevel::host().unwrap_or(CpuLevel::Baseline),
            Cpu::Baseline => CpuLevel::Baseline,
            Cpu::V3 => CpuLevel::V3,
            Cpu::V4 => CpuLevel::V4,
        })
    }
}

#[derive(Subcommand)]
pub enum Command {
    /// Compile a model to an artefact
    Compile(Compile),
    /// Write a model as ONNX, for other tools to run
    Export(Export),
    /// Run a model on inputs from files
    Run(Run),
    /// Train a network description on a data set
    Train(Box<Train>),
    /// Judge a model by a data set
    Eval(Eval),
    /// Compare a model with recorded inputs and outputs
    Verify(Verify),
    /// Measure latency
    Bench(Bench),
    /// Show inputs, outputs, operators, parameters, memory
    Inspect(Look),
    /// Find the settings that a network learns best with
    Tune(Tune),
    /// Give a picture the style of another one
    Style(Style),
    /// List every problem of a model at once
    Check(Model),
    /// Show the kernel of every node, and those refused
    Explain(Look),
}

#[derive(Args)]
pub struct Model {
    /// A .onnx file, a native description (.cnn) or an artefact (.bin)
    pub model: PathBuf,
    /// Fix an input's shape: NAME=1x3x224x224
    #[arg(long = "input", value_name = "NAME=SHAPE")]
    pub inputs: Vec<String>,
}

#[derive(Args)]
pub struct Compile {
    #[command(flatten)]
    pub model: Model,
    /// Where the artefact goes
    #[arg(short, long, value_name = "OUT.bin")]
    pub output: Option<PathBuf>,
    /// An artefact, or an ELF object of the generated code
    #[arg(long, value_enum, default_value = "bin")]
    pub emit: Emit,
    /// Carry the whole graph, so that the artefact can be compiled again; it holds the weights once more
    #[arg(long, conflicts_with = "train")]
    pub keep_graph: bool,
    /// Stop after a pass or stage (import, PASS, passes, schedule, memory, select) and print it
    #[arg(long, value_name = "STAGE")]
    pub stop_after: Option<String>,
    /// Print a stage (import, graph, PASS, schedule, memory, select, nests, clif, asm) and go on
    #[arg(long, value_name = "STAGE")]
    pub print: Vec<String>,
    /// Measure kernels on this machine for about so many seconds and take the quickest; the artefact records them
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "20",
        value_parser = positive
    )]
    pub tune: Option<f64>,
    /// Take the kernels that a tuned artefact records: the same artefact again, without measuring
    #[arg(long, value_name = "TUNED.bin", conflicts_with = "tune")]
    pub replay: Option<PathBuf>,
    /// Leave a pass out
    #[arg(long, value_name = "PASS")]
    pub skip: Vec<String>,
    #[command(flatten)]
    pub step: Step,
    /// What parameters and dropout are drawn from
    #[arg(long, value_name = "SEED", requires = "train", default_value_t = 0)]
    pub seed: u32,
}

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    pub model: Model,
    /// Where the model goes; above 2 GB its weights go to OUT.onnx.data beside it
    #[arg(short, long, value_name = "OUT.onnx")]
    pub output: PathBuf,
    /// As ONNX, whatever the file is called
    #[arg(long)]
    pub onnx: bool,
    /// Opset of the standard operators (default: the lowest that has what the model uses, 13 at least)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(13..=28))]
    pub opset: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    Bin,
    Obj,
}

#[derive(Args)]
pub struct Run {
    /// A .onnx file, a native description (.cnn) or an artefact (.bin)
    pub model: PathBuf,
    /// An input: NAME=FILE (.npy .npz .pb .png .jpg), NAME=random:SEED or NAME=SHAPE with random values
    #[arg(long = "input", value_name = "NAME=SOURCE")]
    pub inputs: Vec<String>,
    /// Resize pictures first: to HxW, or to no side longer than N (an input of fixed size gets them in its own)
    #[arg(long, value_name = "HxW|N", value_parser = super::tensors::size)]
    pub resize: Option<Size>,
    /// What white is, in pictures that go in and come out: 1, or 255 for networks that take levels (default: 1 going in; coming out 1, or
    /// 255 where a value exceeds 2)
    #[arg(long, value_name = "WHITE", value_parser = positive)]
    pub scale: Option<f64>,
    /// Write every output as NAME.npy into a folder
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Write one output: NAME=FILE (.npy, .png)
    #[arg(long = "output", value_name = "NAME=FILE")]
    pub outputs: Vec<String>,
    /// Print the K largest elements of each output; of probabilities as percentages
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub top: usize,
    /// Name the elements that --top prints: line N of FILE is the name of element N
    #[arg(long, value_name = "FILE", requires = "top")]
    pub labels: Option<PathBuf>,
}

#[derive(Args)]
pub struct Verify {
    /// Folders of model.onnx and test_data_set_*
    pub dirs: Vec<PathBuf>,
    /// A file that names one folder a line
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
    /// Relative tolerance
    #[arg(long, default_value_t = 1e-3)]
    pub rtol: f64,
    /// Absolute tolerance
    #[arg(long, default_value_t = 1e-7)]
    pub atol: f64,
    /// Judge by cosine similarity and equal argmax instead
    #[arg(long, value_name = "C")]
    pub cosine: Option<f64>,
}

/// A finite number above 0.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(n) if n > 0.0 && n.is_finite() => Ok(n),
        _ => Err("expected a number above 0".to_string()),
    }
}

/// What stands in a network's place: its training step.
#[derive(Args)]
pub struct Step {
    /// The training step (forward, gradient, update) of a network description instead, which the runtime steps without the compiler
    #[arg(long, conflicts_with = "inputs")]
    pub train: bool,
    /// Samples a training step; without it those that the description asks for
    #[arg(long, value_name = "N", requires = "train", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
}

/// A model, or a network's training step, to be looked at.
#[derive(Args)]
pub struct Look {
    #[command(flatten)]
    pub model: Model,
    #[command(flatten)]
    pub step: Step,
}

#[derive(Args)]
pub struct Bench {
    #[command(flatten)]
    pub model: Model,
    /// How long to measure
    #[arg(long, default_value_t = 2.0, value_parser = positive)]
    pub seconds: f64,
    /// Number of runs instead
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: Option<u32>,
    #[command(flatten)]
    pub step: Step,
    /// Time every step
    #[arg(long)]
    pub profile: bool,
    /// Also write a run's steps, thread by thread, for chrome://tracing or Perfetto
    #[arg(long, value_name = "FILE.json", requires = "profile")]
    pub trace: Option<PathBuf>,
}
