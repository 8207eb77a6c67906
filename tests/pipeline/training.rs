//! Training steps as artefacts: the runtime alone takes them as the trainer does, to the bit.

#[path = "../../runtime/examples/train_step.rs"]
mod train_step;

use crate::execute::levels;
use cnnc::compile::{CompileOptions, compile};
use cnnc::train::{self, CompiledStep, Trainer};
use cnnc_models::description::{Arguments, expand};
use cnnc_models::network::Network;
use cnnc_models::step;
use cnnc_runtime::{CpuLevel, Model, Session};

const NETWORK: &str = "network tiny
input image: f32[1, 10, 10]
x = batch_norm(conv(image, 6, 3x3), relu)
x = dropout(flatten(max_pool(x, 2x2)), 0.2)
output digit = softmax(dense(x, 5))
train { loss cross_entropy  optimizer adam(lr=1e-3)  batch 8 }
";

const SEED: u32 = 3;

fn network() -> Network {
    let no_imports = |_: &str| Err("no imports here".to_string());
    expand(
        NETWORK,
        &Arguments::default(),
        Some(SEED.into()),
        &no_imports,
    )
    .unwrap_or_else(|e| panic!("{e}"))
}

fn settings(network: &Network) -> step::Settings {
    let training = network.training.clone().unwrap_or_default();
    train::settings(&training, training.batch as usize, SEED)
}

/// The artefact of a step.
fn artefact(level: CpuLevel) -> Vec<u8> {
    let network = network();
    let settings = settings(&network);
    let step = step::step(&network, &settings).unwrap_or_else(|e| panic!("{e}"));
    let mut options = CompileOptions::new(level);
    options.states = train::bound(&step, true);
    options.remarks = train::remarks(&step, &settings);
    let compiled = compile(step.graph, &options).unwrap_or_else(|e| panic!("{e}"));
    let bytes = compiled.artefact(None, |w| w.to_bytes());
    bytes.unwrap_or_else(|e| panic!("{e}"))
}

fn session(bytes: &[u8], threads: usize) -> Session {
    let model = Model::from_bytes(bytes).unwrap_or_else(|e| panic!("{e}"));
    let options = cnnc_runtime::SessionOptions { threads };
    model.session_with(options).expect("a session")
}

/// Takes so many steps: the losses, and what every state holds then.
fn steps(session: &mut Session, count: u64) -> (Vec<f32>, Vec<Vec<u8>>) {
    let mut losses = Vec::new();
    for step in 1..=count {
        train_step::feed(session, step).expect("inputs");
        session.run().expect("it runs");
        losses.push(session.output::<f32>("loss").expect("a loss").to_vec()[0]);
    }
    (losses, states(session))
}

fn states(session: &Session) -> Vec<Vec<u8>> {
    let ports = &session.model().program().states;
    let state = |port: &cnnc_runtime::Port| session.fetch_state(&port.name);
    let states = ports.iter().map(|p| state(p).expect("a state"));
    states.map(|t| t.bytes().to_vec()).collect()
}

#[test]
fn a_step_learns_without_the_compiler() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("step.bin");
    let level = CpuLevel::host().unwrap_or(CpuLevel::Baseline);
    std::fs::write(&path, artefact(level)).expect("a file");
    let losses = train_step::train(&path, 150).unwrap_or_else(|e| panic!("{e}"));
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let (first, last) = (mean(&losses[..10]), mean(&losses[140..]));
    assert!(last < 0.3 * first, "from {first} to {last}");
}

#[test]
fn the_runtime_alone_does_what_the_trainer_does() {
    for level in levels() {
        let bytes = artefact(level);
        let mut alone = session(&bytes, 1);
        let (losses, left) = steps(&mut alone, 5);
        assert_eq!(
            steps(&mut session(&bytes, 3), 5),
            (losses.clone(), left.clone())
        );
        let network = network();
        let settings = settings(&network);
        let step = train::compiled_step(&network, &settings, &CompileOptions::new(level));
        let step: CompiledStep = step.unwrap_or_else(|e| panic!("{e}"));
        let mut trainer = Trainer::new(step, 1).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            steps(trainer.session(), 5),
            (losses.clone(), left),
            "{level}"
        );
        // From the beginning again.
        alone.reset_states();
        assert_eq!(steps(&mut alone, 5).0, losses);
        let other = alone.fetch_state("conv1.weight").expect("a state");
        let mut again = session(&bytes, 1);
        again
            .set_state("conv1.weight", other.view())
            .expect("a state");
        assert_ne!(steps(&mut again, 5).0, losses);
    }
}

#[test]
fn first_values_are_those_of_the_description() {
    let network = network();
    let bytes = artefact(CpuLevel::Baseline);
    let session = session(&bytes, 1);
    let program = session.model().program();
    let mut parameters = 0;
    for port in &program.states {
        let found = session.fetch_state(&port.name).expect("a state");
        let mut nodes = network.graph.nodes();
        match nodes.find(|n| n.outputs[0].name == port.name) {
            Some(node) => {
                let constant = network.graph.constant(node.id.into()).expect("a parameter");
                assert_eq!(found.bytes(), &constant.bytes()[..], "{}", port.name);
                parameters += found.bytes().len();
            }
            None => assert!(found.bytes().iter().all(|&b| b == 0), "{}", port.name),
        }
    }
    // Adam's slots are zeros: they take no bytes.
    assert!(program.states.len() > 2 * program.initials.len());
    assert!(session.model().weights().len() < parameters + 2048);
}

#[test]
fn damaged_steps_are_refused() {
    let bytes = artefact(CpuLevel::Baseline);
    for part in 0..200 {
        let at = part * bytes.len() / 200;
        assert!(Model::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (part % 8);
        assert!(Model::from_bytes(&damaged).is_err(), "byte {at}");
    }
}
