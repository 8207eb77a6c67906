//! The `cnnc` program.

fn main() -> std::process::ExitCode {
    cnnc::cli::main(std::env::args_os())
}
