//! Assembled unpools against the interpreter, bit for bit.

use crate::exec::Guarded;
use crate::problem::Random;
use crate::{code_of, is_x86_feature, native_isa};
use cnnc::kernel::tile::unpool::{Cell, Unpool, interpret};
use cnnc::kernel::tile::{Arguments, Target, assemble_unpool};

const VECTOR: i32 = 64;

/// A row of windows of up to 3x3 cells, of which some may be clipped.
fn unpool(random: &mut Random) -> Unpool {
    let (height, width) = (random.within(1, 3), random.within(1, 3));
    let (stride, windows) = (random.within(1, 3), random.within(1, 4));
    let columns = width + stride * (windows - 1) + random.within(0, 2);
    let cells = (0..height).flat_map(|h| (0..width).map(move |w| h * columns + w));
    let cells = cells.map(|at| Cell {
        x: at * VECTOR,
        dx: at * VECTOR,
    });
    Unpool {
        cells: cells.collect(),
        windows: windows as u32,
        next: [stride * VECTOR, VECTOR, stride * VECTOR],
        accumulate: width > stride || random.one_in(2),
        rectified: random.one_in(2),
    }
}

fn agree(target: Target) {
    let isa = native_isa();
    let mut buffers = std::array::from_fn(|_| Guarded::new(1 << 14));
    for seed in 0..300 {
        let mut random = Random(seed);
        let unpool = unpool(&mut random);
        let last = unpool.cells.iter().map(|c| c.x).max().unwrap_or(0);
        let plane = last + (unpool.windows as i32 - 1) * unpool.next[0] + VECTOR;
        // Few different numbers, so that there are ties, and now and then none at all.
        let tied = |random: &mut Random| match random.within(0, 40) {
            0 => f32::NAN,
            n => (n % 5) as f32 - 2.0,
        };
        let x = random.elements(plane as usize / 4, tied);
        let element = |random: &mut Random| random.within(-100_000, 100_000) as f32 / 7919.0;
        let dy = random.elements(16 * unpool.windows as usize, element);
        let mut dx = random.elements(plane as usize / 4, element);
        for (buffer, elements) in buffers
            .iter_mut()
            .zip([&x, &dy, &dx, &Vec::new(), &Vec::new()])
        {
            buffer.fill(elements);
        }
        let mut arguments = Arguments {
            input: (&x, 0),
            weights: (&dy, 0),
            output: (&mut dx, 0),
            bias: (&[], 0),
            residual: (&[], 0),
        };
        interpret(&unpool, &mut arguments)
            .unwrap_or_else(|fault| panic!("seed {seed}: {fault}\n{unpool}"));
        let code = assemble_unpool(&unpool, target).unwrap_or_else(|e| panic!("{e}\n{unpool}"));
        code_of(code, &*isa).call(&mut buffers, [0; 5]);
        let found = buffers[2].elements().iter().map(|y| y.to_bits());
        let expected: Vec<u32> = dx.iter().map(|y| y.to_bits()).collect();
        assert!(found.eq(expected), "seed {seed}\n{unpool}");
    }
}

#[test]
fn unpools_equal_the_interpreter_on_every_target() {
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
