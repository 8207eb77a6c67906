//! Style transfer: targets and the step compiled, and driven step by step.

use crate::compile::{CompileError, CompileOptions, compile};
use crate::emit;
use crate::train::{self, CompiledStep, TrainError, Trainer};
use bytes::Bytes;
use cnnc_ir::{Graph, Tensor};
use cnnc_models::style::{self, IMAGE, Settings, StyleError, TERMS, Targets};
use cnnc_runtime::{RunError, TensorView};
use thiserror::Error;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransferError {
    #[error(transparent)]
    Style(#[from] StyleError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Train(#[from] TrainError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("a picture is {0}, expected f32[1,3,H,W]")]
    Picture(String),
}

/// What a step found before it changed the picture: the loss, and the terms that add up to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Losses {
    pub loss: f32,
    pub content: f32,
    pub style: f32,
    pub variation: f32,
}

/// A picture that takes on a style, step by step.
pub struct Transfer {
    trainer: Trainer,
    rate: f64,
    steps: u64,
}

impl Transfer {
    /// Begins at the picture `content`; it and `style` are f32\[1, 3, H, W\], 0 to 1, each of its own size. `network` may have been made
    /// for another size: it is typed anew up to the last layer that is looked at.
    ///
    /// # Errors
    /// As of [`style::step`], or if the system has no memory.
    pub fn new(
        network: &Graph,
        content: &Tensor,
        style: &Tensor,
        settings: &Settings,
        options: &CompileOptions,
        threads: usize,
    ) -> Result<Transfer, TransferError> {
        let graph = style::content_graph(network, settings, size(content)?)?;
        let features = evaluate(graph, content, options, threads)?;
        let graph = style::style_graph(network, settings, size(style)?)?;
        let targets = Targets {
            content: features,
            style: evaluate(graph, style, options, threads)?,
        };
        let step = style::step(network, settings, &targets, content)?;
        let (compiled, states) = train::compiled(step, options)?;
        let rate = settings.optimizer.rate();
        let step = CompiledStep {
            compiled,
            states,
            rate,
        };
        Ok(Transfer {
            trainer: Trainer::new(step, threads)?,
            rate,
            steps: 0,
        })
    }

    /// Changes the picture once.
    ///
    /// # Errors
    /// As of [`cnnc_runtime::Session::run`].
    pub fn step(&mut self) -> Result<Losses, RunError> {
        self.steps += 1;
        self.trainer.step(self.rate, self.steps)?;
        let session = self.trainer.session();
        let mut values = [f32::NAN; TERMS.len()];
        for (value, name) in values.iter_mut().zip(TERMS) {
            let output = session.output::<f32>(name)?;
            *value = output.to_vec().first().copied().unwrap_or(f32::NAN);
        }
        let [loss, content, style, variation] = values;
        Ok(Losses {
            loss,
            content,
            style,
            variation,
        })
    }

    /// The picture as it is now, f32\[1, 3, H, W\], 0 to 1.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn picture(&mut self) -> Result<Tensor, TransferError> {
        let picture = self.trainer.session().fetch_state(IMAGE)?;
        host(&picture).ok_or_else(|| TransferError::Picture(format!("{:?}", picture.dims())))
    }
}

/// Height and width of a picture.
fn size(picture: &Tensor) -> Result<[usize; 2], TransferError> {
    match *picture.shape() {
        [1, 3, height, width] => Ok([height, width]),
        _ => Err(TransferError::Picture(picture.ty().to_string())),
    }
}

/// Runs a graph of a picture once; its outputs in order.
fn evaluate(
    graph: Graph,
    picture: &Tensor,
    options: &CompileOptions,
    threads: usize,
) -> Result<Vec<Tensor>, TransferError> {
    let wrong = || TransferError::Picture(picture.ty().to_string());
    let mut session = compile(graph, options)?.model()?.session(threads)?;
    let dtype = emit::dtype(picture.dtype());
    let view = TensorView::from_bytes(dtype, picture.shape(), picture.bytes());
    let outputs = session.run_with(&[(IMAGE, view.ok_or_else(wrong)?)])?;
    let outputs = outputs.iter().map(|(_, t)| host(t).ok_or_else(wrong));
    outputs.collect()
}

/// A runtime tensor of f32 as one of ours.
fn host(t: &cnnc_runtime::Tensor) -> Option<Tensor> {
    let copy = Bytes::copy_from_slice(t.bytes());
    Tensor::new(cnnc_ir::DType::F32, t.dims().to_vec(), copy)
}
