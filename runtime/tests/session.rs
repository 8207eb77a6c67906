//! Running: generated functions on any number of threads, control flow, states, extents, errors. Functions that Rust compiled stand
//! in for generated ones.
#![allow(unsafe_code)]

use cnnc_runtime::portable::{Copy, Gather, NonZero};
use cnnc_runtime::{
    Bool, Code, CpuLevel, DType, Env, Extent, ExtentSlot, KernelError, Location, MathFn, Model,
    NativeFn, Operand, Port, Portable, Program, RunError, SessionOptions, Space, Step, StepKind,
    TensorView,
};

const N: usize = 1000;

fn operand(dtype: DType, dims: &[u64], space: Space, offset: u64) -> Operand {
    Operand::dense(dtype, dims, Location { space, offset })
}

fn port(name: &str, operand: &Operand) -> Port {
    Port {
        name: name.into(),
        operand: operand.clone(),
    }
}

fn step(label: &str, kind: StepKind) -> Step {
    Step {
        label: label.into(),
        kind,
    }
}

fn native(label: &str, entry: u32, chunks: u64) -> Step {
    step(label, StepKind::Native { entry, chunks })
}

fn portable(
    label: &str,
    kernel: impl Into<Portable>,
    inputs: &[&Operand],
    output: &Operand,
) -> Step {
    step(
        label,
        StepKind::Portable {
            kernel: kernel.into(),
            inputs: inputs.iter().map(|&input| Some(input.clone())).collect(),
            outputs: vec![Some(output.clone())],
        },
    )
}

fn empty() -> Program {
    Program {
        name: "test".into(),
        producer: "test".into(),
        cpu: CpuLevel::Baseline,
        inputs: Vec::new(),
        outputs: Vec::new(),
        states: Vec::new(),
        initials: Vec::new(),
        arena_bytes: 1 << 16,
        scratch_bytes: 256,
        state_bytes: 64,
        extents: Vec::new(),
        steps: Vec::new(),
    }
}

fn model(program: Program, functions: &[NativeFn]) -> Model {
    let code = Code::Functions {
        addresses: functions.iter().map(|&f| f as *const u8).collect(),
        keep_alive: Box::new(()),
    };
    Model::from_parts(program, vec![0u8; 64], code).unwrap()
}

/// y[i] = exp(x[i]) for chunks of ten, through the table of functions and the thread's scratch memory.
unsafe extern "C" fn exp(env: *const Env, lo: u64, hi: u64) {
    // SAFETY: the tests' programs put N numbers at 0 and room for as many at 8192, and have 256 bytes of scratch memory.
    unsafe {
        let env = &*env;
        let address = *env.math.add(MathFn::ExpF32 as usize);
        let exp: extern "C" fn(f32) -> f32 = std::mem::transmute(address);
        let (x, y) = (env.arena.cast::<f32>(), env.arena.add(8192).cast::<f32>());
        let scratch = env.scratch.cast::<f32>();
        for i in lo as usize * 10..hi as usize * 10 {
            *scratch = exp(*x.add(i));
            *y.add(i) = *scratch;
        }
    }
}

/// The total of y, in one chunk; and the count of runs in the state.
unsafe extern "C" fn total(env: *const Env, _: u64, _: u64) {
    // SAFETY: as for `exp`; the sum lies at 16384, the state has 64 bytes.
    unsafe {
        let env = &*env;
        let y = std::slice::from_raw_parts(env.arena.add(8192).cast::<f32>(), N);
        *env.arena.add(16384).cast::<f32>() = y.iter().sum();
        *env.state.cast::<f32>() += 1.0;
    }
}

fn exp_model() -> Model {
    let mut program = empty();
    program.inputs = vec![port(
        "x",
        &operand(DType::F32, &[N as u64], Space::Arena, 0),
    )];
    program.outputs = vec![
        port("y", &operand(DType::F32, &[N as u64], Space::Arena, 8192)),
        port("total", &operand(DType::F32, &[], Space::Arena, 16384)),
    ];
    program.states = vec![port("runs", &operand(DType::F32, &[1], Space::State, 0))];
    program.steps = vec![native("exp", 0, N as u64 / 10), native("total", 1, 1)];
    model(program, &[exp, total])
}

