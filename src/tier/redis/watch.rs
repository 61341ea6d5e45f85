//! Keys that servers tell of by themselves: which they shall tell, and what their names mean here.

use crate::key::{nothing_name, of_value_name, state_name};
use crate::tier::Foreign;
use crate::transport::redis::{Push, Watch};
use std::sync::Arc;

/// Tells of the values below this root, and of its state. Leases and the log go by, too, as far as their names begin so.
pub fn watch(root: &str, told: Arc<dyn Fn(Foreign) + Send + Sync>) -> Watch {
    let state = state_name(root);
    let prefixes = vec![format!("tc:{{{root}:"), format!("tc:{{{root}/"), state.clone()];
    let nothing = nothing_name(root);
    let root = root.to_owned();
    let told = move |push: Push| match push {
        Push::Began { again, tells_own } => told(Foreign::Began { again, tells_own }),
        Push::Refused => told(Foreign::Refused),
        Push::Lost => told(Foreign::Lost),
        Push::All => told(Foreign::Everything),
        Push::Keys(names) => {
            // A name that is no text is nobody's here.
            for name in names.iter().filter_map(|name| std::str::from_utf8(name).ok()) {
                if name == state {
                    told(Foreign::State);
                } else if let Some((path, key)) = of_value_name(&root, name) {
                    told(Foreign::Key {
                        path: path.into(),
                        key: key.into(),
                    });
                }
            }
        }
    };
    Watch {
        prefixes,
        nothing,
        told: Box::new(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;

    #[test]
    fn names_become_keys_and_what_is_no_value_of_this_root_is_nothing() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let sink = heard.clone();
        let watch = watch("shop@2", Arc::new(move |foreign| sink.lock().push(foreign)));
        let names = [
            "tc:{shop@2:k}:v",
            "tc:{shop@2/users/admins:a:b}:v}:v",
            "tc:{shop@2:k}:l",
            "tc:{shop@22:k}:v",
            "tc:{shop@2}:g",
            "tc:{shop@2}:log",
        ];
        (watch.told)(Push::Keys(names.map(|name| name.as_bytes().to_vec()).to_vec()));
        (watch.told)(Push::Keys(vec![vec![0xff]]));
        (watch.told)(Push::All);
        let key = |path: &str, key: &str| Foreign::Key {
            path: path.into(),
            key: key.into(),
        };
        let expected = [
            key("", "k"),
            key("users/admins", "a:b}:v"),
            Foreign::State,
            Foreign::Everything,
        ];
        assert_eq!(*heard.lock(), expected);
    }
}
