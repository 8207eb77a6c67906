//! How a nest is cut: into chunks for threads, and into vectors.
//!
//! Nothing here changes a result: each element is computed by one chunk, in an order that depends on the nest alone.

use super::{convert, expr};
use crate::kernel::nest::{Affine, Load, Nest, Role};
use crate::memory::view::Extent;
use cnnc_ir::DType;
use cnnc_ir::class::Combine;
use cnnc_ir::expr::{BinaryOp, ExprOp, ScalarExpr, UnaryOp};

/// Work of one chunk that is worth handing to a thread, in nanoseconds.
const CHUNK_NANOSECONDS: f64 = 4000.0;
/// More chunks than this balance no better.
const MAX_CHUNKS: u64 = 256;

/// The cut of a nest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// The first loops, whose counters a chunk's number holds.
    pub outer: usize,
    /// Iterations of the next loop that a chunk does, where that loop is cut too.
    pub grain: Option<u64>,
    /// Number of chunks.
    pub chunks: u64,
    /// The loop that is vectorised.
    pub vector: Option<Vector>,
}

/// The vectorised loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vector {
    /// The last parallel loop, or the last reduction loop.
    pub counter: usize,
    /// Elements of a vector.
    pub lanes: usize,
    /// Vectors side by side in the main loop.
    pub units: usize,
}

/// Whether the nest moves bits: one operand, stored as it is.
pub fn is_copy(nest: &Nest) -> bool {
    let [load] = nest.loads.as_slice() else {
        return false;
    };
    nest.reduction.is_none()
        && load.guards.is_empty()
        && load.access.dtype == nest.store.dtype
        && matches!(nest.map.insts.as_slice(), [i] if i.op == ExprOp::Arg(0))
}

/// Chooses the cut.
pub fn shape(nest: &Nest) -> Shape {
    let vector = vector(nest);
    let cost = cost(nest, vector.map_or(1, |v| v.lanes));
    let wanted = (cost / CHUNK_NANOSECONDS).clamp(1.0, MAX_CHUNKS as f64) as u64;
    let parallel = nest.parallel();
    let (mut outer, mut chunks) = (0, 1u64);
    while outer < parallel {
        let extent = nest.loops[outer].extent.upper();
        // The last loop stays inside: it is the one that vectors and hoisted loads serve.
        if chunks.saturating_mul(extent) > wanted || outer + 1 == parallel {
            break;
        }
        chunks *= extent;
        outer += 1;
    }
    let mut grain = None;
    if outer < parallel && chunks > 0 && wanted / chunks > 1 {
        let extent = nest.loops[outer].extent.upper();
        // Whole cache lines where the loop walks elements.
        let multiple = if outer + 1 == parallel { 64 } else { 1 };
        let size = extent
            .div_ceil(wanted / chunks)
            .next_multiple_of(multiple)
            .max(1);
        if size < extent {
            grain = Some(size);
            chunks *= extent.div_ceil(size);
        }
    }
    Shape {
        outer,
        grain,
        chunks,
        vector,
    }
}

/// Estimated nanoseconds of the whole nest.
fn cost(nest: &Nest, lanes: usize) -> f64 {
    let iterations = |role: Role| {
        nest.loops
            .iter()
            .filter(|l| l.role == role)
            .map(|l| l.extent.upper() as f64)
            .product::<f64>()
    };
    let body = weight(&nest.map) + nest.loads.len() as f64;
    let finish = nest
        .reduction
        .as_ref()
        .map_or(0.0, |r| 2.0 + weight(&r.finish) + r.loads.len() as f64);
    let inner = if nest.reduction.is_some() {
        iterations(Role::Reduce)
    } else {
        1.0
    };
    let per_element = 0.4 * (1.0 + body * inner + finish) / lanes as f64;
    iterations(Role::Parallel) * per_element
}

/// Instructions of an expression, functions counted as many.
fn weight(expr: &ScalarExpr) -> f64 {
    let one = |op: &ExprOp| match op {
        ExprOp::Arg(_) | ExprOp::Lit(_) | ExprOp::Index(_) => 0.0,
        ExprOp::Binary(BinaryOp::Div, ..) | ExprOp::Unary(UnaryOp::Sqrt, _) => 5.0,
        ExprOp::Binary(BinaryOp::Pow | BinaryOp::Rem | BinaryOp::Mod, ..) => 40.0,
        ExprOp::Unary(op, _) if is_function(*op) => 20.0,
        _ => 1.0,
    };
    expr.insts.iter().map(|i| one(&i.op)).sum()
}

fn is_function(op: UnaryOp) -> bool {
    use UnaryOp::{Abs, Ceil, Floor, IsInf, IsNan, Neg, Not, Round, Sign, Sqrt, Trunc};
    !matches!(
        op,
        Neg | Abs | Sign | Sqrt | Floor | Ceil | Round | Trunc | IsNan | IsInf | Not
    )
}

fn vector(nest: &Nest) -> Option<Vector> {
    if is_copy(nest) {
        return copied(nest);
    }
    let innermost = nest.parallel().checked_sub(1);
    innermost
        .and_then(|p| across_results(nest, p))
        .or_else(|| along_reduction(nest))
}

