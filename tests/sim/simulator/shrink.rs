//! Makes a plan that breaks a law shorter: delta debugging (Zeller and Hildebrandt 2002) on its steps.

use crate::simulator::faults::Faults;
use crate::simulator::plan::Plan;
use crate::simulator::world::run;

/// A step that is gone changes when the others happen: then other times are tried.
const LUCK: u64 = 8;

/// The shortest plan that was found to break the same law.
pub fn shrink(plan: &Plan, faults: &Faults, law: &str) -> Plan {
    let breaks = |plan: &Plan| {
        run(plan, faults, false)
            .violations
            .iter()
            .any(|violation| violation.law == law)
    };
    let breaking = |plan: &Plan| {
        let other = |luck| Plan {
            luck: plan.luck ^ luck,
            ..plan.clone()
        };
        (0..LUCK).map(other).find(breaks)
    };
    let mut shortest = plan.clone();
    let mut length = shortest.steps.len().div_ceil(2);
    while length > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < shortest.steps.len() {
            let mut tried = shortest.clone();
            let removed = tried.steps.drain(at..(at + length).min(shortest.steps.len()));
            // What follows happens when it happened.
            let pause: u64 = removed.map(|step| step.pause).sum();
            if let Some(next) = tried.steps.get_mut(at) {
                next.pause += pause;
            }
            if let Some(tried) = breaking(&tried) {
                shortest = tried;
                shorter = true;
            } else {
                at += length;
            }
        }
        if !shorter {
            length /= 2;
        }
    }
    shortest
}
