//! What is told of a run while it goes on: a bar, a row an epoch, files that grow.

use crate::cli::args::{Common, Train};
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::progress::Progress;
use crate::cli::{line, output};
use crate::train::observer::{EpochDone, Observer, StepDone};
use cnnc_models::history::History;
use cnnc_models::plot;
use cnnc_models::tensorboard::{self, EventWriter};
use serde_json::{Map, Value};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pixels of a PNG for each of a picture's.
const SCALE: u32 = 2;
/// From one look of the bar to the next.
const REFRESH: Duration = Duration::from_millis(100);

pub struct Report<'a> {
    interrupt: &'a Interrupt,
    common: &'a Common,
    csv: Option<&'a Path>,
    plots: &'a [PathBuf],
    events: Option<EventWriter<File>>,
    bar: Option<Progress>,
    shown: Instant,
    /// When the epoch began, or the run if it began amid one, and the batches done then.
    since: (Instant, u64),
    is_first: bool,
    /// The first thing that went wrong; it ends the run.
    failure: Option<Failure>,
}

impl<'a> Report<'a> {
    /// Refuses files that cannot be written before anything is learnt.
    pub fn new(
        a: &'a Train,
        common: &'a Common,
        interrupt: &'a Interrupt,
    ) -> Result<Self, Failure> {
        Ok(Report {
            interrupt,
            common,
            csv: a.csv.as_deref(),
            plots: &a.plot,
            events: a.tensorboard.as_deref().map(events).transpose()?,
            bar: None,
            shown: Instant::now(),
            since: (Instant::now(), 0),
            is_first: true,
            failure: None,
        })
    }

    /// Ends the report; files show the whole run, also where it had nothing left to do.
    pub fn finish(mut self, history: Option<&History>) -> Result<(), Failure> {
        self.bar = None;
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        history.map_or(Ok(()), |history| write_files(history, self.csv, self.plots))
    }

    fn tell(&mut self, done: &EpochDone) -> Result<(), Failure> {
        let history = done.history;
        if self.common.json {
            line(&Value::Object(object(history)).to_string())?;
        } else {
            if self.is_first {
                line(&heads(history))?;
            }
            line(&row(history))?;
        }
        self.is_first = false;
        write_files(history, self.csv, self.plots)?;
        if let Some(events) = &mut self.events {
            let row = history.rows().last().map_or(&[][..], |row| &row[..]);
            let tags: Vec<String> = history.columns().iter().map(|c| tag(c)).collect();
            let figures: Vec<(&str, f64)> = tags
                .iter()
                .map(String::as_str)
                .zip(row.iter().copied())
                .skip(1)
                .collect();
            let written = events.scalars(done.step, now(), &figures);
            written.map_err(|e| Failure::system(format!("--tensorboard: {e}")))?;
        }
        Ok(())
    }
}

impl Observer for Report<'_> {
    fn step(&mut self, done: StepDone) {
        if done.batch == 1 || self.bar.is_none() {
            self.since = (Instant::now(), done.batch);
            self.bar = Some(Progress::new("", self.common));
        }
        let is_last = done.batch == done.batches;
        if let Some(bar) = self.bar.as_ref().filter(|bar| bar.is_shown())
            && (is_last || self.shown.elapsed() >= REFRESH)
        {
            self.shown = Instant::now();
            let share = done.batch as f64 / done.batches as f64;
            bar.show_with(share, &pace(&done, self.since));
        }
    }

    fn epoch(&mut self, done: EpochDone) {
        self.bar = None;
        if let Err(failure) = self.tell(&done) {
            self.failure.get_or_insert(failure);
        }
    }

    fn stops(&mut self) -> bool {
        self.failure.is_some() || self.interrupt.came()
    }
}

