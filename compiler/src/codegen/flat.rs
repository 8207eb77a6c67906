//! One position-independent blob: functions on cache lines, read-only data behind them, every reference relative to the
//! instruction that makes it and resolved here. It runs wherever it is mapped.

// The size of its error is Cranelift's choice.
#![allow(clippy::result_large_err)]

use super::{CodegenError, Source, compile, isa::isa};
use cnnc_runtime::CpuLevel;
use cranelift_codegen::Context;
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Signature;
use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_module::{
    DataDescription, DataId, FuncId, Init, Linkage, Module, ModuleDeclarations, ModuleError,
    ModuleReloc, ModuleRelocTarget, ModuleResult,
};
use std::collections::BTreeMap;

/// Machine code and the offset of each step's function in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    pub bytes: Vec<u8>,
    pub entries: Vec<u64>,
}

/// Compiles the sources into one blob; the same sources and level give the same bytes.
///
/// # Errors
/// See [`compile`].
pub fn blob(sources: &[Source<'_>], level: CpuLevel) -> Result<Blob, CodegenError> {
    let mut module = FlatModule::new(isa(level)?);
    let ids = compile(&mut module, sources, level)?;
    module.finish(&ids).map_err(CodegenError::module)
}

/// A `Module` that lays everything out in one piece of memory.
pub struct FlatModule {
    isa: OwnedTargetIsa,
    declarations: ModuleDeclarations,
    functions: BTreeMap<FuncId, Piece>,
    data: BTreeMap<DataId, Piece>,
}

struct Piece {
    bytes: Vec<u8>,
    align: usize,
    relocations: Vec<ModuleReloc>,
}

/// `int3`, so that a jump into a gap stops at once.
const PADDING: u8 = 0xcc;

impl FlatModule {
    pub fn new(isa: OwnedTargetIsa) -> FlatModule {
        FlatModule {
            isa,
            declarations: ModuleDeclarations::default(),
            functions: BTreeMap::new(),
            data: BTreeMap::new(),
        }
    }

    /// Lays out and links what has been defined.
    ///
    /// # Errors
    /// When something refers to what is not defined, or does so in another way than relative to itself.
    pub fn finish(self, entries: &[FuncId]) -> ModuleResult<Blob> {
        let mut bytes = Vec::new();
        let functions = lay_out(&mut bytes, &self.functions);
        let data = lay_out(&mut bytes, &self.data);
        let address = |target: &ModuleRelocTarget| match target {
            ModuleRelocTarget::User { namespace: 0, .. } => {
                functions.get(&FuncId::from_name(target)).copied()
            }
            ModuleRelocTarget::User { namespace: 1, .. } => {
                data.get(&DataId::from_name(target)).copied()
            }
            ModuleRelocTarget::FunctionOffset(id, offset) => {
                functions.get(id).map(|at| at + *offset as usize)
            }
            _ => None,
        };
        for (id, piece) in &self.functions {
            for relocation in &piece.relocations {
                let target = address(&relocation.name).ok_or_else(|| unresolved(relocation))?;
                link(&mut bytes, functions[id], relocation, target)?;
            }
        }
        let entry = |id: &FuncId| match functions.get(id) {
            Some(&at) => Ok(at as u64),
            None => Err(ModuleError::Undeclared(id.to_string())),
        };
        let entries = entries.iter().map(entry).collect::<ModuleResult<_>>()?;
        Ok(Blob { bytes, entries })
    }

    fn define(&mut self, id: FuncId, piece: Piece) -> ModuleResult<()> {
        let declared = self.declarations.get_function_decl(id);
        if !declared.linkage.is_definable() {
            let name = declared.linkage_name(id).into_owned();
            return Err(ModuleError::InvalidImportDefinition(name));
        }
        if self.functions.insert(id, piece).is_some() {
            let name = self.declarations.get_function_decl(id).linkage_name(id);
            return Err(ModuleError::DuplicateDefinition(name.into_owned()));
        }
        Ok(())
    }
}

/// Appends the pieces in the order of their numbers; returns where each begins.
fn lay_out<Id: Copy + Ord>(
    bytes: &mut Vec<u8>,
    pieces: &BTreeMap<Id, Piece>,
) -> BTreeMap<Id, usize> {
    let mut place = |piece: &Piece| {
        let at = bytes.len().next_multiple_of(piece.align.max(1));
        bytes.resize(at, PADDING);
        bytes.extend_from_slice(&piece.bytes);
        at
    };
    pieces
        .iter()
        .map(|(&id, piece)| (id, place(piece)))
        .collect()
}

fn unresolved(relocation: &ModuleReloc) -> ModuleError {
    ModuleError::Undeclared(format!("{} ({:?})", relocation.name, relocation.kind))
}

/// Writes `target + addend - here` where the relocation says.
fn link(
    bytes: &mut [u8],
    function: usize,
    relocation: &ModuleReloc,
    target: usize,
) -> ModuleResult<()> {
    let relative = matches!(
        relocation.kind,
        Reloc::X86PCRel4 | Reloc::X86CallPCRel4 | Reloc::X86CallPLTRel4
    );
    let here = function + relocation.offset as usize;
    let distance = target as i64 + relocation.addend - here as i64;
    let field = bytes.get_mut(here..here + 4);
    match (relative, i32::try_from(distance), field) {
        (true, Ok(distance), Some(field)) => {
            field.copy_from_slice(&distance.to_le_bytes());
            Ok(())
        }
        _ => Err(unresolved(relocation)),
    }
}

impl Module for FlatModule {
    fn isa(&self) -> &dyn TargetIsa {
        &*self.isa
    }

    fn declarations(&self) -> &ModuleDeclarations {
        &self.declarations
    }

    fn declare_function(
        &mut self,
        name: &str,
        linkage: Linkage,
        signature: &Signature,
    ) -> ModuleResult<FuncId> {
        let declared = self
            .declarations
            .declare_function(name, linkage, signature)?;
        Ok(declared.0)
    }

    fn declare_anonymous_function(&mut self, signature: &Signature) -> ModuleResult<FuncId> {
        self.declarations.declare_anonymous_function(signature)
    }

    fn declare_data(
        &mut self,
        name: &str,
        linkage: Linkage,
        writable: bool,
        tls: bool,
    ) -> ModuleResult<DataId> {
        let declared = self
            .declarations
            .declare_data(name, linkage, writable, tls)?;
        Ok(declared.0)
    }

    fn declare_anonymous_data(&mut self, writable: bool, tls: bool) -> ModuleResult<DataId> {
        self.declarations.declare_anonymous_data(writable, tls)
    }

    fn define_function_with_control_plane(
        &mut self,
        id: FuncId,
        context: &mut Context,
        control: &mut ControlPlane,
    ) -> ModuleResult<()> {
        let code = context.compile(&*self.isa, control)?;
        let bytes = code.code_buffer().to_vec();
        let found = code.buffer.relocs().to_vec();
        let relocations = found
            .iter()
            .map(|r| ModuleReloc::from_mach_reloc(r, &context.func, id))
            .collect();
        let align = self.isa.function_alignment().preferred as usize;
        self.define(
            id,
            Piece {
                bytes,
                align,
                relocations,
            },
        )
    }

    fn define_function_bytes(
        &mut self,
        id: FuncId,
        alignment: u64,
        bytes: &[u8],
        relocations: &[ModuleReloc],
    ) -> ModuleResult<()> {
        self.define(
            id,
            Piece {
                bytes: bytes.to_vec(),
                align: alignment as usize,
                relocations: relocations.to_vec(),
            },
        )
    }

    fn define_data(&mut self, id: DataId, data: &DataDescription) -> ModuleResult<()> {
        let name = || {
            let declared = self.declarations.get_data_decl(id);
            declared.linkage_name(id).into_owned()
        };
        let bytes = match &data.init {
            Init::Bytes { contents } => contents.to_vec(),
            Init::Zeros { size } => vec![0; *size],
            Init::Uninitialized => return Err(ModuleError::Undeclared(name())),
        };
        // The blob is mapped read-only and position-independent: no data that is written or holds addresses.
        let declared = self.declarations.get_data_decl(id);
        if declared.writable || !data.function_relocs.is_empty() || !data.data_relocs.is_empty() {
            return Err(ModuleError::IncompatibleDeclaration(name()));
        }
        let piece = Piece {
            bytes,
            align: data.align.unwrap_or(16) as usize,
            relocations: Vec::new(),
        };
        if self.data.insert(id, piece).is_some() {
            let declared = self.declarations.get_data_decl(id);
            let name = declared.linkage_name(id).into_owned();
            return Err(ModuleError::DuplicateDefinition(name));
        }
        Ok(())
    }
}
