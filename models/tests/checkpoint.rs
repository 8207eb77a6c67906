//! Checkpoints on disk: what comes back, what is refused, what stays.

use cnnc_ir::{DType, Tensor};
use cnnc_models::checkpoint::{Checkpoint, Folder, Progress};
use cnnc_models::data::Position;
use cnnc_models::stopping::Best;
use proptest::prelude::*;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_128;

fn checkpoint(step: u64) -> Checkpoint {
    let progress = Progress {
        step,
        position: Position { epoch: 2, batch: 7 },
        seed: u64::MAX,
        best: Best {
            value: Some(0.1 + 0.2),
            waited: 3,
        },
        optimizer: "adam:lr=1e-3".to_string(),
        notes: [("network".to_string(), "a \"net\"".to_string())].into(),
    };
    Checkpoint {
        progress,
        tensors: vec![
            (
                "conv.weight".to_string(),
                Tensor::from_f64(DType::F32, &[2, 1], &[1.5, -2.0]),
            ),
            ("step".to_string(), Tensor::scalar_i64(DType::I64, 9)),
            (
                "nothing".to_string(),
                Tensor::from_f64(DType::F16, &[0, 3], &[]),
            ),
        ],
    }
}

fn refusal(bytes: Vec<u8>) -> String {
    Checkpoint::from_bytes(bytes.into())
        .unwrap_err()
        .to_string()
}

/// A file with a header of our own and the right hash.
fn forged(header: &str, data: &[u8]) -> Vec<u8> {
    let header = header.replace("HASH", &"0".repeat(32));
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.bytes());
    file.extend(data);
    let hash = format!("{:032x}", xxh3_128(&file));
    file[8 + 25..8 + 25 + 32].copy_from_slice(hash.as_bytes());
    file
}

fn forged_tensor(tensor: &str, data: &[u8]) -> String {
    let metadata = r#""format":"cnnc checkpoint 1","step":"1","epoch":"1","batch":"1","seed":"1","waited":"1""#;
    refusal(forged(
        &format!(r#"{{"__metadata__":{{"hash":"HASH",{metadata}}},{tensor}}}"#),
        data,
    ))
}

#[test]
fn what_was_written_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let written = checkpoint(12);
    written.write(&path).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap(), written);
    assert_eq!(written.tensor("step").unwrap().to_i64(), [9]);
    for value in [None, Some(f64::INFINITY), Some(-0.0)] {
        let mut other = written.clone();
        other.progress.best.value = value;
        let back = Checkpoint::from_bytes(other.to_bytes().unwrap().into()).unwrap();
        assert_eq!(
            back.progress.best.value.map(f64::to_bits),
            value.map(f64::to_bits)
        );
    }
}

#[test]
fn the_header_reads_as_safetensors_has_it() {
    let file = checkpoint(12).to_bytes().unwrap();
    let end = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    insta::assert_snapshot!(String::from_utf8_lossy(&file[8..end]).replace("},", "},\n"), @r#"
    {"__metadata__":{"hash":"91edbc55354004ddaf9a8d67a0c2208d","format":"cnnc checkpoint 1","step":"12","epoch":"2","batch":"7","seed":"18446744073709551615","waited":"3","optimizer":"adam:lr=1e-3","best":"0.30000000000000004","note.network":"a \"net\""},
    "conv.weight":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},
    "step":{"dtype":"I64","shape":[],"data_offsets":[8,16]},
    "nothing":{"dtype":"F16","shape":[0,3],"data_offsets":[16,16]}}
    "#);
    assert_eq!(file.len() - end, 16);
}

#[test]
fn every_truncation_and_every_flipped_bit_is_refused() {
    let whole = checkpoint(12).to_bytes().unwrap();
    for length in 0..whole.len() {
        refusal(whole[..length].to_vec());
    }
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refusal(flipped);
    }
    refusal([&whole[..], &[0]].concat());
}

