//! Style transfer as a program of your own: a picture is changed until a network sees another one's style in it.
//!
//! ```text
//! cargo run --release -p cnnc --example style_transfer -- CONTENT STYLE NETWORK.onnx OUT.png [ITERATIONS]
//! ```
//!
//! The network is taken as one from Caffe (blue, green, red from 0 to 255, less 104, 117, 123), such as SqueezeNet 1.1 of the ONNX model zoo;
//! for torchvision's say `Normalization::ImageNet`. `cnnc style` is this with options; `style_transfer.png` beside this file, scikit-learn's
//! sample photographs flower and china, is what `cnnc style flower.jpg china.jpg -o style_transfer.png --network squeezenet1.1.onnx
//! --normalize caffe --size 400 --plot style_transfer.svg` makes of them (500 iterations).

use cnnc::compile::CompileOptions;
use cnnc::frontend::onnx::{ImportOptions, import};
use cnnc::style::Transfer;
use cnnc_models::photo::{self, Photo};
use cnnc_models::style::{Normalization, Settings, default_layers};
use cnnc_runtime::CpuLevel;
use std::error::Error;
use std::path::Path;

/// Pixels that the longer side of a picture has at most.
const SIDE: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [content, style, network, out, rest @ ..] = &args[..] else {
        return Err("give CONTENT STYLE NETWORK.onnx OUT.png [ITERATIONS]".into());
    };
    let iterations: u32 = rest.first().map_or(Ok(500), |text| text.parse())?;

    let content = Photo::open(Path::new(content))?.bounded(SIDE).tensor(3)?;
    let style = Photo::open(Path::new(style))?.bounded(SIDE).tensor(3)?;
    let network = import(Path::new(network), &ImportOptions::default())?.graph;
    let settings = Settings::new(default_layers(&network)?, Normalization::Caffe);

    // Features, losses, gradient and Adam become one compiled step.
    let options = CompileOptions::new(CpuLevel::host().unwrap_or(CpuLevel::Baseline));
    let mut transfer = Transfer::new(&network, &content, &style, &settings, &options, 0)?;
    for iteration in 1..=iterations {
        let losses = transfer.step()?;
        if iteration % 100 == 0 || iteration == iterations {
            println!("{iteration:5}  loss {:.1}", losses.loss);
            std::fs::write(out, photo::png(&transfer.picture()?, 1.0)?)?;
        }
    }
    Ok(())
}
