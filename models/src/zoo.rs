//! The zoo: descriptions of well-known networks, in `zoo/`.

/// A description that comes with cnnc.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    pub name: &'static str,
    /// Text of `zoo/<name>.cnn`.
    pub text: &'static str,
}

macro_rules! zoo {
    ($($name:literal)*) => {
        /// All of them.
        pub const ZOO: &[Exhibit] = &[
            $(Exhibit { name: $name, text: include_str!(concat!("../zoo/", $name, ".cnn")) }),*
        ];
    };
}

zoo! {
    "alexnet"
    "bn_dropout"
    "elman_rnn"
    "gru"
    "lenet5"
    "lstm"
    "mlp"
    "mnist_a"
    "mnist_b"
    "mnist_c"
    "mnist_d"
    "mobilenet_v2"
    "resnet18_cifar"
    "resnet20"
    "resnet50"
    "unet"
    "vgg16"
}

/// The description of that name.
pub fn find(name: &str) -> Option<Exhibit> {
    ZOO.iter().copied().find(|e| e.name == name)
}
