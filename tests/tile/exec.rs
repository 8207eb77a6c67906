//! Runs assembled tiles on buffers that end at an inaccessible page.

#![allow(unsafe_code)]

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use std::ffi::c_void;
use std::ptr::null_mut;

const PAGE: usize = 4096;

/// Anonymous pages with a guard page before and behind.
struct Pages {
    base: *mut c_void,
    len: usize,
}

impl Pages {
    fn new(bytes: usize) -> Pages {
        let len = bytes.next_multiple_of(PAGE).max(PAGE) + 2 * PAGE;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no existing memory.
        let base =
            unsafe { mmap_anonymous(null_mut(), len, access, MapFlags::PRIVATE) }.expect("mmap");
        let last = base.wrapping_byte_add(len - PAGE);
        for guard in [base, last] {
            // SAFETY: both pages lie in the mapping made above, which nothing else refers to yet.
            unsafe { mprotect(guard, PAGE, MprotectFlags::empty()) }.expect("mprotect");
        }
        Pages { base, len }
    }

    fn end(&self) -> *mut c_void {
        self.base.wrapping_byte_add(self.len - PAGE)
    }

    fn room(&self) -> usize {
        self.len - 2 * PAGE
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is owned by `self` and no borrow of it outlives `self`.
        unsafe { munmap(self.base, self.len) }.expect("munmap");
    }
}

/// A buffer of f32 whose last element is the last before a guard page.
pub struct Guarded {
    pages: Pages,
    len: usize,
}

impl Guarded {
    /// Room for `capacity` elements; holds none.
    pub fn new(capacity: usize) -> Guarded {
        Guarded {
            pages: Pages::new(capacity * size_of::<f32>()),
            len: 0,
        }
    }

    pub fn fill(&mut self, elements: &[f32]) {
        assert!(size_of_val(elements) <= self.pages.room());
        self.len = elements.len();
        // SAFETY: `start` has room for `len` elements before the guard page, and the source is elsewhere.
        unsafe {
            self.start()
                .copy_from_nonoverlapping(elements.as_ptr(), self.len)
        };
    }

    pub fn elements(&self) -> &[f32] {
        // SAFETY: `fill` initialised `len` elements at `start`; they are borrowed with `self`.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }

    fn start(&self) -> *mut f32 {
        self.pages.end().cast::<f32>().wrapping_sub(self.len)
    }
}

/// Executable machine code.
pub struct Code(Pages);

impl Code {
    pub fn new(bytes: &[u8]) -> Code {
        let pages = Pages::new(bytes.len());
        let base = pages.base.wrapping_byte_add(PAGE);
        // SAFETY: the pages between the guards are writable and large enough; then they change to executable, and
        // nothing writes them any more.
        unsafe {
            base.cast::<u8>()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            mprotect(
                base,
                pages.room(),
                MprotectFlags::READ | MprotectFlags::EXEC,
            )
            .expect("mprotect");
        }
        Code(pages)
    }

    /// Calls the code as a tile: input, weights, output, bias, residual, each from a byte offset into its buffer.
    ///
    /// Only for code assembled from a tile that the interpreter has run on these buffers without a fault.
    pub fn call(&self, buffers: &mut [Guarded; 5], starts: [i64; 5]) {
        type Kernel =
            unsafe extern "sysv64" fn(*const u8, *const u8, *mut u8, *const u8, *const u8);
        let [input, weights, output, bias, residual] = std::array::from_fn(|i| {
            buffers[i]
                .start()
                .cast::<u8>()
                .wrapping_offset(starts[i] as isize)
        });
        // SAFETY: the pages hold a complete function of this signature, position-independent and executable. That it
        // stays inside its buffers is what the interpreter has shown; if it does not, the guard pages end the test.
        unsafe {
            let kernel =
                std::mem::transmute::<*mut c_void, Kernel>(self.0.base.wrapping_byte_add(PAGE));
            kernel(input, weights, output, bias, residual);
        }
    }
}
