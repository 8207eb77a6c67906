//! Assembled transforms against the interpreter, bit for bit.

use crate::exec::Guarded;
use crate::problem::Random;
use crate::{code_of, is_x86_feature, native_isa};
use cnnc::kernel::tile::transform::{Between, Patch, Transform, interpret};
use cnnc::kernel::tile::{Arguments, Step, Target, assemble_transform};
use cnnc::kernel::winograd::Algorithm;

const VECTOR: i32 = 64;

/// Part of `0..size`, not empty.
fn part(random: &mut Random, size: usize) -> std::ops::Range<usize> {
    let first = random.within(0, size as i32 - 1) as usize;
    first..random.within(first as i32 + 1, size as i32) as usize
}

/// One of the transforms that Winograd plans are made of, for a row of patches.
fn transform(random: &mut Random) -> Transform {
    let algorithm = random.pick(&Algorithm::ALL);
    let patches = random.within(1, 3);
    let forward = random.one_in(2);
    let map = random.pick(&if forward {
        vec![
            algorithm.input(),
            algorithm.filter(),
            algorithm.output_gradient(),
        ]
    } else {
        vec![algorithm.output(), algorithm.filter_gradient()]
    });
    let (read, written) = (map.inputs, map.outputs.len());
    let side = |random: &mut Random, size: usize, whole: bool| {
        let column = VECTOR * random.within(patches, 4);
        let all = 0..size;
        Patch {
            row: column * size as i32,
            column,
            next: VECTOR,
            rows: if whole {
                all.clone()
            } else {
                part(random, size)
            },
            columns: if whole { all } else { part(random, size) },
        }
    };
    let steps = [
        Step::AddResidual,
        Step::Max(0.0.into()),
        Step::LeakyRelu(0.25.into()),
    ];
    Transform {
        map,
        input: side(random, read, !forward),
        output: side(random, written, forward),
        between: if forward {
            Between::Output
        } else {
            Between::Input
        },
        patches: patches as u32,
        below: VECTOR * random.within(0, 9),
        bias: !forward && random.one_in(2),
        epilogue: if forward {
            Vec::new()
        } else {
            steps[..random.within(0, 3) as usize].to_vec()
        },
    }
}

/// Elements from the first to the last of a patch's square, in all patches.
fn len(patch: &Patch, size: usize, patches: u32) -> usize {
    let last = (size - 1) as i32 * (patch.row + patch.column) + (patches as i32 - 1) * patch.next;
    (last + VECTOR) as usize / 4
}

fn agree(target: Target) {
    let isa = native_isa();
    let mut buffers = std::array::from_fn(|_| Guarded::new(1 << 16));
    for seed in 0..400 {
        let mut random = Random(seed);
        let transform = transform(&mut random);
        let map = &transform.map;
        let sizes = [
            len(&transform.input, map.inputs, transform.patches),
            0,
            len(&transform.output, map.outputs.len(), transform.patches),
            16,
        ];
        let element = |random: &mut Random| random.within(-100_000, 100_000) as f32 / 7919.0;
        let [mut input, _, mut output, bias] = sizes.map(|n| random.elements(n, element));
        let residual = random.elements(sizes[2], element);
        let constants = map.constants();
        for (buffer, elements) in buffers
            .iter_mut()
            .zip([&input, &constants, &output, &bias, &residual])
        {
            buffer.fill(elements);
        }
        let mut arguments = Arguments {
            input: (&[], 0),
            weights: (&constants, 0),
            output: (&mut output, 0),
            bias: (&bias, 0),
            residual: (&residual, 0),
        };
        interpret(&transform, (&mut input, 0), &mut arguments)
            .unwrap_or_else(|fault| panic!("seed {seed}: {fault}\n{transform}"));
        let code = assemble_transform(&transform, target)
            .unwrap_or_else(|error| panic!("{error}\n{transform}"));
        code_of(code, &*isa).call(&mut buffers, [0; 5]);
        let found = buffers[2].elements().iter().map(|y| y.to_bits());
        let expected = output.iter().map(|y| y.to_bits());
        for (index, (found, expected)) in found.zip(expected).enumerate() {
            let [found, expected] = [found, expected].map(f32::from_bits);
            assert_eq!(found, expected, "seed {seed}: element {index}\n{transform}");
        }
    }
}

#[test]
fn transforms_equal_the_interpreter_on_every_target() {
    for (target, feature) in [
        (Target::Avx512, "avx512"),
        (Target::Avx2, "avx2"),
        (Target::Clif128 { fma: true }, "fma"),
    ] {
        if is_x86_feature(feature) {
            agree(target);
        }
    }
}
