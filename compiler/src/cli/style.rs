//! `cnnc style`: a picture takes on the style of another one. Pictures appear while it does; Ctrl-C leaves the last one.

use super::args::{Common, Style};
use super::failure::{Failure, Status};
use super::interrupt::Interrupt;
use super::progress::Progress;
use super::{line, load, note, output};
use crate::frontend::onnx::{ImportOptions, input_names};
use crate::style::{Losses, Transfer, TransferError};
use cnnc_ir::{Graph, Tensor};
use cnnc_models::history::History;
use cnnc_models::photo::{self, Photo};
use cnnc_models::plot;
use cnnc_models::style::{Layers, Settings, StyleError, convolutions, default_layers};
use std::path::{Path, PathBuf};
use std::time::Instant;

impl From<TransferError> for Failure {
    fn from(e: TransferError) -> Failure {
        match e {
            TransferError::Run(e) => e.into(),
            e => Failure::input(e),
        }
    }
}

pub fn run(a: &Style, common: &Common) -> Result<(), Failure> {
    check(a)?;
    let [content, style] = [&a.content, &a.style].map(|path| {
        let photo = Photo::open(path)?.bounded(a.size as usize);
        Ok::<Tensor, Failure>(photo.tensor(3)?)
    });
    let (content, style) = (content?, style?);
    let network = network(&a.network, &content, common)?;
    let settings = settings(a, &network)?;
    let layers = &settings.layers;
    let (held, taken) = (layers.content.join(", "), layers.style.join(", "));
    note(common, &format!("content of {held}; style of {taken}"));
    let options = load::compile_options(common)?;
    let threads = common.threads();
    let transfer = Transfer::new(&network, &content, &style, &settings, &options, threads);
    let transfer = transfer.map_err(|e| explained(a, &network, e))?;
    let run = Run {
        a,
        common,
        transfer,
        history: History::new(["iteration", "loss", "content", "style", "variation"]),
        start: Instant::now(),
    };
    run.run()
}

/// Refuses what could not be written in the end.
fn check(a: &Style) -> Result<(), Failure> {
    let has = |path: &Path, endings: &[&str]| {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        match endings.contains(&ending.to_lowercase().as_str()) {
            true => output::check(path),
            false => Err(Failure::input(format!(
                "{}: expected a name that ends in .{}",
                path.display(),
                endings.join(" or .")
            ))),
        }
    };
    has(&a.output, &["png"])?;
    a.csv
        .as_deref()
        .map_or(Ok(()), |path| has(path, &["csv"]))?;
    let plot = a.plot.as_deref();
    plot.map_or(Ok(()), |path| has(path, &["svg", "png"]))?;
    for read in [&a.content, &a.style] {
        if output::same_file(read, &a.output) {
            let message = "would be overwritten by the result";
            return Err(Failure::input(format!("{}: {message}", read.display())));
        }
    }
    Ok(())
}

/// The network's graph; free dimensions take the size of the content picture.
fn network(path: &Path, content: &Tensor, common: &Common) -> Result<Graph, Failure> {
    let plain = load::graph(path, &ImportOptions::default(), common);
    if plain.is_ok() || load::is_native(path) || load::is_artefact(path) {
        return plain;
    }
    let mut options = ImportOptions::default();
    if let Ok([name]) = input_names(path).as_deref() {
        let shape = content.shape().to_vec();
        options.shapes.insert(name.clone(), shape);
    }
    load::graph(path, &options, common).or(plain)
}

fn settings(a: &Style, network: &Graph) -> Result<Settings, Failure> {
    let mut layers = Layers {
        content: a.content_layers.clone(),
        style: a.style_layers.clone(),
    };
    if layers.content.is_empty() || layers.style.is_empty() {
        let default = default_layers(network);
        let default = default.map_err(|e| load::wrong(&a.network, e))?;
        for (own, default) in [
            (&mut layers.content, default.content),
            (&mut layers.style, default.style),
        ] {
            if own.is_empty() {
                *own = default;
            }
        }
    }
    Ok(Settings {
        content_weight: a.content_weight,
        style_weight: a.style_weight,
        variation_weight: a.variation_weight,
        optimizer: a.optimizer,
        ..Settings::new(layers, a.normalize.into())
    })
}

