//! Real models: decoded as another decoder does, imported, and written as text without loss.
//!
//! They lie in `$CNNC_DATA/models`, or where the project keeps its data; without them there is nothing to do, and it is said.

use bytes::Bytes;
use cnnc::frontend::onnx::{ImportOptions, import, input_names, proto, tensor_from_file};
use cnnc_ir::text::{Style, parse, print};
use cnnc_ir::verify::verify;
use onnx_protobuf as reference;
use prost::Message as _;
use protobuf::Message as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The files `model.onnx` that are small enough to be read in a debug build.
fn models() -> Vec<PathBuf> {
    const LARGEST: u64 = 3 << 20;
    let data = std::env::var_os("CNNC_DATA").map(PathBuf::from);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = data.unwrap_or(shared).join("models");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: there are no models in {}", folder.display());
        return Vec::new();
    };
    let files = entries.filter_map(|e| Some(e.ok()?.path().join("model.onnx")));
    let is_small = |f: &PathBuf| fs::metadata(f).is_ok_and(|m| m.len() <= LARGEST);
    let mut files: Vec<PathBuf> = files.filter(is_small).collect();
    files.sort();
    files
}

#[test]
fn both_decoders_read_the_same() {
    for path in models() {
        let bytes = fs::read(&path).expect("a readable model");
        let ours = proto::Model::decode(Bytes::from(bytes.clone())).expect("a model");
        let theirs = reference::ModelProto::parse_from_bytes(&bytes).expect("a model");
        let place = path.display().to_string();
        assert_eq!(ours.ir_version.unwrap_or(0), theirs.ir_version, "{place}");
        assert_eq!(ours.producer_name, theirs.producer_name, "{place}");
        let opsets = ours.opset_import.iter().map(|o| (&o.domain, o.version));
        let their_opsets = theirs.opset_import.iter().map(|o| (&o.domain, o.version));
        assert!(opsets.eq(their_opsets), "{place}: opsets");
        same_graph(&place, &ours.graph.expect("a graph"), &theirs.graph);
    }
}

fn same_graph(place: &str, ours: &proto::Graph, theirs: &reference::GraphProto) {
    assert_eq!(ours.name, theirs.name, "{place}");
    for (ours, theirs) in [(&ours.input, &theirs.input), (&ours.output, &theirs.output)] {
        assert_eq!(ours.len(), theirs.len(), "{place}");
        for (o, t) in ours.iter().zip(theirs) {
            assert_eq!(o.name, t.name, "{place}");
            assert_eq!(our_type(o), their_type(t), "{place}: {}", o.name);
        }
    }
    assert_eq!(ours.initializer.len(), theirs.initializer.len(), "{place}");
    for (o, t) in ours.initializer.iter().zip(&theirs.initializer) {
        same_tensor(&format!("{place}: {}", o.name), o, t);
    }
    assert_eq!(ours.node.len(), theirs.node.len(), "{place}");
    for (o, t) in ours.node.iter().zip(&theirs.node) {
        let place = format!("{place}: node '{}' ({})", o.name, o.op_type);
        assert_eq!(
            (&o.op_type, &o.domain, &o.name),
            (&t.op_type, &t.domain, &t.name),
            "{place}"
        );
        assert_eq!((&o.input, &o.output), (&t.input, &t.output), "{place}");
        assert_eq!(o.attribute.len(), t.attribute.len(), "{place}");
        for (o, t) in o.attribute.iter().zip(&t.attribute) {
            same_attribute(&format!("{place}: {}", o.name), o, t);
        }
    }
}

