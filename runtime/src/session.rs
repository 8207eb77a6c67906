//! A session: memory and threads of its own to run a model with.

use crate::arena::Memory;
use crate::dtype::Element;
use crate::error::RunError;
use crate::execute::{Run, Span};
use crate::model::Model;
use crate::program::{ByteRange, Extent, Operand, Port, Program, Space};
use crate::strided::Strided;
use crate::team::{Team, available_threads};
use crate::tensor::{Tensor, TensorMut, TensorRef, TensorView, fetch, store};
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

/// How a session runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionOptions {
    /// Threads that take part, the calling one included; 0 stands for as many as this process may really use. More than these
    /// cost time: they can only take turns.
    pub threads: usize,
}

/// Runs a model, again and again, without allocating.
///
/// A session belongs to one thread at a time; for more, open more: they share the model. Inputs are written to and outputs read
/// from the session's own memory. Inputs and outputs may share memory with each other and with intermediate results: feed every
/// input before each run, fetch outputs before feeding the next.
pub struct Session {
    model: Model,
    memory: Memory,
    team: Team,
}

impl Session {
    pub(crate) fn new(model: Model, options: SessionOptions) -> Result<Session, RunError> {
        let threads = match options.threads {
            0 => available_threads(),
            n => n,
        };
        let memory = Memory::new(model.program(), threads)?;
        let team = Team::new(threads).map_err(|(index, source)| RunError::Thread {
            index,
            threads,
            source,
        })?;
        let mut session = Session {
            model,
            memory,
            team,
        };
        session.store_initials();
        Ok(session)
    }

    /// Gives every state its first value again.
    pub fn reset_states(&mut self) {
        if let Some(states) = self.memory.bytes_mut(Space::State) {
            states.fill(0);
        }
        self.store_initials();
    }