/// A failure with the network's name; if a layer's name is wrong, with those there are for `-v`.
fn explained(a: &Style, network: &Graph, e: TransferError) -> Failure {
    let is_name = matches!(e, TransferError::Style(StyleError::NoLayer { .. }));
    let mut failure = match e {
        TransferError::Style(e) => load::wrong(&a.network, e),
        e => e.into(),
    };
    if is_name {
        let names = convolutions(network).join(", ");
        failure.details.push(format!("convolutions: {names}"));
    }
    failure
}

struct Run<'a> {
    a: &'a Style,
    common: &'a Common,
    transfer: Transfer,
    history: History,
    start: Instant,
}

impl Run<'_> {
    fn run(mut self) -> Result<(), Failure> {
        let interrupt =
            Interrupt::listen().map_err(|e| Failure::system(format!("signals: {e}")))?;
        let mut progress = Progress::new("style", self.common);
        let count = self.a.iterations;
        for iteration in 1..=count {
            let losses = self.transfer.step()?;
            let Losses {
                loss,
                content,
                style,
                variation,
            } = losses;
            let row = [loss, content, style, variation].map(f64::from);
            self.history
                .push(&[f64::from(iteration), row[0], row[1], row[2], row[3]]);
            if !loss.is_finite() {
                self.figures()?;
                let message = format!("the loss of iteration {iteration} is {loss}");
                return Err(Failure::new(Status::Diverged, message));
            }
            let is_due = iteration % self.a.every == 0;
            if is_due {
                self.picture(&frame(&self.a.output, iteration))?;
            }
            if is_due || iteration == 1 || iteration == count {
                // The bar is gone while a line is printed.
                drop(progress);
                self.report(iteration, &losses)?;
                progress = Progress::new("style", self.common);
            }
            progress.show(f64::from(iteration) / f64::from(count));
            if interrupt.came() {
                self.end()?;
                let out = self.a.output.display();
                let message = format!(
                    "interrupted after {iteration} of {count} iterations; {out} is the picture so far"
                );
                return Err(Failure::new(interrupt.status(), message));
            }
        }
        drop(progress);
        self.end()
    }

    /// Writes all there is to write.
    fn end(&mut self) -> Result<(), Failure> {
        let out = self.a.output.clone();
        self.picture(&out)?;
        self.figures()
    }

    fn picture(&mut self, path: &Path) -> Result<(), Failure> {
        let picture = self.transfer.picture()?;
        output::write(path, &photo::png(&picture, 1.0)?)
    }

    fn figures(&self) -> Result<(), Failure> {
        if let Some(path) = &self.a.csv {
            output::write(path, self.history.to_string().as_bytes())?;
        }
        let Some(path) = &self.a.plot else {
            return Ok(());
        };
        let picture = plot::curves(&self.history);
        let is_svg = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case("svg"));
        let bytes = match is_svg {
            true => picture.to_svg().into_bytes(),
            false => picture.to_png(2).map_err(Failure::system)?,
        };
        output::write(path, &bytes)
    }

    fn report(&self, iteration: u32, losses: &Losses) -> Result<(), Failure> {
        let Losses {
            loss,
            content,
            style,
            variation,
        } = losses;
        let seconds = self.start.elapsed().as_secs_f64();
        if self.common.json {
            let row = serde_json::json!({
                "iteration": iteration, "loss": loss, "content": content, "style": style, "variation": variation, "seconds": seconds,
            });
            return line(&row.to_string());
        }
        if self.common.quiet {
            return Ok(());
        }
        line(&format!(
            "iteration {iteration:5}  loss {loss:12.4}  content {content:12.4}  style {style:12.4}  variation {variation:10.4}  {seconds:7.1} s"
        ))
    }
}

/// `OUT-00100.png`.
fn frame(output: &Path, iteration: u32) -> PathBuf {
    let stem = output.file_stem().unwrap_or_default().to_string_lossy();
    output.with_file_name(format!("{stem}-{iteration:05}.png"))
}
