//! The memory planner: where every value lives.

pub mod view;
