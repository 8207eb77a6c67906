//! The description language: what it expands to, and what it says of mistakes.

use cnnc_ir::Graph;
use cnnc_ir::text::{ParseErrors, Style, parse, print};
use cnnc_models::description::{Arguments, expand, is_description};
use cnnc_models::network::{Clip, Network};
use cnnc_models::zoo::ZOO;
use insta::assert_snapshot;

/// An import named `linear` is a dense layer without a bias; there are no others.
fn import(file: &str) -> Result<Graph, String> {
    let text = "graph \"linear\" (%a: f32[M,2]) {
        %w = const f32[2,3] [1, 2, 3, 4, 5, 6]
        %y = MatMul(%a, %w)
        return \"y\" = %y
    }";
    match file {
        "linear.onnx" => parse(text).map_err(|e| e.to_string()),
        _ => Err(format!("there is no file '{file}'")),
    }
}

fn network(text: &str) -> Result<Network, ParseErrors> {
    expand(text, &Arguments::default(), Some(7), &import)
}

fn expansion(text: &str) -> String {
    match network(text) {
        Ok(network) => print(&network.graph, Style::Brief),
        Err(errors) => errors.to_string(),
    }
}

/// What is said about a body that follows an image as input.
fn mistakes(body: &str) -> String {
    let text = format!("network net\ninput image: f32[3, 8, 8]\n{body}");
    network(&text).map_or_else(|e| e.to_string(), |_| "no mistake".into())
}

