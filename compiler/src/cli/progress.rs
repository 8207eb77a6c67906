//! A bar on standard error while something takes long: only on a terminal, never with `--quiet`, and gone when it is done.

use super::args::Common;
use std::io::{IsTerminal, Write, stderr};

const WIDTH: usize = 30;

pub struct Progress {
    shown: bool,
    title: &'static str,
}

impl Progress {
    pub fn new(title: &'static str, common: &Common) -> Progress {
        let shown = !common.quiet && stderr().is_terminal();
        let progress = Progress { shown, title };
        progress.show(0.0);
        progress
    }

    /// Whether anybody sees it.
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// Shows what share is done.
    pub fn show(&self, share: f64) {
        self.show_with(share, "");
    }

    /// Shows what share is done, and something more.
    pub fn show_with(&self, share: f64, more: &str) {
        if self.shown {
            // Where the terminal has gone there is nobody to tell. What the line held before is erased.
            let _ = write!(stderr(), "\r{}  {more}\x1b[K", bar(self.title, share));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn bar(title: &str, share: f64) -> String {
    let share = share.clamp(0.0, 1.0);
    let full = (share * WIDTH as f64).round() as usize;
    let (done, left) = ("#".repeat(full), " ".repeat(WIDTH - full));
    let gap = if title.is_empty() { "" } else { " " };
    format!("{title}{gap}[{done}{left}] {:3.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        insta::assert_snapshot!(bar("tuning", 0.5), @"tuning [###############               ]  50 %");
        insta::assert_snapshot!(bar("tuning", 7.0), @"tuning [##############################] 100 %");
    }
}
