//! A network description's training step, for commands that show, time or compile one.

use super::args::{self, Common};
use super::failure::Failure;
use super::load;
use super::train::{network, with_file};
use crate::train::{self, CompiledStep};
use cnnc_models::network::Network;
use cnnc_models::step::Settings;
use std::path::Path;

/// The network, and what its step is made for: the description's own settings, but for the batch where another is asked for.
pub fn network_and_settings(
    a: &args::Step,
    path: &Path,
    seed: u32,
    common: &Common,
) -> Result<(Network, Settings), Failure> {
    let network = network(path, seed.into(), common)?;
    let training = network.training.clone().unwrap_or_default();
    let batch = a.batch.map_or(training.batch as usize, |n| n as usize);
    let settings = train::settings(&training, batch, seed);
    Ok((network, settings))
}

/// The step, compiled.
pub fn compiled(a: &args::Step, path: &Path, common: &Common) -> Result<CompiledStep, Failure> {
    let (network, settings) = network_and_settings(a, path, 0, common)?;
    let options = load::compile_options(common)?;
    train::compiled_step(&network, &settings, &options).map_err(|e| with_file(path, e))
}