/// Copies of contiguous elements move 16 bytes at a time.
fn copied(nest: &Nest) -> Option<Vector> {
    let counter = nest.parallel().checked_sub(1)?;
    let lanes = 16 / nest.store.dtype.size();
    let contiguous = nest.loads[0].access.stride(counter) == 1 && nest.store.stride(counter) == 1;
    let simple = contiguous && clamps_only(nest, counter) && nest.quotients.is_empty();
    let extent = nest.loops[counter].extent.upper();
    (simple && extent >= lanes as u64).then(|| Vector {
        counter,
        lanes,
        units: units(extent, lanes, 4),
    })
}

/// Every result of a vector is its own lane.
fn across_results(nest: &Nest, counter: usize) -> Option<Vector> {
    let extent = nest.loops[counter].extent.upper();
    let reduction = nest.reduction.as_ref();
    let suits = extent >= 4
        && nest.store.stride(counter) == 1
        && is_vector_type(nest.store.dtype)
        && nest.all_loads().all(|l| suits_vector(l, counter))
        && clamps_only(nest, counter)
        && independent(nest.quotients.iter().map(|q| &q.numerator), counter)
        && expr::has_vector_form(&nest.map)
        && reduction.is_none_or(|r| {
            !is_arg(r.combine)
                && independent(r.count.iter().map(|g| &g.coordinate), counter)
                && convert::has_vector_form(nest.map.dtype(), r.accumulator)
                && expr::has_vector_form(&r.finish)
                && arguments_convert(&r.finish, 0, r.accumulator)
        })
        && convert::has_vector_form(result(nest).dtype(), nest.store.dtype);
    suits.then(|| Vector {
        counter,
        lanes: 4,
        units: units(extent, 4, unroll(nest)),
    })
}

/// The lanes of an accumulator belong to one result and are combined in the end.
fn along_reduction(nest: &Nest) -> Option<Vector> {
    let reduction = nest.reduction.as_ref()?;
    let counter = nest.loops.len().checked_sub(1)?;
    let extent = nest.loops[counter].extent.upper();
    let suits = extent >= 8
        && !is_arg(reduction.combine)
        && nest.loads.iter().all(|l| suits_vector(l, counter))
        && clamps_only(nest, counter)
        && independent(nest.quotients.iter().map(|q| &q.numerator), counter)
        && expr::has_vector_form(&nest.map)
        && convert::has_vector_form(nest.map.dtype(), reduction.accumulator);
    suits.then(|| Vector {
        counter,
        lanes: 4,
        units: units(extent, 4, unroll(nest)),
    })
}

fn is_arg(combine: Combine) -> bool {
    matches!(combine, Combine::ArgMax { .. } | Combine::ArgMin { .. })
}

/// The expression whose value is stored.
fn result(nest: &Nest) -> &ScalarExpr {
    nest.reduction.as_ref().map_or(&nest.map, |r| &r.finish)
}

fn is_vector_type(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64 | DType::I32 | DType::U32)
}

fn suits_vector(load: &Load, counter: usize) -> bool {
    matches!(load.access.stride(counter), 0 | 1)
        && is_vector_type(load.access.dtype)
        && independent(load.guards.iter().map(|g| &g.coordinate), counter)
}

fn independent<'a>(affines: impl Iterator<Item = &'a Affine>, counter: usize) -> bool {
    affines.into_iter().all(|a| a.coefficient(counter) == 0)
}

/// Whether guards that look at the counter only shorten its range.
fn clamps_only(nest: &Nest, counter: usize) -> bool {
    nest.guards
        .iter()
        .all(|g| g.coordinate.coefficient(counter) == 0 || clamps(&g.coordinate) == Some(counter))
}

/// The counter whose range a guard on this coordinate shortens, given those outside it.
pub fn clamps(coordinate: &Affine) -> Option<usize> {
    let deepest = coordinate.deepest()?;
    (coordinate.coefficient(deepest).abs() == 1).then_some(deepest)
}

fn arguments_convert(expr: &ScalarExpr, argument: u32, from: DType) -> bool {
    expr.insts
        .iter()
        .all(|i| i.op != ExprOp::Arg(argument) || convert::has_vector_form(from, i.dtype))
}

/// Vectors side by side: enough to hide latencies, fewer where the code would grow large.
fn unroll(nest: &Nest) -> usize {
    let work = weight(&nest.map) + nest.reduction.as_ref().map_or(0.0, |r| weight(&r.finish));
    match work {
        w if w < 8.0 => 4,
        w if w < 24.0 => 2,
        _ => 1,
    }
}

/// The largest power of two of units, at most `most`, that an extent fills.
fn units(extent: u64, lanes: usize, most: usize) -> usize {
    let fits = extent / lanes as u64;
    [4, 2, 1]
        .into_iter()
        .find(|&u| u <= most && u as u64 <= fits)
        .unwrap_or(1)
}

/// Extent of a loop as a constant.
pub fn fixed(extent: Extent) -> Option<i64> {
    match extent {
        Extent::Fixed(n) => i64::try_from(n).ok(),
        Extent::Slot { .. } => None,
    }
}
