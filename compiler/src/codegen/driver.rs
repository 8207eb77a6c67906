//! The step function of a tile plan: for every chunk, one call of a tile.
//!
//! ```text
//! for call in lo..hi:
//!     group, unit = call / units, call % units        -- or the other way round
//!     tiles[group.first_tile + unit.tile](operands + table[unit] + table[group])
//! ```
//!
//! The offsets stand in one read-only table of i64 behind the code: units first, then groups.

use super::nest::step_signature;
use super::{CodegenError, Kernel, Tiles, tile_signature};
use crate::kernel::plan::Order;
use crate::memory::view::Space;
use crate::select::{Place, Tiled};
use cnnc_runtime::Env;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{
    ExtFuncData, ExternalName, FuncRef, Function, GlobalValue, GlobalValueData, InstBuilder,
    MemFlagsData, UserExternalName, UserFuncName, Value, immediates::Imm64,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Switch};
use cranelift_module::{DataDescription, DataId, FuncId, Linkage, Module};

/// Fields of a unit's row: tile, input, output, bias.
const UNIT: i64 = 4;
/// Fields of a group's row: first tile, input, weights, bias, output.
const GROUP: i64 = 5;
pub(super) const WORD: i64 = 8;

/// Defines the table of a plan's offsets.
pub(super) fn define_table<M: Module>(
    module: &mut M,
    tiled: &Tiled,
    step: usize,
) -> Result<DataId, CodegenError> {
    let mut words: Vec<i64> = Vec::new();
    for unit in &tiled.plan.spatial {
        words.extend([i64::from(unit.tile), unit.input, unit.output, unit.bias]);
    }
    for group in &tiled.plan.groups {
        let tile = i64::from(group.first_tile);
        words.extend([tile, group.input, group.weights, group.bias, group.output]);
    }
    define_words(module, &words, step)
}

/// Defines a read-only table of words behind the code.
pub(super) fn define_words<M: Module>(
    module: &mut M,
    words: &[i64],
    step: usize,
) -> Result<DataId, CodegenError> {
    let id = module
        .declare_data(&format!("calls{step}"), Linkage::Local, false, false)
        .map_err(CodegenError::module)?;
    let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    let mut data = DataDescription::new();
    data.define(bytes.into_boxed_slice());
    data.set_align(WORD as u64);
    module
        .define_data(id, &data)
        .map_err(CodegenError::module)?;
    Ok(id)
}

/// Builds the step function.
pub(super) fn build(tiled: &Tiled, tiles: &Tiles<'_>, table: Option<DataId>) -> Function {
    let mut function = Function::with_name_signature(UserFuncName::default(), step_signature());
    let callees: Vec<FuncRef> = tiled
        .plan
        .tiles
        .iter()
        .filter_map(|tile| tiles.get(&(Kernel::Tile(tile), tiled.target)))
        .map(|&id| import_tile(&mut function, id))
        .collect();
    let table = table.map(|id| import_table(&mut function, id));
    let mut context = FunctionBuilderContext::new();
    let builder = FunctionBuilder::new(&mut function, &mut context);
    emit(builder, tiled, &callees, table);
    function
}

/// The loop over calls.
fn emit(
    mut builder: FunctionBuilder<'_>,
    tiled: &Tiled,
    callees: &[FuncRef],
    table: Option<GlobalValue>,
) {
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let [env, lo, hi] = std::array::from_fn(|k| builder.block_params(entry)[k]);
    let operands = [
        tiled.input,
        tiled.weights,
        tiled.output,
        tiled.bias,
        tiled.residual,
    ]
    .map(|place| address(&mut builder, env, place));
    let table = match table {
        Some(table) => builder.ins().symbol_value(I64, table),
        None => builder.ins().iconst(I64, 0),
    };
    let (head, body, done) = (
        builder.create_block(),
        builder.create_block(),
        builder.create_block(),
    );
    let call = builder.append_block_param(head, I64);
    builder.ins().jump(head, &[lo.into()]);
    builder.switch_to_block(head);
    let more = builder.ins().icmp(IntCC::UnsignedLessThan, call, hi);
    builder.ins().brif(more, body, &[], done, &[]);
    builder.switch_to_block(body);
    one_call(&mut builder, tiled, callees, operands, table, call);
    let next = builder.ins().iadd_imm_s(call, 1);
    builder.ins().jump(head, &[next.into()]);
    builder.switch_to_block(done);
    builder.ins().return_(&[]);
    // `finalize` would add nothing: it spills values of stack maps, of which there are none.
    builder.seal_all_blocks();
}

