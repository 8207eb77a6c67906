//! A damaged artefact is refused, wherever the damage is.

use crate::execute::artefact;
use crate::seeded;
use cnnc_runtime::{CpuLevel, Model};
use std::fs;

/// A network with weights, generated code, and a portable kernel.
fn bytes() -> Vec<u8> {
    let graph = seeded::network(
        r#"graph "net" (%x: f32[1,2,3,3]) {
             %w = seeded f32[2,2,2,2]
             %k = const i64[1] [1]
             %a = Conv(%x, %w)
             %b = Relu(%a)
             %y, %i = TopK(%b, %k)
             return "y" = %y, "i" = %i
           }"#,
    );
    artefact(&graph, CpuLevel::Baseline)
}

#[test]
fn every_truncation_is_refused() {
    let bytes = bytes();
    assert!(Model::from_bytes(&bytes).is_ok());
    for end in 0..bytes.len() {
        assert!(
            Model::from_bytes(&bytes[..end]).is_err(),
            "cut at {end} of {}",
            bytes.len()
        );
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = bytes();
    for bit in 0..8 * bytes.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(
            Model::from_bytes(&bytes).is_err(),
            "bit {} of byte {}",
            bit % 8,
            bit / 8
        );
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Model::from_bytes(&bytes).is_ok());
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let mut bytes = bytes();
    bytes.push(0);
    assert!(Model::from_bytes(&bytes).is_err());
}

/// Files are mapped: other code than for bytes in memory.
#[test]
fn damaged_files_are_refused() {
    let bytes = bytes();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.bin");
    fs::write(&path, &bytes).expect("a file");
    assert!(Model::open(&path).is_ok());
    for part in 0..40 {
        let at = part * bytes.len() / 40;
        fs::write(&path, &bytes[..at]).expect("a file");
        assert!(Model::open(&path).is_err(), "cut at {at}");
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).expect("a file");
        assert!(Model::open(&path).is_err(), "bit 4 of byte {at}");
    }
}
