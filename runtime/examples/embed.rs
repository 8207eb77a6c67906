//! Embeds a compiled model: `cargo run --example embed -- MODEL.bin`. Nothing but the runtime is linked in.

use cnnc_runtime::{DType, Model, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("usage: embed MODEL.bin")?;
    let model = Model::open(path)?; // shared: clone it, send it to other threads
    let mut session = model.session(0)?; // memory and threads of its own; 0: every processor at hand

    for port in &model.program().inputs {
        let dims = model.program().upper_dims(&port.operand);
        let dims: Vec<usize> = dims.into_iter().map(|d| d as usize).collect();
        let input = match port.operand.dtype {
            DType::F32 => Tensor::new(&dims, &vec![0.5f32; dims.iter().product()]),
            other => Tensor::zeroed(other, &dims),
        };
        session.set_input(&port.name, input.ok_or("not enough memory")?.view())?;
    }
    session.run()?;
    for port in &model.program().outputs {
        let output = session.fetch_output(&port.name)?;
        match output.as_slice::<f32>() {
            Some(values) => println!("{} {:?}: {values:.3?}", port.name, output.dims()),
            None => println!("{} {:?}: {}", port.name, output.dims(), output.dtype()),
        }
    }
    Ok(())
}
