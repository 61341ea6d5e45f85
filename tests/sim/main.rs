//! The simulator as a test: a thousand histories, and the proof that the checker finds what is wrong. Many more run with
//! `make simulate`.

#![allow(missing_docs, reason = "test names are sentences that state the rule")]

mod simulator;

use simulator::{Faults, Plan, run, shrink};
use std::sync::atomic::{AtomicU64, Ordering};
use turbocache::event::Frame;
use turbocache::tier::{RemoteReply, RemoteRequest};

const HISTORIES: u64 = 1_000;

#[test]
fn histories_keep_the_laws() {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let seed @ 0..HISTORIES = next.fetch_add(1, Ordering::Relaxed) {
                    let outcome = run(&Plan::new(seed), &Faults::default(), false);
                    if let Some(violation) = outcome.violations.first() {
                        panic!("{violation}\nrepeat it: cargo run --release --example simulate -- --seed {seed}");
                    }
                }
            });
        }
    });
}

#[test]
fn histories_in_which_the_log_refuses_keep_the_laws() {
    for seed in 0..300 {
        let violations = run(&Plan::with_refusals(seed), &Faults::default(), false).violations;
        assert_eq!(violations, [], "seed {seed}, with --refusals");
    }
}

#[test]
fn histories_in_which_a_replica_takes_over_keep_the_laws() {
    for seed in 0..500 {
        let violations = run(&Plan::with_failovers(seed), &Faults::default(), false).violations;
        assert_eq!(violations, [], "seed {seed}, with --failovers");
    }
}

#[test]
fn a_store_of_several_servers_that_passes_for_one_breaks_law_3_when_a_replica_takes_over() {
    let faults = Faults {
        passes_for_one: true,
        ..Faults::default()
    };
    let broken = (0..2_000).map(Plan::with_failovers).any(|plan| {
        let violations = run(&plan, &faults, false).violations;
        violations.iter().any(|violation| violation.law == "law 3")
    });
    assert!(broken, "law 3 was not broken");
}

#[test]
fn a_store_without_a_mark_breaks_law_4_when_its_log_refuses() {
    let faults = lying(|model, request| match request {
        RemoteRequest::ReadLog { .. } => match model.apply(request) {
            RemoteReply::Log(frames, _) => Some(RemoteReply::Log(frames, 0)),
            reply => Some(reply),
        },
        _ => None,
    });
    let broken = (0..2_000).map(Plan::with_refusals).find_map(|plan| {
        let violations = run(&plan, &faults, false).violations;
        violations.into_iter().find(|violation| violation.law == "law 4")
    });
    assert!(broken.is_some(), "law 4 was not broken");
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 0..40 {
        let [first, second] = [(), ()].map(|()| run(&Plan::new(seed), &Faults::default(), true));
        let differs = first
            .log
            .iter()
            .zip(&second.log)
            .find(|(first, second)| first != second);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.time, second.time);
    }
}

/// The first history that breaks the law under faults on purpose.
fn broken(law: &str, faults: Faults) -> Plan {
    let breaks = |plan: &Plan| {
        run(plan, &faults, false)
            .violations
            .iter()
            .any(|violation| violation.law == law)
    };
    let plan = (0..2_000).map(Plan::new).find(breaks);
    plan.unwrap_or_else(|| panic!("{law} was not broken"))
}

fn lying(lie: simulator::Lie) -> Faults {
    Faults {
        lie: Some(lie),
        ..Faults::default()
    }
}

#[test]
fn a_memory_tier_that_keeps_what_is_removed_breaks_law_1_and_law_3() {
    let faults = Faults {
        memory_sticks: true,
        ..Faults::default()
    };
    broken("law 1", faults);
    broken("law 3", faults);
}

#[test]
fn a_store_that_fills_without_looking_at_the_lease_breaks_law_3() {
    broken(
        "law 3",
        lying(|model, request| match request {
            RemoteRequest::Fill {
                key, envelope, life, ..
            } => Some(model.apply(&RemoteRequest::Write {
                key: key.clone(),
                envelope: envelope.clone(),
                life: *life,
            })),
            _ => None,
        }),
    );
}