/// Computes the operands of one call and calls its tile.
fn one_call(
    builder: &mut FunctionBuilder<'_>,
    tiled: &Tiled,
    callees: &[FuncRef],
    [input, weights, output, bias, residual]: [Value; 5],
    table: Value,
    call: Value,
) {
    let units = tiled.plan.spatial.len() as i64;
    let groups = tiled.plan.groups.len() as i64;
    let inner = match tiled.plan.order {
        Order::GroupOuter => units,
        Order::SpatialOuter => groups,
    };
    let inner = builder.ins().iconst(I64, inner.max(1));
    let slow = builder.ins().udiv(call, inner);
    let fast = builder.ins().urem(call, inner);
    let (group, unit) = match tiled.plan.order {
        Order::GroupOuter => (slow, fast),
        Order::SpatialOuter => (fast, slow),
    };
    let unit = row(builder, table, unit, UNIT * WORD);
    let start = builder.ins().iadd_imm_s(table, units * UNIT * WORD);
    let group = row(builder, start, group, GROUP * WORD);
    let mut field = |row: Value, k: i64| {
        let offset = (k * WORD) as i32;
        let flags = MemFlagsData::trusted();
        builder.ins().load(I64, flags, row, offset)
    };
    let [unit_tile, unit_input, unit_output, unit_bias] =
        std::array::from_fn(|k| field(unit, k as i64));
    let [first, group_input, group_weights, group_bias, group_output] =
        std::array::from_fn(|k| field(group, k as i64));
    let mut sum = |a: Value, b: Value| builder.ins().iadd(a, b);
    let in_offset = sum(unit_input, group_input);
    let out_offset = sum(unit_output, group_output);
    let bias_offset = sum(unit_bias, group_bias);
    let tile = sum(unit_tile, first);
    let arguments = [
        sum(input, in_offset),
        sum(weights, group_weights),
        sum(output, out_offset),
        sum(bias, bias_offset),
        sum(residual, out_offset),
    ];
    dispatch(builder, callees, tile, &arguments);
}

/// Calls tile number `tile`.
pub(super) fn dispatch(
    builder: &mut FunctionBuilder<'_>,
    callees: &[FuncRef],
    tile: Value,
    arguments: &[Value],
) {
    if let [only] = callees {
        builder.ins().call(*only, arguments);
        return;
    }
    let done = builder.create_block();
    let mut switch = Switch::new();
    let blocks: Vec<_> = callees.iter().map(|_| builder.create_block()).collect();
    for (k, &block) in blocks.iter().enumerate() {
        switch.set_entry(k as u128, block);
    }
    switch.emit(builder, tile, done);
    for (&block, &callee) in blocks.iter().zip(callees) {
        builder.switch_to_block(block);
        builder.ins().call(callee, arguments);
        builder.ins().jump(done, &[]);
    }
    builder.switch_to_block(done);
}

pub(super) fn row(
    builder: &mut FunctionBuilder<'_>,
    table: Value,
    index: Value,
    bytes: i64,
) -> Value {
    let offset = builder.ins().imul_imm_s(index, bytes);
    builder.ins().iadd(table, offset)
}

pub(super) fn address(builder: &mut FunctionBuilder<'_>, env: Value, place: Place) -> Value {
    let field = match place.space {
        Space::Arena => Env::ARENA,
        Space::Weights => Env::WEIGHTS,
        Space::State => Env::STATE,
    };
    let base = builder
        .ins()
        .load(I64, MemFlagsData::trusted(), env, field as i32);
    builder.ins().iadd_imm_s(base, place.offset as i64)
}

/// What `Module::declare_func_in_func` does, without the module: functions are built in parallel.
pub(super) fn import_tile(function: &mut Function, id: FuncId) -> FuncRef {
    let signature = function.import_signature(tile_signature());
    let name = function.declare_imported_user_function(UserExternalName {
        namespace: 0,
        index: id.as_u32(),
    });
    function.import_function(ExtFuncData {
        name: ExternalName::user(name),
        signature,
        colocated: true,
        patchable: false,
    })
}

/// What `Module::declare_data_in_func` does, without the module.
pub(super) fn import_table(function: &mut Function, id: DataId) -> GlobalValue {
    let name = function.declare_imported_user_function(UserExternalName {
        namespace: 1,
        index: id.as_u32(),
    });
    function.create_global_value(GlobalValueData::Symbol {
        name: ExternalName::user(name),
        offset: Imm64::new(0),
        colocated: true,
        tls: false,
    })
}