fn same_attribute(place: &str, ours: &proto::Attribute, theirs: &reference::AttributeProto) {
    assert_eq!(
        (&ours.name, ours.kind),
        (&theirs.name, theirs.type_.value()),
        "{place}"
    );
    assert_eq!(
        ours.f.unwrap_or(0.0).to_bits(),
        theirs.f.to_bits(),
        "{place}"
    );
    assert_eq!(ours.i.unwrap_or(0), theirs.i, "{place}");
    assert_eq!(ours.s.clone().unwrap_or_default(), theirs.s, "{place}");
    assert_eq!(
        (&ours.floats, &ours.ints),
        (&theirs.floats, &theirs.ints),
        "{place}"
    );
    assert!(ours.strings.iter().eq(theirs.strings.iter()), "{place}");
    assert_eq!(ours.t.is_some(), theirs.t.is_some(), "{place}");
    assert_eq!(ours.g.is_some(), theirs.g.is_some(), "{place}");
    if let (Some(o), Some(t)) = (&ours.t, theirs.t.as_ref()) {
        same_tensor(place, o, t);
    }
    if let (Some(o), Some(t)) = (&ours.g, theirs.g.as_ref()) {
        same_graph(place, o, t);
    }
}

fn same_tensor(place: &str, ours: &proto::Tensor, theirs: &reference::TensorProto) {
    assert_eq!(
        (&ours.name, ours.data_type),
        (&theirs.name, theirs.data_type),
        "{place}"
    );
    assert_eq!(ours.dims, theirs.dims, "{place}");
    assert_eq!(
        ours.raw_data.clone().unwrap_or_default(),
        theirs.raw_data,
        "{place}"
    );
    assert!(ours.float_data == theirs.float_data, "{place}: float_data");
    assert!(
        ours.double_data == theirs.double_data,
        "{place}: double_data"
    );
    assert_eq!(ours.int32_data, theirs.int32_data, "{place}");
    assert_eq!(ours.int64_data, theirs.int64_data, "{place}");
    assert_eq!(ours.uint64_data, theirs.uint64_data, "{place}");
}

/// Element type and dimensions, numbers and names.
fn our_type(v: &proto::ValueInfo) -> Option<(i32, Vec<String>)> {
    let Some(proto::TypeValue::Tensor(t)) = &v.r#type.as_ref()?.value else {
        return None;
    };
    let dims = t.shape.iter().flat_map(|s| &s.dim);
    let dims = dims.map(|d| match (d.dim_value, &d.dim_param) {
        (Some(n), _) => n.to_string(),
        (_, Some(name)) => name.clone(),
        _ => String::new(),
    });
    Some((t.elem_type, dims.collect()))
}

fn their_type(v: &reference::ValueInfoProto) -> Option<(i32, Vec<String>)> {
    let ty = v.type_.as_ref()?;
    let t = ty.has_tensor_type().then(|| ty.tensor_type())?;
    let dims = t.shape.iter().flat_map(|s| &s.dim);
    let dims = dims.map(|d| match (d.has_dim_value(), d.has_dim_param()) {
        (true, _) => d.dim_value().to_string(),
        (_, true) => d.dim_param().to_string(),
        _ => String::new(),
    });
    Some((t.elem_type, dims.collect()))
}

/// Free dimensions take the extents of the recorded inputs.
fn recorded_shapes(model: &Path) -> ImportOptions {
    let names = input_names(model).unwrap_or_else(|e| panic!("{e}"));
    let file = |k| model.with_file_name(format!("test_data_set_0/input_{k}.pb"));
    let shapes = names.into_iter().enumerate().filter_map(|(k, name)| {
        let recorded = tensor_from_file(&file(k)).ok()?;
        Some((name, recorded.shape().to_vec()))
    });
    ImportOptions {
        shapes: shapes.collect(),
        ..ImportOptions::default()
    }
}

#[test]
fn imported_graphs_survive_as_text() {
    for path in models() {
        let imported = import(&path, &recorded_shapes(&path));
        let graph = imported.unwrap_or_else(|e| panic!("{e}")).graph;
        assert_eq!(verify(&graph), Ok(()), "{}", path.display());
        let text = print(&graph, Style::Whole);
        let parsed = parse(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert!(parsed == graph, "{}: another graph", path.display());
        assert!(
            print(&parsed, Style::Whole) == text,
            "{}: another text",
            path.display()
        );
    }
}
