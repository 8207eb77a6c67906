//! Memory from the operating system: zeroed buffers, executable code, mapped files.
//!
//! Everything big is mapped rather than allocated, so that running out of it is an error value, pages are huge where the system
//! has them, and an access past a buffer's end meets a guard page. Code is writable while it is copied and executable ever
//! after, never both.
#![allow(unsafe_code)]

use crate::abi::TAIL_BYTES;
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};
use std::ffi::c_void;
use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr;

/// Bytes from which huge pages are worth asking for.
const HUGE_PAGE: usize = 2 << 20;

/// A private anonymous mapping of `bytes` from `mapping` on, of which memory from `start` on is used.
struct Pages {
    mapping: *mut u8,
    bytes: usize,
    start: *mut u8,
}

// SAFETY: the mapping is owned by this value alone; nothing about it is bound to a thread.
unsafe impl Send for Pages {}
// SAFETY: a shared reference gives no access to the memory.
unsafe impl Sync for Pages {}

impl Pages {
    /// Zeroed, readable and writable pages for at least `bytes` and one guard page behind them. Large ones begin where a huge
    /// page does.
    fn with_guard(bytes: usize) -> io::Result<Pages> {
        let page = rustix::param::page_size();
        let align = if bytes < HUGE_PAGE { page } else { HUGE_PAGE };
        let too_large = || io::Error::from(io::ErrorKind::OutOfMemory);
        let usable = bytes.checked_next_multiple_of(page).ok_or_else(too_large)?;
        let total = usable.checked_add(align).ok_or_else(too_large)?;
        let writable = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no memory in use.
        let mapping =
            unsafe { mmap_anonymous(ptr::null_mut(), total, writable, MapFlags::PRIVATE) }?;
        let mapping: *mut u8 = mapping.cast();
        // Less than `align`, by whole pages, so that a page is left behind the usable ones.
        let skipped = mapping.addr().next_multiple_of(align) - mapping.addr();
        let pages = Pages {
            mapping,
            bytes: total,
            start: mapping.wrapping_add(skipped),
        };
        let behind = pages.start.wrapping_add(usable);
        let rest = total - skipped - usable;
        // SAFETY: the last pages of the mapping above, which nobody has seen yet.
        unsafe { mprotect(behind.cast(), rest, MprotectFlags::empty()) }?;
        Ok(pages)
    }

    fn start(&self) -> *mut c_void {
        self.start.cast()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever borrowed from it borrowed from `self`. Unmapping a valid range cannot fail.
        let _ = unsafe { munmap(self.mapping.cast(), self.bytes) };
    }
}

/// Zeroed memory at a page boundary, followed by [`TAIL_BYTES`] readable bytes and a guard page.
pub struct Buffer {
    pages: Pages,
    len: usize,
}

impl Buffer {
    /// `len` zero bytes; an error where the system has not that much.
    pub fn zeroed(len: usize) -> io::Result<Buffer> {
        let bytes = len.checked_add(TAIL_BYTES as usize);
        let pages = Pages::with_guard(bytes.ok_or(io::ErrorKind::OutOfMemory)?)?;
        if len >= HUGE_PAGE {
            // SAFETY: the range lies in the mapping. Advice: a kernel without huge pages refuses it, and nothing is lost.
            let _ = unsafe { madvise(pages.start(), len, Advice::LinuxHugepage) };
        }
        Ok(Buffer { pages, len })
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> io::Result<Buffer> {
        let mut buffer = Buffer::zeroed(bytes.len())?;
        buffer.copy_from_slice(bytes);
        Ok(buffer)
    }

    /// The first byte, for access through raw pointers while nobody holds a slice.
    pub(crate) fn address(&self) -> *mut u8 {
        self.pages.start
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `len` initialised bytes of our own mapping, borrowed as `self` is.
        unsafe { std::slice::from_raw_parts(self.pages.start, self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: `len` initialised bytes of our own mapping, borrowed exclusively as `self` is.
        unsafe { std::slice::from_raw_parts_mut(self.pages.start, self.len) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

/// Machine code that can be run and no longer be written.
pub(crate) struct Executable {
    pages: Pages,
    len: usize,
}

impl Executable {
    pub(crate) fn copy_of(code: &[u8]) -> io::Result<Executable> {
        let pages = Pages::with_guard(code.len())?;
        let usable = code.len().next_multiple_of(rustix::param::page_size());
        // SAFETY: the mapping holds at least `code.len()` writable bytes and is distinct from `code`.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), pages.start, code.len()) };
        let executable = MprotectFlags::READ | MprotectFlags::EXEC;
        // SAFETY: our own mapping, to which nobody holds a reference. x86-64 keeps instruction fetches coherent with stores.
        unsafe { mprotect(pages.start(), usable, executable) }?;
        Ok(Executable {
            pages,
            len: code.len(),
        })
    }

    /// The address of byte `offset`, where there is one.
    pub(crate) fn address(&self, offset: u64) -> Option<*const u8> {
        let offset = usize::try_from(offset)
            .ok()
            .filter(|&offset| offset < self.len)?;
        Some(self.pages.start.wrapping_add(offset))
    }
}

/// Maps a file from `offset` on, read-only and privately.
///
/// Who truncates a mapped file kills the processes that read from it (SIGBUS); who writes to it changes what they compute. The
/// writer of artefacts does neither: it replaces files by renaming. [`Model::from_bytes`](crate::Model::from_bytes) is the way
/// around it.
pub(crate) fn map_file(file: &File, offset: u64) -> io::Result<memmap2::Mmap> {
    // SAFETY: sound as long as nobody changes the file, which is documented as the condition of opening one.
    unsafe { memmap2::MmapOptions::new().offset(offset).map(file) }
}

/// Maps a whole file, read-only and privately, under the condition that nobody truncates or writes it meanwhile.
pub fn map_whole(file: &File) -> io::Result<impl AsRef<[u8]> + Send + Sync + 'static + use<>> {
    map_file(file, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_zero_and_writable() {
        let mut buffer = Buffer::zeroed(3 << 20).unwrap();
        assert!(buffer.iter().all(|&byte| byte == 0));
        buffer.fill(7);
        assert_eq!(buffer[(3 << 20) - 1], 7);
    }

    #[test]
    fn too_much_memory_is_an_error() {
        assert!(Buffer::zeroed(usize::MAX).is_err());
        assert!(Buffer::zeroed(1 << 60).is_err());
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn copied_code_runs_and_is_not_writable() {
        // mov eax, 42; ret
        let code = Executable::copy_of(&[0xb8, 42, 0, 0, 0, 0xc3]).unwrap();
        let address = code.address(0).unwrap();
        // SAFETY: the bytes above are a whole function of this type.
        let f: extern "C" fn() -> i32 = unsafe { std::mem::transmute(address) };
        assert_eq!(f(), 42);
        assert_eq!(code.address(6), None);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let line = maps
            .lines()
            .find(|line| line.starts_with(&format!("{:x}-", address as usize)));
        assert!(line.unwrap().contains(" r-xp "), "{line:?}");
        assert!(!maps.contains("rwx"), "{maps}");
    }
}
