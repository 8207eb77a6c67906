//! TfIdfVectorizer: how often each n-gram of a pool occurs in every row of integers, its words up to `max_skip_count` apart.
//! <https://onnx.ai/onnx/operators/onnx__TfIdfVectorizer.html>
//!
//! Mode TF counts, IDF weighs the n-grams that occur, TFIDF weighs the counts. Pools of strings are not supported.

use super::OpKind::{Add, And, Equal, Gather, ReduceSum};
use super::quantization::map;
use crate::attrs::{AttrKind, AttrValue};
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::looping::check_size;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType};

/// Most features a row may have.
const MAX_FEATURES: i64 = 1 << 24;

pub static DEF: OpDef = OpDef {
    name: "TfIdfVectorizer",
    since: 9,
    inputs: &[Input::new("X", "T")],
    outputs: &[Output::new("Y", "f32")],
    types: &[("T", sets::INDEX)],
    attrs: &[
        Attr::required("max_gram_length", AttrKind::Int),
        Attr::required("max_skip_count", AttrKind::Int),
        Attr::required("min_gram_length", AttrKind::Int),
        Attr::required("mode", AttrKind::Str),
        Attr::required("ngram_counts", AttrKind::Ints),
        Attr::required("ngram_indexes", AttrKind::Ints),
        Attr::ints("pool_int64s"),
        Attr::new("pool_strings", AttrKind::Strs, Preset::Absent),
        Attr::new("weights", AttrKind::Floats, Preset::Absent),
    ],
    infer: |cx| {
        let mut shape = cx.shape(0)?;
        let features = Pool::new(cx)?.features;
        match &mut shape[..] {
            [] | [_] => shape = vec![features],
            [_, columns] => *columns = features,
            _ => {
                return Err(cx.error(format!(
                    "the input must have at most 2 dimensions, is {}",
                    cx.ty(0)?
                )));
            }
        }
        Ok(vec![TensorType::new(DType::F32, shape)])
    },
    semantics,
    ..OpDef::NEW
};

/// The n-grams that are looked for.
struct Pool {
    /// By length, from 1 on: n-grams and their features.
    grams: Vec<Vec<(Vec<i64>, usize)>>,
    features: usize,
    /// Factor of each feature, and whether it weighs counts (else occurrence).
    weights: Option<(Vec<f64>, bool)>,
    skips: usize,
}

impl Pool {
    fn new(cx: &Cx) -> Result<Pool, TypeError> {
        let words = cx
            .opt_ints("pool_int64s")
            .ok_or_else(|| cx.unsupported("a pool of strings"))?;
        let indexes = cx.opt_ints("ngram_indexes").unwrap_or_default();
        let features = match indexes.iter().max() {
            Some(&last) if last < MAX_FEATURES && indexes.iter().all(|&i| i >= 0) => {
                last as usize + 1
            }
            _ => {
                return Err(cx.attr_error(
                    "ngram_indexes",
                    "must name at least one feature, and not too many",
                ));
            }
        };
        let (shortest, longest) = (cx.int("min_gram_length")?, cx.int("max_gram_length")?);
        let mut grams = grams(cx, &words, &indexes)?;
        for (i, listed) in grams.iter_mut().enumerate() {
            if !(shortest..=longest).contains(&(i as i64 + 1)) {
                listed.clear();
            }
        }
        let counts = match cx.str("mode")? {
            "TF" => None,
            "IDF" => Some(false),
            "TFIDF" => Some(true),
            other => {
                return Err(cx.attr_error("mode", format!("must be TF, IDF or TFIDF, is '{other}'")));
            }
        };
        let weights = match (counts, cx.floats("weights")) {
            (Some(counts), Some(given)) if given.len() == indexes.len() => {
                let mut factors = vec![1.0; features];
                indexes
                    .iter()
                    .zip(given)
                    .for_each(|(&i, w)| factors[i as usize] = w);
                Some((factors, counts))
            }
            (Some(counts), None) => Some((vec![1.0; features], counts)),
            (Some(_), Some(given)) => {
                return Err(cx.attr_error(
                    "weights",
                    format!(
                        "has {} entries, ngram_indexes {}",
                        given.len(),
                        indexes.len()
                    ),
                ));
            }
            (None, _) => None,
        };
        let skips = usize::try_from(cx.int("max_skip_count")?)
            .map_err(|_| cx.attr_error("max_skip_count", "must not be negative"))?;
        Ok(Pool {
            grams,
            features,
            weights,
            skips,
        })
    }
}

