//! What must hold for the definition of every operator.

use cnnc_ir::attrs::AttrKind;
use cnnc_ir::ops::OpKind;
use cnnc_ir::schema::{Arity, Attr, CNNC, NEWEST_OPSET, OpDef, Preset};
use cnnc_ir::types::DType;
use std::collections::HashSet;

/// Calls `check` with every operator's name and definition.
fn each(check: impl Fn(&str, &'static OpDef)) {
    for &kind in OpKind::ALL {
        check(kind.def().name, kind.def());
    }
}

#[test]
fn names_are_unique_and_found() {
    let mut seen = HashSet::new();
    for &kind in OpKind::ALL {
        let def = kind.def();
        assert!(seen.insert((def.domain, def.name)), "{} twice", def.name);
        assert_eq!(OpKind::find(def.domain, def.name), Some(kind));
        assert_eq!(format!("{kind:?}"), def.name, "variant and name differ");
    }
}

#[test]
fn operands_name_declared_types() {
    each(|name, def| {
        let inputs = def.inputs.iter().map(|i| i.ty);
        let outputs = def.outputs.iter().map(|o| o.ty);
        for ty in inputs.chain(outputs) {
            let known = ty.is_empty()
                || DType::from_name(ty).is_some()
                || def.types.iter().any(|(variable, _)| *variable == ty);
            assert!(known, "{name}: type {ty} is not declared");
        }
        for (variable, set) in def.types {
            assert!(!set.is_empty(), "{name}: {variable} stands for no type");
            assert!(DType::from_name(variable).is_none(), "{name}: {variable}");
        }
    });
}

#[test]
fn type_variables_are_used() {
    each(|name, def| {
        for (variable, _) in def.types {
            let used = def.inputs.iter().any(|i| i.ty == *variable)
                || def.outputs.iter().any(|o| o.ty == *variable);
            assert!(used, "{name}: no operand has type {variable}");
        }
    });
}

#[test]
fn only_the_last_operand_is_variadic_and_required_ones_come_first() {
    each(|name, def| {
        let inputs: Vec<Arity> = def.inputs.iter().map(|i| i.arity).collect();
        let outputs: Vec<Arity> = def.outputs.iter().map(|o| o.arity).collect();
        for arities in [inputs, outputs] {
            for pair in arities.windows(2) {
                let many = matches!(pair[0], Arity::Variadic | Arity::Any);
                // ONNX Runtime's operators have optional zero points in the middle.
                let late =
                    pair == [Arity::Optional, Arity::Required] && def.domain != "com.microsoft";
                assert!(!many, "{name}: a variadic operand is not the last");
                assert!(!late, "{name}: a required operand follows an optional one");
            }
        }
        assert!(!def.outputs.is_empty(), "{name}: no output");
    });
}

#[test]
fn versions_are_in_order() {
    each(|name, def| {
        assert!(def.since >= 1 && def.since <= def.until, "{name}");
        assert!(def.since <= NEWEST_OPSET, "{name}: from the future");
        for input in def.inputs {
            assert!(input.since <= NEWEST_OPSET, "{name}: {}", input.name);
        }
        for attr in def.attrs {
            assert!(attr.since <= attr.until, "{name}: {}", attr.name);
            // No file has an attribute since u32::MAX: adapters set it.
            let arrived = attr.since <= NEWEST_OPSET || attr.since == u32::MAX;
            assert!(arrived, "{name}: {}", attr.name);
        }
    });
}

#[test]
fn operand_names_are_unique() {
    each(|name, def| {
        let mut inputs = HashSet::new();
        let mut outputs = HashSet::new();
        assert!(def.inputs.iter().all(|i| inputs.insert(i.name)), "{name}");
        assert!(def.outputs.iter().all(|o| outputs.insert(o.name)), "{name}");
    });
}

/// An attribute may be declared again only for other opsets.
#[test]
fn attributes_are_unique() {
    each(|name, def| {
        for (i, a) in def.attrs.iter().enumerate() {
            for b in &def.attrs[i + 1..] {
                let apart = a.until < b.since || b.until < a.since;
                assert!(a.name != b.name || apart, "{name}: {} twice", a.name);
            }
        }
    });
}

#[test]
fn defaults_have_the_kind_of_their_attribute() {
    let fits = |a: &Attr| match a.default {
        Preset::Required | Preset::Absent => true,
        Preset::Int(_) => a.kind == AttrKind::Int,
        Preset::Float(_) => a.kind == AttrKind::Float,
        Preset::Str(_) => a.kind == AttrKind::Str,
        Preset::Ints(_) => a.kind == AttrKind::Ints,
        Preset::Floats(_) => a.kind == AttrKind::Floats,
        Preset::Strs(_) => a.kind == AttrKind::Strs,
        Preset::DType(_) => a.kind == AttrKind::DType,
    };
    each(|name, def| {
        for a in def.attrs {
            assert!(fits(a), "{name}: default of {}", a.name);
        }
    });
}

#[test]
fn attributes_become_inputs_that_arrive_right_after() {
    each(|name, def| {
        for a in def.attrs {
            let Some(slot) = a.becomes_input else {
                continue;
            };
            let input = def.inputs.get(slot);
            let since = input.map(|i| i.since);
            assert_eq!(since, Some(a.until + 1), "{name}: {}", a.name);
        }
    });
}

/// Only passes make the operators of our own domain, so they have one version.
#[test]
fn internal_operators_have_no_history() {
    each(|name, def| {
        if def.domain == CNNC {
            assert_eq!((def.since, def.until), (1, u32::MAX), "{name}");
        }
    });
}
