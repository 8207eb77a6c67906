//! Emission: chosen kernels become the steps of a program, their functions, and the parts of an artefact.

use crate::codegen::Source;
use crate::kernel::nest::Nest;
use crate::memory::view::{Extent, Space, View};
use crate::memory::{Key, Plan, State};
use crate::schedule::Block;
use crate::select::{Kernel, Selected, Selection, Staged, Tiled};
use cnnc_ir::{DType, NodeId, Tensor, Value};
use cnnc_runtime::{self as rt, CpuLevel, Program, StepKind};
use thiserror::Error;

/// A function to be generated, in the order of the program's entries.
pub enum FunctionSource {
    Nest(Nest),
    Tiled(Tiled),
    Staged(Staged),
}

impl FunctionSource {
    /// What the code generator works from.
    pub fn source(&self) -> Source<'_> {
        match self {
            FunctionSource::Nest(nest) => Source::Nest(nest),
            FunctionSource::Tiled(tiled) => Source::Tiled(tiled),
            FunctionSource::Staged(staged) => Source::Staged(staged),
        }
    }
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EmitError {
    #[error("output '{name}' has no place in memory")]
    NoPlace { name: String },
}

/// A program and what it runs.
pub struct Emitted {
    pub program: Program,
    pub functions: Vec<FunctionSource>,
    pub weights: Vec<u8>,
}

/// Makes the program of a selection. `initials` are the states' first values, one each; zeros take no bytes.
pub fn emit(
    schedule: &Block,
    plan: &Plan,
    (states, initials): (&[State], &[Option<&Tensor>]),
    selection: Selection,
    cpu: CpuLevel,
) -> Result<Emitted, EmitError> {
    let Selection {
        steps,
        mut constants,
    } = selection;
    let mut emitter = Emitter {
        functions: Vec::new(),
        scratch: 0,
    };
    let steps = emitter.steps(steps);
    let place = |v: Value| {
        plan.view(Key {
            block: schedule.id,
            value: v,
        })
        .map(operand)
    };
    let port = |name: &str, operand: Option<rt::Operand>| match operand {
        Some(operand) => Ok(rt::Port {
            name: name.to_string(),
            operand,
        }),
        None => Err(EmitError::NoPlace {
            name: name.to_string(),
        }),
    };
    let graph = schedule.graph;
    let is_state = |id: NodeId| states.iter().any(|state| state.input == id.into());
    let input = |&id: &NodeId| port(graph.value_name(id.into()), place(id.into()));
    let (kept, fed): (Vec<NodeId>, Vec<NodeId>) =
        graph.inputs().iter().partition(|id| is_state(**id));
    let is_next = |v: Value| states.iter().any(|state| state.next == v);
    let outputs = graph
        .outputs()
        .iter()
        .filter(|(_, v)| !is_next(*v))
        .map(|(name, v)| {
            let constant = graph.constant(*v).map(|t| operand(&constants.plain(t)));
            port(name, constant.or_else(|| place(*v)))
        })
        .collect::<Result<_, _>>()?;
    let mut first = Vec::new();
    for (number, &id) in kept.iter().enumerate() {
        let state = states.iter().position(|state| state.input == id.into());
        let value = state.and_then(|k| *initials.get(k)?);
        if let Some(value) = value.filter(|v| v.bytes().iter().any(|&byte| byte != 0)) {
            first.push(rt::Initial {
                state: number as u32,
                offset: constants.plain(value).offset,
            });
        }
    }
    let program = Program {
        name: graph.name.clone(),
        producer: concat!("cnnc ", env!("CARGO_PKG_VERSION")).to_string(),
        cpu,
        inputs: fed.iter().map(input).collect::<Result<_, _>>()?,
        outputs,
        states: kept.iter().map(input).collect::<Result<_, _>>()?,
        initials: first,
        arena_bytes: plan.arena_bytes,
        scratch_bytes: emitter.scratch,
        state_bytes: plan.state_bytes,
        extents: plan
            .slots
            .iter()
            .map(|s| rt::ExtentSlot {
                name: s.name.clone(),
                upper: s.upper,
            })
            .collect(),
        steps,
    };
    Ok(Emitted {
        program,
        functions: emitter.functions,
        weights: constants.into_bytes(),
    })
}