/// An n-gram of the pool and its feature.
type Gram = (Vec<i64>, usize);

/// By length, from 1 on: the pool's n-grams and their features.
fn grams(
    cx: &Cx,
    words: &[i64],
    indexes: &[i64],
) -> Result<Vec<Vec<Gram>>, TypeError> {
    let starts = cx.opt_ints("ngram_counts").unwrap_or_default();
    let mut features = indexes.iter();
    let mut grams = Vec::with_capacity(starts.len());
    for (i, &start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).copied().unwrap_or(words.len() as i64);
        let bounds = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let own = bounds.and_then(|(start, end)| words.get(start..end));
        let own = own
            .filter(|w| w.len().is_multiple_of(i + 1))
            .ok_or_else(|| {
                cx.attr_error(
                    "ngram_counts",
                    format!("is {starts:?}, which does not fit the pool"),
                )
            })?;
        let listed = own.chunks_exact(i + 1).map(|gram| {
            let feature = features
                .next()
                .ok_or_else(|| cx.attr_error("ngram_indexes", "has fewer entries than the pool"))?;
            Ok((gram.to_vec(), *feature as usize))
        });
        grams.push(listed.collect::<Result<_, TypeError>>()?);
    }
    Ok(grams)
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let (pool, shape) = (Pool::new(cx)?, cx.shape(0)?);
    let (rows, words) = match shape[..] {
        [rows, words] => (rows, words),
        _ => (1, shape.iter().product()),
    };
    check_size(cx, pool.skips.min(words), pool.grams.len())?;
    let mut c = Composer::new(cx);
    let x = c.arg(0);
    let x = c.reshape(x, &[rows, words, 1])?;
    // One column of zeros for the features that no n-gram has, then one for each n-gram.
    let mut column_of = vec![0; pool.features];
    let mut columns = vec![c.constant(Tensor::from_f64(DType::F32, &[rows, 1], &vec![0.0; rows]))];
    let mut count = 1;
    for (i, grams) in pool.grams.iter().enumerate().filter(|(_, g)| !g.is_empty()) {
        for (_, feature) in grams {
            column_of[*feature] = count;
            count += 1;
        }
        columns.push(occurrences(
            &mut c,
            x,
            grams,
            i + 1,
            pool.skips,
            [rows, words],
        )?);
    }
    let all = c.concat(&columns, 1)?;
    let table = c.ints(&column_of);
    let mut y = c.with(Gather, &[all, table], [("axis", AttrValue::Int(1))])?;
    if let Some((factors, counts)) = &pool.weights {
        let factors = c.constant(Tensor::from_f64(DType::F32, &[pool.features], factors));
        y = map(&mut c, &[y, factors], DType::F32, |a| match counts {
            true => &a[0] * &a[1],
            false => a[0].lit(0.0).lt(&a[0]).select(&a[1], &a[0].lit(0.0)),
        })?;
    }
    if shape.len() < 2 {
        y = c.reshape(y, &[pool.features])?;
    }
    c.finish(&[y])
}

/// How often each n-gram of one length occurs, `[rows, n-grams]`; single words are not looked for again with words skipped.
fn occurrences(
    c: &mut Composer,
    x: Value,
    grams: &[(Vec<i64>, usize)],
    length: usize,
    skips: usize,
    [rows, words]: [usize; 2],
) -> Result<Value, TypeError> {
    let dtype = c.ty(x).dtype;
    let mut total = c.constant(Tensor::from_f64(
        DType::F32,
        &[rows, grams.len()],
        &vec![0.0; rows * grams.len()],
    ));
    let most = if length == 1 { 0 } else { skips };
    for step in 1..=most.saturating_add(1) {
        let Some(reach) = step.checked_mul(length - 1).filter(|r| *r < words) else {
            break;
        };
        let mut hit: Option<Value> = None;
        for word in 0..length {
            let at = (word * step) as i64;
            let here = c.slice(x, 1, at, at + (words - reach) as i64)?;
            let wanted: Vec<i64> = grams.iter().map(|(gram, _)| gram[word]).collect();
            let wanted = c.constant(Tensor::from_i64(dtype, &[grams.len()], &wanted));
            let same = c.op(Equal, &[here, wanted])?;
            hit = Some(match hit {
                None => same,
                Some(hit) => c.op(And, &[hit, same])?,
            });
        }
        if let Some(hit) = hit {
            let ones = c.cast(hit, DType::F32)?;
            let found = c.reduce(ReduceSum, ones, &[1], false)?;
            total = c.op(Add, &[total, found])?;
        }
    }
    Ok(total)
}
