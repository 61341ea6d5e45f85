//! mimalloc, with two habits of its own.
//!
//! It is asked for no alignment that it has anyway. The crate of that name always asks for one, and then mimalloc takes a block
//! that is larger by the alignment where its list of fitting ones is empty: 192 bytes for a record of 155 instead of 160.
//!
//! It gives memory back on a thread for which nobody waits. By itself whoever allocates does that, also the event loop's thread:
//! after a mass expiry for 5 to 40 ms.

use libmimalloc_sys::{
    mi_collect, mi_free, mi_malloc, mi_malloc_aligned, mi_option_set_default, mi_option_t, mi_option_use_numa_nodes,
    mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};
use std::alloc::{GlobalAlloc, Layout};
use std::sync::Once;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// What every block has.
const ALIGNMENT: usize = size_of::<usize>();

/// How often memory that is free goes back to the system.
const GIVE_BACK: Duration = Duration::from_millis(100);
/// How long it stays if nobody does that, in milliseconds. `MIMALLOC_PURGE_DELAY` overrides it.
const PURGE_DELAY: i32 = 3_600_000;
/// The option has no name there, and its number is the one before this one's in the version that Cargo.toml pins.
const PURGE_DELAY_OPTION: mi_option_t = mi_option_use_numa_nodes - 1;

/// Call it before much is allocated; once counts.
pub fn tune(runtime: &Handle) {
    static TUNED: Once = Once::new();
    TUNED.call_once(|| {
        // SAFETY: an option of the version that is linked; it may be set at any time.
        unsafe { mi_option_set_default(PURGE_DELAY_OPTION, PURGE_DELAY.into()) }
        runtime.spawn(give_back());
    });
}

async fn give_back() {
    loop {
        sleep(GIVE_BACK).await;
        // SAFETY: any thread may do it at any time.
        let given = spawn_blocking(|| unsafe { mi_collect(true) }).await;
        if given.is_err() {
            return;
        }
    }
}

/// See the module.
pub struct Mimalloc;

// SAFETY: mimalloc gives each block to one owner, of at least the size and the alignment that were asked for, or null.
unsafe impl GlobalAlloc for Mimalloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, alignment) = (layout.size(), layout.align());
        // SAFETY: any size may be asked for.
        unsafe {
            if alignment <= ALIGNMENT {
                mi_malloc(size)
            } else {
                mi_malloc_aligned(size, alignment)
            }
        }
        .cast()
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, alignment) = (layout.size(), layout.align());
        // SAFETY: any size may be asked for.
        unsafe {
            if alignment <= ALIGNMENT {
                mi_zalloc(size)
            } else {
                mi_zalloc_aligned(size, alignment)
            }
        }
        .cast()
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let (block, alignment) = (block.cast(), layout.align());
        // SAFETY: the block is mimalloc's, as the caller vouches.
        unsafe {
            if alignment <= ALIGNMENT {
                mi_realloc(block, size)
            } else {
                mi_realloc_aligned(block, size, alignment)
            }
        }
        .cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the block is mimalloc's, as the caller vouches.
        unsafe { mi_free(block.cast()) }
    }
}