fn ramp() -> Vec<f32> {
    (0..N).map(|i| (i as f32 - 500.0) / 100.0).collect()
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let model = exp_model();
    let bits = |threads| {
        let mut session = model.session_with(SessionOptions { threads }).unwrap();
        session
            .input_mut::<f32>("x")
            .unwrap()
            .copy_from(&ramp())
            .unwrap();
        for _ in 0..20 {
            session.run().unwrap();
        }
        let mut bits: Vec<u32> = session
            .output::<f32>("y")
            .unwrap()
            .to_vec()
            .iter()
            .map(|y| y.to_bits())
            .collect();
        bits.push(session.output::<f32>("total").unwrap().to_vec()[0].to_bits());
        assert_eq!(
            session.state::<f32>("runs").unwrap().as_slice(),
            Some(&[20.0][..])
        );
        bits
    };
    let one = bits(1);
    assert_eq!(f32::from_bits(one[500]), 1.0);
    for threads in [2, 3, 8, 64] {
        assert_eq!(bits(threads), one, "{threads} threads");
    }
}

#[test]
fn sessions_run_side_by_side_and_inside_each_other() {
    let model = exp_model();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut outer = model.session(2).unwrap();
                let x = ramp();
                for _ in 0..50 {
                    let view = TensorView::new(&[N], &x).unwrap();
                    let first = outer.run_with(&[("x", view)]).unwrap();
                    let second = model.session(2).unwrap().run_with(&[("x", view)]).unwrap();
                    assert_eq!(first, second);
                }
            });
        }
    });
}

#[test]
fn a_profile_has_an_entry_for_each_step() {
    let mut session = exp_model().session(2).unwrap();
    let times = session.run_profiled().unwrap();
    assert_eq!(times.len(), 2);
    assert!(times.iter().all(|time| !time.is_zero()));
}

#[test]
fn states_are_kept_and_can_be_set() {
    let mut session = exp_model().session(1).unwrap();
    session
        .set_state("runs", TensorView::new(&[1], &[41.0f32]).unwrap())
        .unwrap();
    session.run().unwrap();
    assert_eq!(
        session.fetch_state("runs").unwrap().as_slice::<f32>(),
        Some(&[42.0][..])
    );
    session
        .state_mut::<f32>("runs")
        .unwrap()
        .copy_from(&[0.0])
        .unwrap();
    session.run().unwrap();
    assert_eq!(session.state::<f32>("runs").unwrap().to_vec(), [1.0]);
}

