//! Networks learn, in compiled code: small ones, on small data sets that the tests draw.

mod commands;
mod common;
mod faults;
mod fits;
mod maps;
mod place;
mod resumes;
mod signals;
mod tunes;
mod zoo;