#[test]
fn a_right_hash_does_not_make_a_checkpoint() {
    insta::assert_snapshot!(refusal(forged(r#"{"__metadata__":{"hash":"HASH"}}"#, b"")), @"is a '', expected a 'cnnc checkpoint 1'");
    insta::assert_snapshot!(refusal(forged(r#"{"__metadata__":{"hash":"HASH","format":"cnnc checkpoint 1","step":"-1"}}"#, b"")), @r#"has a header that makes no sense: 'step' is '-1', expected a number"#);
    insta::assert_snapshot!(refusal(forged(r#"{"__metadata__":{"hash":"HASH"#, b"")), @"has a header that makes no sense: EOF while parsing a string at line 1 column 57");
    insta::assert_snapshot!(refusal(b"\x02\0\0\0\0\0\0\0{}".to_vec()), @"is no checkpoint: its header does not begin with a hash");
    insta::assert_snapshot!(refusal([0xff; 9].to_vec()), @"is no safetensors file: its header is longer than the file");
    insta::assert_snapshot!(forged_tensor(r#""w":{}"#, b""), @"tensor 'w': its element type is unknown");
    insta::assert_snapshot!(forged_tensor(r#""w":{"dtype":"U8","shape":[4],"data_offsets":[0,3]}"#, b"abc"), @"tensor 'w': its shape does not have as many bytes as its place");
    insta::assert_snapshot!(forged_tensor(r#""w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}"#, b"abc"), @"tensor 'w': it does not lie where the one before it ends, or goes on behind the file");
    insta::assert_snapshot!(forged_tensor(r#""w":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}"#, b"abc"), @"tensor 'w': it does not lie where the one before it ends, or goes on behind the file");
    insta::assert_snapshot!(forged_tensor(r#""w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}"#, b"abc"), @"has a header that makes no sense: 1 bytes belong to no tensor");
    insta::assert_snapshot!(forged_tensor(r#""w":{"dtype":"F64","shape":[4294967296,4294967296,2],"data_offsets":[0,0]}"#, b""), @"tensor 'w': its shape does not have as many bytes as its place");
    insta::assert_snapshot!(forged_tensor(r#""w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}"#, b"ab"), @"tensor 'w': it does not lie where the one before it ends, or goes on behind the file");
}

#[test]
fn names_are_unique() {
    let mut twice = checkpoint(1);
    twice.tensors.push(twice.tensors[0].clone());
    insta::assert_snapshot!(twice.to_bytes().unwrap_err(), @"tensor 'conv.weight': the name is taken");
}

#[test]
fn the_last_few_are_kept() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(&place.path().join("run"), 2).unwrap();
    assert_eq!(folder.newest().unwrap(), None);
    for step in [1, 20, 300] {
        // What a run that was killed while writing leaves behind.
        fs::write(
            place
                .path()
                .join("run/.step-000000000007.safetensors.1.tmp"),
            "half",
        )
        .unwrap();
        folder.save(&checkpoint(step)).unwrap();
    }
    let mut names: Vec<String> = fs::read_dir(place.path().join("run"))
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "step-000000000020.safetensors",
            "step-000000000300.safetensors"
        ]
    );
    assert_eq!(folder.newest().unwrap(), Some(checkpoint(300)));
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_old_one() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path(), 3).unwrap();
    folder.save(&checkpoint(1)).unwrap();
    // The name of the next one is taken by a folder, which no rename replaces.
    fs::create_dir(place.path().join("step-000000000000.safetensors")).unwrap();
    folder.save(&checkpoint(0)).unwrap_err();
    assert_eq!(folder.newest().unwrap(), Some(checkpoint(1)));
    let unfinished = fs::read_dir(place.path()).unwrap().filter(|e| {
        e.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .ends_with(".tmp")
    });
    assert_eq!(unfinished.count(), 0);
}

/// Not a test of its own but the program that the next one kills: saves checkpoints without end into the folder that the environment names.
#[test]
fn saves_until_killed() {
    if let Some(place) = std::env::var_os(PLACE) {
        let folder = Folder::open(place.as_ref(), 2).unwrap();
        for step in 1.. {
            folder.save(&checkpoint(step)).unwrap();
        }
    }
}

const PLACE: &str = "CNNC_TEST_CHECKPOINTS";

#[test]
fn a_killed_run_leaves_a_whole_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::open(place.path(), 2).unwrap();
    for round in 0..12 {
        let mut run = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "saves_until_killed"])
            .env(PLACE, place.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while folder.list().unwrap().is_empty() {
            thread::yield_now();
        }
        thread::sleep(Duration::from_micros(700 * round));
        run.kill().unwrap();
        run.wait().unwrap();
        let newest = folder.newest().unwrap().unwrap();
        assert_eq!(newest, checkpoint(newest.progress.step));
        for (_, path) in folder.list().unwrap() {
            fs::remove_file(path).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn any_state_comes_back(step: u64, epoch: u64, best in prop::option::of(prop::num::f64::NORMAL), key in ".*", value in ".*", names in prop::collection::btree_set("[a-z.\"\\\\]{1,6}", 0..5)) {
        let progress = Progress {
            step,
            position: Position { epoch, batch: 0 },
            best: Best { value: best, waited: 0 },
            notes: [(key, value)].into(),
            ..Progress::default()
        };
        let dtypes = DType::ALL.into_iter().cycle();
        let tensors = names.into_iter().zip(dtypes).enumerate();
        let tensors = tensors.map(|(i, (name, dtype))| (name, Tensor::from_i64(dtype, &[i, 2], &vec![1; 2 * i])));
        let written = Checkpoint { progress, tensors: tensors.collect() };
        let bytes = written.to_bytes().unwrap();
        prop_assert_eq!(Checkpoint::from_bytes(bytes.into()).unwrap(), written);
    }

    #[test]
    fn no_nonsense_is_a_checkpoint(header in ".{0,200}", data in prop::collection::vec(any::<u8>(), 0..64)) {
        let file = forged(&format!(r#"{{"__metadata__":{{"hash":"HASH",{header}"#), &data);
        prop_assert!(Checkpoint::from_bytes(file.into()).is_err());
    }
}
