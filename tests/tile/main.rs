//! Every assembled target against the interpreter, on generated tiles.
//!
//! Data are small integers and constants small dyadic fractions, so every result is exact and the comparison needs no
//! tolerance; buffers end at guard pages, so an access too far ends the test.

mod exec;
mod problem;
mod transforms;
mod unpools;

use cnnc::kernel::tile::{Arguments, Target, Tile, TileCode, assemble, interpret};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, control::ControlPlane};
use exec::{Code, Guarded};
use problem::{Random, extents, tile};

const PROBLEMS: u64 = 4000;

#[test]
fn avx512_equals_the_interpreter() {
    if !is_x86_feature("avx512") {
        return;
    }
    agree(Target::Avx512, PROBLEMS, small_integer);
}

#[test]
fn avx2_equals_the_interpreter() {
    if !is_x86_feature("avx2") {
        return;
    }
    agree(Target::Avx2, PROBLEMS, small_integer);
}

#[test]
fn cranelift_equals_the_interpreter() {
    for fma in [false, true] {
        if !fma || is_x86_feature("fma") {
            agree(Target::Clif128 { fma }, PROBLEMS / 2, small_integer);
        }
    }
}

/// The order of fused multiply-adds is part of a tile's meaning, so fractions agree to the last bit as well.
#[test]
fn fused_targets_agree_on_fractions_bit_for_bit() {
    for (target, feature) in [
        (Target::Avx512, "avx512"),
        (Target::Avx2, "avx2"),
        (Target::Clif128 { fma: true }, "fma"),
    ] {
        if is_x86_feature(feature) {
            agree(target, 500, |random| {
                random.within(-100_000, 100_000) as f32 / 7919.0
            });
        }
    }
}

#[test]
fn not_a_number_survives_relu_and_clip_on_every_target() {
    for (target, feature) in [
        (Target::Avx512, "avx512"),
        (Target::Avx2, "avx2"),
        (Target::Clif128 { fma: false }, "fma"),
    ] {
        if is_x86_feature(feature) {
            agree(target, 500, |random| {
                if random.one_in(40) {
                    f32::NAN
                } else {
                    small_integer(random)
                }
            });
        }
    }
}

fn small_integer(random: &mut Random) -> f32 {
    random.within(-4, 4) as f32
}

fn is_x86_feature(name: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    let present = match name {
        "avx512" => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"),
        _ => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
    };
    #[cfg(not(target_arch = "x86_64"))]
    let present = false;
    if !present {
        println!("skipped: this CPU has no {name}");
    }
    present
}

/// Runs `problems` generated tiles on the target and in the interpreter.
fn agree(target: Target, problems: u64, element: fn(&mut Random) -> f32) {
    let isa = native_isa();
    let mut buffers = std::array::from_fn(|_| Guarded::new(1 << 16));
    for seed in 0..problems {
        let mut random = Random(seed);
        let tile = tile(&mut random, target);
        let extents = extents(&tile);
        let starts = extents.map(|extent| extent.start());
        let data = extents.map(|extent| random.elements(extent.len(), element));
        let [input, weights, mut expected, bias, residual] = data;
        for (buffer, elements) in buffers
            .iter_mut()
            .zip([&input, &weights, &expected, &bias, &residual])
        {
            buffer.fill(elements);
        }
        let mut arguments = Arguments {
            input: (&input, starts[0]),
            weights: (&weights, starts[1]),
            output: (&mut expected, starts[2]),
            bias: (&bias, starts[3]),
            residual: (&residual, starts[4]),
        };
        interpret(&tile, &mut arguments)
            .unwrap_or_else(|fault| panic!("seed {seed}: {fault}\n{tile}"));
        machine_code(&tile, target, &*isa).call(&mut buffers, starts);
        for (index, (&found, &expected)) in buffers[2].elements().iter().zip(&expected).enumerate()
        {
            let same = found == expected || found.is_nan() && expected.is_nan();
            assert!(
                same,
                "seed {seed}: element {index} is {found}, expected {expected}\n{tile}"
            );
        }
    }
}

fn machine_code(tile: &Tile, target: Target, isa: &dyn cranelift_codegen::isa::TargetIsa) -> Code {
    let code = assemble(tile, target).unwrap_or_else(|error| panic!("{error}\n{tile}"));
    code_of(code, isa)
}

fn code_of(code: TileCode, isa: &dyn cranelift_codegen::isa::TargetIsa) -> Code {
    match code {
        TileCode::Bytes(bytes) => Code::new(&bytes),
        TileCode::Clif(function) => {
            let mut context = Context::for_function(*function);
            let compiled = context
                .compile(isa, &mut ControlPlane::default())
                .expect("the function compiles");
            assert!(compiled.buffer.relocs().is_empty(), "a tile calls nothing");
            Code::new(compiled.code_buffer())
        }
    }
}

fn native_isa() -> OwnedTargetIsa {
    let mut flags = settings::builder();
    flags.set("is_pic", "true").expect("a known setting");
    cranelift_native::builder()
        .expect("a supported host")
        .finish(settings::Flags::new(flags))
        .expect("valid settings")
}
