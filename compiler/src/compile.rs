//! The pipeline from a graph to something that runs. Every stage is kept, so that every stage can be printed.

use crate::codegen::{self, CodegenError, Source};
use crate::emit::{self, EmitError, Emitted};
use crate::kernel::tile::Target;
use crate::memory::{self, MemoryError, State};
use crate::passes::{self, PassError, PassOptions};
use crate::schedule;
use crate::select::decision::{Choices, Decision};
use crate::select::{self, Numerics, SelectError, Wishes};
use crate::statistics::{self, Statistics, Work};
use cnnc_ir::{Graph, Tensor, TensorType, Value, text};
use cnnc_runtime::{ArtifactWriter, CpuLevel, FormatError, Model};
use thiserror::Error;

/// How a graph is compiled.
#[derive(Clone, Debug)]
pub struct CompileOptions {
    pub cpu: CpuLevel,
    pub passes: PassOptions,
    /// Largest arena, in bytes.
    pub max_arena: u64,
    pub numerics: Numerics,
    /// Threads that the work is cut for; any number may do it, with the same result.
    pub threads: usize,
    /// What was measured; where that says nothing, estimates decide.
    pub choices: Choices,
    pub states: Vec<StateNames>,
    /// What the artefact says of itself besides: (key, value).
    pub remarks: Vec<(String, String)>,
}

/// A value that a run leaves for the next one: an input that is kept in the session's state instead of being fed, and the output
/// that takes its place when a run ends.
#[derive(Clone, Debug, PartialEq)]
pub struct StateNames {
    /// Name of the input; that of the state as well.
    pub input: String,
    pub output: String,
    /// What it holds before the first run, of the input's type; zeros where nothing is said.
    pub initial: Option<Tensor>,
}

