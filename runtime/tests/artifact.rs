//! Files: what is written can be opened, what is damaged is refused, what is hostile is refused without a panic.

use cnnc_runtime::artifact::{FormatError, HEADER_BYTES};
use cnnc_runtime::portable::{Copy, Direction, Gather, Lstm};
use cnnc_runtime::wire::Wire;
use cnnc_runtime::{
    ArtifactWriter, CpuLevel, DType, Extent, ExtentSlot, Initial, Location, Model, Operand, Port,
    Portable, Program, RunError, Session, Space, Step, StepKind, TensorView,
};
use proptest::prelude::*;
use std::panic::catch_unwind;

fn at(space: Space, offset: u64) -> Location {
    Location { space, offset }
}

fn portable(
    label: &str,
    kernel: impl Into<Portable>,
    inputs: &[&Operand],
    output: &Operand,
) -> Step {
    Step {
        label: label.into(),
        kind: StepKind::Portable {
            kernel: kernel.into(),
            inputs: inputs.iter().map(|&input| Some(input.clone())).collect(),
            outputs: vec![Some(output.clone())],
        },
    }
}

/// Picks rows of a constant table by number, in a program that has one of everything.
fn program() -> Program {
    let table = Operand::dense(DType::F32, &[4, 2], at(Space::Weights, 0));
    let mut picks = Operand::dense(DType::I64, &[3], at(Space::Arena, 0));
    let mut rows = Operand::dense(DType::F32, &[3, 2], at(Space::Arena, 64));
    picks.dims[0] = Extent::Slot(0);
    rows.dims[0] = Extent::Slot(0);
    let memory = Operand::dense(DType::F32, &[2], at(Space::State, 0));
    let flag = Operand::dense(DType::Bool, &[1], at(Space::Arena, 128));
    let trip = Operand::dense(DType::I64, &[], at(Space::Weights, 32));
    let scratch = Operand::dense(DType::F32, &[2], at(Space::Arena, 192));
    let body = vec![portable("carry", Copy, &[&memory], &scratch)];
    Program {
        name: "picker".into(),
        producer: "test".into(),
        cpu: CpuLevel::Baseline,
        inputs: vec![Port {
            name: "picks".into(),
            operand: picks.clone(),
        }],
        outputs: vec![Port {
            name: "rows".into(),
            operand: rows.clone(),
        }],
        states: vec![Port {
            name: "memory".into(),
            operand: memory,
        }],
        initials: vec![Initial {
            state: 0,
            offset: 8,
        }],
        arena_bytes: 256,
        scratch_bytes: 64,
        state_bytes: 64,
        extents: vec![ExtentSlot {
            name: "n".into(),
            upper: 3,
        }],
        steps: vec![
            portable("pick", Gather { axis: 0 }, &[&table, &picks], &rows),
            Step {
                label: "perhaps".into(),
                kind: StepKind::If {
                    condition: flag,
                    then_steps: vec![Step {
                        label: "loop".into(),
                        kind: StepKind::Loop {
                            trip: Some(trip),
                            condition: None,
                            counter: None,
                            body,
                        },
                    }],
                    else_steps: Vec::new(),
                },
            },
        ],
    }
}

fn weights() -> Vec<u8> {
    let table: Vec<u8> = (0..8).flat_map(|n| (n as f32).to_le_bytes()).collect();
    [&table[..], &2i64.to_le_bytes()].concat()
}

fn bytes_of(program: &Program, weights: &[u8]) -> Vec<u8> {
    let writer = ArtifactWriter {
        program,
        code: &[0xc3],
        entries: &[0],
        weights,
        graph: b"graph",
        meta: &[("source".into(), "picker.onnx".into())],
    };
    writer.to_bytes()
}

fn small() -> Vec<u8> {
    bytes_of(&program(), &weights())
}

fn run(model: &Model) -> Vec<f32> {
    let mut session = model.session(2).unwrap();
    let picks = TensorView::new(&[2], &[3i64, -4]).unwrap();
    let outputs = session.run_with(&[("picks", picks)]).unwrap();
    assert_eq!(outputs[0].1.dims(), [2, 2]);
    outputs[0].1.as_slice::<f32>().unwrap().to_vec()
}

