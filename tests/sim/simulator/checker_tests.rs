use super::*;

const LIFE: Life = Life { ttl: 60_000, grace: 0 };

/// Key 0 has version 1 everywhere; node 0 deletes it at 10 ms, and is answered at 12 ms.
struct Deleted {
    checker: Checker,
    old: ValueId,
    deletion: InvalidationId,
    message: MessageId,
}

fn deleted() -> Deleted {
    let mut checker = Checker::new(2, true);
    let old = checker.at(1).loaded_value(0, 0, 1, LIFE);
    let deletion = checker.at(10).invalidate("the delete".into(), 0, vec![(0, 2)], false);
    let message = checker.at(12).published();
    checker.at(12).acknowledged(deletion, Some(message));
    Deleted {
        checker,
        old,
        deletion,
        message,
    }
}

/// What is said about a read of key 0 that begins then, and gets this.
fn read(mut checker: Checker, node: Node, ms: u64, value: ValueId) -> Vec<&'static str> {
    let read = checker.at(ms).read("a read".into(), node, 0);
    checker.at(ms + 1).answered(read, Some((value, false)));
    checker.finish().into_iter().map(|violation| violation.law).collect()
}

#[test]
fn an_old_value_after_the_answer_breaks_law_1_in_the_same_node() {
    let Deleted { checker, old, .. } = deleted();
    assert_eq!(read(checker, 0, 12, old), ["law 1"]);
}

#[test]
fn an_old_value_behind_the_call_breaks_law_1_before_it_is_done() {
    let mut checker = Checker::new(1, true);
    let old = checker.at(1).loaded_value(0, 0, 1, LIFE);
    let deletion = checker.at(10).invalidate("the delete".into(), 0, vec![(0, 2)], false);
    let early = checker.at(11).read("a read".into(), 0, 0);
    checker.at(12).acknowledged(deletion, None);
    checker.at(13).answered(early, Some((old, false)));
    assert_eq!(checker.finish().len(), 1);
}

#[test]
fn an_old_value_in_another_node_is_right_until_the_message_is_heard() {
    let Deleted { checker, old, .. } = deleted();
    assert!(read(checker, 1, 500, old).is_empty());
    let Deleted {
        mut checker,
        old,
        message,
        ..
    } = deleted();
    checker.at(20).heard(1, message);
    assert_eq!(read(checker, 1, 20, old), ["law 3"]);
    let Deleted { mut checker, old, .. } = deleted();
    checker.at(20).forgot_all(1);
    assert_eq!(read(checker, 1, 20, old), ["law 3"]);
}

#[test]
fn an_old_value_in_another_node_is_wrong_a_second_later() {
    let Deleted { checker, old, .. } = deleted();
    assert!(read(checker, 1, 11 + BOUND, old).is_empty());
    let Deleted { checker, old, .. } = deleted();
    assert_eq!(read(checker, 1, 12 + BOUND, old), ["law 4"]);
}

#[test]
fn who_cannot_reach_the_store_may_serve_what_he_loaded_himself_and_nothing_of_others() {
    let troubled = |maker: Node, ms: u64| {
        let mut checker = Checker::new(2, false);
        let old = checker.at(1).loaded_value(maker, 0, 1, LIFE);
        let deletion = checker.at(10).invalidate("the delete".into(), 0, vec![(0, 2)], false);
        checker.at(12).acknowledged(deletion, None);
        checker.at(100).troubled(1, 5_000);
        checker.at(4_900).troubled(1, 7_000);
        checker.at(50_000).troubled(1, 60_000);
        read(checker, 1, ms, old)
    };
    assert!(troubled(1, 6_999 + BOUND).is_empty());
    assert_eq!(troubled(1, 7_000 + BOUND), ["law 4"]);
    assert_eq!(troubled(0, 12 + BOUND), ["law 4"]);
}

#[test]
fn a_read_that_began_before_may_return_what_was_there_then() {
    let Deleted { mut checker, old, .. } = deleted();
    let mut early = Checker::new(1, true);
    let value = early.at(1).loaded_value(0, 0, 1, LIFE);
    let read = early.at(5).read("a read".into(), 0, 0);
    let deletion = early.at(6).invalidate("the delete".into(), 0, vec![(0, 2)], false);
    early.at(7).acknowledged(deletion, None);
    early.at(9).answered(read, Some((value, false)));
    assert!(early.finish().is_empty());
    // Heard by one who has not been answered yet: what was told is true from then on.
    let read = checker.at(12).read("a read".into(), 1, 0);
    checker.at(30).answered(read, Some((old, false)));
    assert!(checker.finish().is_empty());
}

