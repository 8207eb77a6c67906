//! Runs that signals end, and that go on.

use super::place::Place;
use cnnc_models::checkpoint::Folder;
use cnnc_models::random::Random;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::time::Duration;

const TRAIN: &str = "train small.cnn --data data --batch 16 --augment shift:1 --optimizer adam:lr=0.01 --json --quiet";

#[test]
fn the_first_sigint_ends_a_run_in_order() {
    let place = Place::new();
    let line = format!("{TRAIN} --epochs 100000 --checkpoint kept --threads 1");
    let mut child = place.command(&line).spawn().unwrap();
    // A row is there, so the run is at work.
    let mut row = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut row)
        .unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.starts_with("cnnc: interrupted after step ") && told.contains("--resume"),
        "{told}"
    );
    assert!(!place.file("small.safetensors").exists());
    let kept = Folder::open(&place.file("kept"), 3)
        .unwrap()
        .newest()
        .unwrap()
        .unwrap();
    assert!(
        told.contains(&format!("after step {};", kept.progress.step)),
        "{told}"
    );
    let again = place.failed(&line);
    insta::assert_snapshot!(again, @"2: cnnc: kept: holds checkpoints of an earlier run: go on with --resume, or take another folder");
}

/// Whatever ends a run, and whenever: what it leaves in the end is what a run leaves that nothing ended.
#[test]
fn interrupted_runs_leave_what_whole_ones_do() {
    let place = Place::new();
    place.done(&format!(
        "{TRAIN} --epochs 30 --threads 1 -o whole.safetensors --csv whole.csv"
    ));
    let mut random = Random::of(&[11]);
    let mut ended = 0;
    // A run may be done before its signal comes: as many rounds as it takes.
    for round in 0..60 {
        loop {
            let threads = 1 + random.index(2);
            let line = format!(
                "{TRAIN} --epochs 30 --threads {threads} -o {round}.safetensors --csv {round}.csv --checkpoint {round} --checkpoint-every 1 --resume"
            );
            let mut child = place.command(&line).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(random.below(150)));
            let signal = [Signal::INT, Signal::KILL][random.index(2)];
            // It may be done already.
            let _ = kill_process(Pid::from_child(&child), signal);
            let status = child.wait().unwrap();
            match status.code() {
                Some(0) => break,
                Some(130) | None => ended += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            place.bytes(&format!("{round}.safetensors")),
            place.bytes("whole.safetensors")
        );
        let figures = |name: String| {
            let text = String::from_utf8(place.bytes(&name)).unwrap();
            let rows = text
                .lines()
                .map(|l| l.rsplit_once(',').unwrap().0.to_string());
            rows.collect::<Vec<_>>()
        };
        assert_eq!(figures(format!("{round}.csv")), figures("whole.csv".into()));
        if round > 1 && ended > 9 {
            break;
        }
    }
    assert!(ended > 9, "{ended}");
}
