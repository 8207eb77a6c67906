//! Batches made ahead on a thread of their own, so that reading and augmenting samples costs a step no time.

use cnnc_models::data::{Augmentation, Batches, Position, Samples};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

/// A batch as a step takes it.
#[derive(Default)]
pub struct Filled {
    pub images: Vec<f32>,
    pub labels: Vec<i64>,
    /// Of the batch that comes next.
    pub next: Position,
}

/// Batches that wait.
const DEPTH: usize = 3;

/// The batches of a sequence, one after the other, without end.
pub struct Feed {
    batches: Receiver<Filled>,
    used: Sender<Filled>,
}

impl Feed {
    /// Begins to make batches.
    pub fn new<'scope>(
        scope: &'scope Scope<'scope, '_>,
        samples: &'scope Samples,
        sequence: Batches,
        size: usize,
        augmentation: &'scope Augmentation,
    ) -> (Feed, ScopedJoinHandle<'scope, ()>) {
        let (give, batches) = sync_channel(DEPTH);
        let (used, take) = channel();
        let made = scope.spawn(move || {
            make(samples, sequence, size, augmentation, &give, &take);
        });
        (Feed { batches, used }, made)
    }

    /// The next batch; `None` if the thread that makes them has died.
    pub fn next(&self) -> Option<Filled> {
        self.batches.recv().ok()
    }

    /// Gives a batch's memory back.
    pub fn reuse(&self, batch: Filled) {
        // Where nobody makes batches any more, nobody wants the memory.
        let _ = self.used.send(batch);
    }
}

/// Makes batches until nobody takes them.
fn make(
    samples: &Samples,
    mut sequence: Batches,
    size: usize,
    augmentation: &Augmentation,
    give: &SyncSender<Filled>,
    used: &Receiver<Filled>,
) {
    loop {
        let mut filled = used.try_recv().unwrap_or_default();
        filled.images.resize(size * samples.image_len(), 0.0);
        filled.labels.resize(size * samples.labels_each(), 0);
        let batch = sequence.advance();
        batch.fill(
            samples,
            augmentation,
            &mut filled.images,
            &mut filled.labels,
        );
        filled.next = sequence.position();
        if give.send(filled).is_err() {
            return;
        }
    }
}