struct Emitter {
    functions: Vec<FunctionSource>,
    /// Scratch memory a thread needs, in bytes.
    scratch: u64,
}

impl Emitter {
    fn steps(&mut self, selected: Vec<Selected>) -> Vec<rt::Step> {
        selected.into_iter().flat_map(|s| self.node(s)).collect()
    }

    fn node(&mut self, selected: Selected) -> Vec<rt::Step> {
        let label = selected.label();
        selected
            .kernels
            .into_iter()
            .map(|k| rt::Step {
                label: label.clone(),
                kind: self.kernel(k),
            })
            .collect()
    }

    fn kernel(&mut self, kernel: Kernel) -> StepKind {
        match kernel {
            Kernel::Nest(nest) => self.native(FunctionSource::Nest(nest)),
            Kernel::Tiled(tiled) => self.native(FunctionSource::Tiled(tiled)),
            Kernel::Staged(staged) => {
                self.scratch = self.scratch.max(staged.plan.scratch);
                self.native(FunctionSource::Staged(staged))
            }
            Kernel::Portable {
                kernel,
                inputs,
                outputs,
            } => StepKind::Portable {
                kernel,
                inputs: inputs.iter().map(|v| v.as_ref().map(operand)).collect(),
                outputs: outputs.iter().map(|v| Some(operand(v))).collect(),
            },
            Kernel::If {
                condition,
                then_steps,
                else_steps,
            } => StepKind::If {
                condition: operand(&condition),
                then_steps: self.steps(then_steps),
                else_steps: self.steps(else_steps),
            },
            Kernel::Loop {
                trip,
                condition,
                counter,
                body,
            } => StepKind::Loop {
                trip: trip.as_ref().map(operand),
                condition: condition.as_ref().map(operand),
                counter: counter.as_ref().map(operand),
                body: self.steps(body),
            },
        }
    }

    fn native(&mut self, function: FunctionSource) -> StepKind {
        let chunks = function.source().chunks();
        self.functions.push(function);
        StepKind::Native {
            entry: self.functions.len() as u32 - 1,
            chunks,
        }
    }
}

/// A view as the runtime knows it.
fn operand(v: &View) -> rt::Operand {
    let space = match v.space {
        Space::Arena => rt::Space::Arena,
        Space::Weights => rt::Space::Weights,
        Space::State => rt::Space::State,
    };
    let extent = |d: &Extent| match *d {
        Extent::Fixed(n) => rt::Extent::Fixed(n),
        Extent::Slot { index, .. } => rt::Extent::Slot(index),
    };
    rt::Operand {
        dtype: dtype(v.dtype),
        dims: v.dims.iter().map(extent).collect(),
        strides: v.strides.clone(),
        location: rt::Location {
            space,
            offset: v.offset,
        },
    }
}

/// An element type as the runtime knows it.
pub fn dtype(d: DType) -> rt::DType {
    match d {
        DType::F32 => rt::DType::F32,
        DType::F64 => rt::DType::F64,
        DType::F16 => rt::DType::F16,
        DType::BF16 => rt::DType::BF16,
        DType::I8 => rt::DType::I8,
        DType::I16 => rt::DType::I16,
        DType::I32 => rt::DType::I32,
        DType::I64 => rt::DType::I64,
        DType::U8 => rt::DType::U8,
        DType::U16 => rt::DType::U16,
        DType::U32 => rt::DType::U32,
        DType::U64 => rt::DType::U64,
        DType::Bool => rt::DType::Bool,
    }
}