#[test]
fn a_written_file_opens_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    let program = program();
    let weights = weights();
    let meta = [("source".to_owned(), "picker.onnx".to_owned())];
    let writer = ArtifactWriter {
        program: &program,
        code: &[0xc3],
        entries: &[0],
        weights: &weights,
        graph: b"graph",
        meta: &meta,
    };
    writer.write_file(&path).unwrap();
    let model = Model::open(&path).unwrap();
    assert_eq!(run(&model), [6.0, 7.0, 0.0, 1.0]);
    assert_eq!(model.program(), &program);
    assert_eq!((model.graph(), model.meta()), (&b"graph"[..], &meta[..]));
    assert_eq!(run(&Model::from_bytes(&small()).unwrap()), run(&model));

    // Writing again replaces the file; what is mapped stays as it was, and no other file is left behind.
    let mut other = weights.clone();
    other[0] ^= 1;
    ArtifactWriter {
        weights: &other,
        ..writer
    }
    .write_file(&path)
    .unwrap();
    assert_eq!(model.weights()[..8], weights[..8]);
    assert_ne!(Model::open(&path).unwrap().weights()[..8], weights[..8]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    // What is no file is written to: the link to a device stays one.
    let device = folder.path().join("device");
    std::os::unix::fs::symlink("/dev/null", &device).unwrap();
    writer.write_file(&device).unwrap();
    assert!(device.is_symlink());
}

#[test]
fn states_begin_with_their_first_values() {
    let model = Model::from_bytes(&small()).unwrap();
    let mut session = model.session(1).unwrap();
    let state = |session: &Session| session.state::<f32>("memory").unwrap().to_vec();
    assert_eq!(state(&session), [2.0, 3.0]);
    let other = TensorView::new(&[2], &[8.0f32, 9.0]).unwrap();
    session.set_state("memory", other).unwrap();
    assert_eq!(state(&session), [8.0, 9.0]);
    session.reset_states();
    assert_eq!(state(&session), [2.0, 3.0]);

    let mut program = program();
    program.initials.clear();
    let model = Model::from_bytes(&bytes_of(&program, &weights())).unwrap();
    assert_eq!(state(&model.session(1).unwrap()), [0.0, 0.0]);
}