impl CompileOptions {
    /// Everything at its default, for that processor level.
    pub fn new(cpu: CpuLevel) -> CompileOptions {
        CompileOptions {
            cpu,
            passes: PassOptions::default(),
            max_arena: 16 << 30,
            numerics: Numerics::default(),
            threads: 4,
            choices: Choices::default(),
            states: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CompileError {
    #[error(transparent)]
    Pass(#[from] PassError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error(transparent)]
    Select(#[from] SelectError),
    #[error(transparent)]
    Emit(#[from] EmitError),
    #[error(transparent)]
    Codegen(#[from] CodegenError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error("a state is bound to {what} '{name}', which the graph does not have")]
    NoState { what: &'static str, name: String },
    #[error("state '{name}' is {expected}, its first value {found}")]
    Initial {
        name: String,
        expected: TensorType,
        found: TensorType,
    },
}

/// A compiled graph: what to generate code for, and each stage as text.
pub struct Compiled {
    pub graph: Graph,
    /// Order of the steps.
    pub schedule: String,
    /// The memory plan.
    pub plan: String,
    /// Chosen kernels and refusals.
    pub explanation: String,
    /// Counts of the graph as it was given.
    pub statistics: Statistics,
    /// What was decided for the steps of a label.
    pub decisions: Vec<(String, Decision)>,
    choices: Choices,
    remarks: Vec<(String, String)>,
    emitted: Emitted,
    cpu: CpuLevel,
}

/// Compiles a graph.
pub fn compile(mut graph: Graph, options: &CompileOptions) -> Result<Compiled, CompileError> {
    let statistics = Statistics::of(&graph);
    let mut wanted = options.passes.clone();
    wanted.recompute |= !options.states.is_empty();
    passes::run(&mut graph, &wanted)?;
    let target = match options.cpu {
        CpuLevel::Baseline => Target::Clif128 { fma: false },
        CpuLevel::V3 => Target::Avx2,
        CpuLevel::V4 => Target::Avx512,
    };
    let wishes = Wishes {
        target,
        numerics: options.numerics,
        threads: options.threads,
        same_sums: !options.states.is_empty(),
    };
    let mut schedule = schedule::schedule(&graph);
    select::prepare(&mut schedule, wishes, &options.choices);
    let states = states(&graph, &options.states)?;
    let plan = memory::plan(&schedule, &states, options.max_arena)?;
    let selection = select::select(&schedule, &plan, wishes, &options.choices)?;
    let decisions = selection.decisions();
    let explanation = selection.to_string();
    let initials = options.states.iter().map(|names| names.initial.as_ref());
    let initials: Vec<Option<&Tensor>> = initials.collect();
    let emitted = emit::emit(
        &schedule,
        &plan,
        (&states, &initials),
        selection,
        options.cpu,
    )?;
    let (schedule, plan) = (schedule.to_string(), plan.print());
    Ok(Compiled {
        graph,
        schedule,
        plan,
        explanation,
        statistics,
        decisions,
        choices: options.choices.clone(),
        remarks: options.remarks.clone(),
        emitted,
        cpu: options.cpu,
    })
}

/// The values that states are named for.
fn states(graph: &Graph, names: &[StateNames]) -> Result<Vec<State>, CompileError> {
    let missing = |what, name: &String| CompileError::NoState {
        what,
        name: name.clone(),
    };
    let state = |names: &StateNames| {
        let mut inputs = graph.inputs().iter().map(|&id| Value::from(id));
        let input = inputs.find(|&v| graph.value_name(v) == names.input);
        let input = input.ok_or_else(|| missing("input", &names.input))?;
        let mut outputs = graph.outputs().iter();
        let next = outputs.find(|(name, _)| *name == names.output);
        let (_, next) = next.ok_or_else(|| missing("output", &names.output))?;
        let found = names.initial.as_ref().map(Tensor::ty);
        if let Some(found) = found.filter(|found| found != graph.ty(input)) {
            return Err(CompileError::Initial {
                name: names.input.clone(),
                expected: graph.ty(input).clone(),
                found,
            });
        }
        Ok(State { input, next: *next })
    };
    names.iter().map(state).collect()
}

impl Compiled {
    pub fn program(&self) -> &cnnc_runtime::Program {
        &self.emitted.program
    }

    /// The functions to be generated, by entry.
    pub fn functions(&self) -> &[emit::FunctionSource] {
        &self.emitted.functions
    }

    fn sources(&self) -> Vec<Source<'_>> {
        self.emitted
            .functions
            .iter()
            .map(emit::FunctionSource::source)
            .collect()
    }

    /// What every node has to do.
    pub fn work(&self) -> Vec<Work> {
        statistics::work(&self.graph)
    }

    pub fn weights(&self) -> &[u8] {
        &self.emitted.weights
    }

    /// The artefact's bytes go to `with`. It carries `source`, where given, so that it can be compiled again; if not, the graph
    /// after the passes, without constants, for people.
    pub fn artefact<R>(
        &self,
        source: Option<&Graph>,
        with: impl FnOnce(ArtifactWriter) -> R,
    ) -> Result<R, CompileError> {
        let blob = codegen::flat::blob(&self.sources(), self.cpu)?;
        let graph = match source {
            Some(source) => text::print(source, text::Style::Whole),
            None => text::print(&self.graph, text::Style::Brief),
        };
        let work: Vec<String> = self.work().iter().map(Work::to_string).collect();
        let mut meta = vec![("producer", self.emitted.program.producer.clone())];
        meta.extend(self.statistics.fields());
        meta.push(("plan", self.plan.clone()));
        meta.push(("kernels", self.explanation.clone()));
        if !self.choices.measured.is_empty() {
            meta.push(("choices", self.choices.to_string()));
        }
        meta.push(("work", work.join("\n")));
        let meta = meta
            .into_iter()
            .map(|(key, value)| (key.to_string(), value));
        let meta: Vec<(String, String)> = meta.chain(self.remarks.iter().cloned()).collect();
        Ok(with(ArtifactWriter {
            program: &self.emitted.program,
            code: &blob.bytes,
            entries: &blob.entries,
            weights: &self.emitted.weights,
            graph: graph.as_bytes(),
            meta: &meta,
        }))
    }

    /// The model in memory, its code made by the JIT.
    pub fn model(self) -> Result<Model, CompileError> {
        let code = codegen::jit::jit(&self.sources(), self.cpu)?;
        Ok(Model::from_parts(
            self.emitted.program,
            self.emitted.weights,
            code,
        )?)
    }
}
