//! Networks learn, in compiled code: small ones, on small data sets that the tests draw.

mod common;
mod faults;
mod fits;
mod resumes;