#[test]
fn a_store_that_says_it_has_removed_what_it_has_not_breaks_law_1() {
    broken(
        "law 1",
        lying(|_, request| match request {
            RemoteRequest::Remove { .. } => Some(RemoteReply::Done(true)),
            _ => None,
        }),
    );
}

#[test]
fn a_store_that_forgets_floors_breaks_law_1() {
    broken(
        "law 1",
        lying(|model, request| match request {
            RemoteRequest::Raise { fields } if !fields.is_empty() => {
                Some(model.apply(&RemoteRequest::State { fields: fields.clone() }))
            }
            _ => None,
        }),
    );
}

#[test]
fn a_store_that_only_says_that_it_removes_breaks_law_1_also_for_a_reader_who_keeps_nothing() {
    let faults = lying(|_, request| match request {
        RemoteRequest::Remove { .. } => Some(RemoteReply::Done(true)),
        _ => None,
    });
    let nobody_keeps_anything = |seed| Plan {
        keep_nothing: usize::MAX,
        ..Plan::new(seed)
    };
    let broken = (0..2_000).map(nobody_keeps_anything).any(|plan| {
        let violations = run(&plan, &faults, false).violations;
        violations
            .iter()
            .any(|violation| violation.law == "law 1" && violation.text.starts_with("Get("))
    });
    assert!(broken, "law 1 was not broken");
}

#[test]
fn a_store_that_gives_the_lease_to_everybody_breaks_law_6() {
    broken(
        "law 6",
        lying(|_, request| match request {
            RemoteRequest::Lease { .. } => Some(RemoteReply::Granted),
            _ => None,
        }),
    );
}

#[test]
fn a_store_that_forgets_how_old_values_are_breaks_the_time_to_live() {
    broken(
        "time to live",
        lying(|model, request| match request {
            RemoteRequest::Write { key, envelope, .. } => Some(model.apply(&RemoteRequest::Write {
                key: key.clone(),
                envelope: envelope.clone(),
                life: None,
            })),
            RemoteRequest::Read { .. } => match model.apply(request) {
                RemoteReply::Value(Some(mut stored)) => {
                    stored.life = Some(60_000);
                    Some(RemoteReply::Value(Some(stored)))
                }
                reply => Some(reply),
            },
            _ => None,
        }),
    );
}

#[test]
fn a_bus_that_loses_every_message_keeps_the_laws_because_the_log_tells() {
    let faults = Faults {
        bus_is_deaf: true,
        ..Faults::default()
    };
    for seed in 0..100 {
        let violations = run(&Plan::new(seed), &faults, false).violations;
        assert_eq!(violations, [], "seed {seed}");
    }
}

#[test]
fn a_bus_that_loses_everything_unnoticed_breaks_law_4_and_a_few_steps_show_it() {
    // Nor does the log hold what one of the senders says. Its own frames an engine would miss, and the one it has read last.
    let silent = lying(|model, request| match request {
        RemoteRequest::ReadLog { .. } => match model.apply(request) {
            RemoteReply::Log(mut frames, mark) => {
                let sender = |bytes: &[u8]| Frame::decode(bytes).map(|frame| frame.sender);
                let hidden = frames.iter().filter_map(|(_, bytes)| sender(bytes)).min();
                let first = frames.first().map(|(id, _)| *id);
                frames.retain(|(id, bytes)| Some(*id) == first || sender(bytes) != hidden);
                Some(RemoteReply::Log(frames, mark))
            }
            reply => Some(reply),
        },
        _ => None,
    });
    let faults = Faults {
        bus_is_deaf: true,
        ..silent
    };
    let plan = shrink(&broken("law 4", faults), &faults, "law 4");
    assert!(plan.steps.len() <= 12, "it is made short: {:?}", plan.steps);
    let violations = run(&plan, &faults, true).violations;
    assert!(violations.iter().any(|violation| violation.law == "law 4"));
}
