//! Weights alone, in safetensors files: cnnc's own, which carry a hash as checkpoints do; a checkpoint's; other programs'.

use super::decode::{is_sealed, object, split, tensors};
use super::encode::{DIGITS, METADATA, file};
use super::{CheckpointError, FORMAT, replace};
use crate::network::{Network, WeightError};
use bytes::Bytes;
use cnnc_ir::Tensor;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The metadata's entry `format` of weights.
const WEIGHTS: &str = "cnnc weights 1";

/// Tensors by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    pub tensors: Vec<(String, Tensor)>,
    /// Whether they are a checkpoint's: then what training keeps besides is there too.
    pub of_checkpoint: bool,
}

impl Weights {
    /// A network's parameters.
    pub fn of(network: &Network) -> Weights {
        Weights {
            tensors: network.weights(),
            of_checkpoint: false,
        }
    }

    /// The bytes of the file. The same weights make the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        file(
            json!({"hash": "0".repeat(DIGITS), "format": WEIGHTS}),
            &self.tensors,
        )
    }

    /// Gives `path` this content, or leaves it as it was.
    pub fn write(&self, path: &Path) -> Result<(), CheckpointError> {
        let bytes = self.to_bytes().map_err(CheckpointError::within(path))?;
        replace::replace(path, &bytes).map_err(CheckpointError::io(path))
    }

    /// Reads and checks the file.
    pub fn read(path: &Path) -> Result<Weights, CheckpointError> {
        let bytes = std::fs::read(path).map_err(CheckpointError::io(path))?;
        Weights::from_bytes(bytes.into()).map_err(CheckpointError::within(path))
    }

    /// Checks the bytes of a safetensors file and takes them apart; tensors are slices of them.
    pub fn from_bytes(file: Bytes) -> Result<Weights, CheckpointError> {
        let (header, data) = split(&file)?;
        is_sealed(&file, &header)?;
        let header: Map<String, Value> = object(&header)?;
        let format = header.get(METADATA).and_then(|m| m.get("format")?.as_str());
        Ok(Weights {
            tensors: tensors(&header, &data)?,
            of_checkpoint: format == Some(FORMAT),
        })
    }

    /// Gives a network these weights. All of its parameters must be there, and nothing else; in a checkpoint, those that are learnt.
    ///
    /// # Errors
    /// If a name or a type does not fit.
    pub fn apply(&self, network: &mut Network) -> Result<(), WeightError> {
        let is_there = |name: &str| self.tensors.iter().any(|(n, _)| n == name);
        let needed = network
            .parameters
            .iter()
            .filter(|p| p.trainable || !self.of_checkpoint);
        let mut missing = needed.filter(|p| !is_there(&p.name));
        if let Some(parameter) = missing.next() {
            return Err(network.missing(&parameter.name));
        }
        let is_known = |name: &str| network.parameters.iter().any(|p| p.name == name);
        let wanted: Vec<(&str, &Tensor)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor))
            .filter(|(name, _)| !self.of_checkpoint || is_known(name))
            .collect();
        network.set_weights(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Checkpoint;
    use cnnc_ir::DType;

    const NET: &str = "network two
input x: f32[3]
output y = dense(batch_norm(x), 2)
";

    fn network(seed: u64) -> Network {
        let no_imports = |_: &str| Err("no imports".to_string());
        crate::description::expand(
            NET,
            &crate::description::Arguments::default(),
            Some(seed),
            &no_imports,
        )
        .unwrap()
    }

    #[test]
    fn weights_come_back() {
        let weights = Weights::of(&network(1));
        let read = Weights::from_bytes(weights.to_bytes().unwrap().into()).unwrap();
        assert_eq!(read, weights);
        let mut other = network(2);
        assert_ne!(Weights::of(&other), weights);
        read.apply(&mut other).unwrap();
        assert_eq!(Weights::of(&other), weights);
    }

    /// As the format's documentation has it: any order, any metadata or none.
    #[test]
    fn other_programs_write_them_too() {
        let header = r#"{"b":{"dtype":"U8","shape":[2],"data_offsets":[4,6]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.bytes());
        file.extend([0, 0, 128, 63, 7, 8]);
        let read = Weights::from_bytes(file.into()).unwrap();
        assert_eq!(read.tensors[0].1, Tensor::scalar_f64(DType::F32, 1.0));
        assert_eq!(read.tensors[1].1.to_i64(), [7, 8]);
        assert!(!read.of_checkpoint);
    }

    #[test]
    fn of_a_checkpoint_only_what_is_learnt_counts() {
        let mut tensors = network(1).weights();
        tensors.retain(|(name, _)| {
            name.starts_with("dense") || name.ends_with("scale") || name.ends_with("bias")
        });
        tensors.push(("dense1.weight.mean".into(), Tensor::ints(&[1])));
        let checkpoint = Checkpoint {
            tensors,
            ..Checkpoint::default()
        };
        let read = Weights::from_bytes(checkpoint.to_bytes().unwrap().into()).unwrap();
        read.apply(&mut network(2)).unwrap();
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let refused = |change: fn(&mut Weights)| {
            let mut weights = Weights::of(&network(1));
            change(&mut weights);
            weights.apply(&mut network(1)).unwrap_err().to_string()
        };
        let all = [
            refused(|w| drop(w.tensors.pop())),
            refused(|w| w.tensors.push(("dense1.weigth".into(), Tensor::ints(&[1])))),
            refused(|w| w.tensors[0].1 = Tensor::ints(&[1])),
        ];
        let expected = [
            "parameter 'dense1.bias', f32[2], is missing",
            "the network has no parameter 'dense1.weigth'; did you mean 'dense1.weight'?",
            "parameter 'batch_norm1.scale' is f32[3], not i64[1]",
        ];
        assert_eq!(all, expected);
    }
}