#[test]
fn layers_expand_to_operators() {
    assert_snapshot!(expansion(
        "network net
         input image: f32[1, 6, 6]
         x = conv(image, 2, 3x3, relu, name=\"stem\")
         x = max_pool(x, 2x2)
         output digit = softmax(dense(flatten(x), 3))"
    ));
}

#[test]
fn blocks_branch_and_repeat() {
    assert_snapshot!(expansion(
        "network net
         input x: f32[2, 4, 4]
         block residual(x, width, stride=1) {
             y = conv(x, width, 3x3, stride=stride, pad=same, bias=false)
             if channels(x) != width or stride > 1 {
                 x = conv(x, width, 1x1, stride=stride, bias=false, name=\"shortcut\")
             }
             return relu(x + y)
         }
         for width, stride in [[2, 1], [4, 2]] {
             x = residual(x, width, stride)
         }
         repeat 2 { x = x * 0.5 }
         output y = x"
    ));
}

#[test]
fn any_operator_is_at_hand() {
    assert_snapshot!(expansion(
        "network net
         input x: f32[4, 6]
         a, b = Split(x, axis=1, num_outputs=2)
         c = Clip(a, none, 1)
         output y = Transpose(c - b / 2, perm=[0, 2, 1])"
    ));
}

#[test]
fn imports_are_blocks() {
    let text = "network net
        import \"linear.onnx\" as linear
        input x: f32[2]
        output y = relu(linear(x))";
    assert_snapshot!(expansion(text));
    let parameters = network(text).unwrap().parameters;
    assert_eq!(parameters.len(), 1);
    assert!(parameters[0].trainable && parameters[0].decay);
    let frozen = network(&text.replace("linear(x)", "linear(x, frozen=true)")).unwrap();
    assert!(!frozen.parameters[0].trainable);
}

#[test]
fn recurrences_give_the_last_step_or_all() {
    let shapes = |layer: &str| {
        let text = format!("network net input x: f32[T, 5] output y = {layer}");
        let graph = network(&text).unwrap().graph;
        graph.ty(graph.outputs()[0].1).to_string()
    };
    assert_eq!(shapes("lstm(x, 7)"), "f32[N,7]");
    assert_eq!(shapes("gru(x, 7, sequence=true)"), "f32[N,T,7]");
    assert_eq!(
        shapes("rnn(lstm(x, 4, sequence=true), 7, relu)"),
        "f32[N,7]"
    );
    assert_eq!(shapes("dense(x, 2)"), "f32[N,T,2]");
}

#[test]
fn values_depend_on_seed_and_name_only() {
    let text = "network net input x: f32[4] output y = dense(x, 8, name=\"a\")";
    let longer =
        "network net input x: f32[4] z = dense(x, 3) output y = dense(x + z * 0, 8, name=\"a\")";
    let longer = longer.replace("dense(x, 3)", "dense(dense(x, 3), 4)");
    let weight = |text: &str, seed| {
        let graph = expand(text, &Arguments::default(), seed, &import)
            .unwrap()
            .graph;
        let node = graph.nodes().find(|n| n.outputs[0].name == "a.weight");
        let values = graph.constant(node.unwrap().id.into()).map(|t| t.to_f32());
        values.unwrap()
    };
    assert_eq!(weight(text, Some(1)), weight(&longer, Some(1)));
    assert_ne!(weight(text, Some(1)), weight(text, Some(2)));
    assert!(weight(text, None).iter().all(|&v| v == 0.0));
    let limit = (6.0f32 / 12.0).sqrt();
    let weight = weight(text, Some(1));
    assert!(weight.iter().all(|v| v.abs() <= limit));
    assert!(weight.iter().any(|v| v.abs() > 0.5 * limit));
}

#[test]
fn training_is_plain_data() {
    let train = "train {
        loss focal(gamma=2)
        schedule cosine(warmup=100)
        optimizer sgd(lr=0.1, momentum=0.9)
        batch 64  epochs 3  l2 5e-4  clip norm=1
        metrics accuracy, top5
        augment flip, crop(4)
        early_stop patience=3, min_delta=0.01
    }";
    let text = format!("network net input x: f32[4] output y = dense(x, 2) {train}");
    let training = network(&text).unwrap().training.unwrap();
    assert_eq!(training.loss.to_string(), "focal:gamma=2");
    assert_eq!("sgd:lr=0.1,momentum=0.9".parse(), Ok(training.optimizer));
    assert_eq!(training.schedule.to_string(), "cosine:floor=0,warmup=100");
    assert_eq!((training.batch, training.epochs), (64, 3));
    assert_eq!((training.l2, training.clip), (5e-4, Some(Clip::Norm(1.0))));
    assert_eq!(training.metrics, ["accuracy", "top5"]);
    assert_eq!(training.augment.to_string(), "flip crop:4");
    assert_eq!(training.early_stopping.map(|e| e.patience), Some(3));
}

const PARAMETRIC: &str = "network net(classes=10, size=4, pool=2x2, activation=relu)
    input image: f32[1, size, size]
    input other: f32[1, 2 * size / 4, T]
    x = max_pool(conv(image, 2, 1x1, activation), pool)
    size = 1
    output y = dense(flatten(x), classes + size)";

/// What the parametric network expands to with these arguments.
fn given(arguments: &str) -> String {
    let arguments = match arguments.is_empty() {
        true => Arguments::default(),
        false => match arguments.parse() {
            Ok(arguments) => arguments,
            Err(message) => return format!("not read: {message}\n"),
        },
    };
    match expand(PARAMETRIC, &arguments, None, &import) {
        Ok(network) => print(&network.graph, Style::Brief),
        Err(errors) => format!("{errors}\n"),
    }
}

#[test]
fn networks_have_parameters() {
    assert_snapshot!(given(""));
    assert_snapshot!(given("classes=2 + 1, size=8, pool=4x4, activation=tanh"));
    let parts = ["classes=3", "pool=4x4, size=8"].map(|part| part.parse::<Arguments>());
    let joined: Result<Arguments, String> = parts.into_iter().collect();
    let whole = "classes=3, pool=4x4, size=8".parse();
    assert_eq!(joined, whole);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let lines = [
        "clases=3",
        "classes=3, classes=4",
        "classes=relu",
        "size=0",
        "size=2.5",
        "size=1",
        "activation=relo",
        "activation=3",
        "pool=relu(3)",
        "pool=[1, Add(1, 2)]",
        "classes",
        "classes=",
        "classes=3 size=4",
        "classes=3,",
        "classes=3y",
        "for=3",
    ];
    let shown = lines.map(|line| format!("{line}\n{}", given(line)));
    assert_snapshot!(shown.join("\n"));
}

#[test]
fn heads_with_mistakes_are_shown() {
    let heads = [
        "net(size, size=3)",
        "net(size)",
        "net(image=3)",
        "net(size=relu)",
        "net(size=wide)",
        "net(size=3",
        "net",
    ];
    let text = |head: &str| {
        let text = format!("network {head}\ninput image: f32[1, size]\noutput y = relu(image)\n");
        expansion(&text)
    };
    assert_snapshot!(heads.map(text).join("\n"));
    let plain = "network net input x: f32[T] output y = x";
    let given = expand(plain, &"size=3".parse().unwrap(), None, &import);
    assert_snapshot!(given.unwrap_err().to_string());
}

#[test]
fn slips_in_names_are_guessed() {
    assert_snapshot!(mistakes(
        "x = cnv(image, 8, 3x3)
         x = conv(imge, 8, 3x3)
         y = conv(image, 8, 3x3, strid=2)
         y = conv(image, 8, 3x3, relo)
         y = conv(image, 8, 3x3, init=normal)
         y = MaxPol(image)
         output z = y + x
         train { optimiser adam  schedule cosin  epochs 0 }"
    ));
}

#[test]
fn shapes_that_do_not_fit_are_shown() {
    assert_snapshot!(mistakes(
        "x = conv(image, 8, 9x9)
         y = conv(image, 8, 3x3, groups=2)
         y = dense(image, 10)
         y = image + flatten(image)
         y = conv(image, 8, 3x3x3)
         output z = conv(flatten(image), 8, 3x3)"
    ));
}

#[test]
fn mistakes_of_grammar_spoil_their_line() {
    assert_snapshot!(mistakes(
        "x = conv(image, 8 3x3)
         y = = x
         conv(x, 8, 3x3)
         z = relu(x
         block b(x) { return x"
    ));
}

#[test]
fn what_never_ends_is_stopped() {
    assert_snapshot!(mistakes(
        "block deeper(x) { return deeper(x) }
         output y = deeper(image)"
    ));
    assert_snapshot!(mistakes(
        "x = image
         repeat 1000000000 { repeat 1000000000 { x = x } }
         output y = x"
    ));
    assert_snapshot!(mistakes("output y = dense(flatten(image), 2000000000)"));
    let nested = format!("output y = {}image{}", "(".repeat(9999), ")".repeat(9999));
    assert!(mistakes(&nested).contains("nested too deeply"));
    let braces = "if true { ".repeat(9999);
    assert!(mistakes(&braces).contains("is not closed"));
}

/// Pieces of a text as the language cuts it: words, numbers and signs.
fn pieces(text: &str) -> Vec<std::ops::Range<usize>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut pieces: Vec<std::ops::Range<usize>> = Vec::new();
    let mut was_name = false;
    for (at, c) in text.char_indices() {
        match pieces.last_mut() {
            Some(last) if is_name(c) && was_name => last.end = at + c.len_utf8(),
            _ if !c.is_whitespace() => pieces.push(at..at + c.len_utf8()),
            _ => {}
        }
        was_name = is_name(c);
    }
    pieces
}

/// Every token of every network left out or doubled: no panic, and a mistake stands inside the file.
#[test]
fn damaged_descriptions_are_refused_in_place() {
    let mut refused = 0;
    for exhibit in ZOO {
        let text = exhibit.text;
        let lines = text.lines().count();
        for piece in pieces(text) {
            let (before, token, behind) = (
                &text[..piece.start],
                &text[piece.clone()],
                &text[piece.end..],
            );
            for damaged in [
                format!("{before}{behind}"),
                format!("{before}{token} {token}{behind}"),
            ] {
                let Err(ParseErrors(errors)) =
                    expand(&damaged, &Arguments::default(), None, &import)
                else {
                    continue;
                };
                refused += 1;
                assert!(!errors.is_empty());
                for e in errors {
                    let line = damaged.lines().nth(e.line - 1).unwrap_or("");
                    let is_inside = e.line <= lines && e.column <= line.chars().count() + 1;
                    assert!(is_inside, "{}: {e}\n{damaged}", exhibit.name);
                }
            }
        }
    }
    assert!(refused > 3_000, "{refused}");
}

#[test]
fn descriptions_are_told_from_graphs() {
    assert!(is_description("// a net\nnetwork net"));
    assert!(!is_description("graph \"net\" () {}"));
    assert!(!is_description(""));
}