#[test]
fn wrong_inputs_are_named_and_change_nothing() {
    let mut session = exp_model().session(1).unwrap();
    let x = ramp();
    session
        .run_with(&[("x", TensorView::new(&[N], &x).unwrap())])
        .unwrap();
    let before = session.fetch_output("y").unwrap();
    let good = TensorView::new(&[N], &x).unwrap();
    let short = TensorView::new(&[3], &x[..3]).unwrap();
    let wide = vec![0.0f64; N];
    let typed = TensorView::new(&[N], &wide).unwrap();
    let mut refused =
        |inputs: &[(&str, TensorView<'_>)]| session.run_with(inputs).unwrap_err().to_string();
    insta::assert_snapshot!(refused(&[]), @"input 'x' is missing");
    insta::assert_snapshot!(refused(&[("z", good)]), @"there is no input 'z'; there are: x");
    insta::assert_snapshot!(refused(&[("x", good), ("x", good)]), @"input 'x' is given twice");
    insta::assert_snapshot!(refused(&[("x", short)]), @"input 'x' has shape [1000], not [3]");
    insta::assert_snapshot!(refused(&[("x", typed)]), @"input 'x' is f32, not f64");
    insta::assert_snapshot!(session.output::<i64>("y").unwrap_err(), @"output 'y' is f32, not i64");
    insta::assert_snapshot!(session.output::<f32>("yy").unwrap_err(), @"there is no output 'yy'; there are: y, total");
    insta::assert_snapshot!(session.input_mut::<f32>("x").unwrap().copy_from(&[1.0]).unwrap_err(), @"tensor 'x' has shape [1000], not [1]");
    assert_eq!(session.fetch_output("y").unwrap(), before);
}

#[test]
fn a_session_takes_no_more_threads_than_it_may_use() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let model = model(empty(), &[]);
    // Of a thread of its own: the mask is the thread's, and those it starts inherit it.
    let narrowed = std::thread::spawn(move || {
        let all = sched_getaffinity(None).unwrap();
        let one = (0..CpuSet::MAX_CPU).find(|&cpu| all.is_set(cpu)).unwrap();
        let mut mask = CpuSet::new();
        mask.set(one);
        sched_setaffinity(None, &mask).unwrap();
        [0, 1, 64].map(|threads| model.session(threads).unwrap().threads())
    });
    assert_eq!(narrowed.join().unwrap(), [1, 1, 1]);
}

#[test]
fn memory_that_is_not_there_is_an_error() {
    let mut program = empty();
    program.arena_bytes = 1 << 46;
    program.scratch_bytes = 1 << 46;
    let session = model(program, &[]).session_with(SessionOptions { threads: 8 });
    assert!(matches!(session.err(), Some(RunError::Memory { .. })));
}

#[test]
fn ten_thousand_sessions_leave_nothing_behind() {
    let model = exp_model();
    let maps = || {
        std::fs::read_to_string("/proc/self/maps")
            .unwrap()
            .lines()
            .count()
    };
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    drop(model.session(2).unwrap());
    let before = (maps(), threads());
    for i in 0..10_000 {
        drop(model.session(1 + usize::from(i % 100 == 0)).unwrap());
    }
    // Other tests of this process open sessions at the same time: a leak would be thousands.
    assert!(
        maps() < before.0 + 500,
        "{} maps, {before:?} before",
        maps()
    );
    assert!(
        threads() < before.1 + 200,
        "{} threads, {before:?} before",
        threads()
    );
}

/// A program with the extents of two tables of i64 at run time: which of `x` are not zero, and what `y` has there.
fn selecting() -> Program {
    let mut program = empty();
    program.extents = ["n", "hits"]
        .map(|name| ExtentSlot {
            name: name.into(),
            upper: 6,
        })
        .to_vec();
    let dynamic = |dims: &[u64], axis: usize, slot: u32, offset: u64| {
        let mut operand = operand(DType::I64, dims, Space::Arena, offset);
        operand.dims[axis] = Extent::Slot(slot);
        operand
    };
    let (x, y) = (dynamic(&[6], 0, 0, 0), dynamic(&[6], 0, 0, 64));
    let hits = dynamic(&[1, 6], 1, 1, 128);
    let (flat, picked) = (dynamic(&[6], 0, 1, 192), dynamic(&[6], 0, 1, 256));
    program.inputs = vec![port("x", &x), port("y", &y)];
    program.outputs = vec![port("picked", &picked)];
    program.steps = vec![
        portable("find", NonZero, &[&x], &hits),
        portable("flatten", Copy, &[&hits], &flat),
        portable("pick", Gather { axis: 0 }, &[&y, &flat], &picked),
    ];
    program
}

#[test]
fn extents_follow_the_data() {
    let mut session = model(selecting(), &[]).session(2).unwrap();
    let mut run = |x: &[i64], y: &[i64]| {
        let dims = [[x.len()], [y.len()]];
        let inputs = [
            ("x", TensorView::new(&dims[0], x).unwrap()),
            ("y", TensorView::new(&dims[1], y).unwrap()),
        ];
        let outputs = session.run_with(&inputs)?;
        Ok::<_, RunError>(outputs[0].1.as_slice::<i64>().unwrap().to_vec())
    };
    assert_eq!(run(&[0, 5, 0, 7], &[10, 11, 12, 13]).unwrap(), [11, 13]);
    assert_eq!(run(&[0; 6], &[1; 6]).unwrap(), [0i64; 0]);
    assert_eq!(
        run(&[1, 1, 1, 1, 1, 1], &[1, 2, 3, 4, 5, 6]).unwrap(),
        [1, 2, 3, 4, 5, 6]
    );
    assert_eq!(run(&[], &[]).unwrap(), [0i64; 0]);
    insta::assert_snapshot!(run(&[1, 2], &[1]).unwrap_err(), @"inputs disagree on extent 'n': 2 and 1");
    insta::assert_snapshot!(run(&[1; 7], &[1; 7]).unwrap_err(), @"input 'x' has shape [n<=6], not [7]");
}

#[test]
fn an_index_out_of_range_names_step_and_bound() {
    let mut program = empty();
    let table = operand(DType::F32, &[4], Space::Weights, 0);
    let index = operand(DType::I64, &[2], Space::Arena, 0);
    let picked = operand(DType::F32, &[2], Space::Arena, 64);
    program.inputs = vec![port("index", &index)];
    program.steps = vec![portable(
        "look up",
        Gather { axis: 0 },
        &[&table, &index],
        &picked,
    )];
    for threads in [1, 3] {
        let mut session = model(program.clone(), &[])
            .session_with(SessionOptions { threads })
            .unwrap();
        session
            .input_mut::<i64>("index")
            .unwrap()
            .copy_from(&[-4, 4])
            .unwrap();
        let error = session.run().unwrap_err();
        assert!(matches!(
            &error,
            RunError::Step {
                source: KernelError::Index {
                    value: 4,
                    position: 1,
                    bound: 4
                },
                ..
            }
        ));
        insta::allow_duplicates! { insta::assert_snapshot!(error, @"step 'look up': index 4 at position 1 is outside of -4..4"); }
        session
            .input_mut::<i64>("index")
            .unwrap()
            .copy_from(&[-4, 3])
            .unwrap();
        session.run().unwrap();
    }
}

/// count += 1, and go on while it is below ten.
unsafe extern "C" fn count(env: *const Env, _: u64, _: u64) {
    // SAFETY: the count is an i64 at 64, the condition a byte at 128.
    unsafe {
        let env = &*env;
        let count = env.arena.add(64).cast::<i64>();
        *count += 1;
        *env.arena.add(128) = u8::from(*count < 10);
    }
}

/// count = -1
unsafe extern "C" fn refuse(env: *const Env, _: u64, _: u64) {
    // SAFETY: the count is an i64 at 64.
    unsafe { *(*env).arena.add(64).cast::<i64>() = -1 };
}

#[test]
fn branches_and_loops_go_where_data_says() {
    let mut program = empty();
    let flag = operand(DType::Bool, &[], Space::Arena, 0);
    let total = operand(DType::I64, &[], Space::Arena, 64);
    let go = operand(DType::Bool, &[1], Space::Arena, 128);
    let trip = operand(DType::I64, &[], Space::Arena, 192);
    let counter = operand(DType::I64, &[], Space::Arena, 256);
    program.inputs = vec![
        port("flag", &flag),
        port("go", &go),
        port("trip", &trip),
        port("count", &total),
    ];
    program.outputs = vec![port("count", &total), port("counter", &counter)];
    let body = vec![native("count", 0, 1)];
    let counting = step(
        "loop",
        StepKind::Loop {
            trip: Some(trip),
            condition: Some(go),
            counter: Some(counter),
            body,
        },
    );
    program.steps = vec![step(
        "if",
        StepKind::If {
            condition: flag,
            then_steps: vec![counting],
            else_steps: vec![native("refuse", 1, 1)],
        },
    )];
    let model = model(program, &[count, refuse]);
    for threads in [1, 2, 5] {
        let mut session = model.session_with(SessionOptions { threads }).unwrap();
        let mut run = |flag: bool, go: bool, trip: i64| {
            session
                .input_mut::<Bool>("flag")
                .unwrap()
                .copy_from(&[flag.into()])
                .unwrap();
            session
                .input_mut::<Bool>("go")
                .unwrap()
                .copy_from(&[go.into()])
                .unwrap();
            session
                .input_mut::<i64>("trip")
                .unwrap()
                .copy_from(&[trip])
                .unwrap();
            session
                .input_mut::<i64>("count")
                .unwrap()
                .copy_from(&[0])
                .unwrap();
            session.run().unwrap();
            session.output::<i64>("count").unwrap().to_vec()[0]
        };
        assert_eq!(run(true, true, 4), 4);
        assert_eq!(run(true, true, 1000), 10);
        assert_eq!(run(true, false, 1000), 0);
        assert_eq!(run(true, true, -3), 0);
        assert_eq!(run(false, true, 4), -1);
        assert_eq!(run(true, true, 1000), 10);
        assert_eq!(session.output::<i64>("counter").unwrap().to_vec(), [9]);
    }
}