    fn store_initials(&mut self) {
        let program = self.model.program();
        for initial in &program.initials {
            // A checked program names states that exist, of extents that are known, and bytes inside the weights.
            let operand = &program.states[initial.state as usize].operand;
            let (view, bytes) = locate(program, &[], operand);
            let start = initial.offset as usize;
            let len = view.count() * operand.dtype.size();
            let tensor = TensorView::from_bytes(
                operand.dtype,
                &view.dims,
                &self.model.weights()[start..start + len],
            );
            if let (Some(tensor), Some(space)) = (tensor, self.memory.bytes_mut(Space::State)) {
                store(&view, tensor, &mut space[bytes]);
            }
        }
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Threads that take part in a run.
    pub fn threads(&self) -> usize {
        self.team.size()
    }

    /// Runs on what the inputs hold. After an error outputs are undefined, the session can be used on.
    pub fn run(&mut self) -> Result<(), RunError> {
        self.execute(0).map(|_| ())
    }

    /// As [`Session::run`]; the time each step of [`Program::steps`] took.
    pub fn run_profiled(&mut self) -> Result<Vec<Duration>, RunError> {
        let lanes = self.execute(1)?;
        let spans = lanes.into_iter().flatten();
        Ok(spans.map(|span| span.end - span.start).collect())
    }

    /// As [`Session::run`]; for every thread, what it did in each step of [`Program::steps`].
    pub fn run_traced(&mut self) -> Result<Vec<Vec<Span>>, RunError> {
        self.execute(self.threads())
    }

    fn execute(&mut self, lanes: usize) -> Result<Vec<Vec<Span>>, RunError> {
        let (program, weights) = (self.model.program(), self.model.weights());
        let spaces = self.memory.spaces(program, weights);
        Run::new(program, self.model.functions(), spaces, lanes).execute(&mut self.team)
    }

    /// Feeds exactly the program's inputs, runs, and fetches every output, in the program's order. What is fed is checked before
    /// any of it is stored.
    pub fn run_with(
        &mut self,
        inputs: &[(&str, TensorView<'_>)],
    ) -> Result<Vec<(String, Tensor)>, RunError> {
        self.check_inputs(inputs)?;
        for (name, tensor) in inputs {
            self.set_input(name, *tensor)?;
        }
        self.run()?;
        let ports = &self.model.program().outputs;
        let fetched = ports
            .iter()
            .map(|port| Ok((port.name.clone(), self.fetch("output", port)?)));
        fetched.collect()
    }

    fn check_inputs(&self, inputs: &[(&str, TensorView<'_>)]) -> Result<(), RunError> {
        let program = self.model.program();
        let mut extents: HashMap<u32, i64> = HashMap::new();
        for (index, (name, tensor)) in inputs.iter().enumerate() {
            let port = find("input", &program.inputs, name)?;
            if inputs[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(RunError::DuplicateInput {
                    name: port.name.clone(),
                });
            }
            for (slot, found) in accept(program, "input", port, *tensor)? {
                let first = *extents.entry(slot).or_insert(found);
                if first != found {
                    return Err(RunError::Extent {
                        slot: program.extents[slot as usize].name.clone(),
                        first,
                        second: found,
                    });
                }
            }
        }
        let missing = program
            .inputs
            .iter()
            .find(|port| inputs.iter().all(|(name, _)| *name != port.name));
        match missing {
            Some(port) => Err(RunError::MissingInput {
                name: port.name.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Feeds one input. Its run-time extents become those of `tensor`.
    pub fn set_input(&mut self, name: &str, tensor: TensorView<'_>) -> Result<(), RunError> {
        self.set("input", name, tensor)
    }

    /// Writes a state.
    pub fn set_state(&mut self, name: &str, tensor: TensorView<'_>) -> Result<(), RunError> {
        self.set("state", name, tensor)
    }

    fn set(
        &mut self,
        kind: &'static str,
        name: &str,
        tensor: TensorView<'_>,
    ) -> Result<(), RunError> {
        let program = self.model.program();
        let port = find(kind, ports(program, kind), name)?;
        let found = accept(program, kind, port, tensor)?;
        for (slot, extent) in found {
            self.memory.extents_mut()[slot as usize] = extent;
        }
        let (view, bytes) = locate(program, self.memory.extents(), &port.operand);
        if let Some(space) = self.memory.bytes_mut(port.operand.location.space) {
            store(&view, tensor, &mut space[bytes]);
        }
        Ok(())
    }

    /// A copy of an output, in row-major order.
    pub fn fetch_output(&self, name: &str) -> Result<Tensor, RunError> {
        self.fetch(
            "output",
            find("output", &self.model.program().outputs, name)?,
        )
    }

    /// A copy of a state, in row-major order.
    pub fn fetch_state(&self, name: &str) -> Result<Tensor, RunError> {
        self.fetch("state", find("state", &self.model.program().states, name)?)
    }

    fn fetch(&self, what: &'static str, port: &Port) -> Result<Tensor, RunError> {
        let operand = &port.operand;
        let (view, bytes) = locate(self.model.program(), self.memory.extents(), operand);
        let space = self
            .memory
            .bytes(operand.location.space, self.model.weights());
        fetch(operand.dtype, &view, &space[bytes]).ok_or_else(|| RunError::Memory {
            what,
            bytes: (view.count() * operand.dtype.size()) as u64,
            source: std::io::ErrorKind::OutOfMemory.into(),
        })
    }

    /// An input where it lies, with its extents as they are, to be written without a copy.
    pub fn input_mut<T: Element>(&mut self, name: &str) -> Result<TensorMut<'_, T>, RunError> {
        self.tensor_mut("input", name)
    }

    /// A state where it lies, to be written without a copy.
    pub fn state_mut<T: Element>(&mut self, name: &str) -> Result<TensorMut<'_, T>, RunError> {
        self.tensor_mut("state", name)
    }

    /// An output of the last run where it lies.
    pub fn output<T: Element>(&self, name: &str) -> Result<TensorRef<'_, T>, RunError> {
        self.tensor_ref("output", name)
    }

    /// A state where it lies.
    pub fn state<T: Element>(&self, name: &str) -> Result<TensorRef<'_, T>, RunError> {
        self.tensor_ref("state", name)
    }

    fn tensor_ref<T: Element>(
        &self,
        kind: &'static str,
        name: &str,
    ) -> Result<TensorRef<'_, T>, RunError> {
        let program = self.model.program();
        let port = find(kind, ports(program, kind), name)?;
        expect_type::<T>(kind, port)?;
        let (view, bytes) = locate(program, self.memory.extents(), &port.operand);
        let space = self
            .memory
            .bytes(port.operand.location.space, self.model.weights());
        Ok(TensorRef {
            view,
            data: bytemuck::cast_slice(&space[bytes]),
        })
    }

    fn tensor_mut<T: Element>(
        &mut self,
        kind: &'static str,
        name: &str,
    ) -> Result<TensorMut<'_, T>, RunError> {
        let program = self.model.program();
        let port = find(kind, ports(program, kind), name)?;
        expect_type::<T>(kind, port)?;
        let (view, bytes) = locate(program, self.memory.extents(), &port.operand);
        // Inputs and states lie in memory that can be written: the model was checked.
        let space = self
            .memory
            .bytes_mut(port.operand.location.space)
            .unwrap_or_default();
        Ok(TensorMut {
            name: &port.name,
            view,
            data: bytemuck::cast_slice_mut(&mut space[bytes]),
        })
    }
}

fn ports<'a>(program: &'a Program, kind: &str) -> &'a [Port] {
    match kind {
        "input" => &program.inputs,
        "output" => &program.outputs,
        _ => &program.states,
    }
}

fn find<'a>(kind: &'static str, ports: &'a [Port], name: &str) -> Result<&'a Port, RunError> {
    ports.iter().find(|port| port.name == name).ok_or_else(|| {
        let known: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
        RunError::UnknownName {
            kind,
            name: name.to_owned(),
            known: known.join(", "),
        }
    })
}

fn expect_type<T: Element>(kind: &'static str, port: &Port) -> Result<(), RunError> {
    match port.operand.dtype == T::DTYPE {
        true => Ok(()),
        false => Err(RunError::Type {
            kind,
            name: port.name.clone(),
            expected: port.operand.dtype,
            found: T::DTYPE,
        }),
    }
}

/// Compares a tensor with a port; the run-time extents it sets.
fn accept(
    program: &Program,
    kind: &'static str,
    port: &Port,
    tensor: TensorView<'_>,
) -> Result<Vec<(u32, i64)>, RunError> {
    let operand = &port.operand;
    if operand.dtype != tensor.dtype() {
        return Err(RunError::Type {
            kind,
            name: port.name.clone(),
            expected: operand.dtype,
            found: tensor.dtype(),
        });
    }
    let mut found: HashMap<u32, i64> = HashMap::new();
    let fits = |(dim, &n): (&Extent, &usize)| match *dim {
        Extent::Fixed(expected) => expected == n as u64,
        Extent::Slot(slot) => {
            let known = *found.entry(slot).or_insert(n as i64);
            known == n as i64 && n as u64 <= program.extents[slot as usize].upper
        }
    };
    if operand.dims.len() == tensor.dims().len() && operand.dims.iter().zip(tensor.dims()).all(fits)
    {
        return Ok(found.into_iter().collect());
    }
    let bound = |dim: &Extent| match *dim {
        Extent::Fixed(n) => n.to_string(),
        Extent::Slot(slot) => {
            let slot = &program.extents[slot as usize];
            format!("{}<={}", slot.name, slot.upper)
        }
    };
    let expected: Vec<String> = operand.dims.iter().map(bound).collect();
    Err(RunError::Shape {
        kind,
        name: port.name.clone(),
        expected: expected.join(", "),
        found: tensor.dims().to_vec(),
    })
}

/// An operand of a checked program: its view, at the extents given, of these bytes of its space. An extent that generated code
/// set out of bounds is read as the nearest bound.
fn locate(program: &Program, extents: &[i64], operand: &Operand) -> (Strided, Range<usize>) {
    let upper_dims = program.upper_dims(operand);
    let range = ByteRange::of(operand, &upper_dims).map_or(0..0, |range| range.bytes);
    let extent = |(dim, upper): (&Extent, u64)| match *dim {
        Extent::Fixed(n) => n as usize,
        Extent::Slot(slot) => extents[slot as usize].clamp(0, upper as i64) as usize,
    };
    let view = Strided {
        dims: operand.dims.iter().zip(upper_dims).map(extent).collect(),
        strides: operand
            .strides
            .iter()
            .map(|&stride| stride as isize)
            .collect(),
        origin: (operand.location.offset - range.start) as usize / operand.dtype.size(),
    };
    (view, range.start as usize..range.end as usize)
}
