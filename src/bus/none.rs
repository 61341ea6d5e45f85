//! No bus: nobody to tell, nothing to hear.

use crate::bus::{Bus, Heard};
use tokio::sync::mpsc;

/// See the module.
pub struct NoBus;

impl Bus for NoBus {
    fn listen(&self, _: mpsc::UnboundedSender<Heard>) {}
    fn is_there(&self) -> bool {
        false
    }
}
