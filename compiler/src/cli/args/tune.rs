//! What `cnnc tune` takes.

use super::Learn;
use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct Tune {
    /// A network description (.cnn)
    pub network: PathBuf,
    /// A data set as `cnnc train` takes it; only its training part is looked at
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// Settings to try, with spaces between: lr=1e-4..1e-2:log batch=16,32 optimizer=adam,sgd (a grid takes three points of a range, or
    /// 0..0.5:6 six); may be given more than once
    #[arg(long, value_name = "SETTINGS", required = true)]
    pub space: Vec<String>,
    /// Draw so many settings at random, instead of trying all combinations
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub random: Option<u32>,
    /// Cross-validate in so many folds; without it a fifth of the training part judges
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub folds: Option<u32>,
    /// The figure to judge by, of validation (default: accuracy where it is among the metrics, else loss)
    #[arg(long, value_name = "FIGURE")]
    pub by: Option<String>,
    /// Trainings at once, one thread each (default: as many as --threads)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Keep the figures of every training in a file; those that stand there already are not trained again
    #[arg(long, value_name = "FILE.json")]
    pub record: Option<PathBuf>,
    #[command(flatten)]
    pub learn: Learn,
}
