//! The same input and level give the same artefact, byte for byte; the same artefact gives the same bits, however it is run.

use crate::execute::{artefact, compiled, levels, run};
use crate::{feeds, seeded};
use cnnc_ir::Graph;
use cnnc_runtime::{CpuLevel, Model};
use std::process::Command;

fn small() -> Graph {
    seeded::network(include_str!("../common/small.cnn"))
}

#[test]
fn compiling_twice_gives_the_same_bytes() {
    for level in CpuLevel::ALL {
        assert!(
            artefact(&small(), level) == artefact(&small(), level),
            "{level}"
        );
    }
}

/// Names the file that [`the_artefact_as_a_file`] shall write.
const TARGET: &str = "CNNC_TEST_ARTEFACT";

/// Does something only when [`processes_of_their_own_give_the_same_bytes`] starts it in a process of its own.
#[test]
fn the_artefact_as_a_file() {
    let bytes = artefact(&small(), CpuLevel::V3);
    assert!(!bytes.is_empty());
    if let Some(path) = std::env::var_os(TARGET) {
        std::fs::write(path, bytes).expect("a file");
    }
}

/// Every process hashes with seeds of its own, so an artefact that follows a hash table's order shows.
#[test]
fn processes_of_their_own_give_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let here = artefact(&small(), CpuLevel::V3);
    for process in 0..2 {
        let path = folder.path().join(format!("{process}.bin"));
        let status = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "determinism::the_artefact_as_a_file", "--quiet"])
            .env(TARGET, &path)
            .status()
            .expect("this test runs");
        assert!(status.success());
        assert!(
            std::fs::read(&path).expect("an artefact") == here,
            "process {process}"
        );
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let inputs = feeds::inputs(&small(), 1);
    for level in levels() {
        let model = Model::from_bytes(&artefact(&small(), level)).expect("a sound artefact");
        let one = run(&model, &inputs, 1);
        for threads in [2, 8] {
            assert!(
                run(&model, &inputs, threads) == one,
                "{level}, {threads} threads"
            );
        }
    }
}

#[test]
fn a_session_gives_the_same_bits_again_and_again() {
    let model = Model::from_bytes(&artefact(&small(), levels()[0])).expect("a sound artefact");
    let mut session = model.session(2).expect("a session");
    let inputs = feeds::inputs(&small(), 1);
    let first = run(&model, &inputs, 2);
    for _ in 0..3 {
        for (name, t) in &inputs {
            let dtype = cnnc::emit::dtype(t.dtype());
            let view = cnnc_runtime::TensorView::from_bytes(dtype, t.shape(), t.bytes());
            session
                .set_input(name, view.expect("a tensor"))
                .expect("an input");
        }
        session.run().expect("the model runs");
        assert!(session.fetch_output("y").expect("an output") == first[0].1);
    }
}

#[test]
fn the_file_equals_what_runs_in_memory_bit_for_bit() {
    let inputs = feeds::inputs(&small(), 1);
    let folder = tempfile::tempdir().expect("a folder");
    for level in levels() {
        let path = folder.path().join("small.bin");
        std::fs::write(&path, artefact(&small(), level)).expect("a file");
        let file = Model::open(&path).expect("a sound artefact");
        let memory = compiled(&small(), level, &[]).and_then(|c| c.model());
        let memory = memory.expect("a sound program");
        assert!(
            run(&file, &inputs, 2) == run(&memory, &inputs, 2),
            "{level}"
        );
    }
}