/// Figures so far, images a second, time left in the epoch.
fn pace(done: &StepDone, (since, first): (Instant, u64)) -> String {
    let figures = (done.figures)();
    let figures: Vec<String> = figures
        .iter()
        .map(|(name, v)| format!("{name} {v:.4}"))
        .collect();
    let text = format!(
        "epoch {}/{}  {}",
        done.epoch,
        done.epochs,
        figures.join("  ")
    );
    let batches = (done.batch - first) as f64;
    if batches == 0.0 {
        return text;
    }
    let each = since.elapsed().as_secs_f64() / batches;
    let rate = done.samples as f64 / each.max(1e-9);
    let left = (done.batches - done.batch) as f64 * each;
    format!("{text}  {rate:.0} images/s  {left:.0} s left")
}

/// The last row by column.
fn object(history: &History) -> Map<String, Value> {
    let row = history.rows().last().map_or(&[][..], |row| &row[..]);
    let columns = history.columns().iter().zip(row);
    let value = |(name, &v): (&String, &f64)| match name.as_str() {
        "epoch" => (name.clone(), Value::from(v as u64)),
        _ => (name.clone(), Value::from(v)),
    };
    columns.map(value).collect()
}

/// Characters of a column.
fn width(column: &str) -> usize {
    match column {
        "epoch" => 5,
        column => column.len().max(9),
    }
}

fn heads(history: &History) -> String {
    let heads = history
        .columns()
        .iter()
        .map(|c| format!("{c:>width$}", width = width(c)));
    heads.collect::<Vec<_>>().join("  ")
}

fn row(history: &History) -> String {
    let row = history.rows().last().map_or(&[][..], |row| &row[..]);
    let cells = history.columns().iter().zip(row).map(|(column, value)| {
        let text = match column.as_str() {
            "epoch" => format!("{value}"),
            "seconds" => format!("{value:.1}"),
            "lr" => format!("{value:.3e}"),
            _ => format!("{value:.5}"),
        };
        format!("{text:>width$}", width = width(column))
    });
    cells.collect::<Vec<_>>().join("  ")
}

/// `loss/validation` of `val_loss`: TensorBoard shows both in one chart.
fn tag(column: &str) -> String {
    match column.strip_prefix("val_") {
        Some(figure) => format!("{figure}/validation"),
        None if ["epoch", "lr", "seconds"].contains(&column) => column.to_string(),
        None => format!("{column}/training"),
    }
}

fn write_files(history: &History, csv: Option<&Path>, plots: &[PathBuf]) -> Result<(), Failure> {
    if let Some(csv) = csv {
        output::write(csv, history.to_string().as_bytes())?;
    }
    plots
        .iter()
        .try_for_each(|path| write_picture(&plot::curves(history), path))
}

/// Whether a picture can be written under this name.
pub fn check_picture(path: &Path) -> Result<(), Failure> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("svg" | "png") => output::check(path),
        _ => Err(Failure::input(format!(
            "{}: expected the name of a .svg or .png file",
            path.display()
        ))),
    }
}

/// Writes a `.png` or a `.svg` file.
pub fn write_picture(picture: &plot::Picture, path: &Path) -> Result<(), Failure> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("png") => {
            let png = picture.to_png(SCALE);
            let png = png.map_err(|e| Failure::system(format!("{}: {e}", path.display())))?;
            output::write(path, &png)
        }
        _ => output::write(path, picture.to_svg().as_bytes()),
    }
}

fn events(folder: &Path) -> Result<EventWriter<File>, Failure> {
    let path = folder.join(tensorboard::file_name(now()));
    std::fs::create_dir_all(folder).map_err(|e| Failure::file(folder, &e))?;
    let file = File::create(&path).map_err(|e| Failure::file(&path, &e))?;
    EventWriter::new(file, now()).map_err(|e| Failure::file(&path, &e))
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |d| d.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_below_their_heads() {
        let columns = [
            "epoch",
            "loss",
            "accuracy",
            "val_loss",
            "val_accuracy",
            "lr",
            "seconds",
        ];
        let mut history = History::new(columns);
        history.push(&[3.0, 0.123_456, 0.95, 0.2, 0.9375, 1e-3, 12.34]);
        let shown = format!(
            "{}\n{}\n{}",
            heads(&history),
            row(&history),
            Value::Object(object(&history))
        );
        insta::assert_snapshot!(shown);
    }
}
