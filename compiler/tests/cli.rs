//! The command line's contract, held by processes: exit statuses, what goes to which stream, what is left on disk.

use insta::assert_snapshot;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const CNN: &str = "graph \"twice\" (%x: f32[N,3]) {\n  %y = Add(%x, %x)\n  return \"y\" = %y\n}\n";

/// A folder that holds the shipped network and a small native description.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/digits");
        for file in ["digits.onnx", "labels.txt", "seven.png"] {
            fs::copy(shipped.join(file), folder.path().join(file)).unwrap();
        }
        fs::write(folder.path().join("twice.cnn"), CNN).unwrap();
        Place(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program, to be run here.
    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cnnc"));
        command
            .args(line.split_whitespace())
            .current_dir(self.0.path());
        command.env_remove("CNNC_CPU").stdin(Stdio::null());
        command
    }

    fn output(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Status and both streams, as a person sees them.
    fn shown(&self, line: &str) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = self.output(line);
        let mut text = format!("$ cnnc {line}\n");
        for (mark, bytes) in [("", stdout), ("! ", stderr)] {
            let stream = String::from_utf8(bytes).unwrap();
            text.extend(stream.lines().map(|l| format!("{mark}{l}\n")));
        }
        text + &format!("= {}\n", status.code().unwrap())
    }

    /// Runs what must succeed; its standard output.
    fn done(&self, line: &str) -> String {
        let output = self.output(line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cnnc {line}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn the_shipped_network_reads_the_shipped_digit() {
    let place = Place::new();
    let run = "--input image=seven.png --top 1 --labels labels.txt --quiet";
    assert_eq!(
        place
            .done(&format!("run digits.onnx {run}"))
            .split_whitespace()
            .next(),
        Some("7")
    );
    place.done("compile digits.onnx -o digits.bin");
    assert_eq!(
        place.done(&format!("run digits.bin {run}")),
        place.done(&format!("run digits.onnx {run}"))
    );
}

#[test]
fn the_same_model_gives_the_same_bytes_and_a_listed_compile_time() {
    let place = Place::new();
    let output = place.output("compile digits.onnx -o a.bin");
    assert!(String::from_utf8_lossy(&output.stderr).contains("compiled in "));
    place.done("compile digits.onnx -o b.bin --quiet");
    place.done("compile digits.onnx -o /dev/null");
    assert_eq!(
        fs::read(place.file("a.bin")).unwrap(),
        fs::read(place.file("b.bin")).unwrap()
    );
}

#[test]
fn with_json_every_line_is_an_object() {
    let place = Place::new();
    place.done("compile digits.onnx -o digits.bin");
    fs::create_dir_all(place.file("case/test_data_set_0")).unwrap();
    fs::copy(place.file("digits.onnx"), place.file("case/model.onnx")).unwrap();
    let commands = [
        "compile digits.onnx -o other.bin --print import --print memory --print nests",
        "run digits.onnx --input image=random:1 --top 2",
        "run digits.bin --input image=seven.png",
        "bench digits.onnx --runs 3 --profile",
        "bench digits.bin --runs 3 --profile",
        "inspect digits.onnx",
        "inspect digits.bin",
        "explain digits.onnx",
        "explain digits.bin",
        "check digits.onnx",
        "verify case",
    ];
    for command in commands {
        for threads in [1, 2] {
            let line = format!("{command} --json --threads {threads}");
            for l in place
                .output(&line)
                .stdout
                .split(|b| *b == b'\n')
                .filter(|l| !l.is_empty())
            {
                let value = serde_json::from_slice::<serde_json::Value>(l);
                assert!(
                    value.is_ok_and(|v| v.is_object()),
                    "{line}: {}",
                    String::from_utf8_lossy(l)
                );
            }
        }
    }
}

#[test]
fn a_wrong_command_line_is_one_line_and_status_2() {
    let place = Place::new();
    let lines = [
        "compile digits.onnx",
        "compile digits.onnx -o digits.onnx",
        "compile digits.onnx -o .",
        "compile digits.onnx --emit elf",
        "compile digits.onnx -o x.bin --input image=1x1x29x28",
        "run digits.onnx",
        "run digits.onnx --input picture=seven.png",
        "run digits.onnx --input image",
        "run digits.onnx --input image=random:x",
        "run digits.onnx --input image=labels.txt",
        "run digits.onnx --input image=seven.png --output digit=labels.txt --quiet",
        "run digits.onnx --threads 0 --input image=seven.png",
        "bench digits.onnx --seconds nan",
        "bench digits.onnx --runs 0",
        "verify",
        "digest digits.onnx",
        "run digits.onnx --wrong",
    ];
    let shown: Vec<String> = lines.iter().map(|l| place.shown(l)).collect();
    for s in &shown {
        assert!(s.ends_with("= 2\n") && s.lines().count() == 3, "{s}");
    }
    assert!(!place.file("x.bin").exists());
    assert_snapshot!(shown.join("\n"));
}

#[test]
fn what_the_system_refuses_is_status_3() {
    let place = Place::new();
    let lines = [
        "run absent.onnx",
        "run absent.cnn",
        "run absent.bin",
        "run digits.onnx --input image=absent.png",
        "compile digits.onnx -o absent/x.bin",
        "verify --list absent.txt",
    ];
    let shown: Vec<String> = lines.iter().map(|l| place.shown(l)).collect();
    for s in &shown {
        assert!(s.ends_with("= 3\n"), "{s}");
    }
    assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_broken_model_leaves_the_old_artefact_as_it_was() {
    let place = Place::new();
    place.done("compile digits.onnx -o digits.bin");
    let whole = fs::read(place.file("digits.bin")).unwrap();
    let onnx = fs::read(place.file("digits.onnx")).unwrap();
    fs::write(place.file("digits.onnx"), &onnx[..onnx.len() / 2]).unwrap();
    assert_eq!(
        place
            .output("compile digits.onnx -o digits.bin")
            .status
            .code(),
        Some(2)
    );
    assert_eq!(fs::read(place.file("digits.bin")).unwrap(), whole);
    fs::write(place.file("digits.bin"), &whole[..whole.len() - 1]).unwrap();
    assert_snapshot!(place.shown("run digits.bin"));
    let left = fs::read_dir(place.0.path()).unwrap().count();
    assert_eq!(
        left, 5,
        "files: three of the network, twice.cnn, digits.bin"
    );
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let place = Place::new();
    let mut child = place
        .command("explain digits.onnx")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stderr.as_slice()),
        (Some(0), &b""[..])
    );
}

#[test]
fn a_tuned_artefact_is_made_again_without_measuring() {
    let place = Place::new();
    place.done("compile digits.onnx -o tuned.bin --tune=0.5 --threads 1");
    place.done("compile digits.onnx -o again.bin --replay tuned.bin");
    assert_eq!(
        fs::read(place.file("tuned.bin")).unwrap(),
        fs::read(place.file("again.bin")).unwrap()
    );
    let explained = place.done("explain tuned.bin");
    let measured = explained.lines().filter(|l| l.contains(", measured "));
    assert!(measured.count() >= 2, "{explained}");
    place.done("compile digits.onnx -o plain.bin");
    assert_snapshot!(place.shown("compile digits.onnx -o never.bin --replay plain.bin"), @"
    $ cnnc compile digits.onnx -o never.bin --replay plain.bin
    ! cnnc: plain.bin: records no choices: compile it with --tune
    = 2
    ");
    assert_snapshot!(place.shown("compile digits.onnx -o never.bin --replay tuned.bin --threads 2"), @"
    $ cnnc compile digits.onnx -o never.bin --replay tuned.bin --threads 2
    ! cnnc: tuned.bin: was tuned for --threads 1, not 2
    = 2
    ");
}

#[test]
fn a_trace_has_a_slice_for_every_step_of_every_thread() {
    let place = Place::new();
    place.done("bench digits.onnx --runs 3 --profile --trace trace.json --threads 2");
    let text = fs::read(place.file("trace.json")).unwrap();
    let trace: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let slices = |thread: u64| {
        let own = events
            .iter()
            .filter(move |e| e["ph"] == "X" && e["tid"] == thread);
        own.collect::<Vec<_>>()
    };
    let names = |thread| {
        slices(thread)
            .iter()
            .map(|e| e["name"].clone())
            .collect::<Vec<_>>()
    };
    assert!(names(0).len() > 2);
    assert_eq!(names(0), names(1));
    let mut end = 0.0;
    for slice in slices(0) {
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        assert!(number(&slice["ts"]) >= end, "{slice}");
        end = number(&slice["ts"]) + number(&slice["dur"]);
        for key in ["gflops", "gbs", "peak_share", "waited_us"] {
            assert!(number(&slice["args"][key]) >= 0.0, "{slice}");
        }
    }
    assert_snapshot!(place.shown("bench digits.onnx --trace trace.json"), @"
    $ cnnc bench digits.onnx --trace trace.json
    ! cnnc: the following required arguments were not provided: --profile
    = 2
    ");
}

#[test]
fn an_artefact_that_carries_its_graph_compiles_again() {
    let place = Place::new();
    place.done("compile digits.onnx -o with.bin --keep-graph");
    place.done("compile digits.onnx -o without.bin");
    place.done("compile with.bin -o again.bin");
    assert_eq!(
        fs::read(place.file("again.bin")).unwrap(),
        fs::read(place.file("without.bin")).unwrap()
    );
    assert_snapshot!(place.shown("compile without.bin -o never.bin"));
}

#[test]
fn free_dimensions_are_fixed_by_shapes_or_by_inputs() {
    let place = Place::new();
    place.done("compile twice.cnn -o twice.bin --input x=2x3");
    let random = place.done("run twice.bin --input x=random:3 --output y=y.npy");
    assert!(random.starts_with("y  f32[2,3]"), "{random}");
    let again = place.done("run twice.cnn --input x=y.npy");
    assert!(again.starts_with("y  f32[2,3]"), "{again}");
    assert_snapshot!(place.shown("bench twice.bin --input x=4x3"));
    assert_snapshot!(place.shown("compile twice.cnn -o t.bin --input x=2x4"));
}

#[test]
fn check_lists_every_mistake() {
    let place = Place::new();
    fs::write(
        place.file("bad.cnn"),
        CNN.replace("Add", "Ad").replace("= %y\n}", "= %q\n}"),
    )
    .unwrap();
    assert_snapshot!(place.shown("check bad.cnn"));
    assert_snapshot!(place.shown("check twice.cnn"));
}

/// A TensorProto of floats: dims (field 1), data_type (2), raw_data (9).
fn tensor_proto(dims: &[u8], values: &[f32]) -> Vec<u8> {
    let mut bytes: Vec<u8> = dims.iter().flat_map(|&d| [0x08, d]).collect();
    bytes.extend([0x10, 1, 0x4a, 4 * values.len() as u8]);
    bytes.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

#[test]
fn verify_answers_yes_or_no() {
    let place = Place::new();
    let set = place.file("case/test_data_set_0");
    fs::create_dir_all(&set).unwrap();
    fs::copy(place.file("digits.onnx"), place.file("case/model.onnx")).unwrap();
    // No probability is 2: wrong whatever the network says.
    fs::write(set.join("output_0.pb"), tensor_proto(&[1, 10], &[2.0; 10])).unwrap();
    let black = [
        0x08, 1, 0x08, 1, 0x08, 28, 0x08, 28, 0x10, 1, 0x4a, 0xc0, 0x18,
    ];
    fs::write(
        set.join("input_0.pb"),
        [&black[..], &[0; 4 * 28 * 28]].concat(),
    )
    .unwrap();
    let wrong = place.output("verify case --quiet");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stdout).starts_with("fail"));
    let tolerant = place.output("verify case --atol 3 --json");
    assert_eq!(tolerant.status.code(), Some(0));
    let line: serde_json::Value = serde_json::from_slice(&tolerant.stdout).unwrap();
    assert_eq!(
        (&line["dir"], &line["status"]),
        (&"case".into(), &"pass".into())
    );
    assert!(line["max_abs_diff"].as_f64().unwrap() > 1.0);
}

#[test]
fn help_names_every_command() {
    assert_snapshot!(Place::new().shown("--help"));
}

#[test]
fn an_exported_model_gives_the_same_answer() {
    let place = Place::new();
    place.done("export digits.onnx -o again.onnx");
    let run = "--input image=seven.png --quiet";
    assert_eq!(
        place.done(&format!("run digits.onnx {run}")),
        place.done(&format!("run again.onnx {run}"))
    );
    // A free dimension stays free.
    place.done("export twice.cnn -o twice.onnx");
    let shape = place.done("run twice.onnx --input x=5x3");
    assert!(shape.contains("5, 3") || shape.contains("5,3"), "{shape}");
}

#[test]
fn what_is_not_exported_leaves_nothing() {
    let place = Place::new();
    let said = [
        place.shown("export twice.cnn -o twice.bin"),
        place.shown("export digits.onnx -o digits.onnx"),
        place.shown("export twice.cnn -o nowhere/twice.onnx"),
        place.shown("export gone.cnn --onnx -o twice"),
    ];
    assert_snapshot!(said.join(""));
    assert!(!place.file("twice.bin").exists() && !place.file("twice").exists());
}

const PARAMETRIC: &str = "network tiny(classes=3, size=6)
input x: f32[size]
output y = softmax(dense(x, classes))
";

#[test]
fn parameters_of_a_description_are_set() {
    let place = Place::new();
    fs::write(place.file("tiny.cnn"), PARAMETRIC).unwrap();
    let outputs = |arguments: &str| {
        let said = place.done(&format!("inspect tiny.cnn --quiet {arguments}"));
        let is_port = |l: &&str| l.starts_with("input") || l.starts_with("output");
        let ports: Vec<&str> = said.lines().filter(is_port).collect();
        ports.join("\n")
    };
    assert_snapshot!(outputs(""));
    assert_snapshot!(outputs("--set classes=5,size=4"));
    assert_eq!(
        outputs("--set classes=5,size=4"),
        outputs("--set classes=5 --set size=4")
    );
    place.done("compile tiny.cnn --train --batch 4 --set classes=5 -o step.bin");
    place.done("compile tiny.cnn --set classes=5 -o tiny.bin");
    place.done("run tiny.bin --input x=random:1");
    place.done("check tiny.cnn --set size=4");
    let refused = [
        "compile tiny.cnn --set clases=5 -o no.bin",
        "train tiny.cnn --data nowhere --set classes=relu",
        "eval tiny.cnn --data nowhere --set size=0",
        "check tiny.cnn --set size=0",
        "run tiny.cnn --set classes",
        "run tiny.cnn --set classes=5x",
        "bench tiny.cnn --train --set width=3",
        "explain twice.cnn --set classes=5",
        "export digits.onnx --set classes=5 -o no.onnx",
        "bench digits.onnx --set classes=5",
        "run tiny.bin --set classes=5",
        "inspect tiny.bin --set classes=5",
        "check digits.onnx --set classes=5",
        "verify case --set classes=5",
    ];
    assert_snapshot!(refused.map(|line| place.shown(line)).join(""));
}

#[test]
fn a_training_step_is_shown_as_a_model_is() {
    let place = Place::new();
    fs::write(place.file("tiny.cnn"), PARAMETRIC).unwrap();
    place.done("compile tiny.cnn --train --batch 4 -o step.bin");
    let explained = place.done("explain tiny.cnn --train --batch 4");
    assert_eq!(explained, place.done("explain step.bin"));
    assert_snapshot!(explained);
    let inspected = place.done("inspect tiny.cnn --train --batch 4");
    let states: Vec<&str> = inspected
        .lines()
        .filter(|l| l.starts_with("state"))
        .collect();
    assert_snapshot!(states.join("\n"));
}

#[test]
fn a_graph_is_not_trained() {
    let place = Place::new();
    let refused = [
        "compile twice.cnn --train -o no.bin",
        "bench twice.cnn --train",
        "train twice.cnn --data nowhere",
        "tune twice.cnn --data nowhere --space batch=32,64",
    ];
    assert_snapshot!(refused.map(|line| place.shown(line)).join(""));
}

#[test]
fn a_training_step_is_an_artefact() {
    let place = Place::new();
    let text = "network tiny\ninput x: f32[6]\noutput y = softmax(dense(x, 3, name=\"head\"))\ntrain { optimizer momentum(lr=0.05) }\n";
    fs::write(place.file("tiny.cnn"), text).unwrap();
    place.done("compile tiny.cnn --train --batch 4 --cpu baseline -o step.bin");
    let said = place.done("inspect step.bin");
    let fields = [
        "loss",
        "optimizer",
        "batch",
        "rate",
        "input",
        "output",
        "state",
    ];
    let fields = |line: &&str| fields.iter().any(|f| line.split(' ').next() == Some(f));
    let said: Vec<&str> = said.lines().filter(fields).collect();
    assert_snapshot!(said.join("\n"));
    let timed = place.done("bench step.bin --runs 3 --json");
    assert!(timed.contains("\"runs\":3"), "{timed}");
    let refused = [
        place.shown("compile digits.onnx --train -o no.bin"),
        place.shown("compile tiny.cnn --batch 4 -o no.bin"),
    ];
    assert_snapshot!(refused.join(""));
    assert!(!place.file("no.bin").exists());
}
