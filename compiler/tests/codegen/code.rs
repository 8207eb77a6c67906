//! The forms of code.

use crate::harness::*;
use crate::layout::*;
use crate::numbers::Numbers;
use cnnc::codegen::{Source, flat};
use cnnc::kernel::nest;
use cnnc_ir::{DType, Ex};
use cnnc_runtime::CpuLevel;

#[test]
fn blob_and_process_give_the_same_bits() {
    let mut numbers = Numbers(18);
    let x = numbers.fractions(DType::F32, &[5, 333]);
    let expr = Ex::arg(0, DType::F32).sigmoid().erf().finish();
    let run = |setup: Setup| {
        run_nests(setup, std::slice::from_ref(&x), &x, |views, out| {
            nest::elementwise(&expr, views, out).expect("lowers")
        })
        .bytes()
        .clone()
    };
    let blob = run(SETUP);
    for setup in [
        Setup {
            in_process: true,
            ..SETUP
        },
        Setup {
            threads: 4,
            ..SETUP
        },
        Setup {
            level: CpuLevel::Baseline,
            ..SETUP
        },
    ] {
        assert_eq!(run(setup), blob);
    }
}

#[test]
fn the_same_sources_give_the_same_blob() {
    let mut numbers = Numbers(19);
    let x = place(&numbers.whole(DType::F32, &[7, 9], 9), false, 0);
    let y = place(&numbers.whole(DType::F32, &[7, 9], 9), false, 256);
    let expr = Ex::arg(0, DType::F32).tanh().finish();
    let nests = nest::elementwise(&expr, &[x.view], &y.view).expect("lowers");
    let sources: Vec<Source> = nests.iter().cycle().take(40).map(Source::Nest).collect();
    let first = flat::blob(&sources, CpuLevel::V3).expect("compiles");
    assert_eq!(flat::blob(&sources, CpuLevel::V3).expect("compiles"), first);
    assert!(first.entries.iter().all(|at| at % 64 == 0));
}
