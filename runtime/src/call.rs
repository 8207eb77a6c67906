//! Generated functions and the call into them: the one place where the process runs code that rustc did not see.
#![allow(unsafe_code)]

use crate::abi::{Env, NativeFn, math_table};
use crate::artifact::FormatError;
use crate::map::Executable;

/// Generated code, for [`Model::from_parts`](crate::Model::from_parts).
pub enum Code {
    /// Position-independent machine code and where each function begins in it. It is copied to executable memory.
    Blob { bytes: Vec<u8>, entries: Vec<u64> },
    /// Functions of type [`NativeFn`] that are in memory already.
    Functions {
        addresses: Vec<*const u8>,
        /// Owns the functions' memory; dropped with the last session.
        keep_alive: Box<dyn Send + Sync>,
    },
}

impl Code {
    /// The number of functions.
    pub(crate) fn entries(&self) -> usize {
        match self {
            Code::Blob { entries, .. } => entries.len(),
            Code::Functions { addresses, .. } => addresses.len(),
        }
    }
}

/// Callable code.
pub(crate) struct Functions {
    entries: Vec<NativeFn>,
    /// What `Env::math` points to.
    pub(crate) math: Vec<usize>,
    _memory: Box<dyn Send + Sync>,
}

impl Functions {
    pub(crate) fn new(code: Code) -> Result<Functions, FormatError> {
        let (addresses, memory): (_, Box<dyn Send + Sync>) = match code {
            Code::Blob { bytes, entries } => {
                let code = Executable::copy_of(&bytes)
                    .map_err(FormatError::io("mapping executable memory"))?;
                (addresses(&code, &entries, bytes.len())?, Box::new(code))
            }
            Code::Functions {
                addresses,
                keep_alive,
            } => (addresses, keep_alive),
        };
        if let Some(entry) = addresses.iter().position(|address| address.is_null()) {
            return Err(FormatError::Entry {
                entry,
                offset: 0,
                code_bytes: 0,
            });
        }
        // SAFETY: not null. That functions of this type stand there is what opening native code trusts in.
        let function = |address| unsafe { std::mem::transmute::<*const u8, NativeFn>(address) };
        Ok(Functions {
            entries: addresses.into_iter().map(function).collect(),
            math: math_table(),
            _memory: memory,
        })
    }

    /// Runs chunks `lo..hi` of function `entry`; `entry` was checked when the model was opened.
    pub(crate) fn call(&self, entry: u32, env: &Env, lo: u64, hi: u64) {
        let function = self.entries[entry as usize];
        // SAFETY: `env` points to the memory the program was planned for, and the code, trusted since the model was opened,
        // touches that memory alone, and within a step no byte from two threads.
        unsafe { function(env, lo, hi) }
    }
}

fn addresses(
    code: &Executable,
    entries: &[u64],
    code_bytes: usize,
) -> Result<Vec<*const u8>, FormatError> {
    let address = |(entry, &offset): (usize, &u64)| {
        code.address(offset).ok_or(FormatError::Entry {
            entry,
            offset,
            code_bytes: code_bytes as u64,
        })
    };
    entries.iter().enumerate().map(address).collect()
}