#[test]
fn programs_can_be_read_by_people() {
    insta::assert_snapshot!(program(), @"
    program picker for x86-64 by test
    memory arena 256, scratch 64 a thread, state 64
    extent #0 n <= 3
    input picks: arena+0x0 i64[#0] strides [1]
    output rows: arena+0x40 f32[#0,2] strides [2, 1]
    state memory: state+0x0 f32[2] from weights+0x8
    pick: Gather(Gather { axis: 0 })
      <- weights+0x0 f32[4,2]
      <- arena+0x0 i64[#0] strides [1]
      -> arena+0x40 f32[#0,2] strides [2, 1]
    perhaps: if arena+0x80 bool[1]
      loop: loop trip weights+0x20 i64[]
        carry: Copy(Copy)
          <- state+0x0 f32[2]
          -> arena+0xc0 f32[2]
    else
    ");
}

#[test]
fn the_same_parts_make_the_same_bytes() {
    assert_eq!(small(), small());
    assert_eq!(Program::from_bytes(&program().to_bytes()), Ok(program()));
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bin");
    let refusal = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        Model::open(&path).err().map(|error| error.to_string())
    };
    let good = small();
    insta::assert_snapshot!(refusal(b"").unwrap(), @"not a cnnc artefact: it does not begin with CNNCBIN");
    insta::assert_snapshot!(refusal(b"\x08\x07\x12\x04onnx").unwrap(), @"not a cnnc artefact: it does not begin with CNNCBIN");
    insta::assert_snapshot!(refusal(&good[..100]).unwrap(), @"the header is damaged: the file ends within it");
    insta::assert_snapshot!(refusal(&good[..good.len() - 1]).unwrap(), @"the file has 12287 bytes, a whole one has 12288");
    insta::assert_snapshot!(refusal(&[&good[..], &[0]].concat()).unwrap(), @"the file has 12289 bytes, a whole one has 12288");
    let mut next = good.clone();
    next[8] = 3;
    insta::assert_snapshot!(refusal(&next).unwrap(), @"format version 3, this runtime reads version 2: compile the model again");
    assert_eq!(refusal(&good), None);
    let folder_error = Model::open(folder.path()).err().unwrap().to_string();
    assert!(
        folder_error.ends_with("not a regular file"),
        "{folder_error}"
    );
}

#[test]
fn every_truncation_is_refused() {
    let good = small();
    for len in 0..good.len() {
        assert!(Model::from_bytes(&good[..len]).is_err(), "{len} bytes");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = small();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::from_bytes(&bytes).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Model::from_bytes(&bytes).is_ok());
}

fn refused(change: impl FnOnce(&mut Program)) -> String {
    let mut program = program();
    change(&mut program);
    match Model::from_bytes(&bytes_of(&program, &weights())) {
        Err(FormatError::Program(error)) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

fn first_operands(program: &mut Program) -> (&mut Vec<Option<Operand>>, &mut Vec<Option<Operand>>) {
    match &mut program.steps[0].kind {
        StepKind::Portable {
            inputs, outputs, ..
        } => (inputs, outputs),
        other => panic!("{other:?}"),
    }
}

#[test]
fn hostile_programs_are_refused_with_a_reason() {
    insta::assert_snapshot!(refused(|p| p.arena_bytes = 64), @"output 'rows': reaches outside of the 0x40 bytes of Arena");
    insta::assert_snapshot!(refused(|p| p.arena_bytes = u64::MAX), @"the arena of 18446744073709551615 bytes exceeds 70368744177664");
    insta::assert_snapshot!(refused(|p| p.outputs[0].operand.strides[0] = -200), @"output 'rows': reaches outside of the 0x100 bytes of Arena");
    insta::assert_snapshot!(refused(|p| p.outputs[0].operand.strides[0] = i64::MAX), @"output 'rows': reaches outside of the 0x100 bytes of Arena");
    insta::assert_snapshot!(refused(|p| p.outputs[0].operand.strides.clear()), @"output 'rows': 2 dimensions but 0 strides, at most 32 of each");
    insta::assert_snapshot!(refused(|p| p.outputs[0].operand.location.offset = 66), @"output 'rows': offset 0x42 is not a multiple of 4, the size of f32");
    insta::assert_snapshot!(refused(|p| p.extents.clear()), @"input 'picks': extent slot 0 of 0");
    insta::assert_snapshot!(refused(|p| p.inputs.push(p.inputs[0].clone())), @"two inputs are named 'picks'");
    insta::assert_snapshot!(refused(|p| p.inputs[0].operand.location.space = Space::State), @"input 'picks': must lie in Arena, lies in State");
    insta::assert_snapshot!(refused(|p| p.initials[0].state = 1), @"the first value of state 1: there is no such state");
    insta::assert_snapshot!(refused(|p| p.initials.push(p.initials[0])), @"the first value of state 0: is given twice, or out of order");
    insta::assert_snapshot!(refused(|p| p.initials[0].offset = 36), @"the first value of state 0: reaches outside of the 0x28 bytes of Weights");
    insta::assert_snapshot!(refused(|p| p.initials[0].offset = u64::MAX - 3), @"the first value of state 0: reaches outside of the 0x28 bytes of Weights");
    insta::assert_snapshot!(refused(|p| p.initials[0].offset = 9), @"the first value of state 0: offset 0x9 is not a multiple of 4, the size of f32");
    insta::assert_snapshot!(refused(|p| p.states[0].operand.dims[0] = Extent::Slot(0)), @"the first value of state 0: its extents must be known");
    insta::assert_snapshot!(refused(|p| {
        let (inputs, outputs) = first_operands(p);
        outputs[0].as_mut().unwrap().location = inputs[1].as_ref().unwrap().location;
    }), @"step 'pick': output 0 overlaps another operand of the step");
    insta::assert_snapshot!(refused(|p| {
        first_operands(p).1[0].as_mut().unwrap().location = at(Space::Weights, 0);
    }), @"step 'pick': must lie in Arena or State, lies in Weights");
    insta::assert_snapshot!(refused(|p| p.steps[0].kind = StepKind::Native { entry: 1, chunks: 1 }), @"step 'pick': calls generated function 1 of 1");
    insta::assert_snapshot!(refused(|p| {
        if let StepKind::If { condition, .. } = &mut p.steps[1].kind {
            condition.dtype = DType::U8;
        }
    }), @"step 'perhaps': must be a single bool");
}

#[test]
fn functions_outside_of_the_code_are_refused() {
    let program = program();
    let writer = ArtifactWriter {
        program: &program,
        code: &[0xc3],
        entries: &[0, 1],
        weights: &weights(),
        graph: &[],
        meta: &[],
    };
    let error = Model::from_bytes(&writer.to_bytes()).err().unwrap();
    insta::assert_snapshot!(error, @"function 1 begins at 0x1, outside of 0x1 bytes of code");
}

#[test]
fn a_missing_instruction_set_is_named() {
    let mut program = program();
    program.cpu = CpuLevel::V4;
    let opened = Model::from_bytes(&bytes_of(&program, &weights()));
    match (CpuLevel::V4.missing().is_empty(), opened) {
        (true, Ok(_)) => {}
        (false, Err(FormatError::Cpu { level, missing })) => {
            assert_eq!(
                (level, missing),
                (CpuLevel::V4, CpuLevel::V4.missing().join(", "))
            );
        }
        (has_v4, other) => panic!("host has v4: {has_v4}, opened: {:?}", other.err()),
    }
}

#[test]
fn step_lists_nest_only_so_deep() {
    let nest = |depth: usize| {
        let mut program = program();
        for _ in 0..depth {
            let else_steps = std::mem::take(&mut program.steps);
            program.steps = vec![Step {
                label: "if".into(),
                kind: StepKind::If {
                    condition: Operand::dense(DType::Bool, &[], at(Space::Arena, 0)),
                    then_steps: Vec::new(),
                    else_steps,
                },
            }];
        }
        Model::from_bytes(&bytes_of(&program, &weights())).is_ok()
    };
    assert!(nest(50));
    assert!(!nest(100));
    assert!(!nest(10_000));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// Changes a few bytes of the encoded program, fixes the hashes up, and opens and runs whatever is accepted.
    #[test]
    fn mutated_programs_never_panic(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = program().to_bytes();
        for (index, value) in &edits {
            let at = index.index(bytes.len());
            bytes[at] = *value;
        }
        if let Ok(mut program) = Program::from_bytes(&bytes) {
            let whole = catch_unwind(|| Model::from_bytes(&bytes_of(&program, &weights())).is_ok());
            prop_assert!(whole.is_ok());
            // A loop may legally run for ever, and an arena be of any size: the rest is run.
            program.steps.truncate(1);
            let small = [program.arena_bytes, program.state_bytes, program.scratch_bytes].iter().all(|&n| n < 1 << 30);
            let straight = matches!(program.steps[..], [] | [Step { kind: StepKind::Portable { .. }, .. }]);
            let outcome = catch_unwind(|| {
                let model = Model::from_bytes(&bytes_of(&program, &weights())).ok()?;
                let mut session = (small && straight).then(|| model.session(1).ok())??;
                Some(session.run())
            });
            prop_assert!(!matches!(outcome, Err(_) | Ok(Some(Err(RunError::Panicked)))));
        }
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..2 * HEADER_BYTES)) {
        prop_assert!(Model::from_bytes(&bytes).is_err());
        let _ = Program::from_bytes(&bytes);
    }
}

#[test]
fn kernels_with_many_parameters_survive_the_file() {
    let lstm = Lstm {
        hidden_size: 3,
        direction: Direction::Bidirectional,
        batch_first: true,
        activations: Vec::new(),
        clip: Some(1.5),
        input_forget: true,
    };
    let kernel = Portable::from(lstm);
    assert_eq!(Portable::from_bytes(&kernel.to_bytes()), Ok(kernel));
}