#[test]
fn what_failed_binds_its_own_node_as_long_as_it_lives_and_no_other() {
    let failed = |node: Node, dies: bool| {
        let mut checker = Checker::new(2, false);
        let old = checker.at(1).loaded_value(0, 0, 1, LIFE);
        checker
            .at(10)
            .invalidate("a delete that fails".into(), 0, vec![(0, 2)], false);
        if dies {
            checker.at(11).died(0);
        }
        read(checker, node, 3_000, old)
    };
    assert_eq!(failed(0, false), ["law 1"]);
    assert!(failed(0, true).is_empty());
    assert!(failed(1, false).is_empty());
}

#[test]
fn a_newer_value_is_always_right() {
    let Deleted { mut checker, .. } = deleted();
    let new = checker.at(13).loaded_value(0, 0, 2, LIFE);
    assert!(read(checker, 0, 14, new).is_empty());
}

#[test]
fn a_set_that_overlaps_an_invalidation_may_be_the_later_of_the_two() {
    let overlapping = |ends_first: bool| {
        let mut checker = Checker::new(1, true);
        let set = checker.at(1).invalidate("the set".into(), 0, vec![(0, 2)], false);
        let value = checker.set_value(set, 0, 2, LIFE);
        if ends_first {
            checker.at(2).acknowledged(set, None);
        }
        let deletion = checker.at(3).invalidate("the delete".into(), 0, vec![(0, 3)], false);
        if !ends_first {
            checker.at(4).acknowledged(set, None);
        }
        checker.at(5).acknowledged(deletion, None);
        read(checker, 0, 6, value)
    };
    assert!(overlapping(false).is_empty());
    assert_eq!(overlapping(true), ["law 1"]);
}

#[test]
fn what_was_expired_may_be_served_as_stale_and_not_as_fresh() {
    let mut checker = Checker::new(1, true);
    let old = checker.at(1).loaded_value(0, 0, 1, LIFE);
    let expired = checker.at(2).invalidate("the expire".into(), 0, vec![(0, 2)], true);
    checker.at(3).acknowledged(expired, None);
    let stale = checker.at(4).read("a read".into(), 0, 0);
    checker.at(4).answered(stale, Some((old, true)));
    assert_eq!(read(checker, 0, 5, old), ["law 1"]);
}

#[test]
fn values_end() {
    let mut checker = Checker::new(1, true);
    let value = checker.at(0).loaded_value(0, 0, 1, Life { ttl: 100, grace: 50 });
    let late = 100 + TTL_SLACK + 1;
    let stale = checker.at(late).read("a read".into(), 0, 0);
    checker.at(late).answered(stale, Some((value, true)));
    assert_eq!(read(checker, 0, late, value), ["time to live"]);
}

#[test]
fn a_value_of_another_key_and_a_call_without_an_answer_are_seen() {
    let mut checker = Checker::new(1, true);
    let other = checker.at(0).loaded_value(0, 1, 1, LIFE);
    checker.at(1).read("one that hangs".into(), 0, 0);
    assert_eq!(read(checker, 0, 2, other), ["no call hangs", "law 10"]);
}

#[test]
fn two_loads_at_once_break_law_6_unless_the_key_was_invalidated() {
    let Deleted {
        mut checker, deletion, ..
    } = deleted();
    assert_eq!(deletion, InvalidationId(0));
    checker.at(20).load(0, 0, None);
    checker.at(21).load(1, 0, None);
    assert!(checker.finish().is_empty(), "the delete was told a moment ago");
    let Deleted { mut checker, .. } = deleted();
    let first = checker.at(20 + BOUND).load(0, 0, None);
    checker.at(21 + BOUND).load(1, 1, None);
    assert!(checker.violations.is_empty(), "another key is another matter");
    checker.at(22 + BOUND).load(1, 0, None);
    assert_eq!(checker.violations.len(), 1);
    checker.load_ended(first);
}
